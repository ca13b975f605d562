//! The milestones of an interruption beside those of the same world where ECS drains by itself, and where nobody does.

use crate::lab::drain::milestones::Milestones;
use crate::output::{Screen, Tone, cell, titled};

/// The milestones of the three runs of a chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) ballast: Milestones,
    pub(crate) ecs: Milestones,
    pub(crate) nobody: Milestones,
}

/// The table, and below it what the functions did for it.
pub(crate) fn table(
    desired: u32,
    on_it: usize,
    runs: &Runs,
    about: &str,
    screen: Screen,
) -> String {
    let mut table = screen.table(&["", "Ballast", "ECS's own draining", "nobody drains"]);
    let Runs {
        ballast,
        ecs,
        nobody,
    } = runs;
    let mut add = |what: String, figure: fn(&Milestones) -> String| {
        let cells = [ballast, ecs, nobody].map(|it| cell(Tone::Plain, figure(it)));
        let mut row = vec![cell(Tone::Plain, what)];
        row.extend(cells);
        table.add_row(row);
    };
    let words = |what: &str| format!("seconds from the warning until {what}");
    add(words("the instance is DRAINING"), |it| secs(it.draining));
    add(words("a group is asked for an instance more"), |it| {
        secs(it.raised)
    });
    add(words("a new instance registers"), |it| secs(it.registered));
    add(words("its first target drains"), |it| {
        secs(it.first_target_drains)
    });
    add(words(&format!("{on_it} replacements are started")), |it| {
        secs(it.replacements_started)
    });
    add(
        words(&format!("{desired} tasks are RUNNING elsewhere")),
        |it| secs(it.running),
    );
    add(
        words(&format!("{desired} tasks are in service elsewhere")),
        |it| secs(it.replaced),
    );
    add(words("the instance goes"), |it| secs(it.gone));
    add(words("the old targets are gone"), |it| {
        secs(it.targets_gone)
    });
    add(words("the service says it is steady"), |it| secs(it.steady));
    add(
        format!("lowest number of tasks in service, of {desired} desired"),
        |it| it.lowest_serving.to_string(),
    );
    add("tasks below desired × seconds".to_owned(), |it| {
        it.below_desired_task_secs.to_string()
    });
    add("tasks cut off while they served".to_owned(), |it| {
        it.cut_serving.to_string()
    });
    add("tasks cut off on their way out".to_owned(), |it| {
        it.cut_leaving.to_string()
    });
    format!(
        "{}{about}\n",
        titled(&screen.paint(Tone::Strong, "Milestones"), &table)
    )
}

fn secs(figure: Option<u64>) -> String {
    figure.map_or_else(|| "-".to_owned(), |secs| secs.to_string())
}
