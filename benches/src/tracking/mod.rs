//! How few tasks target tracking gets by with on published loads, beside the rules of others.
//!
//! Modelled: a hundred tasks at 100 % serve a file's busiest minute; a minute is above the limit when the tasks that serve in it are
//! busier than 80 %; the load of a minute is known when it is over; a task that is asked for serves two minutes later, and one that is let
//! go is gone at once; 150 tasks at most. Counted: task-minutes over the ones that would just keep the limit, the share of requests that
//! came in minutes above it, and how often a day the desired count changes its direction. Each rule's parameters are chosen on one half
//! of a file and scored on the other. Absent: queues, errors, tasks that fail, a metric that is late or missing.

mod ballast;
mod bound;
mod choice;
mod level;
mod model;
mod rivals;
mod table;

use std::io::Read;
use std::ops::Range;

use comfy_table::Table;
use world::load::LoadCurve;

use crate::published::{Missing, published, unpacked};
use ballast::{Ballast, Forecast, Tags};
use choice::{Limits, choose};
use model::{Account, Rule, Service, follow};
use rivals::{HorizontalPodAutoscaler, PeakHold, TargetTracking};
use table::{figures, headed};

/// What rules keep in the half that they are chosen on: 0.1 % of requests above the limit.
const OVER_LIMIT_PPM: u64 = 1_000;
/// What Ballast keeps besides.
const TURNS_A_DAY: u64 = 8;
const BALLASTS: Limits = Limits {
    over_limit_ppm: OVER_LIMIT_PPM,
    turns_a_day: Some(TURNS_A_DAY),
};
/// The same with a reserve: half of the requests.
const WITH_RESERVE: Limits = Limits {
    over_limit_ppm: OVER_LIMIT_PPM / 2,
    ..BALLASTS
};
const OTHERS: Limits = Limits {
    over_limit_ppm: OVER_LIMIT_PPM,
    turns_a_day: None,
};
const TOLERANCES_PERCENT: [u32; 4] = [8, 10, 12, 15];
const WINDOWS_MINUTES: [u16; 9] = [2, 3, 5, 10, 15, 30, 60, 75, 90];
/// How far back the forecast may look for its peak.
const PEAKS_SECS: [i64; 5] = [0, 300, 900, 1_800, 3_600];
/// Ballast's targets; those of the others go further down.
const TARGETS_PERCENT: Range<u64> = 50..80;
const OTHERS_TARGETS_PERCENT: Range<u64> = 20..80;

/// A published file, and what of it is looked at.
struct File {
    name: &'static str,
    path: &'static str,
    /// From when on; without it from an hour after the beginning, so that a rule that looks an hour back has one.
    from: Option<&'static str>,
}

const FILES: [File; 2] = [
    File {
        name: "WorldCup98",
        path: "workloads/worldcup98_requests_per_min.csv.gz",
        from: Some("1998-06-10 00:00:00"),
    },
    File {
        name: "NASA",
        path: "workloads/nasa_http_requests_per_min.csv.gz",
        from: None,
    },
];

/// The load of a file, and its halves.
struct Load {
    service: Service,
    halves: [Range<usize>; 2],
}

/// Measures, and gives the tables; a file that is not there is said in their place.
pub(crate) fn run() -> String {
    let tables = std::thread::scope(|scope| {
        let running = FILES.map(|file| scope.spawn(move || tables(&file)));
        running.map(|it| it.join().unwrap_or_else(|_| "a thread failed".to_owned()))
    });
    tables.join("\n\n")
}

fn tables(file: &File) -> String {
    match read(file) {
        Ok(load) => [
            what_it_holds(file, &load),
            chosen(file, &load, "first", [0, 1]),
            chosen(file, &load, "second", [1, 0]),
            whole(&load),
        ]
        .join("\n"),
        Err(missing) => missing.skipped(),
    }
}

fn read(file: &File) -> Result<Load, Missing> {
    let path = published(file.path);
    let mut text = String::new();
    unpacked(&path)?
        .read_to_string(&mut text)
        .map_err(|source| Missing::Read {
            path: path.clone(),
            source,
        })?;
    let format = |at: String| Missing::Format {
        path: path.clone(),
        at,
    };
    let curve = LoadCurve::parse_csv(&text).map_err(|error| format(error.to_string()))?;
    let from = match file.from {
        None => 60,
        Some(time) => curve
            .minute_of(time)
            .ok_or_else(|| format(time.to_owned()))?,
    };
    Ok(Load::new(curve.requests().to_vec(), from))
}

impl Load {
    /// Looked at from a minute on; those before it are what a rule may know. The halves are those of what is looked at, or those of
    /// the file where all of it is.
    fn new(requests: Vec<u64>, from: usize) -> Self {
        let end = requests.len();
        let begin = if from > 60 { from } else { 0 };
        let middle = begin.midpoint(end);
        let peak = requests.get(from..).unwrap_or_default().iter().max();
        Self {
            service: Service::new(requests.clone(), peak.copied().unwrap_or(1)),
            halves: [from..middle, middle..end],
        }
    }

