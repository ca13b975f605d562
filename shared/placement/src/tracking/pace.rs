//! The pure core: from loads over time to the tasks that they need, and whether the desired count follows.
//!
//! No word here is AWS's: loads are thousandths of a task at the target, whatever metric they came from. The measurements call this
//! very code.
//!
//! What is needed is the newest load, rounded up: AWS's own rule, desired count times metric over target
//! (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html>). A forecast takes the recent peak
//! in its place, and adds what the load grew by at this time of the days before.
//!
//! Raising goes by the load that the tasks show which served throughout a period, lowering by the load if all that ran did ([`Load`]).
//!
//! Out is followed at once. In goes to the largest load of the window, and stops short of it by the tolerance. A change of direction must
//! overcome the tolerance; going on in the same direction need not. That keeps the desired count from going up and down with noise, and
//! nothing holds back by time a raise that the load needs.
//!
//! A raise takes the newest value as soon as it is there. Lowering waits until a period is settled: what arrives late may only show more.
//!
//! Guaranteed: integers only, nothing overflows; the [`forecast`] never lowers; a missing or incomplete period never lowers, nor does one that
//! is not settled yet.

use jiff::Timestamp;
use model::Seconds;
use model::tracking::{Direction, ForecastFrom, Pace, Turn, fresh_for};

use super::forecast::{self, Expected, Newest};
use super::load::{Load, Uncounted, div_ceil};

/// For lowering a period counts as settled so long after its end: samples that arrive later than the others still change its value, and
/// its sample count. ECS sends a task's metrics once a minute, or every 20 seconds; one more minute has brought them, and the number is ours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html>
pub const SETTLED_AFTER: Seconds = Seconds(60);

/// Loads over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loads<'a> {
    /// The length of each period; positive where there are loads.
    pub period: Seconds,
    /// The loads of periods that are over, oldest first, each once. A period without any value is absent.
    pub loads: &'a [Load],
}

/// What is known of one target's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History<'a> {
    /// The latest hours. The newest has ended.
    pub recent: Loads<'a>,
    /// The days before. What of them lies ahead of the same time of the day is looked at where a forecast is asked for.
    pub season: Loads<'a>,
    /// The least that a load needs: 1 of a metric that nobody publishes while no task runs, else 0.
    pub tasks_min: u32,
    /// Periods that began before it are no peak for a forecast to start from: more tasks were counted then than ran.
    pub peaks_from: Option<Timestamp>,
}

/// What one target's load needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// When the period of the newest value began.
    pub measured_at: Timestamp,
    /// When the earliest of the periods began that the load now is taken from: the newest complete one, where later ones are not.
    pub measured_from: Timestamp,
    /// The load now, in thousandths of a task, of the tasks alone that served throughout its period.
    pub load_milli_tasks: i64,
    /// The tasks that the load needs now.
    pub needed: u32,
    /// The tasks that it will need by its recent peak and the days before, and what that comes from; `None` where no forecast is asked
    /// for, or nothing tells.
    pub forecast: Option<(u32, ForecastFrom)>,
    /// The load now, in thousandths of a task, every task that runs counted.
    most_milli: i64,
    /// Newer periods, which have a value and no load yet.
    uncounted: Uncounted,
    /// The periods of the window, newest first: from when on each counts no more, and its load in thousandths of a task. `None` where one
    /// is missing or incomplete.
    window: Option<Vec<(Timestamp, i64)>>,
    /// What is expected.
    expected: Expected,
    /// From when on a period of the recent peak counts no more: so long after its end.
    peak_counts_for: Seconds,
    /// The length of a period.
    period: Seconds,
    tasks_min: u32,
}

/// What of a load keeps the desired count from being lowered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// A period of the peak that the forecast starts from.
    Peak {
        /// When the period began.
        at: Timestamp,
        /// Its load in thousandths of a task, every task that ran counted.
        load_milli_tasks: i64,
        /// The tasks that it lets expect.
        needed: u32,
    },
    /// The window.
    Window,
}

/// Whether the desired count is to be lowered for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lower {
    /// To so many.
    To(u32),
    /// By what is needed now it is; this lets it be lowered from then on. Of several the last.
    NotUntil(Timestamp, Waits),
    /// By what is needed now it is; what was needed within the window is not known.
    NotKnown,
    /// By what is needed now it is; the forecast of that needs so many.
    NotByForecast(u32),
    /// No.
    No,
}

/// A load that lowering goes by, in thousandths of a task with every task counted.
#[derive(Debug, Clone, Copy)]
enum Floor {
    /// The newest.
    Newest(i64),
    /// A newer one whose tasks are not counted yet.
    Uncounted(i64),
    /// One within the window, until then.
    Window(i64, Timestamp),
    /// One within the recent peak, until then.
    Peak(Load, Timestamp),
}

