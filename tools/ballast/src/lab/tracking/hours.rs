//! The day hour by hour, and its minutes above the limit.

use std::fmt::Display;

use world::World;
use world::load::LoadMinute;

use crate::lab::tables::clock;
use crate::lab::tracking::figures::{day, decimal};
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

/// At most so many minutes are shown one by one.
const MINUTES_MAX: usize = 20;

/// A row for each minute in which requests came while the tasks were busier than the limit; nothing where there is none.
pub(crate) fn above(world: &World, times: Times, screen: Screen) -> String {
    let above = day(world, times)
        .iter()
        .filter(|it| it.over_limit_requests > 0);
    let above: Vec<&LoadMinute> = above.collect();
    let Some(fleet) = world.fleet(FLEET).filter(|_| !above.is_empty()) else {
        return String::new();
    };
    let requests = format!("requests above {LIMIT_PERCENT} %");
    let mut table = screen.table(&[
        "minute",
        &requests,
        "tasks needed",
        "desired",
        "ready on Spot",
        "ready on demand",
        "mean CPU, in percent",
    ]);
    for minute in above.iter().take(MINUTES_MAX) {
        let cpu = minute.utilisation_milli_percent;
        table.add_row(vec![
            cell(Tone::Plain, clock(minute.at)),
            cell(Tone::Plain, minute.over_limit_requests),
            cell(Tone::Plain, minute.required_tasks(fleet)),
            cell(Tone::Plain, minute.desired),
            cell(Tone::Plain, minute.ready_spot),
            cell(Tone::Plain, minute.ready_on_demand),
            cell(
                Tone::Plain,
                cpu.map_or("-".to_owned(), |it| decimal(it, 1_000)),
            ),
        ]);
    }
    let more = match above.len().saturating_sub(MINUTES_MAX) {
        0 => String::new(),
        more => format!("and {more} more\n"),
    };
    let title = format!("Minutes with requests above {LIMIT_PERCENT} %");
    let title = screen.paint(Tone::Strong, &title);
    format!("\n{}{more}", titled(&title, &table))
}

/// The least and the most: `3 to 7`, or `5` where they are the same.
fn range<T: Ord + Copy + Display>(values: impl Iterator<Item = T> + Clone) -> String {
    match (values.clone().min(), values.max()) {
        (Some(least), Some(most)) if least == most => least.to_string(),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (None, _) | (_, None) => "-".to_owned(),
    }
}
