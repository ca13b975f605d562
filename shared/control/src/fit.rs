//! Keeps a record within the size of a log event.
//!
//! Guaranteed: [`Record::line`] is one line of at most [`LINE_BYTES_MAX`] bytes; what is least needed goes first; what was left out
//! is said, by kind and number; the counts by reason stay complete.

use model::duty::{PlannedHold, PlannedStep};
use model::outcome::OutcomeResult;

use crate::record::{Record, RecordedHold};

/// The most bytes of a record's line. A CloudWatch Logs event has at most 256 KB, with 26 bytes of overhead
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>); the rest is room for what Lambda adds.
pub const LINE_BYTES_MAX: usize = 250_000;

/// How many holds, steps and gaps are kept while anything else can be left out: a storm of steps leaves the hold of their group, which has
/// the numbers.
const SHOWN_MIN: usize = 20;

/// Leaves something out of a record and says how many items.
type Shrink<S, H> = fn(&mut Record<S, H>) -> usize;

impl<S: PlannedStep, H: PlannedHold> Record<S, H> {
    /// The record as one line of JSON for the log.
    ///
    /// The function's result has every `batchItemFailures`, because the queue needs them; the line may leave some out.
    #[must_use]
    pub fn line(&self) -> String {
        let mut cut = self.clone();
        cut.fit();
        let line = json(&cut);
        if line.len() <= LINE_BYTES_MAX {
            return line;
        }
        if let Some(failures) = cut.batch_item_failures.take() {
            add(&mut cut, "batchItemFailures", failures.len());
        }
        json(&cut)
    }

    /// Leaves out what does not fit, except `batchItemFailures`.
    pub(crate) fn fit(&mut self) {
        if self.size() <= LINE_BYTES_MAX {
            return;
        }
        for reason in H::QUIET {
            let before = self.plan.holds.len();
            let is_other = |it: &RecordedHold<H>| it.hold.reason_name() != *reason;
            self.plan.holds.retain(is_other);
            let left_out = before - self.plan.holds.len();
            add(self, &format!("holds.{reason}"), left_out);
            if self.size() <= LINE_BYTES_MAX {
                return;
            }
        }
        let stages: [(&str, Shrink<S, H>); 7] = [
            ("holds", |it| halve(&mut it.plan.holds, SHOWN_MIN)),
            ("outcomes", Self::drop_good_outcomes),
            ("steps", |it| halve(&mut it.plan.steps, SHOWN_MIN)),
            ("gaps", |it| halve(&mut it.gaps, SHOWN_MIN)),
            ("holds", |it| halve(&mut it.plan.holds, 0)),
            ("steps", |it| halve(&mut it.plan.steps, 0)),
            ("gaps", |it| halve(&mut it.gaps, 0)),
        ];
        for (what, shrink) in stages {
            loop {
                let left_out = shrink(self);
                add(self, what, left_out);
                if self.size() <= LINE_BYTES_MAX {
                    return;
                }
                if left_out == 0 {
                    break;
                }
            }
        }
        let left_out = std::mem::take(&mut self.outcomes).len();
        add(self, "outcomes", left_out);
    }

    /// The length of the line without `batchItemFailures`.
    fn size(&self) -> usize {
        let failures = self
            .batch_item_failures
            .as_ref()
            .map_or(0, |it| json(it).len());
        json(self).len().saturating_sub(failures)
    }

    fn drop_good_outcomes(&mut self) -> usize {
        let before = self.outcomes.len();
        self.outcomes.retain(|it| match it.result {
            OutcomeResult::Done | OutcomeResult::AlreadySo | OutcomeResult::NotWritten => false,
            OutcomeResult::PreconditionFailed { .. }
            | OutcomeResult::Refused { .. }
            | OutcomeResult::Failed { .. }
            | OutcomeResult::OutOfTime => true,
        });
        before - self.outcomes.len()
    }
}

/// Keeps the first half, which is the more urgent one of steps, and no fewer than these; says how many went.
fn halve<T>(items: &mut Vec<T>, least: usize) -> usize {
    let before = items.len();
    items.truncate((before / 2).max(least));
    before - items.len()
}

fn add<S: PlannedStep, H: PlannedHold>(record: &mut Record<S, H>, what: &str, left_out: usize) {
    if left_out > 0 {
        *record.cut.entry(what.to_owned()).or_default() += left_out;
    }
}

