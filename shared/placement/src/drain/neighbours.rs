//! Who else drains an instance that leaves: ECS's managed draining, and the agent after a Spot warning. It is left to them for
//! [`NEIGHBOUR_GRACE`]; then Ballast does it. Setting to DRAINING what is DRAINING changes nothing, so that both may.
//!
//! Assumed: the tag `ballast:agent-drains` says how the agents are configured, for no API does.

use jiff::Timestamp;
use model::Seconds;
use model::drain::{CauseKind, DrainHoldReason};

use super::case::{Case, GroupCase};

/// How long a drain is left to somebody else. The agent asks its instance's metadata for a warning every second
/// (<https://github.com/aws/amazon-ecs-agent>, `agent/app/agent.go`), and ECS begins within seconds; the number is ours.
pub const NEIGHBOUR_GRACE: Seconds = Seconds(10);

/// Whether the drain of an ACTIVE instance is left to somebody else, and until when.
pub(crate) fn left_to(
    group: &GroupCase<'_>,
    case: &Case<'_>,
) -> Option<(DrainHoldReason, Timestamp)> {
    let why = case.why.as_ref()?;
    let (is_of_ecs, is_of_agent) = match why.kind() {
        CauseKind::SpotInterruption => (true, true),
        CauseKind::Terminating => (true, false),
        CauseKind::CapacityReservationInterruption
        | CauseKind::Stopping
        | CauseKind::Maintenance
        | CauseKind::Rebalance
        | CauseKind::AgentLost => (false, false),
    };
    let until = NEIGHBOUR_GRACE.after(why.at());
    if until <= group.look.now {
        return None;
    }
    let why = why.clone();
    if is_of_ecs && group.of.managed_draining {
        return Some((DrainHoldReason::LeftToManagedDraining { why }, until));
    }
    (is_of_agent && group.policy.agent_drains && case.is_connected())
        .then_some((DrainHoldReason::LeftToAgent { why }, until))
}
