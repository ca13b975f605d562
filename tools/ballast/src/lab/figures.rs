//! The figures of a run beside those of the same world without Ballast.

use crate::lab::meter::Figures;
use crate::output::{Screen, Tone, cell, titled};

/// The table, and below it what the function did for it.
pub(crate) fn tables(
    desired: u32,
    with: Figures,
    without: Figures,
    about: &str,
    screen: Screen,
) -> String {
    let mut table = screen.table(&["", "With Ballast", "Without"]);
    let secs = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |secs| secs.to_string());
    let rows = [
        (
            format!("lowest running tasks, of {desired} desired"),
            with.lowest_running.to_string(),
            without.lowest_running.to_string(),
        ),
        (
            "tasks below desired × seconds".to_owned(),
            with.below_desired_task_secs.to_string(),
            without.below_desired_task_secs.to_string(),
        ),
        (
            "on-demand task-minutes spent on the standby".to_owned(),
            with.on_demand_task_minutes.to_string(),
            without.on_demand_task_minutes.to_string(),
        ),
        (
            "seconds from a warning to cover, at most".to_owned(),
            secs(with.warning_to_cover_secs),
            secs(without.warning_to_cover_secs),
        ),
        (
            "tasks that Spot took".to_owned(),
            with.interrupted.to_string(),
            without.interrupted.to_string(),
        ),
    ];
    for (what, with, without) in rows {
        table.add_row(vec![
            cell(Tone::Plain, what),
            cell(Tone::Plain, with),
            cell(Tone::Plain, without),
        ]);
    }
    format!(
        "{}{about}\n",
        titled(&screen.paint(Tone::Strong, "Figures"), &table)
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_run_beside_the_world_without_ballast() {
        let with = Figures {
            lowest_running: 10,
            below_desired_task_secs: 0,
            on_demand_task_minutes: 245,
            warning_to_cover_secs: Some(41),
            interrupted: 7,
        };
        let without = Figures {
            lowest_running: 3,
            below_desired_task_secs: 7_777,
            on_demand_task_minutes: 0,
            warning_to_cover_secs: None,
            interrupted: 7,
        };
        expect![[r#"
            Figures
            +---------------------------------------------+--------------+---------+
            |                                             | With Ballast | Without |
            +======================================================================+
            | lowest running tasks, of 10 desired         | 10           | 3       |
            | tasks below desired × seconds               | 0            | 7777    |
            | on-demand task-minutes spent on the standby | 245          | 0       |
            | seconds from a warning to cover, at most    | 41           | -       |
            | tasks that Spot took                        | 7            | 7       |
            +---------------------------------------------+--------------+---------+
            12 events
        "#]]
        .assert_eq(&tables(10, with, without, "12 events", Screen::plain()));
    }
}
