//! What a day is there to show, and whether it did: figures, each with its bound.

use crate::lab::tracking::figures::{DayFigures, decimal};
use crate::lab::tracking::stage::LIMIT_PERCENT;
use crate::output::{Screen, Tone, cell, titled};

/// The share of the requests that may come while the tasks are busier than the limit and Spot has room, in millionths: the goal that
/// `docs/measurements.md` holds every way of tracking to.
const OVER_LIMIT_CALM_MAX_PPM: u64 = 1_000;
/// The same of all requests, in millionths: twice as many. With more the standby did not come in time.
const OVER_LIMIT_MAX_PPM: u64 = 2_000;
/// How few of the required tasks may be ready at the end of a minute, in percent. Spot warns two minutes ahead and the standby takes one, so that a
/// shortage alone takes none of them; a load that rises by a tenth a minute may.
const LOWEST_MIN_PERCENT: u64 = 90;
/// How often the desired count may change its direction: the goal of `docs/measurements.md` for a day.
const TURNS_MAX: u32 = 8;
/// The ready task-minutes over the required ones of a whole day, in thousandths: 1.28 is the goal of `docs/measurements.md`, the ten minutes
/// after Spot's return, in which all tasks run twice, are 0.03, and as much again is left for days of another shape. Of a part of a day these minutes
/// are too large a share to judge by.
const COST_MAX_MILLI: u64 = 1_340;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) figures: DayFigures,
    /// Whether all 24 hours were played.
    pub(crate) is_whole_day: bool,
    /// How often the standby was asked for tasks.
    pub(crate) covers: u64,
    /// How often it was asked to give tasks back.
    pub(crate) give_backs: u64,
    /// The tasks that it is asked for at the end.
    pub(crate) still_lent: u32,
    /// How often the alarm went to ALARM.
    pub(crate) alarms: u64,
    /// How many invocations of service-scaler an alarm woke.
    pub(crate) woken: u64,
    /// Invocations with failures, invocations that ended in an error, and dead letters.
    pub(crate) broken: u64,
    /// Whether the load is known to rise so fast, under the default tags, that the alarm has to ring.
    pub(crate) has_to_ring: bool,
}

/// One figure beside its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    what: String,
    found: String,
    bound: String,
    is_kept: bool,
}

impl Check {
    fn at_most(what: impl Into<String>, found: u64, most: u64, say: fn(u64) -> String) -> Self {
        Self {
            what: what.into(),
            found: say(found),
            bound: format!("at most {}", say(most)),
            is_kept: found <= most,
        }
    }

    fn at_least(what: &str, found: u64, least: u64, say: fn(u64) -> String) -> Self {
        Self {
            what: what.to_owned(),
            found: say(found),
            bound: format!("at least {}", say(least)),
            is_kept: least <= found,
        }
    }
}

fn percent(ppm: u64) -> String {
    format!("{} %", decimal(ppm, 10_000))
}

fn times(milli: u64) -> String {
    format!("{}x", decimal(milli, 1_000))
}

fn count(count: u64) -> String {
    count.to_string()
}

/// Every figure that has a bound.
pub(crate) fn checks(shown: &Shown) -> Vec<Check> {
    let figures = &shown.figures;
    let above = format!("requests above {LIMIT_PERCENT} % CPU");
    let calm = format!("{above} while Spot had room");
    let (over, turns) = (figures.over_limit_ppm, u64::from(figures.turns));
    let mut checks = vec![
        Check::at_most(
            calm,
            figures.over_limit_calm_ppm,
            OVER_LIMIT_CALM_MAX_PPM,
            percent,
        ),
        Check::at_most(above, over, OVER_LIMIT_MAX_PPM, percent),
        Check::at_most("changes of direction", turns, TURNS_MAX.into(), count),
    ];
    if let Some((lowest, _)) = figures.lowest {
        let what = "ready tasks over the required ones, at the least";
        let whole_percent = |percent| format!("{percent} %");
        checks.push(Check::at_least(
            what,
            lowest,
            LOWEST_MIN_PERCENT,
            whole_percent,
        ));
    }
    if shown.is_whole_day {
        let what = "task-minutes over the required ones";
        let cost = Check::at_most(what, figures.cost_milli, COST_MAX_MILLI, times);
        checks.push(cost);
    }
    checks.extend([
        Check::at_least(
            "times that the standby was asked for more",
            shown.covers,
            1,
            count,
        ),
        Check::at_least(
            "times that the standby gave tasks back",
            shown.give_backs,
            1,
            count,
        ),
        Check::at_most(
            "tasks that the standby is asked for at the end",
            shown.still_lent.into(),
            0,
            count,
        ),
        Check::at_most("failures, errors and dead letters", shown.broken, 0, count),
    ]);
    if shown.alarms > 0 || shown.has_to_ring {
        checks.extend([
            Check::at_least("times that the alarm rang", shown.alarms, 1, count),
            // It wakes it when it goes back to OK too.
            Check::at_least(
                "invocations of service-scaler that it woke",
                shown.woken,
                shown.alarms.max(1),
                count,
            ),
        ]);
    }
    checks
}

/// The checks, a row each.
pub(crate) fn table(checks: &[Check], screen: Screen) -> String {
    let mut table = screen.table(&["what is to be shown", "found", "bound"]);
    for check in checks {
        let tone = if check.is_kept { Tone::Good } else { Tone::Bad };
        table.add_row(vec![
            cell(tone, &check.what),
            cell(tone, &check.found),
            cell(tone, &check.bound),
        ]);
    }
    titled(&screen.paint(Tone::Strong, "Bounds"), &table)
}

