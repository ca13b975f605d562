//! Verdicts on instances that exist.

use expect_test::{Expect, expect};
use placement::query::{Facts, Unlisted, parse};

use crate::{attributes, known, verdict};

const INSTANCE: &str = "ecs.instance-type=t3.small ecs.availability-zone=us-east-1a ecs.os-type=linux stack=prod gpu generation=12 \
    com.amazonaws.ecs.capability.docker-remote-api.1.19";

/// Each expression and its verdict.
fn check(facts: &Facts<'_>, texts: &[&str], want: Expect) {
    let lines: String = texts
        .iter()
        .map(|text| format!("{text}  ->  {}\n", verdict(text, facts)))
        .collect();
    want.assert_eq(&lines);
}

#[test]
fn attributes_are_compared_as_texts() {
    let attributes = attributes(INSTANCE);
    check(
        &known(&attributes),
        &[
            "attribute:ecs.instance-type == t3.small",
            "attribute:ecs.instance-type == T3.small",
            "attribute:stack != dev",
            "attribute:stack in [dev, prod]",
            "attribute:stack !in [dev, prod]",
            "attribute:stack > dev",
            "attribute:stack <= prod",
            "attribute:generation >= 11",
            "attribute:generation >= 9",
            "attribute:generation < 12",
            "attribute:com.amazonaws.ecs.capability.docker-remote-api.1.19 exists",
        ],
        expect![[r#"
            attribute:ecs.instance-type == t3.small  ->  yes
            attribute:ecs.instance-type == T3.small  ->  no
            attribute:stack != dev  ->  yes
            attribute:stack in [dev, prod]  ->  yes
            attribute:stack !in [dev, prod]  ->  no
            attribute:stack > dev  ->  yes
            attribute:stack <= prod  ->  yes
            attribute:generation >= 11  ->  yes
            attribute:generation >= 9  ->  `attribute:generation >= 9` cannot be decided: AWS does not document whether numbers are compared as texts
            attribute:generation < 12  ->  no
            attribute:com.amazonaws.ecs.capability.docker-remote-api.1.19 exists  ->  yes
        "#]],
    );
}

#[test]
fn an_instance_without_the_value_fails_every_test_of_it() {
    let attributes = attributes(INSTANCE);
    check(
        &known(&attributes),
        &[
            "attribute:gpu exists",
            "attribute:gpu !exists",
            "attribute:gpu == yes",
            "attribute:gpu != yes",
            "attribute:retiring exists",
            "attribute:retiring !exists",
            "attribute:retiring == true",
            "attribute:retiring != true",
            "attribute:retiring !in [true]",
            "attribute:retiring !~ true",
            "attribute:retiring > a",
            "not (attribute:retiring == true)",
            "not (attribute:retiring != true)",
        ],
        expect![[r#"
            attribute:gpu exists  ->  yes
            attribute:gpu !exists  ->  no
            attribute:gpu == yes  ->  no
            attribute:gpu != yes  ->  no
            attribute:retiring exists  ->  no
            attribute:retiring !exists  ->  yes
            attribute:retiring == true  ->  no
            attribute:retiring != true  ->  no
            attribute:retiring !in [true]  ->  no
            attribute:retiring !~ true  ->  no
            attribute:retiring > a  ->  no
            not (attribute:retiring == true)  ->  yes
            not (attribute:retiring != true)  ->  yes
        "#]],
    );
}

#[test]
fn the_other_subjects_are_compared_in_their_own_kind() {
    let attributes = attributes("");
    check(
        &known(&attributes),
        &[
            "agentConnected == true",
            "agentConnected != true",
            "agentConnected in [true, false]",
            "agentConnected =~ t.*",
            "agentVersion < 1.14.10",
            "agentVersion >= 1.14.5.0",
            "agentVersion > 1.9",
            "agentVersion == 1.14",
            "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
            "ec2InstanceId =~ i-abcd.*",
            "ec2InstanceId != i-abcd1234",
            "registeredAt < 2018-02-14",
            "registeredAt < 2018-02-13",
            "registeredAt >= 2018-02-13T12:00:00+02:00",
            "registeredAt == 2018-02-13",
            "runningTasksCount == 1",
            "runningTasksCount < 1",
            "task:group == service:production",
        ],
        expect![[r#"
            agentConnected == true  ->  yes
            agentConnected != true  ->  no
            agentConnected in [true, false]  ->  yes
            agentConnected =~ t.*  ->  yes
            agentVersion < 1.14.10  ->  yes
            agentVersion >= 1.14.5.0  ->  yes
            agentVersion > 1.9  ->  yes
            agentVersion == 1.14  ->  no
            ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']  ->  yes
            ec2InstanceId =~ i-abcd.*  ->  yes
            ec2InstanceId != i-abcd1234  ->  no
            registeredAt < 2018-02-14  ->  yes
            registeredAt < 2018-02-13  ->  no
            registeredAt >= 2018-02-13T12:00:00+02:00  ->  yes
            registeredAt == 2018-02-13  ->  `registeredAt == 2018-02-13T00:00:00Z` cannot be decided: AWS does not document how exact two equal times are
            runningTasksCount == 1  ->  yes
            runningTasksCount < 1  ->  no
            task:group == service:production  ->  `task:group == service:production` cannot be decided: which tasks share an instance changes with each task that is placed
        "#]],
    );
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let attributes = attributes("stack=prod");
    let facts = Facts {
        attributes: &attributes,
        unlisted: Unlisted::Unknown,
        ec2_instance_id: None,
        agent_connected: None,
        agent_version: Some("custom"),
        registered_at: None,
        running_tasks_count: None,
    };
    check(
        &facts,
        &[
            "attribute:team exists",
            "attribute:team !exists",
            "not attribute:team == web",
            "agentConnected == true",
            "agentVersion > 1",
            "ec2InstanceId == i-1",
            "registeredAt > 2018-02-13",
            "runningTasksCount == 0",
            "attribute:stack == prod or attribute:team == web",
            "attribute:stack == dev or attribute:team == web",
            "attribute:team == web and attribute:stack == dev",
            "attribute:team == web and runningTasksCount == 0",
        ],
        expect![[r#"
            attribute:team exists  ->  `attribute:team exists` cannot be decided: it is not known of this instance
            attribute:team !exists  ->  `attribute:team !exists` cannot be decided: it is not known of this instance
            not attribute:team == web  ->  `attribute:team == web` cannot be decided: it is not known of this instance
            agentConnected == true  ->  `agentConnected == true` cannot be decided: it is not known of this instance
            agentVersion > 1  ->  `agentVersion > 1` cannot be decided: it is not known of this instance
            ec2InstanceId == i-1  ->  `ec2InstanceId == i-1` cannot be decided: it is not known of this instance
            registeredAt > 2018-02-13  ->  `registeredAt > 2018-02-13T00:00:00Z` cannot be decided: it is not known of this instance
            runningTasksCount == 0  ->  `runningTasksCount == 0` cannot be decided: it is not known of this instance
            attribute:stack == prod or attribute:team == web  ->  yes
            attribute:stack == dev or attribute:team == web  ->  `attribute:team == web` cannot be decided: it is not known of this instance
            attribute:team == web and attribute:stack == dev  ->  no
            attribute:team == web and runningTasksCount == 0  ->  `attribute:team == web` cannot be decided: it is not known of this instance
        "#]],
    );
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_than_and() {
    let attributes = attributes("t f=0");
    let facts = known(&attributes);
    // `t` passes, `f` does not.
    let spelled = |text: &str| {
        let text = text
            .replace('T', "attribute:t exists")
            .replace('F', "attribute:t !exists");
        verdict(&text, &facts)
    };
    assert_eq!(spelled("T or F and F"), "yes");
    assert_eq!(spelled("(T or F) and F"), "no");
    assert_eq!(spelled("F and F or T"), "yes");
    assert_eq!(spelled("not T or T"), "yes");
    assert_eq!(spelled("not (T or T)"), "no");
    assert_eq!(spelled("not F and F"), "no");
    assert_eq!(spelled("not (F and F)"), "yes");
    assert_eq!(spelled("T || F && F"), "yes");
}

#[test]
fn parts_that_no_instance_decides_are_listed() {
    let expression = parse(
        "attribute:stack == prod and (task:group == database or registeredAt != 2018-01-01) and not attribute:t =~ '(?i)x'",
    )
    .unwrap();
    let lines: String = expression
        .unsupported()
        .iter()
        .map(|part| format!("{part}\n"))
        .collect();
    expect![[r#"
        `task:group == database` cannot be decided: which tasks share an instance changes with each task that is placed
        `registeredAt != 2018-01-01T00:00:00Z` cannot be decided: AWS does not document how exact two equal times are
        `attribute:t =~ '(?i)x'` cannot be decided: `(?i` in a pattern is not supported
    "#]].assert_eq(&lines);
}
