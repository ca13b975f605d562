//! Instances that go away: how long after Spot's warnings they drain and their tasks are replaced, how many calls that takes, and what
//! a storm of events does to it.
//!
//! The function is the real one, with the share of ECS's rates, the queue and the schedule of `infra/template.yaml`. Times are simulated
//! ones, see [`driver`].

mod deciding;
mod driver;
mod rules;
mod stage;
mod storm;

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::Table;
use model::{Seconds, Timestamp};
use world::World;

use crate::Failure;
use driver::{Driver, Invocation};
use stage::{Scene, Warned, open, served};

pub(crate) use deciding::run as decide;
pub(crate) use storm::run as storm;

/// How many instances are warned, of how many, and in how many worlds, one after the other or side by side.
const SIZES: [Size; 3] = [
    Size {
        warned: 1,
        instances: 12,
        worlds: 12,
    },
    Size {
        warned: 100,
        instances: 150,
        worlds: 2,
    },
    Size {
        warned: 1_000,
        instances: 1_500,
        worlds: 1,
    },
];
/// How many of a thousand warnings are lost.
const LOST_PER_MILLE: [u32; 3] = [0, 50, 200];
/// How many worlds run side by side: they wait for budgets most of the time.
const SIDE_BY_SIDE: usize = 12;
/// How long after the warning is looked for replacements. What was not replaced within a minute of the end counts as never.
const WATCHED_SECS: i64 = 180;

#[derive(Debug, Clone, Copy)]
struct Size {
    warned: usize,
    instances: usize,
    worlds: usize,
}

/// What became of the instances that were warned, in one world or in several.
#[derive(Debug, Default)]
struct Outcome {
    /// From the warning to DRAINING, of each instance.
    draining_ms: Vec<Option<u64>>,
    /// From the warning to a task in service elsewhere, of each task.
    replaced_ms: Vec<Option<u64>>,
    /// The tasks that are to serve, the fewest that did, and the tasks below desired × seconds.
    served: (u64, u64, u64),
    /// The calls of the looks that events led to, and of the schedule's.
    calls_of_events: BTreeMap<String, u64>,
    calls_of_sweeps: BTreeMap<String, u64>,
    invocations: [usize; 2],
    failures: Vec<String>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.draining_ms.extend(other.draining_ms);
        self.replaced_ms.extend(other.replaced_ms);
        self.served.0 += other.served.0;
        self.served.1 += other.served.1;
        self.served.2 += other.served.2;
        add_calls(&mut self.calls_of_events, other.calls_of_events);
        add_calls(&mut self.calls_of_sweeps, other.calls_of_sweeps);
        self.invocations[0] += other.invocations[0];
        self.invocations[1] += other.invocations[1];
        self.failures.extend(other.failures);
    }

    fn count(&mut self, invocation: &Invocation) {
        let of_kind = usize::from(invocation.is_sweep());
        let calls = if invocation.is_sweep() {
            &mut self.calls_of_sweeps
        } else {
            &mut self.calls_of_events
        };
        add_calls(calls, invocation.calls());
        if let Some(count) = self.invocations.get_mut(of_kind) {
            *count += 1;
        }
        self.failures.extend(failures(invocation));
    }
}

/// What went wrong in an invocation, by its error and by its record.
fn failures(invocation: &Invocation) -> Vec<String> {
    let recorded = invocation.record.pointer("/failures");
    let recorded = recorded
        .and_then(|it| it.as_array())
        .cloned()
        .unwrap_or_default();
    let recorded = recorded.iter().map(ToString::to_string);
    invocation
        .failure
        .clone()
        .into_iter()
        .chain(recorded)
        .collect()
}

/// Warns instances in every size and with every share of lost warnings, at most `warned_max` at a time, and prints what came of it.
pub(crate) async fn run(binaries: &Path, warned_max: usize) -> Result<String, Failure> {
    let mut table = Table::new();
    table.set_header([
        "warned",
        "lost",
        "agents drain",
        "DRAINING after: median",
        "99th",
        "never",
        "replaced after: median",
        "99th",
        "last",
        "serving at least, of",
        "tasks below desired × s",
        "failures",
    ]);
    let sizes = SIZES.iter().filter(|it| it.warned <= warned_max);
    let lines = LOST_PER_MILLE.len() * 2;
    let progress = indicatif::ProgressBar::new((sizes.clone().count() * lines) as u64);
    let mut counted = Vec::new();
    for size in sizes {
        for lost_per_mille in LOST_PER_MILLE {
            for agents_drain in [false, true] {
                let outcome = outcome(binaries, *size, lost_per_mille, agents_drain).await?;
                table.add_row(row(*size, lost_per_mille, agents_drain, &outcome));
                if lost_per_mille == 0 && !agents_drain {
                    counted.push((*size, outcome));
                }
                progress.inc(1);
            }
        }
    }
    progress.finish_and_clear();
    Ok(format!(
        "Departures in simulated time, from Spot's warning; each instance has {} tasks, and a third of the instances stay. Median and 99th \
         percentile of\ninstances (DRAINING) and of tasks (replaced). Where the agents do not drain, an instance whose warning is lost is seen \
         when it is gone.\n{table}\n\n{}",
        stage::TASKS_ON_AN_INSTANCE,
        calls_table(&counted),
    ))
}

