//! What a placement failure is evidence of, for each reason that ECS is known to give.

use model::strategy::Market;
use model::trigger::PlacementFailure;
use placement::fallback::cause::{Cause, classify};

use crate::scene::{key, service, share};

const SPOT: &[&str] = &["FARGATE_SPOT"];
const ON_DEMAND: &[&str] = &["FARGATE"];
const BOTH: &[&str] = &["FARGATE", "FARGATE_SPOT"];
const NONE: &[&str] = &[];
const EC2_SPOT: &[&str] = &["ec2-spot"];
const EC2_ON_DEMAND: &[&str] = &["ec2-on-demand"];
const STRANGER: &[&str] = &["not-in-the-strategy"];

const UNAVAILABLE: &str = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
const VCPU: &str = "You've reached the limit on the number of vCPUs you can run concurrently";

/// The reason, the providers that ECS named, and the cause.
const TABLE: [(&str, &[&str], Cause); 36] = [
    ("RESOURCE:FARGATE", SPOT, Cause::SpotCapacity),
    ("resource:fargate", SPOT, Cause::SpotCapacity),
    (UNAVAILABLE, SPOT, Cause::SpotCapacity),
    (UNAVAILABLE, EC2_SPOT, Cause::SpotCapacity),
    ("RESOURCE:FARGATE", BOTH, Cause::SpotCapacity),
    ("RESOURCE:FARGATE", ON_DEMAND, Cause::OnDemandCapacity),
    (UNAVAILABLE, ON_DEMAND, Cause::OnDemandCapacity),
    (UNAVAILABLE, EC2_ON_DEMAND, Cause::OnDemandCapacity),
    // The text never says which capacity: without the provider nothing is proven.
    ("RESOURCE:FARGATE", NONE, Cause::Unknown),
    (UNAVAILABLE, NONE, Cause::Unknown),
    ("Spot capacity is unavailable", NONE, Cause::Unknown),
    (
        "Spot capacity is unavailable",
        ON_DEMAND,
        Cause::OnDemandCapacity,
    ),
    (UNAVAILABLE, STRANGER, Cause::Unknown),
    ("RESOURCE:CPU", NONE, Cause::Ec2Resources),
    ("RESOURCE:CPU", EC2_SPOT, Cause::Ec2Resources),
    ("RESOURCE:MEMORY", EC2_ON_DEMAND, Cause::Ec2Resources),
    ("RESOURCE:PORTS", NONE, Cause::Ec2Resources),
    ("RESOURCE:PORTS:UDP", NONE, Cause::Ec2Resources),
    ("RESOURCE:ENI", NONE, Cause::Ec2Resources),
    ("RESOURCE:GPU", NONE, Cause::Ec2Resources),
    ("RESOURCE:PIDS", NONE, Cause::Ec2Resources),
    ("AGENT", NONE, Cause::Agent),
    ("AGENT", EC2_SPOT, Cause::Agent),
    ("ATTRIBUTE", NONE, Cause::Attribute),
    (
        "ATTRIBUTE:ecs.availability-zone",
        EC2_SPOT,
        Cause::Attribute,
    ),
    ("memberOf constraint unsatisfied", NONE, Cause::Attribute),
    (
        "distinctInstance placement constraint unsatisfied.",
        NONE,
        Cause::Attribute,
    ),
    (VCPU, NONE, Cause::Quota),
    (VCPU, SPOT, Cause::Quota),
    ("Fargate Spot vCPU quota exceeded", SPOT, Cause::Quota),
    ("VcpuLimitExceeded", EC2_SPOT, Cause::Quota),
    (
        "unable to place a task in us-west-2c because of AZ rebalancing. Reason: RESOURCE:FARGATE",
        SPOT,
        Cause::AvailabilityZoneRebalancing,
    ),
    (
        "AVAILABILITY_ZONE_REBALANCING",
        NONE,
        Cause::AvailabilityZoneRebalancing,
    ),
    ("Internal error", SPOT, Cause::Unknown),
    ("", SPOT, Cause::Unknown),
    ("\u{1F4A5} RESOURCE", SPOT, Cause::Unknown),
];

#[test]
fn every_reason_has_its_cause() {
    let capacity = vec![
        share("ec2-spot=0/1", Market::Spot),
        share("ec2-on-demand=1/1", Market::OnDemand),
    ];
    let primary = service("container-demo/web", 10, capacity);
    for (reason, providers, cause) in TABLE {
        let failure = PlacementFailure {
            service: key("container-demo/web"),
            providers: providers.iter().map(|it| it.parse().unwrap()).collect(),
            reason: reason.to_owned(),
        };
        assert_eq!(
            classify(&failure, &primary),
            cause,
            "{reason:?} {providers:?}"
        );
    }
}

#[test]
fn the_table_has_every_cause() {
    let causes: std::collections::BTreeSet<Cause> =
        TABLE.iter().map(|(_, _, cause)| *cause).collect();
    let all = [
        Cause::SpotCapacity,
        Cause::OnDemandCapacity,
        Cause::Ec2Resources,
        Cause::Agent,
        Cause::Attribute,
        Cause::Quota,
        Cause::AvailabilityZoneRebalancing,
        Cause::Unknown,
    ];
    assert_eq!(causes.into_iter().collect::<Vec<_>>(), all);
}
