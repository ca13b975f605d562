//! What a placement failure is evidence of. Only a lack of Spot capacity is evidence for raising the standby.
//!
//! ECS names the provider in `capacityProviderArns`; the reason's text never says "Spot".
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>

use model::snapshot::{NotPlaced, Service};
use model::strategy::{FARGATE, FARGATE_SPOT, Market};
use model::trigger::PlacementFailure;
use serde::{Deserialize, Serialize};

/// Why a task could not be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Spot has no capacity.
    SpotCapacity,
    /// On-demand has no capacity.
    OnDemandCapacity,
    /// No container instance has the CPU, memory, ports, network interfaces or GPUs.
    Ec2Resources,
    /// No container instance's agent is connected.
    Agent,
    /// No container instance meets the placement constraints or has the attributes.
    Attribute,
    /// A quota of the account is used up: more capacity of any kind will not come.
    Quota,
    /// Only Availability Zone rebalancing could not place its task; nothing is missing.
    AvailabilityZoneRebalancing,
    /// A reason that this version does not know.
    Unknown,
}

/// Classifies a failure of this primary.
///
/// Texts that name a quota or a rebalance come first, because ECS reports them with the provider too. Then what `RESOURCE:` names
/// decides: container instance resources for EC2; for capacity itself the provider does, by its market. A capacity failure that names
/// several providers counts as Spot when one of them is Spot: ECS could not place on that one either.
#[must_use]
pub fn classify(failure: &PlacementFailure, primary: &Service) -> Cause {
    let reason = failure.reason.to_ascii_uppercase();
    let says = |needles: &[&str]| needles.iter().any(|needle| reason.contains(needle));
    if says(&["REBALANC"]) {
        return Cause::AvailabilityZoneRebalancing;
    }
    if says(&[
        "LIMIT ON THE NUMBER",
        "QUOTA",
        "LIMIT EXCEEDED",
        "VCPULIMIT",
    ]) {
        return Cause::Quota;
    }
    if let Some(cause) = no_matter_of_room(&reason) {
        return cause;
    }
    let of_capacity = says(&["RESOURCE:FARGATE", "CAPACITY IS UNAVAILABLE", "CAPACITY"]);
    if !of_capacity {
        return if says(&["RESOURCE:"]) {
            Cause::Ec2Resources
        } else {
            Cause::Unknown
        };
    }
    let markets = || {
        failure.providers.iter().map(|provider| {
            let share = primary
                .capacity
                .iter()
                .find(|share| share.item.provider == *provider);
            match (provider.as_str(), share) {
                (FARGATE_SPOT, _) => Market::Spot,
                (FARGATE, _) => Market::OnDemand,
                (_, Some(share)) => share.market,
                (_, None) => Market::Unknown,
            }
        })
    };
    if markets().any(|market| market == Market::Spot) {
        Cause::SpotCapacity
    } else if markets().any(|market| market == Market::OnDemand) {
        Cause::OnDemandCapacity
    } else {
        Cause::Unknown
    }
}

/// What keeps a task from instances whose room does not matter.
fn no_matter_of_room(reason: &str) -> Option<Cause> {
    let says = |needles: &[&str]| needles.iter().any(|needle| reason.contains(needle));
    if says(&["AGENT"]) {
        return Some(Cause::Agent);
    }
    let asks = ["ATTRIBUTE", "CONSTRAINT", "MEMBEROF", "DISTINCTINSTANCE"];
    says(&asks).then_some(Cause::Attribute)
}

/// Classifies a line of the service's own log about a task that no instance took. It names what the closest instance lacks, or that there
/// is none; without either, instances lack room.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
#[must_use]
pub fn classify_line(line: &NotPlaced) -> Cause {
    let text = line.text.to_ascii_uppercase();
    if text.contains("REBALANC") {
        return Cause::AvailabilityZoneRebalancing;
    }
    no_matter_of_room(&text).unwrap_or(Cause::Ec2Resources)
}