/// Every type of a record has text keys and can be written.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use model::outcome::Outcome;
    use model::plan::{Action, Counts, Evidence, Hold, HoldReason, Step, StepReason};
    use model::policy::Mode;
    use model::snapshot::GapCause;
    use model::{ServiceKey, Timestamp};

    use super::*;
    use crate::record::BatchItemFailure;

    fn key(n: usize) -> ServiceKey {
        format!("container-demo/a-service-with-a-rather-long-name-{n}")
            .parse()
            .unwrap()
    }

    fn hold(n: usize) -> Hold {
        let counts = Counts::default();
        let reason = match n % 4 {
            0 => HoldReason::NotOptedIn,
            1 => HoldReason::AtRest { counts },
            2 => HoldReason::Covered { counts },
            _ => HoldReason::StandbyMissing {
                standby: "gone".parse().unwrap(),
            },
        };
        Hold {
            subject: key(n),
            reason,
            until: None,
        }
    }

    fn step(n: usize) -> Step {
        Step {
            subject: key(n),
            action: Action::SetDesiredCount {
                service: key(n),
                from: 0,
                to: 3,
            },
            reason: StepReason::Cover {
                counts: Counts::default(),
                evidence: Evidence::SpotShortage {
                    reported_at: Timestamp::UNIX_EPOCH,
                },
            },
        }
    }

    fn record(holds: usize, steps: usize, failed: usize) -> Record {
        let mut record: Record = Record::new("spot-fallback", Mode::Act, None);
        let outcomes = (0..steps)
            .map(|n| Outcome {
                step: step(n),
                result: if n < failed {
                    OutcomeResult::Failed {
                        operation: "ecs:UpdateService".to_owned(),
                        cause: GapCause::AccessDenied,
                        detail: "no".repeat(100),
                    }
                } else {
                    OutcomeResult::Done
                },
            })
            .collect();
        record.enter(outcomes, (0..holds).map(hold).collect(), Vec::new());
        record
    }

    /// What a record of this size leaves out.
    fn check(holds: usize, steps: usize, failed: usize, want: &str) {
        let record = record(holds, steps, failed);
        let line = record.line();
        assert!(line.len() <= LINE_BYTES_MAX, "{} bytes", line.len());
        assert!(!line.contains('\n'));
        let read: Record = serde_json::from_str(&line).unwrap();
        assert_eq!(json(&read.cut), want);
        assert_eq!(read.plan.holds_by_reason, record.plan.holds_by_reason);
        assert_eq!(read.plan.steps_by_reason, record.plan.steps_by_reason);
        let cut_holds: usize = read
            .cut
            .iter()
            .filter(|(what, _)| what.starts_with("holds"))
            .map(|(_, count)| count)
            .sum();
        assert_eq!(read.plan.holds.len() + cut_holds, holds);
        let cut_of = |what: &str| read.cut.get(what).copied().unwrap_or(0);
        assert_eq!(read.plan.steps.len() + cut_of("steps"), steps);
        assert_eq!(read.outcomes.len() + cut_of("outcomes"), steps);
    }

    /// CloudWatch Logs Insights finds the first 200 fields of an event only.
    #[test]
    fn what_matters_comes_before_the_long_list_of_holds() {
        let mut record = record(500, 3, 1);
        record.triggers.services = Some((0..20).map(key).collect());
        let gap = model::snapshot::Gap {
            operation: "ecs:ListTasks".to_owned(),
            resource: "demo".to_owned(),
            cause: GapCause::Throttled,
            detail: String::new(),
        };
        record.gaps = vec![gap; 500];
        record.failures = vec![crate::record::RecordedFailure {
            error_type: "StepFailed".to_owned(),
            message: "one".to_owned(),
        }];
        record.gaps_by_cause.insert("throttled".to_owned(), 500);
        let line = record.line();
        let (before, after) = line.split_once(r#""holds":["#).unwrap();
        for field in [
            "failures",
            "triggers",
            "outcomes_by_result",
            "outcomes",
            "gaps_by_cause",
            "steps_by_reason",
            "holds_by_reason",
            "steps",
            "durations_ms",
        ] {
            let field = format!("\"{field}\":");
            assert!(before.contains(&field), "{field}");
        }
        assert!(after.contains(r#""gaps":["#));
        // Each field but the last of its parent is followed by a comma.
        let fields = before.matches(',').count();
        assert!(fields < 200, "{fields} fields");
    }

    #[test]
    fn the_least_needed_goes_first_and_is_counted() {
        check(40, 3, 0, "{}");
        check(
            1_000,
            3,
            0,
            r#"{"holds.at_rest":250,"holds.not_opted_in":250}"#,
        );
        check(
            1_600,
            100,
            0,
            r#"{"holds.at_rest":400,"holds.covered":400,"holds.not_opted_in":400}"#,
        );
        check(0, 5_000, 5_000, r#"{"outcomes":5000,"steps":5000}"#);
    }

    #[test]
    fn the_result_keeps_every_message_for_the_queue_and_the_line_stays_small() {
        let mut record = record(1, 0, 0);
        let failures: Vec<BatchItemFailure> = (0..10_000)
            .map(|n| BatchItemFailure {
                item_identifier: format!("00000000-0000-0000-0000-{n:012}").parse().unwrap(),
            })
            .collect();
        record.batch_item_failures = Some(failures);
        record.fit();
        let all = record.batch_item_failures.as_ref().map(Vec::len);
        assert_eq!(all, Some(10_000));
        assert_eq!(record.plan.holds.len(), 1);
        let line = record.line();
        assert!(line.len() <= LINE_BYTES_MAX);
        assert!(
            line.contains(r#""cut":{"batchItemFailures":10000}"#),
            "{line}"
        );
    }
}
