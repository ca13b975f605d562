//! A storm of 15,000 messages about instances that go away, through the queue, to the real function.
//!
//! Spot recommends to rebalance 1,000 instances of 1,500 and warns them at once. What reaches the queue is what the rules let through:
//! recommendations, warnings, state changes of the instances, changes of the container instances, lifecycle actions, each more than
//! once, until there are 15,000.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use comfy_table::Table;
use model::Timestamp;
use serde_json::Value;

use super::driver::{Driver, Invocation, SCHEDULE_INTERVAL_SECS};
use super::later;
use super::stage::{Scene, Warned, open};
use super::{add_calls, failures, hundredths, percentile, seconds, sorted};
use crate::Failure;

const INSTANCES: usize = 1_500;
const WARNED: usize = 1_000;
const MESSAGES: usize = 15_000;
/// How far the copies of an event are apart.
const COPY_AFTER_SECS: i64 = 2;
/// How long the storm may last.
const LASTS_SECS_MAX: i64 = 900;

/// How the messages come.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Each event twice, as it happens: the storm lasts until the instances are gone and others have come.
    AsItHappens,
    /// Each event as often as it takes for the first seconds to make up the whole storm.
    AtOnce,
}

impl Kind {
    const fn copies(self) -> usize {
        match self {
            Self::AsItHappens => 2,
            Self::AtOnce => 7,
        }
    }

    const fn copy_after_secs(self) -> i64 {
        match self {
            Self::AsItHappens => COPY_AFTER_SECS,
            Self::AtOnce => 0,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::AsItHappens => "as it happens, twice each",
            Self::AtOnce => "seven times each, at once",
        }
    }
}

/// Sends both storms and prints what came of them.
pub(crate) async fn run(binaries: &Path) -> Result<String, Failure> {
    let mut table = Table::new();
    let kinds = [Kind::AsItHappens, Kind::AtOnce];
    table.set_header(["storm"].into_iter().chain(kinds.map(Kind::name)));
    let (mut columns, mut names) = (Vec::new(), Vec::new());
    for kind in kinds {
        let column = send(binaries, kind).await?;
        names.extend(column.iter().map(|(name, _)| name.clone()));
        columns.push(column.into_iter().collect::<BTreeMap<_, _>>());
    }
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    for name in names {
        let mut row = vec![name.clone()];
        row.extend(
            columns
                .iter()
                .map(|it| it.get(&name).cloned().unwrap_or_default()),
        );
        table.add_row(row);
    }
    Ok(format!(
        "A storm of {MESSAGES} messages about {WARNED} of {INSTANCES} instances, which are warned at once. The age of an event is that at \
         the end\nof the invocation that handled it, in simulated time; one invocation runs at a time.\n{table}"
    ))
}

async fn send(binaries: &Path, kind: Kind) -> Result<Vec<(String, String)>, Failure> {
    let world = open(Scene {
        seed: 1,
        instances: INSTANCES,
        lost_per_mille: 0,
        agents_drain: false,
    })
    .map_err(Failure::world)?;
    let mut driver = Driver::start(binaries, world).await?;
    let ready = later(driver.now(), SCHEDULE_INTERVAL_SECS + 20);
    driver.run_until(ready).await?;
    let before = driver.invocations.len();
    driver.copy_events(kind.copies(), kind.copy_after_secs(), MESSAGES);
    let warned = driver.with_world(|world| {
        let warned = Warned::by(world, WARNED);
        for id in &warned.ids {
            world.recommend_rebalance(id);
        }
        warned
    });
    let end = later(warned.at, LASTS_SECS_MAX);
    while driver.now() < end && (driver.messages < MESSAGES || driver.queue.waiting_count() > 0) {
        driver.run_until(later(driver.now(), 5)).await?;
    }
    let (messages, left, dead) = (
        driver.messages,
        driver.queue.waiting_count(),
        driver.queue.dead_letter_count(),
    );
    let handled = driver.invocations.len();
    driver
        .run_until(later(warned.at, super::WATCHED_SECS))
        .await?;
    let draining = sorted(&driver.with_world(|world| warned.draining_after_ms(world)));
    let replaced = sorted(&driver.with_world(|world| warned.replaced_after_ms(world)));
    let invocations = driver.end().await?;
    let of_the_storm = handled.saturating_sub(before);
    let invocations: Vec<&Invocation> =
        invocations.iter().skip(before).take(of_the_storm).collect();
    let mut rows = vec![
        ("messages".to_owned(), messages.to_string()),
        (
            "left in the queue, dead".to_owned(),
            format!("{left}, {dead}"),
        ),
    ];
    rows.extend(ages(&invocations));
    let never = draining.iter().filter(|it| it.is_none()).count();
    rows.push((
        "DRAINING, median and 99th; never".to_owned(),
        format!("{}; {never}", pair(&draining)),
    ));
    rows.push((
        "tasks replaced, median and 99th".to_owned(),
        pair(&replaced),
    ));
    rows.extend(counts(&invocations));
    Ok(rows)
}

