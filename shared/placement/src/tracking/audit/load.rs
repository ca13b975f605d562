//! What the load of a target needs, as fractions that are never rounded before the end.

use jiff::Timestamp;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::{Measures, Part, Reading, Series, TargetName};

use super::Ground;

/// How old the end of the newest period may be, in seconds; in any case three periods.
const NEW_ENOUGH_SECS: i64 = 300;

/// How long after its end a period may still change, in seconds: lowering does not rest on it.
const CHANGES_SECS: i64 = 60;

/// The two services of a fleet.
const PARTS: [Part; 2] = [Part::Primary, Part::Standby];

/// What was measured of one target, period by period.
#[derive(Debug)]
pub(super) struct Measured {
    /// When the newest period began.
    pub(super) newest: Timestamp,
    /// Whether it ended lately.
    pub(super) is_new_enough: bool,
    /// The periods of the scale-in window without a whole value. The window ends with the newest period that changes no more.
    pub(super) holes: u32,
    /// The most tasks that a period of the window needed, or one of the time in which a forecast looks for its peak, by what there is of
    /// it, and when that period began.
    pub(super) most: (i128, Timestamp),
}

/// The load of one period in thousandths of a task, rounded down, by what there is, and whether that is all of it.
struct Load {
    milli_tasks: i128,
    is_whole: bool,
}

impl Measured {
    /// `None` where there is nothing at all.
    pub(super) fn of(ground: &Ground<'_>, name: TargetName) -> Option<Self> {
        let Reading::Read { recent, .. } = ground.fleet.readings.get(&name)? else {
            return None;
        };
        let period = recent.iter().map(|it| it.period.0).min()?;
        let period = Seconds(period.max(1));
        let now = ground.now;
        let is_total = ground.policy.targets.get(&name)?.measures == Measures::Total;
        // A value of each task says nothing while no task was counted.
        let is_there = |at: Timestamp| is_total || counted(ground, &PARTS, at, period).is_some();
        let all = recent.iter().flat_map(|it| &it.points).map(|it| it.at);
        let ended = all.filter(|at| period.after(*at) <= now);
        let newest = ended.filter(|at| is_there(*at)).max()?;
        let end = period.after(newest);
        let changing = Seconds::between(Seconds(CHANGES_SECS).before(now), end);
        let changing = if changing.0 > 0 {
            changing.0.div_euclid(period.0) + i64::from(changing.0 % period.0 > 0)
        } else {
            0
        };
        let last = Seconds(changing.saturating_mul(period.0)).before(newest);
        let window_from = ground
            .policy
            .pace
            .scale_in_window
            .before(period.after(last));
        let pace = &ground.policy.pace;
        let peak_from = if pace.forecast {
            pace.forecast_peak.before(end)
        } else {
            end
        };
        // What was counted wrong is no peak.
        let counted_wrong = ground.counted_wrong_until().filter(|_| !is_total);
        let is_peak = |at: Timestamp| {
            period.after(at) > peak_from && counted_wrong.is_none_or(|until| until <= at)
        };
        let grace = Seconds(NEW_ENOUGH_SECS.max(period.0.saturating_mul(3)));
        let mut measured = Self {
            newest,
            is_new_enough: grace.after(end) >= now,
            holes: 0,
            most: (0, newest),
        };
        let mut at = newest;
        while at >= last || period.after(at) > window_from.min(peak_from) {
            let load = load(ground, name, recent, at, period);
            let is_in_window = period.after(at) > window_from && at <= last;
            measured.holes += u32::from(!load.is_whole && (is_in_window || at == last));
            let needed = load.milli_tasks / 1_000 + i128::from(load.milli_tasks % 1_000 > 0);
            let counts = at >= last || period.after(at) > window_from || is_peak(at);
            if counts && needed > measured.most.0 {
                measured.most = (needed, at);
            }
            let before = period.before(at);
            if before >= at {
                break;
            }
            at = before;
        }
        let all = recent.iter().flat_map(|it| &it.points).map(|it| it.at);
        for at in all.filter(|at| newest < *at && period.after(*at) <= now) {
            let needed = uncounted(ground, name, recent, at, period);
            if needed > measured.most.0 {
                measured.most = (needed, at);
            }
        }
        Some(measured)
    }
}

