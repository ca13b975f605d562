//! How many of the tasks that were counted in a period served their share throughout it?
//!
//! What raises goes by these. Two kinds of tasks are counted and did not:
//!
//! - **Those that started.** Of the tasks of a service as many had run for the warm-up as the smallest count since the warm-up before the
//!   period began. ECS publishes nothing of a service that runs no task
//!   (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html>), so that a minute without a count may mean that
//!   there was none, or that its count is not there. Of a pair the other service tells: where that was counted, this one had no task. Of
//!   a service on its own the looks do: whether any of them found it without one is remembered.
//! - **Those that stopped.** A task that stops within a minute is counted in it, and its share went to the others. One that is not counted
//!   in the next minute stopped, unless samples of that may still come and it runs. After the newest count, where its period holds the
//!   moment at which looks found fewer tasks that run or are asked for, these are the next. Where those that are asked for do not run it was no lowering: tasks that end because they are
//!   overloaded make no load less. Tasks that go on for minutes when they are told to stop, until the load balancer has let them go,
//!   are idle: if they are counted, the mean of CPU and memory is as much lower.
//!
//! `RequestCountPerTarget` is a mean over the healthy targets, and says nothing of tasks that never get healthy, nor of those that the load
//! balancer lets go, which run on for minutes. A deployment that fails runs as many of them as old ones, and starts more when more are asked
//! for. So no more tasks count for it than were asked for since the warm-up began, which is AWS's own rule.
//!
//! Guaranteed: a count that is not there keeps nothing from being raised, unless the other service or a look says that no task ran.
//!
//! Absent: a service on its own whose tasks were all gone between two looks, or while the ledger did not answer.

use jiff::Timestamp;
use model::Seconds;
use model::memory::Level;
use model::snapshot::{Service, Standby};
use model::tracking::readings::Part;
use model::tracking::{Fleet, Span, There, TrackingMemory};

use super::load::{Age, Counts, div_ceil};
use super::{case, levels};

const MINUTE: Seconds = Seconds(60);

/// So long before a look found fewer tasks they may have stopped: one interval of the schedule and a half. The number is ours.
const FEWER_SINCE: Seconds = Seconds(90);

/// So long after it they may do so: ECS's default `stopTimeout`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout>
const FEWER_UNTIL: Seconds = Seconds(30);

/// What tells of tasks that do not serve.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Serving<'a> {
    /// How long a task that starts takes until it serves its share. Without any, it does so at once.
    pub(crate) warm_up: Seconds,
    /// When no task of the fleet ran last, as far as that is remembered.
    pub(crate) empty: Option<Span>,
    /// Whether the metric is a mean over healthy targets.
    pub(crate) is_of_healthy: bool,
    /// When a look found fewer tasks of the primary that run or are asked for, and of the standby, and how many.
    pub(crate) fewer: [Option<Level>; 2],
    /// The desired counts of the primary, and of the standby, oldest first.
    pub(crate) levels: [&'a [Level]; 2],
}

/// Brings up to date when no task ran last, and when tasks became fewer.
pub(crate) fn note(memory: &mut TrackingMemory, fleet: &Fleet, now: Timestamp) {
    let of_standby = |of: &dyn Fn(&Service) -> bool, absent: bool| match &fleet.standby {
        None | Some(Standby::Missing) => Some(absent),
        Some(Standby::Present(service)) => Some(of(service)),
        Some(Standby::Unknown) => None,
    };
    let runs_none = |it: &Service| it.running_count == 0;
    let is_empty = if runs_none(&fleet.primary) {
        of_standby(&runs_none, true)
    } else {
        Some(false)
    };
    follow(&mut memory.empty, is_empty, now);
    // What somebody else took away is no lowering: its tasks were needed. Also where the same somebody had added them.
    let asked = [
        memory.wrote.map(|it| it.to),
        memory.foreign.map(|it| it.found),
    ];
    let asked = asked.into_iter().flatten().max().unwrap_or(0);
    follow_there(&mut memory.there, there(&fleet.primary).max(asked), now);
    if let Some(standby) = case::standby(fleet) {
        follow_there(&mut memory.standby_there, there(standby), now);
    }
}

/// The tasks of a service that run, or are asked for.
fn there(service: &Service) -> u32 {
    service.running_count.max(service.desired_count)
}

/// Notes how many there are, and when they became fewer. When there are more again it stays known how many were left then: a raise for what
/// that minute shows is no reason to see more in it.
fn follow_there(known: &mut Option<There>, found: u32, now: Timestamp) {
    let fell = known.and_then(|it| {
        let falls = found < it.tasks;
        let left = Level {
            tasks: found,
            at: now,
        };
        if falls { Some(left) } else { it.fell }
    });
    *known = Some(There { tasks: found, fell });
}

/// Brings one span up to date by what this look found; `None` where it does not know.
fn follow(span: &mut Option<Span>, is_so: Option<bool>, now: Timestamp) {
    let lasts = span.is_some_and(|it| it.until.is_none());
    match is_so {
        Some(true) if !lasts => {
            *span = Some(Span {
                since: now,
                until: None,
            });
        }
        Some(false) if lasts => *span = span.map(|it| it.until_at(now)),
        Some(_) | None => {}
    }
}

