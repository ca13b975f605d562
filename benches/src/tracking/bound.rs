//! How few task-minutes any rule can come to, even one that knows the whole load beforehand and whose tasks start at once.
//!
//! A rule may leave a minute short, and turn, as often as the limits allow. Each is given a price instead: the cheapest way at these prices,
//! less what the allowance costs at them, is a lower bound whatever the prices are (Lagrange). The prices that give the highest bound
//! that was found are taken. The cheapest way is found by dynamic programming over the minutes, the number of tasks, and whether the
//! last change was up or down.

use std::ops::Range;

use super::choice::Limits;
use super::model::Service;

const TASKS_MAX: usize = 150;
/// Costs are counted in thousandths of a task-minute.
const TASK_MINUTE: u64 = 1_000;
const ROUNDS: usize = 3;

/// The bound, in thousandths of the task-minutes that are required.
pub(super) fn ratio_milli(service: &Service, minutes: &Range<usize>, limits: Limits) -> u64 {
    let problem = Problem::new(service, minutes, limits);
    let mut prices = (0, 0);
    let mut best = problem.bound(prices);
    let powers = || (0..22_u32).map(|it| 1_u64 << it);
    for _ in 0..ROUNDS {
        let (turn, short) = prices;
        let of_turns = powers().map(|it| (it * TASK_MINUTE / 8, short));
        let of_short = powers().map(|it| (turn, it));
        let others = [(0, short), (turn, 0)];
        for tried in of_turns.chain(of_short).chain(others) {
            let bound = problem.bound(tried);
            (best, prices) = (best, prices).max((bound, tried));
        }
    }
    let required: u64 = minutes
        .clone()
        .map(|it| u64::from(service.required(it)))
        .sum();
    best / required.max(1)
}

struct Problem {
    /// The tasks that each minute requires, and its requests.
    minutes: Vec<(usize, u64)>,
    turns: u64,
    short_requests: u64,
}

impl Problem {
    fn new(service: &Service, minutes: &Range<usize>, limits: Limits) -> Self {
        let of = |minute| {
            let required = usize::try_from(service.required(minute)).unwrap_or(TASKS_MAX);
            (required.min(TASKS_MAX), service.requests(minute))
        };
        let minutes: Vec<(usize, u64)> = minutes.clone().map(of).collect();
        let requests: u64 = minutes.iter().map(|it| it.1).sum();
        let number = u64::try_from(minutes.len()).unwrap_or(u64::MAX);
        Self {
            turns: limits
                .turns_a_day
                .map_or(number, |it| (it * number).div_ceil(1_440)),
            short_requests: requests * limits.over_limit_ppm / 1_000_000,
            minutes,
        }
    }

    /// What any rule within the limits costs at least, by these prices: of a turn, and of 1,000 requests above the limit.
    fn bound(&self, (turn, short): (u64, u64)) -> u64 {
        let allowance = self.turns * turn + self.short_requests * short / 1_000;
        self.cheapest(turn, short).saturating_sub(allowance)
    }

    fn cheapest(&self, turn: u64, short: u64) -> u64 {
        // The cheapest way to here with so many tasks, where the last change was up, or down.
        let mut up = vec![0_u64; TASKS_MAX + 1];
        let mut down = up.clone();
        for (required, requests) in &self.minutes {
            // Up from fewer or as many; down from more or as many. A change the other way first pays for a turn.
            let (before_up, before_down) = (up.clone(), down.clone());
            let mut least = u64::MAX;
            for (it, (same, other)) in up.iter_mut().zip(before_up.iter().zip(&before_down)) {
                least = least.min(*same).min(other.saturating_add(turn));
                *it = least;
            }
            let mut least = u64::MAX;
            let pairs = before_up.iter().zip(&before_down).rev();
            for (it, (other, same)) in down.iter_mut().rev().zip(pairs) {
                least = least.min(*same).min(other.saturating_add(turn));
                *it = least;
            }
            let price_short = (requests * short).div_euclid(1_000);
            for ways in [&mut up, &mut down] {
                let tasks = (0..).zip(ways.iter_mut());
                for ((number, cost), count) in tasks.zip(0_usize..) {
                    let own: u64 = number;
                    let lacks = if count < *required { price_short } else { 0 };
                    *cost = cost.saturating_add(own * TASK_MINUTE + lacks);
                }
            }
        }
        let ends = up.iter().chain(&down).copied();
        ends.min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task serves 8 requests a minute at the limit.
    fn check(required: &[u64], limits: (u64, Option<u64>), want_task_minutes: u64) {
        let requests = required.iter().map(|it| it * 8).collect();
        let service = Service::new(requests, 1_000);
        let limits = Limits {
            over_limit_ppm: limits.0,
            turns_a_day: limits.1,
        };
        let sum: u64 = required.iter().sum();
        let bound = ratio_milli(&service, &(0..required.len()), limits);
        let want = want_task_minutes * 1_000 / sum;
        // A bound: never above, and near.
        assert!(
            bound <= want && bound + want / 50 >= want,
            "{bound} for {want}"
        );
    }

    #[test]
    fn with_turns_enough_what_is_required_is_enough() {
        check(&[1, 5, 2, 7, 1], (0, None), 16);
    }

    #[test]
    fn without_turns_it_goes_up_or_down_once() {
        // Up to 5 and there it stays, or from 5 down: 1, 5, 5, 5, 5 is dearer than 5, 5, 3, 3, 1.
        check(&[1, 5, 2, 3, 1], (0, Some(0)), 17);
        check(&[1, 2, 9, 9, 9], (0, Some(0)), 30);
    }

    #[test]
    fn a_minute_may_be_left_short() {
        // 2 of 202 tasks' requests are 0.99 %: the last minute may be left alone.
        let mut required = vec![1; 100];
        required.push(2);
        check(&required, (20_000, Some(0)), 101);
    }
}
