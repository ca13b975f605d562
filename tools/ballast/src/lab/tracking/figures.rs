//! What a day came to: what its tasks cost, what its requests met, and how often the desired count turned.

use model::{ServiceKey, Timestamp};
use world::World;
use world::load::LoadMinute;

use crate::lab::tables::clock;
use crate::lab::tracking::stage::{FLEET, LIMIT_PERCENT, Times};
use crate::output::{Screen, Tone, cell, titled};

/// The figures of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayFigures {
    /// The ready task-minutes.
    pub(crate) task_mins: u64,
    /// They over the required ones, in thousandths.
    pub(crate) cost_milli: u64,
    /// The share of the requests that came while the tasks were busier than the limit, in millionths.
    pub(crate) over_limit_ppm: u64,
    /// The same of the requests of calm minutes: those from the day's beginning until Spot is short, and from the minute after Spot has room again
    /// until the end. What is left of the standby when Spot returns counts there, and so does a lack of tasks that the shortage left behind.
    pub(crate) over_limit_calm_ppm: u64,
    /// How often the primary's desired count changed its direction.
    pub(crate) turns: u32,
    /// The fewest ready tasks over the required ones at the end of a minute, in percent, and when.
    pub(crate) lowest: Option<(u64, Timestamp)>,
    /// The time of tasks on demand, in minutes.
    pub(crate) on_demand_task_mins: u64,
}

impl DayFigures {
    /// The figures until now.
    pub(crate) fn of(world: &World, standby: &ServiceKey, times: Times) -> Self {
        let account = world.load_account(FLEET, times.begin);
        let minutes = day(world, times);
        let standby = world.account(standby).unwrap_or_default();
        Self {
            task_mins: account.ready_looks / 3,
            cost_milli: account.cost_milli(),
            over_limit_ppm: account.over_limit_ppm(),
            over_limit_calm_ppm: calm_ppm(minutes, times),
            turns: turns(minutes),
            lowest: lowest(world, minutes),
            on_demand_task_mins: standby.on_demand_task_millis.div_ceil(60_000),
        }
    }
}

/// The minutes of the day so far.
pub(super) fn day(world: &World, times: Times) -> &[LoadMinute] {
    let minutes = world.load_minutes(FLEET);
    let first = minutes.iter().position(|it| it.at >= times.begin);
    first
        .and_then(|first| minutes.get(first..))
        .unwrap_or_default()
}

/// Whether Spot has room in a minute, by when it begins. The minute in which Spot returns is not calm yet.
fn is_calm(at: Timestamp, times: Times) -> bool {
    !(times.short..=times.back).contains(&at)
}

fn calm_ppm(minutes: &[LoadMinute], times: Times) -> u64 {
    let calm = minutes.iter().filter(|it| is_calm(it.at, times));
    let (over, all) = calm.fold((0_u64, 0_u64), |(over, all), it| {
        (over + it.over_limit_requests, all + it.requests)
    });
    (over * 1_000_000).div_ceil(all.max(1))
}

/// How often a rise follows a fall or a fall a rise.
fn turns(minutes: &[LoadMinute]) -> u32 {
    let mut last = None;
    let mut turns = 0;
    for (before, after) in minutes.iter().zip(minutes.iter().skip(1)) {
        let direction = after.desired.cmp(&before.desired);
        if direction.is_eq() {
            continue;
        }
        if last
            .replace(direction)
            .is_some_and(|last| last != direction)
        {
            turns += 1;
        }
    }
    turns
}

fn lowest(world: &World, minutes: &[LoadMinute]) -> Option<(u64, Timestamp)> {
    let fleet = world.fleet(FLEET)?;
    let shares = minutes.iter().map(|it| {
        let share = u64::from(it.ready()) * 100;
        (
            share.checked_div(it.required_tasks(fleet)).unwrap_or(0),
            it.at,
        )
    });
    shares.min()
}