impl Counts<'_> {
    /// Of a service's tasks in a period those that served throughout it, in thousandths; the largest number where nothing tells.
    pub(super) fn served(&self, part: Part, at: Timestamp, period: Seconds) -> i64 {
        self.started(part, at).min(self.stayed(part, at, period))
    }

    /// Of a metric that is a mean over healthy targets, no more than were asked for since the warm-up began.
    pub(super) fn asked_for(&self, part: Part, at: Timestamp, period: Seconds) -> i64 {
        let Some(service) = self.service(part).filter(|_| self.serving.is_of_healthy) else {
            return i64::MAX;
        };
        let [of_primary, of_standby] = self.serving.levels;
        let levels = match part {
            Part::Primary => of_primary,
            Part::Standby => of_standby,
            Part::Fleet => return i64::MAX,
        };
        let from = self.serving.warm_up.before(at);
        // What the first look of all finds says nothing of the time before it.
        let is_first_sight = matches!(levels, [only] if self.now <= only.at);
        let least = levels::least(levels, from, period.after(at)).filter(|_| !is_first_sight);
        // Without a ledger nothing tells what was asked for: all that run, unless a deployment may run some beside them.
        let unknown = if service.deployment_running() {
            service.desired_count
        } else {
            there(service)
        };
        i64::from(least.unwrap_or(unknown)) * 1_000
    }

    /// The smallest count of a service within the warm-up before a time, in thousandths; the largest number where none is known, or without
    /// a warm-up. A task is counted in the period in which it starts, at whatever second: it goes back to the last period that had ended
    /// when the warm-up began.
    fn started(&self, part: Part, at: Timestamp) -> i64 {
        if self.serving.warm_up <= Seconds::ZERO {
            return i64::MAX;
        }
        let period = self.series.iter().map(|it| it.period).max();
        let period = period.unwrap_or_default();
        let from = period.before(self.serving.warm_up.before(at));
        if self.was_not_there(part, from, at) || self.was_empty(part, from, at, period) {
            return 0;
        }
        let counted = self.points(part, from, at).map(|(_, it)| it.value_milli);
        counted.min().map_or(i64::MAX, |least| least.max(0))
    }

    /// Whether a service ran no task at some time between two, although the other one of the pair did: one that was not counted for a minute,
    /// at the end of which the other was, ran none.
    fn was_not_there(&self, part: Part, from: Timestamp, until: Timestamp) -> bool {
        let other = match part {
            Part::Primary => Part::Standby,
            Part::Standby => Part::Primary,
            Part::Fleet => return false,
        };
        self.points(other, from, until).any(|(period, it)| {
            let end = period.after(it.at);
            let minute = period.max(MINUTE).before(end);
            self.points(part, minute, end).next().is_none()
        })
    }

    /// Whether a service ran no task at some time between two, because none of the fleet ran: it was found so, and was not counted for a
    /// minute that touches that and ends where a period may.
    fn was_empty(&self, part: Part, from: Timestamp, until: Timestamp, period: Seconds) -> bool {
        let Some(empty) = self.serving.empty else {
            return false;
        };
        let (minute, step) = (period.max(MINUTE), period.max(Seconds(1)));
        let first = Seconds(from.as_second().rem_euclid(step.0)).before(from);
        let ends = std::iter::successors(Some(step.after(first)), |it| Some(step.after(*it)));
        ends.take_while(|end| *end <= until).any(|end| {
            let begin = minute.before(end);
            let is_within = empty.since < end && empty.until.is_none_or(|it| begin < it);
            is_within && self.points(part, begin, end).next().is_none()
        })
    }

    /// The mean of the tasks that were counted in a period and after, in thousandths, rounded up; the largest number where none were counted.
    fn stayed(&self, part: Part, at: Timestamp, period: Seconds) -> i64 {
        match self.age {
            Age::Recent => {}
            Age::DaysAgo => return i64::MAX,
        }
        let until = period.after(at);
        let (mut sum, mut number) = (0_i128, 0_i128);
        for series in self.series.iter().filter(|it| it.part == part) {
            let nexts = series.points.iter().skip(1).map(Some);
            let nexts = nexts.chain(std::iter::once(None));
            let within = series.points.iter().zip(nexts);
            for (point, next) in within
                .skip_while(|(it, _)| series.period.after(it.at) <= at)
                .take_while(|(it, _)| it.at < until)
            {
                let left = next.map_or_else(
                    || self.now_after(part, point.at, series.period),
                    |it| self.no_fewer(part, it.at, series.period, it.value_milli),
                );
                sum = sum.saturating_add(point.value_milli.min(left).max(0).into());
                number = number.saturating_add(1);
            }
        }
        if number == 0 {
            return i64::MAX;
        }
        i64::try_from(div_ceil(sum, number)).unwrap_or(i64::MAX)
    }

    /// How many tasks were left, in thousandths, where they became fewer within a period; else the largest number.
    fn now_after(&self, part: Part, at: Timestamp, period: Seconds) -> i64 {
        let [of_primary, of_standby] = self.serving.fewer;
        let fewer = match part {
            Part::Primary => of_primary,
            Part::Standby => of_standby.filter(|_| self.service(part).is_some()),
            Part::Fleet => None,
        };
        let holds = |fewer: &Level| {
            FEWER_SINCE.before(fewer.at) < period.after(at) && at < FEWER_UNTIL.after(fewer.at)
        };
        fewer
            .filter(holds)
            .map_or(i64::MAX, |it| i64::from(it.tasks) * 1_000)
    }

    /// One of the two services, where it was read.
    fn service(&self, part: Part) -> Option<&Service> {
        match part {
            Part::Primary => Some(&self.fleet.primary),
            Part::Standby => match self.fleet.standby.as_ref()? {
                Standby::Present(service) => Some(service),
                Standby::Missing | Standby::Unknown => None,
            },
            Part::Fleet => None,
        }
    }
}
