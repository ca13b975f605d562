//! What a rule comes to that knows the level of the load beforehand, but no single minute of it.
//!
//! For every minute it is told the mean of the minutes around it, those to come as well as those that were, and it adds a margin: so
//! much of the mean, or so many times its square root. The margin is the one that does best in the very minutes that are scored, and
//! tasks start and stop at once. What it still needs above the required tasks is the price of not knowing single minutes. It is no
//! bound: a rule may do better by other means.

use std::ops::Range;

use super::model::{LIMIT_PERCENT, Service};

/// So many minutes are the mean of, half of them to come.
const SPANS_MINUTES: [usize; 5] = [5, 15, 31, 61, 121];
/// Margins, in percent of the mean.
const SHARES_PERCENT: std::ops::RangeInclusive<u64> = 0..=400;
/// Margins, in tenths of the mean's square root.
const ROOTS_TENTHS: std::ops::RangeInclusive<u64> = 0..=200;

/// What is added to the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Margin {
    /// So many percent of it.
    Share(u64),
    /// So many tenths of its square root.
    Roots(u64),
}

/// The best that it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// Task-minutes over the required ones, in thousandths, rounded to the nearest.
    pub(super) ratio_milli: u64,
    /// Of so many minutes the mean is known.
    pub(super) span_minutes: usize,
    pub(super) margin: Margin,
}

impl std::fmt::Display for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let span = self.span_minutes;
        match self.margin {
            Margin::Share(percent) => write!(f, "{span} minutes, {percent} % more"),
            Margin::Roots(tenths) => write!(
                f,
                "{span} minutes, {}.{} square roots more",
                tenths / 10,
                tenths % 10
            ),
        }
    }
}

/// The fewest task-minutes with no more than such a share of requests above the limit, for each length of the mean with which a margin is
/// enough.
pub(super) fn cheapest(
    service: &Service,
    minutes: &Range<usize>,
    over_limit_ppm: u64,
) -> Vec<Known> {
    let required: u64 = minutes
        .clone()
        .map(|it| u64::from(service.required(it)))
        .sum();
    let best_of_span = |span_minutes| {
        let means = means_milli(service, minutes, span_minutes);
        let known = |margin| {
            let task_minutes = task_minutes(service, minutes, &means, margin, over_limit_ppm)?;
            Some(Known {
                ratio_milli: (task_minutes * 1_000 + required / 2) / required.max(1),
                span_minutes,
                margin,
            })
        };
        let shares = SHARES_PERCENT.map(Margin::Share);
        let margins = shares.chain(ROOTS_TENTHS.map(Margin::Roots));
        margins.filter_map(known).min_by_key(|it| it.ratio_milli)
    };
    SPANS_MINUTES.into_iter().filter_map(best_of_span).collect()
}

/// The mean requests of the minutes around each, in thousandths.
fn means_milli(service: &Service, minutes: &Range<usize>, span: usize) -> Vec<u64> {
    let around = |minute: usize| {
        let from = minute.saturating_sub(span / 2);
        let known = service.all().get(from..).unwrap_or_default();
        let sum: u64 = known.iter().take(span).sum();
        let number = u64::try_from(known.len().min(span)).unwrap_or(u64::MAX);
        sum * 1_000 / number.max(1)
    };
    minutes.clone().map(around).collect()
}

/// `None` where too many requests are above the limit.
fn task_minutes(
    service: &Service,
    minutes: &Range<usize>,
    means_milli: &[u64],
    margin: Margin,
    over_limit_ppm: u64,
) -> Option<u64> {
    let all: u64 = minutes.clone().map(|it| service.requests(it)).sum();
    let (mut sum, mut over) = (0, 0);
    for (minute, mean) in minutes.clone().zip(means_milli) {
        let more = match margin {
            Margin::Share(percent) => mean * percent / 100,
            // The root of a thousandth part, in thousandths.
            Margin::Roots(tenths) => (mean * 1_000).isqrt() * tenths / 10,
        };
        let tasks = service.milli_tasks(mean + more, LIMIT_PERCENT);
        let tasks = tasks.div_ceil(1_000_000).max(1);
        let is_short = tasks < u64::from(service.required(minute));
        over += if is_short {
            service.requests(minute)
        } else {
            0
        };
        if over * 1_000_000 > all * over_limit_ppm {
            return None;
        }
        sum += tasks;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task serves 8 requests a minute at the limit.
    fn check(requests: Vec<u64>, over_limit_ppm: u64, want: (u64, usize, Margin)) {
        let minutes = 0..requests.len();
        let known = cheapest(&Service::new(requests, 1_000), &minutes, over_limit_ppm);
        let want = Known {
            ratio_milli: want.0,
            span_minutes: want.1,
            margin: want.2,
        };
        assert_eq!(known.first(), Some(&want));
    }

    #[test]
    fn a_level_without_noise_needs_no_margin() {
        check(vec![80; 200], 0, (1_000, 5, Margin::Share(0)));
    }

    /// One minute of 400 needs twenty tasks, the others ten. The five minutes around it have a mean of 96 requests.
    #[test]
    fn the_margin_is_the_least_that_covers_the_noise() {
        let mut requests = vec![80; 400];
        requests[200] = 160;
        // 59 % more than 96 are 19.08 tasks, so 20; 58 % are 18.96. The other minutes then have 16: (395 x 16 + 5 x 20) / 4,010.
        check(requests.clone(), 0, (1_601, 5, Margin::Share(59)));
        // 160 of 32,080 requests are 0.4988 %. Without that minute no margin is needed, and around it there are 12.
        check(requests.clone(), 4_988, (1_000, 5, Margin::Share(0)));
        check(requests, 4_987, (1_601, 5, Margin::Share(59)));
    }

    #[test]
    fn roots_are_of_requests() {
        let service = Service::new(vec![64; 10], 1_000);
        // Two roots of 64 are 16: ten tasks in place of eight.
        let means = means_milli(&service, &(0..10), 5);
        let two_roots = Margin::Roots(20);
        let minutes = task_minutes(&service, &(0..10), &means, two_roots, 0);
        assert_eq!(minutes, Some(100));
    }
}
