//! The pure core: from loads over time to the tasks that they need, and whether the desired count follows.
//!
//! No word here is AWS's: loads are thousandths of a task at the target, whatever metric they came from. The measurements call this
//! very code.
//!
//! What is needed *now* is the mean of the last two minutes, what it rises by until a task that is asked for now serves (by its own trend,
//! or by how it rose at this time of the days before), and a margin for noise. What was needed *within the window* is the largest mean of
//! two minutes with the same margin, and no less than any single value. With a load that stands still both are the load itself, rounded up: AWS's own rule, desired count
//! times metric over target (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-autoscaling-targettracking.html>).
//!
//! Out is followed at once. In stops short of what was needed by the tolerance and the band, and after a scale-in the desired count only
//! turns again when the load overcomes both: that keeps it from going up and down with noise. Nothing holds back a raise by time.
//!
//! Guaranteed: integers only, nothing overflows; the forecast only raises; a missing or incomplete minute never leads to fewer tasks.

use jiff::Timestamp;
use model::Seconds;
use model::tracking::{Direction, Pace, Turn};

use super::load::{FRESH_FOR, FRESH_PERIODS, Load, div_ceil};

const MINUTE: Seconds = Seconds(60);

const DAY: Seconds = Seconds(86_400);

/// The load's level is the mean of so many minutes.
pub const LEVEL_MINUTES: i64 = 2;

/// Each side of the trend is the mean of so many minutes.
pub const TREND_MINUTES: i64 = 6;

/// A side of the trend with fewer known minutes shows none.
const TREND_MINUTES_MIN: usize = 3;

/// How long a load is on its way to serving, besides the start of a task: the metric's delay, and the minute that is to be served.
pub const LEAD_BESIDES_START: Seconds = Seconds(120);

/// The noise is that of so many minutes.
pub const NOISE_MINUTES: i64 = 30;

/// Fewer pairs of minutes show no noise.
const NOISE_PAIRS_MIN: i128 = 10;

/// The margin is so many times the noise.
const MARGIN_NOISES: i128 = 2;

/// The band is so many quarters of the noise.
const BAND_NOISE_QUARTERS: i128 = 3;

/// The forecast looks at so many days back.
pub const SEASON_DAYS: i64 = 3;

/// The level at the same time of another day is the mean of so many minutes.
const SEASON_LEVEL_MINUTES: i64 = 5;

/// The forecast takes the highest of so many means of two minutes.
const SEASON_AHEAD: i64 = 3;

/// Loads over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loads<'a> {
    /// The length of each period: at most a minute that it divides, or a number of minutes.
    pub period: Seconds,
    /// The loads of periods that are over, oldest first, each once. A period without any value is absent.
    pub loads: &'a [Load],
}

/// What is known of one target's load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History<'a> {
    /// The latest hours.
    pub recent: Loads<'a>,
    /// The same times of the days before; what lies ahead of them is looked at where a forecast is asked for.
    pub season: Loads<'a>,
    /// The least that a load needs: 1 of a metric that nobody publishes while no task runs, else 0.
    pub tasks_min: u32,
}

/// What one target's load needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// When the period of the newest value began.
    pub measured_at: Timestamp,
    /// The load's level, in thousandths of a task.
    pub load_milli_tasks: i64,
    /// The tasks that the load needs now.
    pub needed: u32,
    /// The tasks that it will need by the days before; `None` where no forecast is asked for, or no day tells.
    pub forecast: Option<u32>,
    /// What was needed within the window; `None` where a minute of it is missing or incomplete.
    pub window: Option<Window>,
    /// The load that is expected, with its margin, in thousandths of a task.
    expected_milli: i128,
    /// By how much more than the tolerance a change of direction must be, in thousandths of a task.
    band_milli: i128,
    tasks_min: u32,
}

/// What was needed within the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The most tasks.
    pub needed_max: u32,
    /// The minutes, newest first.
    minutes: Vec<Minute>,
}

/// A minute of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Minute {
    /// From then on it counts no more.
    until: Timestamp,
    /// Its load, with that of the minute before it and the margin, in thousandths of a task.
    calm_milli: i128,
    /// The largest load of a period in it, in thousandths of a task: no fewer tasks are asked for than it needed.
    peak_milli: i128,
}

/// Whether the desired count is to be lowered for one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lower {
    /// To so many.
    To(u32),
    /// By what is needed now it is, but within the window more was needed. From then on it may be.
    NotYet(Timestamp),
    /// By what is needed now it is; what was needed within the window is not known.
    NotKnown,
    /// No.
    No,
}

impl Need {
    /// The most that was needed within the window, where that is known.
    #[must_use]
    pub fn needed_max(&self) -> Option<u32> {
        self.window.as_ref().map(|it| it.needed_max)
    }

    /// The tasks that are needed now or soon.
    #[must_use]
    pub fn expected(&self) -> u32 {
        self.forecast.map_or(self.needed, |it| it.max(self.needed))
    }

