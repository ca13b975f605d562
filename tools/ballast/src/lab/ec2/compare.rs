//! The figures of a chapter beside those of the same world under ECS's managed scaling.

use crate::lab::ec2::watch::Ec2Figures;
use crate::output::{Screen, Tone, cell, titled};

/// The table, and below it what the function did for it.
pub(crate) fn table(
    many: u32,
    with: Ec2Figures,
    managed: Ec2Figures,
    about: &str,
    screen: Screen,
) -> String {
    let mut table = screen.table(&["", "Ballast", "Managed scaling"]);
    let mut add = |what: String, figure: fn(&Ec2Figures) -> String| {
        table.add_row(vec![
            cell(Tone::Plain, what),
            cell(Tone::Plain, figure(&with)),
            cell(Tone::Plain, figure(&managed)),
        ]);
    };
    add(
        format!("seconds until the last of {many} tasks runs"),
        |it| secs(it.last_task_secs),
    );
    add("tasks below desired × seconds".to_owned(), |it| {
        it.below_desired_task_secs.to_string()
    });
    add("instances, at most".to_owned(), |it| {
        it.instances_max.to_string()
    });
    add("instances launched".to_owned(), |it| {
        it.launched.to_string()
    });
    add("on-demand instance-hours".to_owned(), |it| {
        hours(it.on_demand_instance_secs)
    });
    add("Spot instance-hours".to_owned(), |it| {
        hours(it.spot_instance_secs)
    });
    add("seconds until scaled back".to_owned(), |it| {
        secs(it.scaled_back_secs)
    });
    format!(
        "{}{about}\n",
        titled(&screen.paint(Tone::Strong, "Figures"), &table)
    )
}

fn secs(figure: Option<u64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |secs| secs.to_string())
}

/// To a hundredth, rounded to the nearest.
fn hours(secs: u64) -> String {
    let hundredths = (secs + 18) / 36;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_chapter_beside_managed_scaling() {
        let with = Ec2Figures {
            last_task_secs: Some(71),
            below_desired_task_secs: 1_200,
            instances_max: 9,
            launched: 5,
            on_demand_instance_secs: 9_000,
            spot_instance_secs: 10_817,
            scaled_back_secs: Some(640),
        };
        let managed = Ec2Figures {
            last_task_secs: Some(140),
            scaled_back_secs: None,
            ..with
        };
        expect![[r#"
            Figures
            +-----------------------------------------+---------+-----------------+
            |                                         | Ballast | Managed scaling |
            +=====================================================================+
            | seconds until the last of 40 tasks runs | 71      | 140             |
            | tasks below desired × seconds           | 1200    | 1200            |
            | instances, at most                      | 9       | 9               |
            | instances launched                      | 5       | 5               |
            | on-demand instance-hours                | 2.50    | 2.50            |
            | Spot instance-hours                     | 3.00    | 3.00            |
            | seconds until scaled back               | 640     | -               |
            +-----------------------------------------+---------+-----------------+
            12 events
        "#]]
        .assert_eq(&table(40, with, managed, "12 events", Screen::plain()));
    }
}