impl Need {
    /// The same, where so much is known of the periods that are newer than every load: nothing is raised for it, and nothing is lowered
    /// further than to what it lets expect.
    #[must_use]
    pub fn with_uncounted(self, uncounted: Uncounted) -> Self {
        Self { uncounted, ..self }
    }

    /// The loads that lowering goes by, as far as they are known.
    fn floors(&self) -> impl Iterator<Item = Floor> {
        let latest = [
            Floor::Newest(self.most_milli),
            Floor::Uncounted(self.uncounted.milli_tasks),
        ];
        let window = self.window.iter().flatten();
        let window = window.map(|(until, load)| Floor::Window(*load, *until));
        let peaks = self.expected.peaks.iter().map(|it| {
            let end = self.period.after(it.at);
            Floor::Peak(*it, self.peak_counts_for.after(end))
        });
        latest.into_iter().chain(window).chain(peaks)
    }

    /// What one of them needs, or lets expect, in thousandths of a task.
    fn milli_of(&self, floor: Floor) -> i128 {
        match floor {
            Floor::Newest(load) | Floor::Uncounted(load) => self.expected.grown(load),
            Floor::Window(load, _) => load.max(0).into(),
            Floor::Peak(load, _) => self.expected.grown(load.milli_tasks),
        }
    }

    /// The most that was needed within the window; `None` where that is not known.
    #[must_use]
    pub fn window_max(&self) -> Option<u32> {
        self.window.as_ref()?;
        let loads = self.floors().filter_map(|it| match it {
            Floor::Newest(load) | Floor::Uncounted(load) | Floor::Window(load, _) => Some(load),
            Floor::Peak(..) => None,
        });
        Some(tasks(loads.max().unwrap_or(0).into()).max(self.tasks_min))
    }

    /// The most that was needed within the window, or will be; `None` where the window is not known.
    #[must_use]
    pub fn needed_max(&self) -> Option<u32> {
        self.window.as_ref()?;
        let most = self.floors().map(|it| self.milli_of(it)).max();
        Some(tasks(most.unwrap_or(0)).max(self.tasks_min))
    }

    /// The load now with the tasks that started or stopped meanwhile, in thousandths of a task, where that is more than without them.
    #[must_use]
    pub fn load_of_all(&self) -> Option<i64> {
        (self.load_milli_tasks < self.most_milli).then_some(self.most_milli)
    }

    /// How many tasks to ask for, where that is more than are asked for and the load goes far enough for it.
    #[must_use]
    pub fn raise(&self, desired: u32, turn: Option<Turn>, pace: &Pace) -> Option<u32> {
        self.raise_for(self.expected.milli, desired, turn, pace)
    }

    /// The same by the newest load, and what it lets expect: a load that is past counts for nothing.
    #[must_use]
    pub fn raise_by_newest(&self, desired: u32, turn: Option<Turn>, pace: &Pace) -> Option<u32> {
        self.raise_for(self.expected.newest_milli, desired, turn, pace)
    }

    fn raise_for(&self, load: i128, desired: u32, turn: Option<Turn>, pace: &Pace) -> Option<u32> {
        let turns = turn.is_some_and(|it| it.direction == Direction::In);
        let serves = milli(desired) * i128::from(pace.tolerance_percent.saturating_add(100));
        // Where fewer are asked for than a metric needs to be measured at all, there is no band.
        let goes_far = !turns || serves < load * 100 || desired < self.tasks_min;
        let to = tasks(load).max(self.tasks_min);
        (desired < to && goes_far).then_some(to)
    }

    /// Whether, and how far, the desired count may be lowered. How long ago it was raised is not asked here.
    #[must_use]
    pub fn lower(&self, desired: u32, turn: Option<Turn>, pace: &Pace) -> Lower {
        let turns = turn.is_none_or(|it| it.direction == Direction::Out);
        let reach = milli(desired) * i128::from(100_u32.saturating_sub(pace.tolerance_percent));
        let lowers = |goal: u32| goal < desired && (!turns || milli(goal) * 100 <= reach);
        let goal_of = |milli: i128| {
            let percent = i128::from(pace.tolerance_percent.saturating_add(100));
            tasks(div_ceil(milli * percent, 100)).max(self.tasks_min)
        };
        let goal = |floor: Floor| goal_of(self.milli_of(floor));
        let newest = Floor::Newest(self.most_milli);
        if !lowers(goal_of(self.most_milli.into())) {
            return Lower::No;
        }
        if !lowers(goal(newest)) {
            return Lower::NotByForecast(tasks(self.milli_of(newest)).max(self.tasks_min));
        }
        if self.window.is_none() || !self.uncounted.is_complete {
            return Lower::NotKnown;
        }
        let (mut to, mut last, mut is_known) = (0, None, true);
        for floor in self.floors() {
            let goal = goal(floor);
            to = to.max(goal);
            if lowers(goal) {
                continue;
            }
            match floor {
                Floor::Newest(_) | Floor::Uncounted(_) => is_known = false,
                Floor::Window(_, until) => last = last.max(Some((until, Waits::Window))),
                Floor::Peak(load, until) => {
                    let waits = Waits::Peak {
                        at: load.at,
                        load_milli_tasks: load.milli_tasks,
                        needed: tasks(self.milli_of(floor)).max(self.tasks_min),
                    };
                    last = last.max(Some((until, waits)));
                }
            }
        }
        match last {
            Some((until, waits)) => Lower::NotUntil(until, waits),
            None if is_known => Lower::To(to),
            None => Lower::NotKnown,
        }
    }
}