    /// How many tasks to ask for, where that is more than are asked for and the load goes far enough for it.
    #[must_use]
    pub fn raise(&self, desired: u32, turn: Option<Turn>, pace: &Pace) -> Option<u32> {
        let asked = milli(desired);
        let reach = asked + tolerance(asked, pace) + self.band_milli;
        let turns = turn.is_some_and(|it| it.direction == Direction::In);
        let goes_far = !turns || self.expected_milli > reach;
        let is_enough = desired >= self.tasks_min;
        let to = self.expected();
        (to > desired && (goes_far || !is_enough)).then_some(to)
    }

    /// Whether, and how far, the desired count may be lowered. How long ago it was raised is not asked here.
    #[must_use]
    pub fn lower(&self, desired: u32, turn: Option<Turn>, pace: &Pace) -> Lower {
        let asked = milli(desired);
        let reach = asked - tolerance(asked, pace) - self.band_milli;
        let turns = turn.is_none_or(|it| it.direction == Direction::Out);
        let lowers = |goal: u32| goal < desired && (!turns || milli(goal) <= reach);
        let now = self.goal(self.expected_milli, pace);
        if !lowers(now) {
            return Lower::No;
        }
        let Some(window) = &self.window else {
            return Lower::NotKnown;
        };
        let goal = |it: &Minute| self.goal(it.calm_milli, pace).max(tasks(it.peak_milli));
        let most = window.minutes.iter().map(goal).fold(now, u32::max);
        if lowers(most) {
            return Lower::To(most);
        }
        let high = window.minutes.iter().find(|it| !lowers(goal(it)));
        high.map_or(Lower::No, |it| Lower::NotYet(it.until))
    }

    /// How many tasks keep the tolerance and the band above a load.
    fn goal(&self, load: i128, pace: &Pace) -> u32 {
        tasks(load + tolerance(load, pace) + self.band_milli).max(self.tasks_min)
    }
}

/// What a target's load needs; `None` where no value is new enough.
#[must_use]
pub fn need(history: &History<'_>, pace: &Pace, now: Timestamp) -> Option<Need> {
    let recent = history.recent;
    let is_over = |it: &&Load| recent.period.after(it.at) <= now;
    let newest = recent.loads.iter().rev().find(is_over)?;
    let end = recent.period.after(newest.at);
    let fresh_for = FRESH_FOR.max(Seconds(recent.period.0.saturating_mul(FRESH_PERIODS)));
    if end < fresh_for.before(now) {
        return None;
    }
    let minutes = Minutes { of: recent, end };
    let level = minutes.level()?;
    let noise = minutes.noise();
    let margin = noise * MARGIN_NOISES;
    let lead = Seconds(pace.start_up.0.saturating_add(LEAD_BESIDES_START.0));
    let trend = minutes.trend(lead);
    let season = if pace.forecast {
        season_rise(history.season, end, level, pace)
    } else {
        None
    };
    let usual = level + trend + margin;
    let expected = level + trend.max(season.unwrap_or(0)) + margin;
    let window = minutes.window(margin, pace.scale_in_window, now);
    let at_least = |load: i128| tasks(load).max(history.tasks_min);
    Some(Need {
        measured_at: newest.at,
        load_milli_tasks: i64::try_from(level).unwrap_or(i64::MAX),
        needed: at_least(usual),
        forecast: season.map(|_| at_least(expected)),
        window: window.map(|minutes| {
            let loads = minutes.iter().map(|it| it.calm_milli.max(it.peak_milli));
            Window {
                needed_max: at_least(loads.fold(expected, i128::max)),
                minutes,
            }
        }),
        expected_milli: expected,
        band_milli: noise * BAND_NOISE_QUARTERS / 4,
        tasks_min: history.tasks_min,
    })
}

/// Loads by the minute, counted back from the end of the newest period.
#[derive(Clone, Copy)]
struct Minutes<'a> {
    of: Loads<'a>,
    end: Timestamp,
}

