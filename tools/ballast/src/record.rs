//! A decision record, as lines for people.

use control::Record;
use model::duty::{PlannedHold, PlannedStep};

/// The steps with what became of them, the holds, what could not be observed and what failed: one line each.
pub(crate) fn lines_of<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, step) in record.plan.steps.iter().enumerate() {
        let result = record.outcomes.iter().find(|outcome| outcome.step == index);
        let result = result.map_or_else(
            || "no outcome".to_owned(),
            |outcome| outcome.result.to_string(),
        );
        lines.push(format!("{}: {result}", step.text));
    }
    lines.extend(record.plan.holds.iter().map(|hold| hold.text.clone()));
    if record.snapshot.is_none() {
        let ignored = record.triggers.ignored.iter();
        lines.extend(
            ignored.map(|(why, count)| format!("ignored: {count} {why}; nothing was looked at")),
        );
    }
    lines.extend(record.gaps.iter().map(|gap| format!("not observed: {gap}")));
    let failures = record.failures.iter();
    lines.extend(failures.map(|it| format!("failure {}: {}", it.error_type, it.message)));
    lines
}
