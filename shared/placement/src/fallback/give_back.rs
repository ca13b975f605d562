//! The standby is larger than what is missing: give back now, or keep it?
//!
//! Giving back is never urgent. It needs a memory and a complete look, no deployment on either service, a need that stayed below the
//! standby's desired count for the whole hold-down, and enough ready tasks whichever of the standby's tasks ECS stops. While an
//! earlier give-back settles, which tasks go is not known, so the next one waits: until AWS's answers show it, and until ECS has told the
//! tasks to stop.

use model::memory::PairMemory;
use model::plan::{Counts, HoldReason, Role, StepReason};
use model::snapshot::Gap;

use super::{Case, count, foreign, history, hold, step};
use crate::Verdict;

/// Decides how far to lower the standby.
pub(crate) fn decide(case: &Case<'_>, memory: Option<&PairMemory>) -> Verdict {
    let counts = case.counts;
    let Some(memory) = memory else {
        return hold(case.look, HoldReason::MemoryUnavailable { counts }, None);
    };
    let gaps = gaps(case);
    let all_read = case.look.pair.primary.all_to_run_read && case.standby.all_to_run_read;
    if !gaps.is_empty() || !all_read {
        return hold(
            case.look,
            HoldReason::SnapshotIncomplete { counts, gaps },
            None,
        );
    }
    let hold_down = case.policy.hold_down;
    let needed_max = history::needed_max(memory);
    let waiting = HoldReason::WaitingForHoldDown {
        counts,
        needed_max,
        watched_since: memory.watched.map(|watch| watch.since),
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
    let settling = HoldReason::StandbySettling { counts, to_run };
    let lowered = memory
        .wrote
        .filter(|wrote| wrote.to < wrote.from && wrote.to == counts.standby_desired);
    let shown_at = lowered.map(|wrote| foreign::READ_LAG.after(wrote.at));
    if let Some(shown_at) = shown_at.filter(|shown_at| case.look.now < *shown_at) {
        return hold(case.look, settling, Some(shown_at));
    }
    if to_run > counts.standby_desired {
        return hold(case.look, settling, None);
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
pub(super) fn gaps(case: &Case<'_>) -> Vec<Gap> {
    let cluster = case.look.pair.primary.key.cluster.as_str();
    let (primary, standby) = (
        case.look.pair.primary.key.to_string(),
        case.standby.key.to_string(),
    );
    let whole = ["*", cluster, primary.as_str(), standby.as_str()];
    let concerns = |gap: &&Gap| whole.contains(&gap.resource.as_str());
    let shared = case.look.snapshot.gaps.iter().filter(concerns);
    case.look.pair.gaps.iter().chain(shared).cloned().collect()
}