impl Minutes<'_> {
    /// When the minute so many minutes before the newest one began.
    fn start(self, back: i64) -> Timestamp {
        Seconds(MINUTE.0.saturating_mul(back.saturating_add(1))).before(self.end)
    }

    fn load(self, back: i64) -> Option<Load> {
        self.of.minute(self.start(back))
    }

    /// The mean of so many minutes from one on back; `None` where fewer than `least` of them are known.
    fn mean(self, from: i64, number: i64, least: usize) -> Option<i128> {
        mean(
            (from..from.saturating_add(number)).filter_map(|back| self.load(back)),
            least,
        )
    }

    /// By how much the load rises in a time, if it goes on as in the last twelve minutes; it never falls.
    fn trend(self, lead: Seconds) -> i128 {
        let after = self.mean(0, TREND_MINUTES, TREND_MINUTES_MIN);
        let before = self.mean(TREND_MINUTES, TREND_MINUTES, TREND_MINUTES_MIN);
        let (Some(after), Some(before)) = (after, before) else {
            return 0;
        };
        (after - before).max(0) * i128::from(lead.0.max(0)) / i128::from(TREND_MINUTES * MINUTE.0)
    }

    /// How far neighbouring minutes are apart, on average.
    fn noise(self) -> i128 {
        let (mut sum, mut pairs) = (0_i128, 0_i128);
        for back in 0..NOISE_MINUTES {
            if let (Some(later), Some(earlier)) = (self.load(back), self.load(back + 1)) {
                sum += i128::from(later.milli_tasks.abs_diff(earlier.milli_tasks));
                pairs += 1;
            }
        }
        if pairs < NOISE_PAIRS_MIN {
            return 0;
        }
        sum / pairs
    }

    /// The mean of the last minutes; without those that are incomplete, where that is more.
    fn level(self) -> Option<i128> {
        let loads = || (0..LEVEL_MINUTES).filter_map(|back| self.load(back));
        let complete = mean(loads().filter(|it| it.is_complete), 1);
        mean(loads(), 1).max(complete)
    }

    /// The minutes of the window, newest first. `None` where one is missing or incomplete.
    fn window(self, margin: i128, window: Seconds, now: Timestamp) -> Option<Vec<Minute>> {
        let from = window.before(now);
        let mut minutes = Vec::new();
        let mut back = 0;
        while back == 0 || from < MINUTE.after(self.start(back)) {
            let load = self.load(back).filter(|it| it.is_complete)?;
            let start = self.start(back);
            let peak = self.of.within(start).iter().map(|it| it.milli_tasks).max();
            minutes.push(Minute {
                until: window.after(MINUTE.after(start)),
                calm_milli: self.mean(back, LEVEL_MINUTES, 1)? + margin,
                peak_milli: i128::from(peak.unwrap_or(load.milli_tasks)),
            });
            back += 1;
        }
        Some(minutes)
    }
}

/// How much higher the load will be by the days before: as much as it rose then, at most twice. `None` where no day tells.
fn season_rise(season: Loads<'_>, end: Timestamp, level: i128, pace: &Pace) -> Option<i128> {
    let ahead = div_ceil(i128::from(pace.start_up.0.max(0)), i128::from(MINUTE.0));
    let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
    let (mut sum, mut days) = (0_i128, 0_i128);
    for day in 1..=SEASON_DAYS {
        let end = Seconds(DAY.0.saturating_mul(day)).before(end);
        let of_day = Minutes { of: season, end };
        let known = usize::try_from(SEASON_LEVEL_MINUTES).unwrap_or(usize::MAX);
        let Some(then) = of_day.mean(0, SEASON_LEVEL_MINUTES, known) else {
            continue;
        };
        let afterwards = (0..SEASON_AHEAD).filter_map(|further| {
            // The second minute of the pair is the nearer one on the way back.
            let second = ahead.saturating_add(further).saturating_add(1);
            of_day.mean(second.saturating_neg(), LEVEL_MINUTES, 2)
        });
        let Some(later) = afterwards.max().filter(|_| then > 0) else {
            continue;
        };
        sum += (later * 1_000 / then - 1_000).clamp(0, 1_000);
        days += 1;
    }
    (days > 0).then(|| level * (sum / days) / 1_000)
}

impl Loads<'_> {
    /// The loads of the periods in a minute, or of the one that holds it.
    fn within(&self, start: Timestamp) -> &[Load] {
        let from = self
            .loads
            .partition_point(|it| self.period.after(it.at) <= start);
        let end = MINUTE.after(start);
        let loads = self.loads.get(from..).unwrap_or_default();
        let number = loads.partition_point(|it| it.at < end);
        loads.get(..number).unwrap_or_default()
    }

    /// The load of a minute: the mean of its periods, or that of the period that holds it.
    fn minute(&self, start: Timestamp) -> Option<Load> {
        let loads = self.within(start);
        let number = i64::try_from(loads.len()).unwrap_or(i64::MAX);
        let is_whole = number.saturating_mul(self.period.0) >= MINUTE.0;
        let mean = mean(loads.iter().copied(), 1)?;
        Some(Load {
            at: start,
            milli_tasks: i64::try_from(mean).unwrap_or(i64::MAX),
            is_complete: is_whole && loads.iter().all(|it| it.is_complete),
        })
    }
}

/// The mean, rounded down; `None` of fewer than `least`.
fn mean(loads: impl Iterator<Item = Load>, least: usize) -> Option<i128> {
    let (mut sum, mut number) = (0_i128, 0_usize);
    for load in loads {
        sum += i128::from(load.milli_tasks.max(0));
        number += 1;
    }
    if number == 0 || number < least {
        return None;
    }
    Some(sum / i128::try_from(number).unwrap_or(1))
}

fn milli(tasks: u32) -> i128 {
    i128::from(tasks) * 1_000
}

/// Whole tasks for thousandths, rounded up.
fn tasks(milli: i128) -> u32 {
    u32::try_from(div_ceil(milli.max(0), 1_000)).unwrap_or(u32::MAX)
}

fn tolerance(milli: i128, pace: &Pace) -> i128 {
    milli * i128::from(pace.tolerance_percent) / 100
}
