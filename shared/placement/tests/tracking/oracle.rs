//! Which states raise, which lower, and to what: an own reading of the rules, by plain counting over maps of minutes. It shares no code with
//! the rules or the audit, and says for every state what the desired count comes to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use model::capacity::Consent;
use model::memory::{Recall, Write};
use model::snapshot::{Scheduling, ServiceStatus, Standby};
use model::strategy::Market;
use model::tracking::{
    Direction, Fleet, Measures, Part, Reading, Series, Target, TrackingKey, TrackingMemory,
    TrackingPolicy, Turn,
};
use proptest::prelude::*;

use crate::laws::results;
use crate::random::{at_rest, situation};
use crate::scene::{Scene, text};

/// Second -> load in thousandths of a task, and whether all of it is known.
type Loads = BTreeMap<i64, (u128, bool)>;

const fn up(dividend: u128, divisor: u128) -> u128 {
    dividend.div_ceil(divisor)
}

/// A series as seconds and values.
fn by_second(series: &Series) -> BTreeMap<i64, u128> {
    let points = series.points.iter();
    points
        .map(|it| {
            let value = u128::try_from(it.value_milli.max(0)).unwrap();
            (it.at.as_second(), value)
        })
        .collect()
}

struct Fleets<'a> {
    fleet: &'a Fleet,
    policy: &'a TrackingPolicy,
    now: i64,
}

impl Fleets<'_> {
    /// The tasks of the primary, or of the standby, that run now; `None` where nobody knows.
    fn runs(&self, part: Part) -> Option<u32> {
        if part == Part::Primary {
            return Some(self.fleet.primary.running_count);
        }
        match &self.fleet.standby {
            None | Some(Standby::Missing) => Some(0),
            Some(Standby::Present(it)) => Some(it.running_count),
            Some(Standby::Unknown) => None,
        }
    }

    /// Thousandths of tasks that were counted in `[at, at + period)`.
    fn counted(counts: &[Series], part: Part, at: i64, period: i64) -> Option<u128> {
        let mut all = Vec::new();
        for series in counts.iter().filter(|it| it.part == part) {
            for (begin, value) in by_second(series) {
                if begin < at + period && at < begin + series.period.0 {
                    all.push(value);
                }
            }
        }
        let count = u128::try_from(all.len()).unwrap();
        (count > 0).then(|| up(all.into_iter().sum(), count))
    }

    fn loads(
        &self,
        target: &Target,
        series: &[Series],
        counts: &[Series],
        days_ago: bool,
    ) -> Loads {
        let mut loads = Loads::new();
        let Some(period) = series.iter().map(|it| it.period.0).min() else {
            return loads;
        };
        let mut values: BTreeMap<Part, BTreeMap<i64, u128>> = BTreeMap::new();
        for it in series {
            values.entry(it.part).or_default().extend(by_second(it));
        }
        let whole = series.iter().all(|it| it.is_complete);
        let seconds: BTreeSet<i64> = values.values().flat_map(|it| it.keys().copied()).collect();
        for at in seconds.into_iter().filter(|it| it + period <= self.now) {
            let count = |part| Self::counted(counts, part, at, period);
            let tasks = |part| {
                let none_else = if days_ago {
                    part == Part::Standby
                } else {
                    self.runs(part) == Some(0)
                };
                count(part).or(none_else.then_some(0))
            };
            let value = |part| values.get(&part).and_then(|it| it.get(&at)).copied();
            let mut sum = 0;
            let mut is_whole = whole;
            let no_count = count(Part::Primary).is_none() && count(Part::Standby).is_none();
            let of_fleet = values.contains_key(&Part::Fleet);
            match (target.measures, of_fleet) {
                (Measures::Total, _) => sum = value(Part::Fleet).unwrap_or(0) * 1_000,
                (Measures::PerTask, _) if no_count => continue,
                (Measures::PerTask, true) => {
                    match (
                        value(Part::Fleet),
                        tasks(Part::Primary),
                        tasks(Part::Standby),
                    ) {
                        (Some(value), Some(one), Some(other)) => sum = value * (one + other),
                        _ => is_whole = false,
                    }
                }
                (Measures::PerTask, false) => {
                    for part in [Part::Primary, Part::Standby] {
                        let ran = count(part).is_some_and(|it| it > 0)
                            || (!days_ago && self.runs(part) != Some(0));
                        match (value(part), tasks(part)) {
                            (Some(value), Some(tasks)) => sum += value * tasks,
                            (Some(_), None) => is_whole = false,
                            (None, _) => is_whole &= !ran,
                        }
                    }
                }
            }
            let load = up(sum, u128::try_from(target.value_milli).unwrap());
            loads.insert(at, (load.min(u128::try_from(i64::MAX).unwrap()), is_whole));
        }
        loads
    }
}

