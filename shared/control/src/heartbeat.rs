//! Which invocations count as the function's heartbeat: the metric `SweepCompleted`, whose silence is an alarm.
//!
//! Guaranteed: only a look at everything that the schedule asked for, that saw something and that ended in no failure counts; with one
//! exception, which a duty must ask for. Where gaps are the only failure, a look counts that did what the function is for all the
//! same. Gaps that last are told by the function's errors; a heartbeat that fell silent with them could not tell any more that the function
//! has stopped.

use crate::controller::RecordOf;
use crate::duty::Duty;
use crate::failure::Failure;

/// Whether the schedule's look at everything came to its end.
pub(crate) fn swept<D: Duty>(record: &RecordOf<D>, failures: &[Failure]) -> bool {
    let gaps_alone = || {
        let is_gaps = |it: &Failure| matches!(it, Failure::LookIncomplete { .. });
        failures.iter().all(is_gaps) && D::completes_with_gaps(record)
    };
    record.triggers.is_sweep && record.snapshot.is_some() && (failures.is_empty() || gaps_alone())
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::policy::Mode;

    use super::*;
    use crate::capacity::Capacity;
    use crate::pairs::Pairs;
    use crate::record::{Look, Record, Seen};

    /// Whether a look that failed in these is a heartbeat; one provider of two could be sized.
    fn check_swept<D: Duty>(is_sweep: bool, failures: &[Failure], want: bool) {
        let mut record: RecordOf<D> = Record::new("f", Mode::Act, None);
        record.triggers.is_sweep = is_sweep;
        record.snapshot = Some(Look {
            taken_at: Timestamp::UNIX_EPOCH,
            digest: String::new(),
            seen: Seen {
                providers: Some(2),
                ..Seen::default()
            },
            gaps: 1,
        });
        let held = "snapshot_incomplete".to_owned();
        record.plan.holds_by_reason.insert(held, 1);
        assert_eq!(swept::<D>(&record, failures), want, "{failures:?}");
        record.snapshot = None;
        assert!(!swept::<D>(&record, failures), "nothing was seen");
    }

    #[test]
    fn gaps_alone_do_not_stop_cluster_scalers_heartbeat() {
        let first = || "x".to_owned();
        let gaps = Failure::LookIncomplete {
            count: 1,
            first: first(),
        };
        let late = Failure::OutOfTime {
            count: 1,
            steps: 1,
            first: first(),
        };
        check_swept::<Capacity>(true, &[], true);
        check_swept::<Capacity>(true, std::slice::from_ref(&gaps), true);
        check_swept::<Capacity>(false, std::slice::from_ref(&gaps), false);
        check_swept::<Capacity>(true, &[late, gaps.clone()], false);
        check_swept::<Pairs>(true, &[], true);
        check_swept::<Pairs>(true, &[gaps], false);
    }
}