/// Runs the worlds of one line, some side by side.
async fn outcome(
    binaries: &Path,
    size: Size,
    lost_per_mille: u32,
    agents_drain: bool,
) -> Result<Outcome, Failure> {
    let mut sum = Outcome::default();
    let worlds: Vec<usize> = (0..size.worlds).collect();
    for some in worlds.chunks(SIDE_BY_SIDE) {
        let mut running = Vec::new();
        for number in some {
            let scene = Scene {
                seed: 1 + *number as u64,
                instances: size.instances,
                lost_per_mille,
                agents_drain,
            };
            // Warned somewhere between two looks of the schedule: the worlds of a line share the minute out.
            let secs = driver::SCHEDULE_INTERVAL_SECS * i64::try_from(*number).unwrap_or(0);
            let secs = secs / i64::try_from(size.worlds).unwrap_or(1).max(1);
            running.push(watch(binaries, scene, size.warned, 7 + secs));
        }
        for outcome in all(running).await {
            sum.add(outcome?);
        }
    }
    Ok(sum)
}

/// Waits for all of them at once, on this thread.
async fn all<T>(running: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = running.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

/// Warns instances of one world, so many seconds after a look of the schedule's.
async fn watch(
    binaries: &Path,
    scene: Scene,
    warned: usize,
    secs_after_a_sweep: i64,
) -> Result<Outcome, Failure> {
    let world = open(scene).map_err(Failure::world)?;
    let mut driver = Driver::start(binaries, world).await?;
    let wait = driver::SCHEDULE_INTERVAL_SECS + secs_after_a_sweep;
    driver.run_until(later(driver.now(), wait)).await?;
    let before = driver.invocations.len();
    let warned = driver.with_world(|world| Warned::by(world, warned));
    driver.run_until(later(warned.at, WATCHED_SECS)).await?;
    let mut outcome = Outcome {
        draining_ms: driver.with_world(|world| warned.draining_after_ms(world)),
        replaced_ms: driver.with_world(|world| warned.replaced_after_ms(world)),
        served: driver.with_world(|world: &mut World| served(world)),
        ..Outcome::default()
    };
    for invocation in driver.end().await?.iter().skip(before) {
        outcome.count(invocation);
    }
    Ok(outcome)
}

fn row(size: Size, lost_per_mille: u32, agents_drain: bool, outcome: &Outcome) -> Vec<String> {
    let draining = sorted(&outcome.draining_ms);
    let replaced = sorted(&outcome.replaced_ms);
    let never = draining.iter().filter(|it| it.is_none()).count();
    let (desired, serving_min, below) = outcome.served;
    let worlds = match size.worlds {
        1 => String::new(),
        many => format!(" × {many}"),
    };
    vec![
        format!("{} of {}{worlds}", size.warned, size.instances),
        format!("{} %", lost_per_mille / 10),
        if agents_drain { "yes" } else { "no" }.to_owned(),
        seconds(percentile(&draining, 50)),
        seconds(percentile(&draining, 99)),
        never.to_string(),
        seconds(percentile(&replaced, 50)),
        seconds(percentile(&replaced, 99)),
        seconds(percentile(&replaced, 100)),
        format!("{serving_min} of {desired}"),
        below.to_string(),
        outcome.failures.len().to_string(),
    ]
}

/// How many calls of each operation the looks of one line took, for each instance that was warned.
fn calls_table(counted: &[(Size, Outcome)]) -> String {
    let mut operations: Vec<&String> = counted
        .iter()
        .flat_map(|(_, it)| it.calls_of_events.keys().chain(it.calls_of_sweeps.keys()))
        .collect();
    operations.sort();
    operations.dedup();
    let mut table = Table::new();
    let mut header = vec!["calls for each instance".to_owned()];
    for (size, _) in counted {
        header.push(format!("{} warned: by events", size.warned));
        header.push("by the schedule".to_owned());
    }
    table.set_header(header);
    let per_instance = |size: &Size, count: u64| {
        let instances = (size.warned * size.worlds) as u64;
        hundredths(count * 100 / instances.max(1))
    };
    for operation in operations {
        let mut row = vec![operation.clone()];
        for (size, it) in counted {
            for calls in [&it.calls_of_events, &it.calls_of_sweeps] {
                let count = calls.get(operation).copied().unwrap_or(0);
                row.push(per_instance(size, count));
            }
        }
        table.add_row(row);
    }
    let mut all = vec!["all".to_owned()];
    let mut invocations = vec!["invocations, in each world".to_owned()];
    for (size, it) in counted {
        for calls in [&it.calls_of_events, &it.calls_of_sweeps] {
            all.push(per_instance(size, calls.values().sum()));
        }
        for count in it.invocations {
            let of_each = (count * 100).checked_div(size.worlds).unwrap_or(0);
            invocations.push(hundredths(of_each as u64));
        }
    }
    table.add_row(all);
    table.add_row(invocations);
    format!(
        "Calls from the warning until {WATCHED_SECS} s after it, no warning lost, the agents do not drain; what is remembered is kept in \
         memory, without DynamoDB.\n{table}"
    )
}

fn add_calls(sum: &mut BTreeMap<String, u64>, calls: BTreeMap<String, u64>) {
    for (operation, count) in calls {
        *sum.entry(operation).or_insert(0) += count;
    }
}

/// In order; what never happened is last.
fn sorted(values: &[Option<u64>]) -> Vec<Option<u64>> {
    let mut sorted = values.to_vec();
    sorted.sort_by_key(|it| it.unwrap_or(u64::MAX));
    sorted
}

/// The percentile by nearest rank of what is in order.
fn percentile(sorted: &[Option<u64>], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().flatten()
}

/// Milliseconds as seconds with one decimal.
fn seconds(millis: Option<u64>) -> String {
    millis.map_or_else(
        || "never".to_owned(),
        |millis| format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
    )
}

fn hundredths(count: u64) -> String {
    format!("{}.{:02}", count / 100, count % 100)
}

/// So many seconds later.
fn later(at: Timestamp, secs: i64) -> Timestamp {
    Seconds(secs).after(at)
}