/// What one target asks for.
#[derive(Debug)]
enum Says {
    /// Nothing is known.
    Unknown,
    /// The load that is expected, and the greatest of the window where all of it is known.
    Load {
        expected: u128,
        greatest: Option<u128>,
        least: u128,
    },
}

impl Fleets<'_> {
    fn says(&self, target: &Target, recent: &[Series], season: &[Series]) -> Says {
        let loads = self.loads(target, recent, &self.fleet.task_counts, false);
        let Some(period) = recent.iter().map(|it| it.period.0).min() else {
            return Says::Unknown;
        };
        let fresh_from = self.now - (3 * period).max(300);
        let Some((&newest, _)) = loads.last_key_value() else {
            return Says::Unknown;
        };
        if newest + period < fresh_from {
            return Says::Unknown;
        }
        let whole = loads.iter().filter(|(_, it)| it.1).map(|(at, _)| *at).max();
        let from = whole.unwrap_or(i64::MIN).max(fresh_from - period);
        let level = loads.range(from..).map(|(_, it)| it.0).max().unwrap();
        let growth = if self.policy.pace.forecast {
            self.growth(target, season, newest + period)
        } else {
            0
        };
        let expected = level + level * growth / 1_000;
        let mut greatest = Some(expected);
        let mut at = newest;
        while at == newest || at + period > self.now - self.policy.pace.scale_in_window.0 {
            greatest = match (greatest, loads.get(&at)) {
                (Some(most), Some((load, true))) => Some(most.max(*load)),
                _ => None,
            };
            at -= period;
        }
        let least = u128::from(target.measures == Measures::PerTask);
        Says::Load {
            expected,
            greatest,
            least,
        }
    }

    /// What the same minutes of three days grew by, in thousandths.
    fn growth(&self, target: &Target, season: &[Series], end: i64) -> u128 {
        let loads = self.loads(target, season, &self.fleet.season_task_counts, true);
        let Some(period) = season.iter().map(|it| it.period.0).min() else {
            return 0;
        };
        let start_up = self.policy.pace.start_up.0.max(1);
        let start_up = start_up / 60 + i64::from(start_up % 60 > 0);
        let newest = (end - 1).div_euclid(60) * 60;
        let mut growths = Vec::new();
        for day in 1..=3 {
            let five = |first: i64| {
                let mut sum = 0;
                for minute in first..first + 5 {
                    let at = newest - day * 86_400 + minute * 60;
                    let (begin, (load, whole)) = loads.range(..=at).next_back()?;
                    if at >= begin + period || !whole {
                        return None;
                    }
                    sum += load;
                }
                Some(sum)
            };
            if let (Some(then), Some(ahead)) = (five(-4), five(start_up))
                && then > 0
            {
                growths.push((ahead.saturating_sub(then) * 1_000 / then).min(1_000));
            }
        }
        let count = u128::try_from(growths.len()).unwrap();
        growths
            .into_iter()
            .sum::<u128>()
            .checked_div(count)
            .unwrap_or(0)
    }

    /// The bounds of now, by the days on which windows begin.
    fn bounds(&self) -> (u32, u32) {
        let zone = TimeZone::get(&self.policy.time_zone).unwrap();
        let local = zone.to_datetime(Timestamp::from_second(self.now).unwrap());
        let always = self.policy.bounds;
        let mut holding = Vec::new();
        for window in &self.policy.windows {
            let holds = |date: Date| {
                let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
                let at = |minute: u16| date.at(0, 0, 0, 0) + i64::from(minute).minutes();
                let from = at(window.from_minute);
                let mut until = at(window.until_minute);
                if until <= from {
                    until += 1.day();
                }
                window.days[day] && from <= local && local < until
            };
            if holds(local.date()) || holds(local.date().yesterday().unwrap()) {
                holding.push((
                    window.min_tasks.unwrap_or(always.min_tasks),
                    window.max_tasks.unwrap_or(always.max_tasks),
                ));
            }
        }
        (
            holding
                .iter()
                .map(|it| it.0)
                .max()
                .unwrap_or(always.min_tasks),
            holding
                .iter()
                .map(|it| it.1)
                .max()
                .unwrap_or(always.max_tasks),
        )
    }

    /// Whether tasks that were asked for long ago are not placed, and why is known.
    fn has_nowhere_to_place(&self, since: Option<i64>) -> bool {
        let primary = &self.fleet.primary;
        let line = primary
            .not_placed
            .iter()
            .any(|it| self.now - 300 < it.at.as_second());
        let mut there = primary.running_count;
        if !line {
            there += primary.pending_count;
        }
        if let Some(Standby::Present(it)) = &self.fleet.standby {
            there += it.running_count + it.pending_count;
        }
        let is_missing = primary.desired_count > there;
        let places: Vec<_> = primary
            .capacity
            .iter()
            .filter(|it| it.item.base + it.item.weight > 0)
            .collect();
        let all_full = !places.is_empty()
            && places.iter().all(|it| {
                let group = self.fleet.groups.get(&it.item.provider);
                group.is_some_and(|it| it.desired_capacity >= it.max_size)
            });
        let all_spot = !places.is_empty() && places.iter().all(|it| it.market == Market::Spot);
        is_missing && since.is_some_and(|it| self.now - it > 120) && (line || all_full || all_spot)
    }
}

