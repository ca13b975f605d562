//! Packing quality: the mean gap to the known optimum on published instances, beside first-fit decreasing.

use std::time::Instant;

use comfy_table::Table;
use placement::packing::Effort;
use placement::packing::vector::{VectorPacking, pack};

use super::vbp::Instance;
use super::{first_fit, hundredths, vbp};
use crate::decide::micros;
use crate::published::Missing;
use crate::start_up::median;

/// The sets, and what was published of them: the mean gap of FFD-L2-Avg, and of the best of 351 heuristics, in hundredths of a
/// percent, where all instances with a known optimum are meant.
const SETS: [(&str, Option<(u64, u64)>); 3] = [
    ("New", Some((963, 783))),
    ("Triplet", Some((1_972, 1_907))),
    ("Panigrahy", None),
];
/// About how long one instance may take.
const WANTED_MICROS: u64 = 100_000;
/// How many iterations are timed to find out how many take that long.
const TIMED: u32 = 20_000;

pub(super) fn run(every: usize, iterations: Option<u32>) -> Result<String, Missing> {
    let every = every.max(1);
    let mut table = Table::new();
    table.set_header([
        "set",
        "instances",
        "first-fit decreasing, gap %",
        "published: FFD / best of 351",
        "first answer, gap %",
        "iterations",
        "searched, gap %",
        "optimal",
        "mean, ms of processor",
        "most, ms",
    ]);
    for (set, published) in SETS {
        let all = vbp::with_known_optimum(set)?;
        let chosen: Vec<&(Instance, usize)> = all.iter().step_by(every).collect();
        let iterations = iterations.unwrap_or_else(|| calibrated(&chosen));
        let mut sums = [0_u64; 3];
        let (mut optimal, mut times) = (0, Vec::new());
        for (instance, optimum) in &chosen {
            let decreasing = first_fit::bins(&instance.capacity, &instance.items);
            let first = packed(instance, 0);
            let started = Stopwatch::start();
            let searched = packed(instance, iterations);
            times.push(started.micros());
            optimal += u32::from(searched.bins.len() == *optimum);
            for (sum, bins) in
                sums.iter_mut()
                    .zip([decreasing, first.bins.len(), searched.bins.len()])
            {
                *sum += gap(bins, *optimum);
            }
        }
        let count = u64::try_from(chosen.len()).unwrap_or(u64::MAX).max(1);
        let [decreasing, first, searched] = sums.map(|sum| hundredths(sum.div_ceil(10 * count)));
        table.add_row([
            set.to_owned(),
            format!("{} of {}", chosen.len(), all.len()),
            decreasing,
            published.map_or_else(String::new, |(ffd, best)| {
                format!("{} / {}", hundredths(ffd), hundredths(best))
            }),
            first,
            iterations.to_string(),
            searched,
            optimal.to_string(),
            tenths_of_milliseconds(times.iter().sum::<u64>() / count),
            tenths_of_milliseconds(times.iter().copied().max().unwrap_or(0)),
        ]);
    }
    Ok(format!(
        "Packing quality on one thread, on published instances with a known optimum (every {every}.).\n{table}"
    ))
}

/// How far above the optimum, in thousandths of a percent.
fn gap(bins: usize, optimum: usize) -> u64 {
    let above = u64::try_from(bins.saturating_sub(optimum)).unwrap_or(u64::MAX);
    above * 100_000 / u64::try_from(optimum).unwrap_or(u64::MAX).max(1)
}

/// How many iterations take about as long as wanted, on the instances whose search is not over before.
fn calibrated(chosen: &[&(Instance, usize)]) -> u32 {
    let mut times = Vec::new();
    for (instance, _) in chosen.iter().step_by(chosen.len().div_ceil(40).max(1)) {
        let started = Stopwatch::start();
        let packing = packed(instance, TIMED);
        if packing.bins.len() > packing.at_least {
            times.push(started.micros());
        }
    }
    if times.is_empty() {
        return TIMED;
    }
    let iterations = WANTED_MICROS * u64::from(TIMED) / median(times).max(1);
    // Round numbers, so that a run can be repeated.
    u32::try_from(iterations / 10_000 * 10_000)
        .unwrap_or(u32::MAX)
        .max(TIMED)
}

fn packed(instance: &Instance, iterations: u32) -> VectorPacking {
    let effort = Effort {
        iterations,
        seed: 1,
    };
    match instance.capacity.len() {
        3 => of_dimensions::<3>(instance, effort),
        5 => of_dimensions::<5>(instance, effort),
        10 => of_dimensions::<10>(instance, effort),
        // The sets have no others; more dimensions than there are would only add zeros.
        _ => of_dimensions::<16>(instance, effort),
    }
}

fn of_dimensions<const D: usize>(instance: &Instance, effort: Effort) -> VectorPacking {
    let padded = |sizes: &Vec<u32>| -> [u32; D] {
        let mut all = [0; D];
        for (one, size) in all.iter_mut().zip(sizes) {
            *one = *size;
        }
        all
    };
    let items: Vec<[u32; D]> = instance.items.iter().map(padded).collect();
    pack(padded(&instance.capacity), &items, effort)
}

fn tenths_of_milliseconds(micros: u64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}

/// Processor time of this thread, so that what else the machine does counts little. Where the system does not say (it is Linux
/// that does, in <https://docs.kernel.org/scheduler/sched-stats.html>), time on the clock.
struct Stopwatch {
    clock: Instant,
    processor_nanos: Option<u64>,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            clock: Instant::now(),
            processor_nanos: processor_nanos(),
        }
    }

    fn micros(&self) -> u64 {
        match (self.processor_nanos, processor_nanos()) {
            (Some(before), Some(after)) => after.saturating_sub(before) / 1_000,
            (None | Some(_), _) => micros(self.clock),
        }
    }
}

fn processor_nanos() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_ascii_whitespace().next()?.parse().ok()
}