fn pair(sorted: &[Option<u64>]) -> String {
    let [median, late] = [50, 99].map(|percent| seconds(percentile(sorted, percent)));
    format!("{median}, {late}")
}

/// The ages of events when they were handled, of all and by what they tell.
fn ages(invocations: &[&Invocation]) -> Vec<(String, String)> {
    let mut by_type: BTreeMap<&str, Vec<Option<u64>>> = BTreeMap::new();
    let mut all = Vec::new();
    for invocation in invocations {
        for message in &invocation.messages {
            let text = |key: &str| message.event.get(key).and_then(Value::as_str);
            let happened_at = text("time").and_then(|it| it.parse().ok());
            let age = happened_at.map(|at: Timestamp| {
                let millis = invocation.ended_at.duration_since(at).as_millis();
                u64::try_from(millis).unwrap_or(0)
            });
            all.push(age);
            by_type
                .entry(text("detail-type").unwrap_or_default())
                .or_default()
                .push(age);
        }
    }
    let all = sorted(&all);
    let last = seconds(percentile(&all, 100));
    let mut rows = vec![(
        "age of an event, median, 99th, oldest".to_owned(),
        format!("{}, {last}", pair(&all)),
    )];
    for (name, ages) in by_type {
        let count = ages.len();
        rows.push((
            format!("  {name}"),
            format!("{count}: {}", pair(&sorted(&ages))),
        ));
    }
    rows
}

/// How many invocations and calls there were.
fn counts(invocations: &[&Invocation]) -> Vec<(String, String)> {
    let sweeps = invocations.iter().filter(|it| it.is_sweep()).count();
    let by_events = invocations.len() - sweeps;
    let mut took: Vec<u64> = invocations
        .iter()
        .map(|it| u64::try_from(it.ended_at.duration_since(it.began_at).as_millis()).unwrap_or(0))
        .collect();
    took.sort_unstable();
    let took: Vec<Option<u64>> = took.into_iter().map(Some).collect();
    let returned: usize = invocations.iter().map(|it| it.returned).sum();
    let failed: Vec<String> = invocations.iter().flat_map(|it| failures(it)).collect();
    let mut calls = BTreeMap::new();
    for invocation in invocations {
        add_calls(&mut calls, invocation.calls());
    }
    let total: u64 = calls.values().sum();
    let mut rows = vec![
        (
            "invocations by events, by the schedule".to_owned(),
            format!("{by_events}, {sweeps}"),
        ),
        (
            "an invocation took, median and longest".to_owned(),
            format!(
                "{}, {}",
                seconds(percentile(&took, 50)),
                seconds(percentile(&took, 100))
            ),
        ),
        ("messages that came again".to_owned(), returned.to_string()),
        ("failures".to_owned(), failed.len().to_string()),
        (
            "calls, for each instance".to_owned(),
            format!("{total}, {}", hundredths(total * 100 / WARNED as u64)),
        ),
    ];
    for (operation, count) in calls {
        rows.push((format!("  {operation}"), count.to_string()));
    }
    rows
}
