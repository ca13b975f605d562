//! The standby is larger than what is missing: give back now, or keep it?
//!
//! Giving back is never urgent. It needs a memory and a complete look, no deployment on either service, a need that stayed below the
//! standby's desired count for the whole hold-down, and enough ready tasks whichever of the standby's tasks ECS stops. While ECS still
//! stops tasks for an earlier give-back, which ones go is not known, so the next one waits.

use model::memory::PairMemory;
use model::plan::{Counts, HoldReason, Role, StepReason};
use model::snapshot::Gap;

use super::{Case, count, history, hold, step};
use crate::Verdict;

/// Decides how far to lower the standby.
pub(crate) fn decide(case: &Case<'_>, memory: Option<&PairMemory>) -> Verdict {
    let counts = case.counts;
    let Some(memory) = memory else {
        return hold(case.look, HoldReason::MemoryUnavailable { counts }, None);
    };
    let gaps = gaps(case);
    if !gaps.is_empty() {
        return hold(case.look, HoldReason::SnapshotIncomplete { gaps }, None);
    }
    let hold_down = case.policy.hold_down;
    let needed_max = history::needed_max(memory);
    let waiting = HoldReason::WaitingForHoldDown {
        counts,
        needed_max,
        hold_down,
    };
    match history::unneeded_from(memory, counts.standby_desired, hold_down) {
        Some(from) if from <= case.look.now => {}
        until => return hold(case.look, waiting, until),
    }
    for (role, service) in [
        (Role::Primary, &case.look.pair.primary),
        (Role::Standby, case.standby),
    ] {
        if service.deployment_running() {
            let reason = HoldReason::DeploymentRunning { counts, role };
            return hold(case.look, reason, None);
        }
    }
    let to_run = count::to_run(case.standby);
    if to_run > counts.standby_desired {
        let reason = HoldReason::StandbySettling { counts, to_run };
        return hold(case.look, reason, None);
    }
    let to = needed_max.max(safe_minimum(counts));
    if to >= counts.standby_desired {
        return hold(case.look, HoldReason::NothingToSpare { counts }, None);
    }
    let reason = StepReason::GiveBack {
        counts,
        needed_max,
        hold_down,
    };
    step(case, to, reason)
}

/// The smallest desired count of the standby at which ready tasks stay at the desired count, whichever tasks ECS stops: lowering by
/// *k* may stop *k* ready tasks.
fn safe_minimum(counts: Counts) -> u32 {
    let Counts {
        desired,
        ready,
        standby_desired,
        standby_ready,
        ..
    } = counts;
    if ready >= desired {
        return 0;
    }
    let spare = ready.saturating_add(standby_ready).saturating_sub(desired);
    standby_desired.saturating_sub(spare)
}

/// What keeps this look from being complete for the pair: its own gaps, and those that concern its cluster or everything.
fn gaps(case: &Case<'_>) -> Vec<Gap> {
    let cluster = case.look.pair.primary.key.cluster.as_str();
    let concerns = |gap: &&Gap| gap.resource == "*" || gap.resource == cluster;
    let shared = case.look.snapshot.gaps.iter().filter(concerns);
    case.look.pair.gaps.iter().chain(shared).cloned().collect()
}
