//! What is printed of a storm: one line for each invocation that did something, the figures, and the calls.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::lab::drain::storm_watch::{Spread, StormFigures};
use crate::lab::driver::Invoked;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone, cell, titled};

/// How many instances that went with tasks on them are named.
const LEFT_SHOWN_MAX: usize = 20;

/// What is told of a decision record.
#[derive(Debug, Deserialize)]
struct Told {
    triggers: ToldTriggers,
    #[serde(default)]
    snapshot: Option<ToldLook>,
    plan: ToldPlan,
    #[serde(default)]
    outcomes_by_result: BTreeMap<String, usize>,
    #[serde(default)]
    calls: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
struct ToldTriggers {
    received: u32,
    #[serde(default)]
    is_sweep: bool,
    #[serde(default)]
    oldest_event_age_secs: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct ToldLook {
    #[serde(default)]
    instances: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct ToldPlan {
    #[serde(default)]
    steps_by_reason: BTreeMap<String, usize>,
}

/// The invocations that planned something or failed: when, why, what was decided, what came of it, and what it cost.
pub(super) fn looks(invoked: &[Invoked], screen: Screen) -> String {
    let mut table = screen.table(&[
        "at",
        "because of",
        "instances seen",
        "steps",
        "results",
        "calls",
    ]);
    let mut quiet = 0;
    for one in invoked {
        let told = one.told.as_ref();
        let told = told.and_then(|it| serde_json::from_str::<Told>(&it.line).ok());
        let names_failure = one.told.as_ref().is_some_and(|it| it.telling.names_failure);
        let Some(told) = told.filter(|it| !it.plan.steps_by_reason.is_empty() || names_failure)
        else {
            quiet += 1;
            continue;
        };
        let age = told.triggers.oldest_event_age_secs;
        let why = match (told.triggers.is_sweep, age) {
            (true, _) => "the schedule".to_owned(),
            (false, Some(age)) => {
                format!("{} events, the oldest {age} s old", told.triggers.received)
            }
            (false, None) => format!("{} events", told.triggers.received),
        };
        let seen = told.snapshot.and_then(|it| it.instances);
        let tone = if names_failure {
            Tone::Bad
        } else {
            Tone::Plain
        };
        table.add_row(vec![
            cell(tone, clock(one.at)),
            cell(tone, why),
            cell(
                tone,
                seen.map_or_else(|| "-".to_owned(), |it| it.to_string()),
            ),
            cell(tone, counts(&told.plan.steps_by_reason)),
            cell(tone, counts(&told.outcomes_by_result)),
            cell(tone, told.calls.values().sum::<u64>()),
        ]);
    }
    let title = screen.paint(Tone::Strong, "Decisions");
    format!(
        "{}and {quiet} looks without a step\n",
        titled(&title, &table)
    )
}

fn counts(counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    parts.join(", ")
}

/// The figures beside those of the same storm without Ballast.
pub(super) fn figures(with: &StormFigures, without: &StormFigures, screen: Screen) -> String {
    let mut table = screen.table(&["", "Ballast", "nobody drains"]);
    let mut add = |what: &str, figure: &dyn Fn(&StormFigures) -> String| {
        table.add_row(vec![
            cell(Tone::Plain, what),
            cell(Tone::Plain, figure(with)),
            cell(Tone::Plain, figure(without)),
        ]);
    };
    let of = |part: usize, all: usize| format!("{part} of {all}");
    add("event age at action, seconds", &|it| {
        spread(it.age_at_action)
    });
    add("seconds from a warning to DRAINING", &|it| {
        spread(it.to_draining)
    });
    add(
        "seconds from a warning until its last task was replaced and had ended",
        &|it| spread(it.to_empty),
    );
    add(
        "warned instances that went before they were DRAINING",
        &|it| of(it.too_late, it.warned),
    );
    add("instances that went with tasks on them", &|it| {
        of(it.left_with_tasks.len(), it.warned + it.terminated)
    });
    add("tasks cut off", &|it| it.cut_off().0.to_string());
    add("tasks cut off while they served", &|it| {
        it.cut_off().1.to_string()
    });
    add("tasks below desired × seconds", &|it| {
        it.below_desired_task_secs.to_string()
    });
    // Without Ballast there is no hook.
    for (what, figure) in [
        (
            "lifecycle actions completed before their hook timed out",
            of(with.completed, with.terminated),
        ),
        (
            "seconds until a lifecycle action was completed",
            spread(with.to_completed),
        ),
    ] {
        let cells = [what.to_owned(), figure, "-".to_owned()];
        table.add_row(cells.map(|it| cell(Tone::Plain, it)).to_vec());
    }
    let title = screen.paint(
        Tone::Strong,
        "Figures, times as median / 99th percentile / longest",
    );
    titled(&title, &table)
}

/// What was too late: the instances that went with tasks on them, one line each up to [`LEFT_SHOWN_MAX`].
pub(super) fn too_late(with: &StormFigures, screen: Screen) -> String {
    if with.left_with_tasks.is_empty() {
        return "No instance went with a task on it.\n".to_owned();
    }
    let title = "What was too late, in seconds since the storm";
    let mut text = format!("{}\n", screen.paint(Tone::Strong, title));
    for left in with.left_with_tasks.iter().take(LEFT_SHOWN_MAX) {
        let why = if left.is_warned {
            "warned"
        } else {
            "terminated by its group"
        };
        let draining = left.draining.map_or_else(
            || "never DRAINING".to_owned(),
            |at| format!("DRAINING at {}", tenths(at)),
        );
        let _ = writeln!(
            text,
            "{}, {why}: {draining}, went at {} with {} tasks, {} of which served",
            left.instance,
            tenths(left.went),
            left.tasks,
            left.serving
        );
    }
    let more = with.left_with_tasks.len().saturating_sub(LEFT_SHOWN_MAX);
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
    text
}

fn spread(spread: Option<Spread>) -> String {
    let Some(Spread { median, p99, max }) = spread else {
        return "-".to_owned();
    };
    let [median, p99, max] = [median, p99, max].map(tenths);
    format!("{median} / {p99} / {max}")
}

/// Milliseconds as seconds with one decimal, rounded to the nearest.
fn tenths(millis: u64) -> String {
    let tenths = (millis + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The calls by operation, and how many there were for each instance that went.
pub(super) fn calls(calls: &BTreeMap<String, u64>, instances: usize, screen: Screen) -> String {
    let mut table = screen.table(&["call", "times"]);
    let mut sum = 0;
    for (operation, times) in calls.iter().filter(|it| *it.1 > 0) {
        sum += times;
        table.add_row(vec![operation.clone(), times.to_string()]);
    }
    let mut text = titled(&screen.paint(Tone::Strong, "Calls"), &table);
    let hundredths = u64::try_from(instances)
        .ok()
        .and_then(|it| (sum * 100).checked_div(it))
        .unwrap_or(0);
    let _ = writeln!(
        text,
        "{sum} calls, {}.{:02} for each instance that went",
        hundredths / 100,
        hundredths % 100
    );
    text
}