    fn scored(&self, minutes: &Range<usize>, rule: &mut dyn Rule) -> Account {
        follow(&self.service, minutes.clone(), rule, &|_| false).unwrap_or_default()
    }
}

fn what_it_holds(file: &File, load: &Load) -> String {
    let [first, second] = &load.halves;
    let minutes = first.start..second.end;
    let number = u64::try_from(minutes.len()).unwrap_or(u64::MAX).max(1);
    let required = |it| u64::from(load.service.required(it));
    let sum: u64 = minutes.clone().map(required).sum();
    format!(
        "{}: {number} minutes from {} on, in halves of {} and {}; {}.{} tasks are needed on average.",
        file.name,
        file.from.unwrap_or("the second hour"),
        first.len(),
        second.len(),
        sum / number,
        sum * 10 / number % 10,
    )
}

/// Every choice that there is with a forecast, or without one. A window that ends before the peak's time changes nothing, so that of such
/// ones only the shortest is tried.
fn tags(forecast: Option<Forecast>) -> impl Iterator<Item = Tags> {
    let peak_minutes = forecast.map_or(0, |it| it.peak_secs / 60);
    let is_tried = move |it: &u16| i64::from(*it) >= peak_minutes || *it == WINDOWS_MINUTES[0];
    // From the highest target down: those that are too high are soon given up, those that are too low are dearer than the best.
    let each = move |target_percent| {
        let windows = WINDOWS_MINUTES.into_iter().filter(is_tried);
        windows.flat_map(move |window_minutes| {
            TOLERANCES_PERCENT
                .into_iter()
                .map(move |tolerance_percent| Tags {
                    target_percent,
                    tolerance_percent,
                    window_minutes,
                    forecast,
                })
        })
    };
    TARGETS_PERCENT.rev().flat_map(each)
}

/// Every rule with its best parameters of one half, in that half and in the other.
fn chosen(file: &File, load: &Load, half: &str, [on, other]: [usize; 2]) -> String {
    let Load { service, halves } = load;
    let (Some(on), Some(other)) = (halves.get(on), halves.get(other)) else {
        return String::new();
    };
    let both = [on, other];
    let mut table = headed(half);
    let with_reserve = half == "first";
    let best = add_ballast(&mut table, load, both, with_reserve);
    let name = "AWS target tracking";
    add(&mut table, load, both, name, TargetTracking::new);
    let name = "Kubernetes HPA";
    add(&mut table, load, both, name, HorizontalPodAutoscaler::new);
    let name = "peak of 60 minutes";
    add(&mut table, load, both, name, PeakHold::new);
    let bound = bound::ratio_milli(service, other, BALLASTS);
    let known: Vec<String> = level::cheapest(service, other, OVER_LIMIT_PPM)
        .iter()
        .map(|it| format!("{} ({it})", table::thousandths(it.ratio_milli)))
        .collect();
    let mut said = format!(
        "Chosen on the {half} half at 0.1 % of requests above the limit, and for Ballast {TURNS_A_DAY} changes a day; with a reserve: at half of the requests.\n{table}\n\
         No rule with {TURNS_A_DAY} changes a day and 0.1 % above the limit, not even one that knows the load beforehand, comes below {} in the other half.\n\
         One that knows the mean of the minutes around each, and the margin that does best there: {}.",
        table::thousandths(bound),
        known.join(", "),
    );
    if half == "first"
        && let Some(tags) = best
    {
        said = format!("{said}\n{}", neighbours(file, load, tags));
    }
    said
}

/// Ballast's rows, and the tags that are best within the limits.
fn add_ballast(
    table: &mut Table,
    load: &Load,
    [on, other]: [&Range<usize>; 2],
    with_reserve: bool,
) -> Option<Tags> {
    let ballast = |tags| Ballast::new(&load.service, tags);
    let of = |forecast, limits| choose(&load.service, on, limits, tags(forecast), ballast);
    let mut row = |name: &str, chosen: Option<(Tags, Account)>| {
        let again = |tags| load.scored(other, &mut ballast(tags));
        let chosen = chosen.map(|it| (it.0.to_string(), it.1, again(it.0)));
        table.add_row(figures(name, chosen));
    };
    let mut best_of = |name: &str, limits| {
        let each: Vec<_> = forecasts().map(|it| (it, of(it, limits))).collect();
        let best = each.iter().filter_map(|it| it.1);
        let best = best.min_by_key(|it| it.1.task_minutes);
        row(name, best);
        for (forecast, chosen) in each {
            let from = match forecast {
                None => "no forecast".to_owned(),
                Some(Forecast { peak_secs: 0 }) => "from the newest".to_owned(),
                Some(Forecast { peak_secs }) => format!("from the peak of {peak_secs} s"),
            };
            row(&format!("{name}, {from}"), chosen);
        }
        best.map(|it| it.0)
    };
    let best = best_of("Ballast", BALLASTS);
    if with_reserve {
        best_of("Ballast with a reserve", WITH_RESERVE);
    }
    best
}