/// What a target's load needs; `None` where no value is new enough.
///
/// An incomplete period after the newest complete one counts where it is more: it is a lower bound.
#[must_use]
pub fn need(history: &History<'_>, pace: &Pace, now: Timestamp) -> Option<Need> {
    let recent = history.recent;
    let oldest = fresh_for(recent.period).before(now);
    let is_fresh = |it: &Load| oldest <= recent.period.after(it.at);
    let known = recent
        .loads
        .partition_point(|it| recent.period.after(it.at) <= now);
    let known = recent.loads.get(..known)?;
    let newest = known.last().filter(|it| is_fresh(it))?;
    let complete = known.iter().rposition(|it| it.is_complete).unwrap_or(0);
    let latest = || known.iter().skip(complete).filter(|it| is_fresh(it));
    let level = latest()
        .map(|it| (it.serving_milli_tasks.max(0), it.at))
        .max()?;
    let most = latest().map(|it| it.milli_tasks.max(0)).max()?;
    let measured_from = latest().map(|it| it.at).min()?;
    let newest = Newest {
        at: newest.at,
        level,
    };
    let expected = forecast::expected(history, known, newest, pace);
    let at_least = |load: i128| tasks(load).max(history.tasks_min);
    // A peak is gone as soon as a newer value takes its place: it need not be settled.
    let late = Seconds::between(recent.period.after(newest.at), now);
    let peak_counts_for = whole_periods(pace.forecast_peak, recent.period);
    Some(Need {
        measured_at: newest.at,
        measured_from,
        load_milli_tasks: level.0,
        needed: at_least(level.0.into()),
        forecast: expected.from.map(|it| (at_least(expected.milli), it)),
        most_milli: most,
        uncounted: Uncounted::default(),
        window: window(recent.period, known, pace.scale_in_window, now),
        expected,
        peak_counts_for: Seconds(peak_counts_for.0.saturating_add(late.0)),
        period: recent.period,
        tasks_min: history.tasks_min,
    })
}

/// The periods of a window that ends with the newest settled one, newest first: where values stop coming, it does not shrink. `None` where
/// one is missing or incomplete. Periods that are not settled yet count with what there is of them.
fn window(
    period: Seconds,
    known: &[Load],
    window: Seconds,
    now: Timestamp,
) -> Option<Vec<(Timestamp, i64)>> {
    let counts_for = whole_periods(window, period);
    let mut next = known.last()?.at;
    let late = Seconds::between(period.after(next), now).max(SETTLED_AFTER);
    let settled = SETTLED_AFTER.before(now);
    while settled < period.after(next) {
        next = period.before(next);
    }
    let newest = period.after(next);
    let from = window.before(newest);
    let mut loads = Vec::new();
    for load in known.iter().rev() {
        let end = period.after(load.at);
        if end <= from {
            break;
        }
        if end <= newest {
            if !load.is_complete || load.at < next {
                return None;
            }
            next = period.before(load.at);
        }
        loads.push((late.after(counts_for.after(end)), load.milli_tasks));
    }
    (period.after(next) <= from).then_some(loads)
}

/// A length of time, rounded up to whole periods: the newest value moves by one at a time.
fn whole_periods(length: Seconds, period: Seconds) -> Seconds {
    let periods = div_ceil(i128::from(length.0), i128::from(period.0));
    let seconds = periods.saturating_mul(i128::from(period.0));
    i64::try_from(seconds).map_or(length, Seconds)
}

fn milli(tasks: u32) -> i128 {
    i128::from(tasks) * 1_000
}

/// Whole tasks for thousandths, rounded up.
fn tasks(milli: i128) -> u32 {
    u32::try_from(div_ceil(milli.max(0), 1_000)).unwrap_or(u32::MAX)
}