/// The day's figures beside those of fixed counts.
pub(crate) fn table(
    with: DayFigures,
    fixed: &[(String, DayFigures)],
    about: &str,
    times: Times,
    screen: Screen,
) -> String {
    let names = fixed.iter().map(|(name, _)| name.as_str());
    let header: Vec<&str> = ["", "Ballast"].into_iter().chain(names).collect();
    let mut table = screen.table(&header);
    let all: Vec<DayFigures> = [with]
        .into_iter()
        .chain(fixed.iter().map(|it| it.1))
        .collect();
    let mut add = |what: String, figure: &dyn Fn(&DayFigures) -> String| {
        let mut row = vec![cell(Tone::Plain, what)];
        row.extend(all.iter().map(|it| cell(Tone::Plain, figure(it))));
        table.add_row(row);
    };
    add("task-minutes".to_owned(), &|it| it.task_mins.to_string());
    add("task-minutes over the required ones".to_owned(), &|it| {
        format!("{}x", decimal(it.cost_milli, 1_000))
    });
    add(
        format!("requests above {LIMIT_PERCENT} % CPU, in percent"),
        &|it| decimal(it.over_limit_ppm, 10_000),
    );
    let (short, back) = (clock(times.short), clock(times.back));
    add(format!("the same before {short} and after {back}"), &|it| {
        decimal(it.over_limit_calm_ppm, 10_000)
    });
    add("changes of direction".to_owned(), &|it| {
        it.turns.to_string()
    });
    add(
        "lowest ready tasks over the required ones".to_owned(),
        &|it| {
            it.lowest.map_or_else(
                || "-".to_owned(),
                |(percent, at)| format!("{percent} % at {}", clock(at)),
            )
        },
    );
    add("on-demand task-minutes".to_owned(), &|it| {
        it.on_demand_task_mins.to_string()
    });
    let title = screen.paint(Tone::Strong, "Figures");
    format!("{}{about}\n", titled(&title, &table))
}

/// Thousandths of `parts / 1,000`: `1.234` of 1,234 in 1,000ths, `0.086` of 860 in 10,000ths.
pub(super) fn decimal(value: u64, parts: u64) -> String {
    let thousandths = (value * 1_000).div_ceil(parts.max(1));
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn minute(desired: u32) -> LoadMinute {
        LoadMinute {
            at: Timestamp::UNIX_EPOCH,
            requests: 0,
            excess_requests: 0,
            over_limit_requests: 0,
            desired,
            desired_all: desired,
            running: desired,
            ready_spot: desired,
            ready_on_demand: 0,
            utilisation_milli_percent: None,
            ready_looks: desired * 3,
        }
    }

    #[test]
    fn a_direction_changes_when_it_turns_and_not_when_it_rests() {
        for (desired, want) in [
            (vec![], 0),
            (vec![3], 0),
            (vec![3, 4, 4, 5], 0),
            (vec![3, 4, 4, 3, 3, 2], 1),
            (vec![5, 4, 5, 4], 2),
        ] {
            let minutes: Vec<LoadMinute> = desired.iter().copied().map(minute).collect();
            assert_eq!(turns(&minutes), want, "{desired:?}");
        }
    }

    #[test]
    fn the_minutes_of_the_shortage_are_not_calm_and_those_after_it_are() {
        let times = Times::of(24, 180).unwrap();
        let minutes: Vec<LoadMinute> = ["11:59", "12:00", "15:00", "15:01"]
            .iter()
            .map(|time| LoadMinute {
                at: format!("2026-03-02T{time}:00Z").parse().unwrap(),
                requests: 1_000,
                over_limit_requests: 10,
                ..minute(3)
            })
            .collect();
        // Ten of 1,000 are 1 %, or 10,000 of a million.
        assert_eq!(calm_ppm(&minutes, times), 10_000);
        for (over, want) in [
            ([7, 0, 0, 0], 3_500),
            ([0, 9, 9, 0], 0),
            ([0, 0, 0, 7], 3_500),
        ] {
            let mut minutes = minutes.clone();
            for (minute, over) in minutes.iter_mut().zip(over) {
                minute.over_limit_requests = over;
            }
            assert_eq!(calm_ppm(&minutes, times), want, "{over:?}");
        }
    }

    #[test]
    fn a_day_beside_a_fixed_count() {
        let with = DayFigures {
            task_mins: 12_345,
            cost_milli: 1_264,
            over_limit_ppm: 860,
            over_limit_calm_ppm: 12,
            turns: 7,
            lowest: Some((45, "2026-03-02T12:01:00Z".parse().unwrap())),
            on_demand_task_mins: 600,
        };
        let fixed = DayFigures {
            cost_milli: 4_000,
            lowest: None,
            on_demand_task_mins: 0,
            turns: 0,
            ..with
        };
        let fixed = [("always 60".to_owned(), fixed)];
        let times = Times::of(24, 180).unwrap();
        expect![[r#"
            Figures
            +---------------------------------------------+------------------+-----------+
            |                                             | Ballast          | always 60 |
            +============================================================================+
            | task-minutes                                | 12345            | 12345     |
            | task-minutes over the required ones         | 1.264x           | 4.000x    |
            | requests above 80 % CPU, in percent         | 0.086            | 0.086     |
            | the same before 12:00:00 and after 15:00:00 | 0.002            | 0.002     |
            | changes of direction                        | 7                | 0         |
            | lowest ready tasks over the required ones   | 45 % at 12:01:00 | -         |
            | on-demand task-minutes                      | 600              | 0         |
            +---------------------------------------------+------------------+-----------+
            12 events
        "#]]
        .assert_eq(&table(with, &fixed, "12 events", times, Screen::plain()));
    }
}