/// Without a forecast, and with one from each peak.
fn forecasts() -> impl Iterator<Item = Option<Forecast>> {
    let from_peaks = PEAKS_SECS.map(|peak_secs| Some(Forecast { peak_secs }));
    [None].into_iter().chain(from_peaks)
}

fn add<R: Rule>(
    table: &mut Table,
    load: &Load,
    [on, other]: [&Range<usize>; 2],
    name: &str,
    rule: impl Fn(u64) -> R,
) {
    let targets = OTHERS_TARGETS_PERCENT.rev();
    let best = choose(&load.service, on, OTHERS, targets, &rule);
    let again = |target| load.scored(other, &mut rule(target));
    let best = best.map(|(target, account)| (format!("target {target} %"), account, again(target)));
    table.add_row(figures(name, best));
}

/// What becomes of the chosen tags where one of them is another.
fn neighbours(file: &File, load: &Load, chosen: Tags) -> String {
    let mut table = headed("");
    let mut row = |tags: Tags| {
        let of_halves = load
            .halves
            .clone()
            .map(|half| load.scored(&half, &mut Ballast::new(&load.service, tags)));
        let [first, second] = of_halves;
        table.add_row(figures("Ballast", Some((tags.to_string(), first, second))));
    };
    row(chosen);
    for by in [-2, -1, 1, 2] {
        row(Tags {
            target_percent: chosen.target_percent.saturating_add_signed(by),
            ..chosen
        });
    }
    let tolerances = [5, 8, 10, 12, 15, 20];
    for tolerance_percent in tolerances
        .into_iter()
        .filter(|it| *it != chosen.tolerance_percent)
    {
        row(Tags {
            tolerance_percent,
            ..chosen
        });
    }
    for window_minutes in WINDOWS_MINUTES
        .into_iter()
        .filter(|it| *it != chosen.window_minutes)
    {
        row(Tags {
            window_minutes,
            ..chosen
        });
    }
    for forecast in forecasts().filter(|it| *it != chosen.forecast) {
        row(Tags { forecast, ..chosen });
    }
    format!(
        "{}: the chosen tags, and each of them changed alone.\n{table}",
        file.name
    )
}

/// The rules of others over all of the time at the targets of every fifth percent.
fn whole(load: &Load) -> String {
    let [first, second] = &load.halves;
    let all = first.start..second.end;
    let mut table = Table::new();
    table.set_header([
        "all of the time",
        "target",
        "task-minutes",
        "above the limit",
        "changes a day",
    ]);
    for (name, account, target) in anchors(load, &all) {
        let [ratio, over, turns] = table::account(&account);
        table.add_row([name.to_owned(), format!("{target} %"), ratio, over, turns]);
    }
    format!("{table}")
}

/// Of every fifth target the highest that keeps the limit over all of the time, for each rule of others.
fn anchors(load: &Load, all: &Range<usize>) -> Vec<(&'static str, Account, u64)> {
    let best = |name, rule: &dyn Fn(u64) -> Box<dyn Rule>| {
        let targets = (4..16).rev().map(|it: u64| it * 5);
        let scored = |target| (name, load.scored(all, &mut *rule(target)), target);
        let mut keeping = targets
            .map(scored)
            .filter(|it| it.1.over_limit_ppm() <= OVER_LIMIT_PPM);
        keeping.next()
    };
    [
        best("AWS target tracking", &|it| {
            Box::new(TargetTracking::new(it))
        }),
        best("Kubernetes HPA", &|it| {
            Box::new(HorizontalPodAutoscaler::new(it))
        }),
        best("peak of 60 minutes", &|it| Box::new(PeakHold::new(it))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published figures are of 33 days from 10 June on; the file holds the first sixteen of them. NASA's are of 28 days, of which
    /// the file holds fourteen, and differ.
    #[test]
    fn others_do_on_world_cup_98_what_was_published_of_them() {
        let load = match read(&FILES[0]) {
            Ok(load) => load,
            Err(missing) => {
                println!("{}", missing.skipped());
                return;
            }
        };
        let all = load.halves[0].start..load.halves[1].end;
        assert_eq!(all.len(), 23_040);
        let want = [
            ("AWS target tracking", 1_412, 60),
            ("Kubernetes HPA", 1_338, 60),
            ("peak of 60 minutes", 1_619, 60),
        ];
        for ((name, account, target), (want_name, ratio_milli, want_target)) in
            anchors(&load, &all).into_iter().zip(want)
        {
            assert_eq!((name, target), (want_name, want_target));
            let off = account.ratio_milli().abs_diff(ratio_milli);
            assert!(off <= 20, "{name}: {account:?}");
        }
    }
}
