//! A decision record, as lines for people.

use std::collections::BTreeSet;

use control::Record;
use model::duty::{PlannedHold, PlannedStep};

/// The steps with what became of them, the holds, what could not be observed and what failed: one line each.
/// The holds in these places are left out.
pub(crate) fn lines_of<S: PlannedStep, H: PlannedHold>(
    record: &Record<S, H>,
    left_out: &BTreeSet<usize>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, step) in record.plan.steps.iter().enumerate() {
        let result = record.outcomes.iter().find(|outcome| outcome.step == index);
        let result = result.map_or_else(
            || "no outcome".to_owned(),
            |outcome| outcome.result.to_string(),
        );
        lines.push(format!("{}: {result}", step.text));
    }
    let holds = record.plan.holds.iter().enumerate();
    let holds = holds.filter(|(index, _)| !left_out.contains(index));
    lines.extend(holds.map(|(_, hold)| hold.text.clone()));
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
