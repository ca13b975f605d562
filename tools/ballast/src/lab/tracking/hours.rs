//! The day hour by hour.

use std::fmt::Display;

use world::World;
use world::load::LoadMinute;

use crate::lab::tables::clock;
use crate::lab::tracking::figures::day;
use crate::lab::tracking::stage::{FLEET, LIMIT_PERCENT, Times};
use crate::output::{Screen, Tone, cell, titled};

/// A row for each hour: what the load needed, what was asked for, and what was ready.
pub(crate) fn table(world: &World, times: Times, screen: Screen) -> String {
    let above = format!("requests above {LIMIT_PERCENT} %");
    let mut table = screen.table(&[
        "from",
        "requests",
        "tasks needed",
        "desired",
        "ready on Spot",
        "ready on demand",
        &above,
    ]);
    let Some(fleet) = world.fleet(FLEET) else {
        return String::new();
    };
    for hour in day(world, times).chunks(60) {
        let Some(first) = hour.first() else { continue };
        let is_short = hour
            .iter()
            .any(|it| (times.short..times.back).contains(&it.at));
        let tone = if is_short { Tone::Notice } else { Tone::Plain };
        let sum = |of: fn(&LoadMinute) -> u64| hour.iter().map(of).sum::<u64>();
        table.add_row(vec![
            cell(tone, clock(first.at)),
            cell(tone, sum(|it| it.requests)),
            cell(tone, range(hour.iter().map(|it| it.required_tasks(fleet)))),
            cell(tone, range(hour.iter().map(|it| it.desired))),
            cell(tone, range(hour.iter().map(|it| it.ready_spot))),
            cell(tone, range(hour.iter().map(|it| it.ready_on_demand))),
            cell(tone, sum(|it| it.over_limit_requests)),
        ]);
    }
    titled(&screen.paint(Tone::Strong, "The day by hours"), &table)
}

/// The least and the most: `3 to 7`, or `5` where they are the same.
fn range<T: Ord + Copy + Display>(values: impl Iterator<Item = T> + Clone) -> String {
    match (values.clone().min(), values.max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (None, _) | (_, None) => "-".to_owned(),
    }
}