/// The tasks that the period needs that begins at a time, were as many there as run now, or as were counted last: nothing of it is counted.
fn uncounted(
    ground: &Ground<'_>,
    name: TargetName,
    recent: &[Series],
    at: Timestamp,
    period: Seconds,
) -> i128 {
    let Some(target) = ground.policy.targets.get(&name) else {
        return 0;
    };
    let counts = &ground.fleet.task_counts;
    let most = |part: Part| {
        let of_part = counts.iter().filter(|it| it.part == part);
        let last = of_part.filter_map(|it| Some(i128::from(it.points.last()?.value_milli)));
        let now = i128::from(running(ground, part)) * 1_000;
        last.fold(now, i128::max)
    };
    let [primary, standby] = PARTS.map(most);
    let sum: i128 = [
        (Part::Primary, primary),
        (Part::Standby, standby),
        (Part::Fleet, primary.saturating_add(standby)),
    ]
    .into_iter()
    .map(|(part, tasks)| {
        let value = mean(recent.iter().filter(|it| it.part == part), at, period);
        value.unwrap_or(0).saturating_mul(tasks)
    })
    .fold(0, i128::saturating_add);
    let milli_tasks = sum / i128::from(target.value_milli.max(1));
    milli_tasks / 1_000 + i128::from(milli_tasks % 1_000 > 0)
}

/// The load of the period that begins at a time.
fn load(
    ground: &Ground<'_>,
    name: TargetName,
    recent: &[Series],
    at: Timestamp,
    period: Seconds,
) -> Load {
    let nothing = Load {
        milli_tasks: 0,
        is_whole: false,
    };
    let Some(target) = ground.policy.targets.get(&name) else {
        return nothing;
    };
    let is_total = target.measures == Measures::Total;
    if !is_total && counted(ground, &PARTS, at, period).is_none() {
        return nothing;
    }
    // In thousandths of the metric's unit, times thousandths of a task where the metric is of each task.
    let mut sum: i128 = 0;
    let mut is_whole = true;
    let standby_is_unread = matches!(ground.fleet.standby, Some(Standby::Unknown));
    let of_fleet: Vec<&Series> = recent.iter().filter(|it| it.part == Part::Fleet).collect();
    if of_fleet.is_empty() {
        for part in PARTS {
            let of_part = || recent.iter().filter(|it| it.part == part);
            let value = mean(of_part(), at, period);
            let tasks = tasks(ground, part, at, period);
            is_whole &= match (value, tasks) {
                (Some(_), tasks) => tasks.is_some(),
                (None, Some(0)) => running(ground, part) == 0,
                (None, Some(_) | None) => false,
            };
            sum = sum.saturating_add(value.unwrap_or(0).saturating_mul(tasks.unwrap_or(0)));
        }
        is_whole &= !standby_is_unread;
    } else {
        let value = mean(of_fleet.into_iter(), at, period);
        is_whole &= value.is_some();
        let mut times = 1_000;
        if !is_total {
            let parts = PARTS.map(|it| tasks(ground, it, at, period));
            is_whole &= parts.iter().all(Option::is_some) && !standby_is_unread;
            times = parts.iter().flatten().sum();
        }
        sum = value.unwrap_or(0).saturating_mul(times);
    }
    Load {
        milli_tasks: sum / i128::from(target.value_milli.max(1)),
        is_whole,
    }
}

/// The mean of what overlaps a period, rounded down; values below 0 count as 0.
fn mean<'s>(
    series: impl Iterator<Item = &'s Series>,
    at: Timestamp,
    period: Seconds,
) -> Option<i128> {
    let end = period.after(at);
    let (mut sum, mut count) = (0, 0);
    for it in series {
        let first = it
            .points
            .partition_point(|point| it.period.after(point.at) <= at);
        let overlapping = it
            .points
            .iter()
            .skip(first)
            .take_while(|point| point.at < end);
        for point in overlapping {
            sum += i128::from(point.value_milli.max(0));
            count += 1;
        }
    }
    (count > 0).then(|| sum / count)
}

/// What CloudWatch counted of parts in a period, in thousandths of a task.
fn counted(ground: &Ground<'_>, parts: &[Part], at: Timestamp, period: Seconds) -> Option<i128> {
    let counts = ground.fleet.task_counts.iter();
    mean(counts.filter(|it| parts.contains(&it.part)), at, period)
}

/// The tasks of a part in a period, in thousandths: of one that was not counted none where it runs none now. A standby that does not
/// exist has none.
fn tasks(ground: &Ground<'_>, part: Part, at: Timestamp, period: Seconds) -> Option<i128> {
    let runs_none = running(ground, part) == 0;
    counted(ground, &[part], at, period).or_else(|| runs_none.then_some(0))
}

/// The RUNNING tasks of a part now.
fn running(ground: &Ground<'_>, part: Part) -> u32 {
    match (part, &ground.fleet.standby) {
        (Part::Primary | Part::Fleet, _) => ground.fleet.primary.running_count,
        (Part::Standby, Some(Standby::Present(standby))) => standby.running_count,
        (Part::Standby, Some(Standby::Missing | Standby::Unknown) | None) => 0,
    }
}