/// What is remembered, as far as it is about this very service.
fn remembered(scene: &Scene, key: &TrackingKey) -> Option<TrackingMemory> {
    let memory = match scene.memories.get(key) {
        None => TrackingMemory::default(),
        Some(Recall::Known(memory)) => memory.clone(),
        Some(Recall::Unknown) => return None,
    };
    let made = scene.snapshot.fleets[key].primary.created_at;
    let is_another = memory
        .wrote
        .is_some_and(|wrote| made.is_some_and(|it| it.as_second() - wrote.at.as_second() > 30));
    Some(if is_another {
        TrackingMemory::default()
    } else {
        memory
    })
}

/// What somebody else wants at least.
fn foreign_floor(memory: &TrackingMemory, seen: u32, hold: i64, now: i64) -> u32 {
    let Some(wrote) = memory.wrote else { return 0 };
    let edit = memory
        .foreign
        .filter(|it| now - it.noticed_at.as_second() < hold);
    let was = memory.foreign.is_some_and(|it| it.found == seen);
    let is_own = wrote.to == seen || (wrote.from == seen && !wrote.confirmed);
    match (is_own, edit) {
        (true, Some(it)) if wrote.to == seen && wrote.at < it.noticed_at => 0,
        (true, Some(it)) => it.found,
        (true, None) => 0,
        (false, _) if was && edit.is_none() => 0,
        (false, _) => seen,
    }
}

/// What the desired count comes to.
pub(crate) fn wanted(scene: &Scene, key: &TrackingKey) -> u32 {
    let fleet = &scene.snapshot.fleets[key];
    let seen = fleet.primary.desired_count;
    let Ok(policy) = &fleet.policy else {
        return seen;
    };
    let primary = &fleet.primary;
    let is_ours = primary.status == ServiceStatus::Active
        && primary.scheduling == Scheduling::Replica
        && primary.scaled_by_application_auto_scaling != Some(true)
        && !primary.tags.contains_key("ballast:standby-of")
        && policy.consent == Consent::Act
        && !policy.paused;
    if !is_ours {
        return seen;
    }
    let now = scene.now.as_second();
    let fleets = Fleets { fleet, policy, now };
    let memory = remembered(scene, key);
    let wrote = memory.as_ref().and_then(|it| it.wrote);
    let under_way = |it: Write| it.from == seen && it.to != seen && now - it.at.as_second() < 60;
    if wrote.is_some_and(under_way) {
        return seen;
    }
    let set_to_0 =
        |it: Write| (it.to == 0 && it.from > 0) || (it.from == 0 && it.to > 0 && !it.confirmed);
    if seen == 0 && !wrote.is_some_and(set_to_0) {
        return seen;
    }
    let (least, most) = fleets.bounds();
    let mut unfollowed = false;
    let mut all = Vec::new();
    for (name, target) in &policy.targets {
        match fleet.readings.get(name) {
            Some(Reading::Read { recent, season }) => all.push(fleets.says(target, recent, season)),
            Some(Reading::Unread) | None => all.push(Says::Unknown),
            Some(Reading::Unusable { .. }) => unfollowed = true,
        }
    }
    let turn = memory.as_ref().and_then(|it| it.turn);
    let rises = rises(&all, seen, turn, policy);
    let mut base = seen;
    if let Some(it) = wrote
        && it.to == seen
        && it.from < seen
        && now - it.at.as_second() < 30
    {
        base = it.from;
    }
    let farthest = base + (base * policy.pace.raise_max_percent / 100).max(4);
    if seen < least {
        return rises.unwrap_or(0).min(farthest).min(most).max(least);
    }
    let missing = memory
        .as_ref()
        .and_then(|it| it.missing)
        .map(|it| it.at.as_second());
    if let Some(needed) = rises
        && seen <= most
    {
        let is_stuck = fleets.has_nowhere_to_place(missing);
        let to = needed.min(farthest).min(most);
        return if is_stuck { seen } else { to.max(seen) };
    }
    let Some(memory) = memory else { return seen };
    let of_cluster = [
        "*".to_owned(),
        key.0.cluster.to_string(),
        key.to_string(),
        format!("{key}-standby"),
    ];
    let has_gap = scene
        .snapshot
        .gaps
        .iter()
        .any(|it| of_cluster.contains(&it.resource))
        || !fleet.gaps.is_empty()
        || primary.scaled_by_application_auto_scaling.is_none()
        || fleet.standby == Some(Standby::Unknown);
    let is_deployed =
        primary.deployments.len() > 1 || primary.deployments.iter().any(|it| it.in_progress);
    if has_gap || is_deployed {
        return seen;
    }
    let floor = foreign_floor(&memory, seen, policy.foreign_hold.0, now);
    let falls = (!unfollowed)
        .then(|| falls(&all, seen, turn, policy, now))
        .flatten();
    let run = primary.running_count + fleets.runs(Part::Standby).unwrap_or(0);
    let pending = match &fleet.standby {
        Some(Standby::Present(it)) => it.pending_count,
        Some(Standby::Missing | Standby::Unknown) | None => 0,
    };
    let to = falls.map(|it| it.max(least).max(floor));
    let to = to.filter(|it| *it < seen && *it <= run && pending + primary.pending_count == 0);
    match to {
        Some(to) if seen <= most || to <= most => to,
        _ if seen > most && floor == 0 => most,
        _ => seen,
    }
}

