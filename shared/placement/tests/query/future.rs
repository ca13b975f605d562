//! Verdicts on an instance that does not exist yet.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::instance_type::CpuArchitecture;
use placement::query::{GroupAttributes, OS_TYPE_LINUX};

use crate::{attributes, verdict};

const ASKED: [&str; 11] = [
    "attribute:ecs.instance-type =~ m5.*",
    "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
    "attribute:ecs.cpu-architecture == x86_64",
    "attribute:ecs.os-type == linux",
    "attribute:ecs.subnet-id == subnet-1",
    "attribute:stack == prod",
    "attribute:generation == 1",
    "attribute:retiring !exists",
    "attribute:unheard exists",
    "agentConnected == true",
    "ec2InstanceId == i-1",
];

/// The verdicts on the next instance of a group with these instances.
fn check(instances: &[&str], architecture: Option<CpuArchitecture>, want: Expect) {
    let instances: Vec<BTreeMap<_, _>> = instances.iter().map(|text| attributes(text)).collect();
    let next = GroupAttributes::of(&instances).next_instance(
        &"m5.large".parse().unwrap(),
        &"us-east-1b".parse().unwrap(),
        architecture,
        OS_TYPE_LINUX,
    );
    let lines: String = ASKED
        .iter()
        .map(|text| format!("{text}  ->  {}\n", verdict(text, &next.facts())))
        .collect();
    want.assert_eq(&lines);
}

#[test]
fn a_group_without_instances_tells_only_what_its_type_and_zone_tell() {
    check(
        &[],
        None,
        expect![[r#"
        attribute:ecs.instance-type =~ m5.*  ->  yes
        attribute:ecs.availability-zone in [us-east-1a, us-east-1b]  ->  yes
        attribute:ecs.cpu-architecture == x86_64  ->  `attribute:ecs.cpu-architecture == x86_64` cannot be decided: it is not known of this instance
        attribute:ecs.os-type == linux  ->  yes
        attribute:ecs.subnet-id == subnet-1  ->  `attribute:ecs.subnet-id == subnet-1` cannot be decided: it is not known of this instance
        attribute:stack == prod  ->  `attribute:stack == prod` cannot be decided: it is not known of this instance
        attribute:generation == 1  ->  `attribute:generation == 1` cannot be decided: it is not known of this instance
        attribute:retiring !exists  ->  `attribute:retiring !exists` cannot be decided: it is not known of this instance
        attribute:unheard exists  ->  `attribute:unheard exists` cannot be decided: it is not known of this instance
        agentConnected == true  ->  yes
        ec2InstanceId == i-1  ->  `ec2InstanceId == i-1` cannot be decided: it is not known of this instance
    "#]],
    );
}

#[test]
fn what_all_instances_share_the_next_one_gets() {
    check(
        &[
            "ecs.instance-type=t3.small ecs.availability-zone=us-east-1a ecs.subnet-id=subnet-1 ecs.os-type=linux stack=prod generation=1",
        ],
        Some(CpuArchitecture::X86_64),
        expect![[r#"
            attribute:ecs.instance-type =~ m5.*  ->  yes
            attribute:ecs.availability-zone in [us-east-1a, us-east-1b]  ->  yes
            attribute:ecs.cpu-architecture == x86_64  ->  yes
            attribute:ecs.os-type == linux  ->  yes
            attribute:ecs.subnet-id == subnet-1  ->  `attribute:ecs.subnet-id == subnet-1` cannot be decided: it is not known of this instance
            attribute:stack == prod  ->  yes
            attribute:generation == 1  ->  yes
            attribute:retiring !exists  ->  yes
            attribute:unheard exists  ->  no
            agentConnected == true  ->  yes
            ec2InstanceId == i-1  ->  `ec2InstanceId == i-1` cannot be decided: it is not known of this instance
        "#]],
    );
}

#[test]
fn what_instances_do_not_share_is_not_known_of_the_next_one() {
    check(
        &[
            "ecs.os-type=linux ecs.subnet-id=subnet-1 stack=prod generation=1",
            "ecs.os-type=linux ecs.subnet-id=subnet-1 stack=prod generation=2 retiring=true",
            "ecs.os-type=linux ecs.subnet-id=subnet-1 stack=prod generation",
        ],
        Some(CpuArchitecture::X86_64),
        expect![[r#"
            attribute:ecs.instance-type =~ m5.*  ->  yes
            attribute:ecs.availability-zone in [us-east-1a, us-east-1b]  ->  yes
            attribute:ecs.cpu-architecture == x86_64  ->  yes
            attribute:ecs.os-type == linux  ->  yes
            attribute:ecs.subnet-id == subnet-1  ->  `attribute:ecs.subnet-id == subnet-1` cannot be decided: it is not known of this instance
            attribute:stack == prod  ->  yes
            attribute:generation == 1  ->  `attribute:generation == 1` cannot be decided: it is not known of this instance
            attribute:retiring !exists  ->  `attribute:retiring !exists` cannot be decided: it is not known of this instance
            attribute:unheard exists  ->  no
            agentConnected == true  ->  yes
            ec2InstanceId == i-1  ->  `ec2InstanceId == i-1` cannot be decided: it is not known of this instance
        "#]],
    );
}

#[test]
fn the_order_of_the_instances_does_not_matter() {
    let one = attributes("a=1 b=2 c");
    let two = attributes("a=1 b=3 d=4");
    let three = attributes("a=1 b=2");
    let of = |instances: [&BTreeMap<_, _>; 3]| GroupAttributes::of(instances);
    assert_eq!(of([&one, &two, &three]), of([&three, &two, &one]));
    assert_eq!(of([&one, &two, &three]), of([&two, &one, &three]));
}