/// What was not kept, each with its figure and its bound; `None` where all was.
pub(crate) fn faults(checks: &[Check]) -> Option<String> {
    let broken = checks.iter().filter(|it| !it.is_kept);
    let said = broken.map(|it| format!("{}: {}, {}", it.what, it.found, it.bound));
    let said = said.collect::<Vec<_>>().join("; ");
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A day whose every figure is at its bound.
    fn at_the_bounds() -> Shown {
        Shown {
            figures: DayFigures {
                task_mins: 30_000,
                cost_milli: 1_340,
                over_limit_ppm: 2_000,
                over_limit_calm_ppm: 1_000,
                turns: 8,
                lowest: Some((90, model::Timestamp::UNIX_EPOCH)),
                on_demand_task_mins: 5_000,
            },
            is_whole_day: true,
            covers: 1,
            give_backs: 1,
            still_lent: 0,
            broken: 0,
            alarms: 1,
            woken: 1,
            has_to_ring: true,
        }
    }

    fn check(change: impl Fn(&mut Shown), want: Expect) {
        let mut shown = at_the_bounds();
        change(&mut shown);
        let said = faults(&checks(&shown)).unwrap_or_else(|| "kept".to_owned());
        want.assert_eq(&said);
    }

    #[test]
    fn a_day_at_its_bounds_is_kept() {
        check(|_| {}, expect!["kept"]);
        let text = table(&checks(&at_the_bounds()), Screen::plain());
        expect![[r#"
            Bounds
            +--------------------------------------------------+---------+-----------------+
            | what is to be shown                              | found   | bound           |
            +==============================================================================+
            | requests above 80 % CPU while Spot had room      | 0.100 % | at most 0.100 % |
            | requests above 80 % CPU                          | 0.200 % | at most 0.200 % |
            | changes of direction                             | 8       | at most 8       |
            | ready tasks over the required ones, at the least | 90 %    | at least 90 %   |
            | task-minutes over the required ones              | 1.340x  | at most 1.340x  |
            | times that the standby was asked for more        | 1       | at least 1      |
            | times that the standby gave tasks back           | 1       | at least 1      |
            | tasks that the standby is asked for at the end   | 0       | at most 0       |
            | failures, errors and dead letters                | 0       | at most 0       |
            | times that the alarm rang                        | 1       | at least 1      |
            | invocations of service-scaler that it woke       | 1       | at least 1      |
            +--------------------------------------------------+---------+-----------------+
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn each_bound_that_is_broken_is_said_with_its_figure() {
        check(
            |it| it.figures.over_limit_calm_ppm = 1_001,
            expect!["requests above 80 % CPU while Spot had room: 0.101 %, at most 0.100 %"],
        );
        check(
            |it| it.figures.over_limit_ppm = 2_001,
            expect!["requests above 80 % CPU: 0.201 %, at most 0.200 %"],
        );
        check(
            |it| it.figures.lowest = Some((89, model::Timestamp::UNIX_EPOCH)),
            expect!["ready tasks over the required ones, at the least: 89 %, at least 90 %"],
        );
        check(
            |it| it.figures.turns = 9,
            expect!["changes of direction: 9, at most 8"],
        );
        check(
            |it| it.figures.cost_milli = 1_341,
            expect!["task-minutes over the required ones: 1.341x, at most 1.340x"],
        );
        check(
            |it| it.covers = 0,
            expect!["times that the standby was asked for more: 0, at least 1"],
        );
        check(
            |it| it.give_backs = 0,
            expect!["times that the standby gave tasks back: 0, at least 1"],
        );
        check(
            |it| it.still_lent = 1,
            expect!["tasks that the standby is asked for at the end: 1, at most 0"],
        );
        check(
            |it| it.broken = 1,
            expect!["failures, errors and dead letters: 1, at most 0"],
        );
        check(
            |it| it.woken = 0,
            expect!["invocations of service-scaler that it woke: 0, at least 1"],
        );
        check(
            |it| (it.alarms, it.woken) = (0, 0),
            expect![
                "times that the alarm rang: 0, at least 1; invocations of service-scaler that it woke: 0, at least 1"
            ],
        );
    }

    #[test]
    fn several_are_all_said() {
        let change = |it: &mut Shown| {
            it.figures.turns = 12;
            it.give_backs = 0;
            it.still_lent = 7;
        };
        check(
            change,
            expect![
                "changes of direction: 12, at most 8; times that the standby gave tasks back: 0, at least 1; tasks that the standby is asked for at the end: 7, at most 0"
            ],
        );
    }

    #[test]
    fn a_part_of_a_day_is_not_judged_by_its_cost() {
        let change = |it: &mut Shown| {
            it.is_whole_day = false;
            it.figures.cost_milli = 2_000;
        };
        check(change, expect!["kept"]);
    }

    #[test]
    fn where_the_alarm_need_not_ring_its_silence_is_no_fault_and_its_ringing_unheard_is() {
        let quiet = |it: &mut Shown| {
            it.has_to_ring = false;
            (it.alarms, it.woken) = (0, 0);
        };
        check(quiet, expect!["kept"]);
        let unheard = |it: &mut Shown| {
            it.has_to_ring = false;
            (it.alarms, it.woken) = (3, 2);
        };
        check(
            unheard,
            expect!["invocations of service-scaler that it woke: 2, at least 3"],
        );
    }
}