/// The most that any target asks for, above what is asked for.
fn rises(all: &[Says], seen: u32, turn: Option<Turn>, policy: &TrackingPolicy) -> Option<u32> {
    let was_in = turn.is_some_and(|it| it.direction == Direction::In);
    let tolerance = u128::from(policy.pace.tolerance_percent);
    let asks = all.iter().filter_map(|it| match it {
        Says::Unknown => None,
        Says::Load {
            expected, least, ..
        } => {
            let needed = up(*expected, 1_000).max(*least);
            let overcomes = expected * 100 > u128::from(seen) * 1_000 * (100 + tolerance);
            let counts = !was_in || overcomes || u128::from(seen) < *least;
            let needed = u32::try_from(needed).unwrap_or(u32::MAX);
            (needed > seen && counts).then_some(needed)
        }
    });
    asks.max()
}

/// What all targets let it fall to.
fn falls(
    all: &[Says],
    seen: u32,
    turn: Option<Turn>,
    policy: &TrackingPolicy,
    now: i64,
) -> Option<u32> {
    let tolerance = u128::from(policy.pace.tolerance_percent);
    let was_in = turn.is_some_and(|it| it.direction == Direction::In);
    let mut to = 0;
    for it in all {
        let Says::Load {
            greatest: Some(load),
            least,
            ..
        } = it
        else {
            return None;
        };
        let goal = up(up(load * (100 + tolerance), 100), 1_000).max(*least);
        let is_far = goal * 100 * 1_000 <= u128::from(seen) * 1_000 * (100 - tolerance);
        if goal >= u128::from(seen) || !(was_in || is_far) {
            return None;
        }
        to = to.max(u32::try_from(goal).unwrap());
    }
    let kept = policy.pace.turn_hold.0;
    let is_kept =
        turn.is_some_and(|it| it.direction == Direction::Out && now - it.at.as_second() < kept);
    (!is_kept).then_some(to)
}

fn agrees(scene: &Scene) -> Result<(), TestCaseError> {
    for (key, count) in results(scene) {
        prop_assert_eq!(
            count,
            wanted(scene, &key),
            "{} in\n{}",
            key,
            text(&scene.decide())
        );
    }
    Ok(())
}

proptest! {
    /// Both ways: what must happen happens, and nothing else does.
    #[test]
    fn it_is_what_the_oracle_says(scene in situation()) {
        agrees(&scene)?;
    }

    #[test]
    fn at_rest_the_load_alone_decides(scene in at_rest()) {
        agrees(&scene)?;
    }
}
