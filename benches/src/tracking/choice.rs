//! The parameters that do best in one half of a file.

use std::ops::Range;

use super::model::{Account, Rule, Service, follow};

/// What parameters have to keep to be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// The share of requests above the limit, in millionths.
    pub(super) over_limit_ppm: u64,
    /// Changes of direction a day; `None` where any number will do.
    pub(super) turns_a_day: Option<u64>,
}

/// The parameters with the fewest task-minutes that keep the limits; of equal ones the first. `None` where none does.
pub(super) fn choose<P: Copy, R: Rule>(
    service: &Service,
    minutes: &Range<usize>,
    limits: Limits,
    grid: impl IntoIterator<Item = P>,
    rule: impl Fn(P) -> R,
) -> Option<(P, Account)> {
    let requests: u64 = minutes.clone().map(|it| service.requests(it)).sum();
    let number = u64::try_from(minutes.len()).unwrap_or(u64::MAX);
    let mut best: Option<(P, Account)> = None;
    for parameters in grid {
        let most = best.as_ref().map(|it| it.1.task_minutes);
        // What only grows can be given up early.
        let is_hopeless = |it: &Account| {
            it.over_limit_requests * 1_000_000 > requests * limits.over_limit_ppm
                || limits
                    .turns_a_day
                    .is_some_and(|most| it.turns * 1_440 > most * number)
                || most.is_some_and(|most| it.task_minutes >= most)
        };
        let account = follow(
            service,
            minutes.clone(),
            &mut rule(parameters),
            &is_hopeless,
        );
        best = account.map(|it| (parameters, it)).or(best);
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracking::model::Fleet;

    /// Asks for the same always.
    struct Always(u32);

    impl Rule for Always {
        fn desired(&mut self, _: &Service, _: usize, _: Fleet) -> u32 {
            self.0
        }
    }

    /// 2, 3 and 4 tasks for a load that needs 3 in one minute of ten.
    fn check(over_limit_ppm: u64, want: Option<u32>) {
        let mut requests = vec![10; 10];
        requests[9] = 20;
        let service = Service::new(requests, 1_000);
        let limits = Limits {
            over_limit_ppm,
            turns_a_day: Some(8),
        };
        let chosen = choose(&service, &(0..10), limits, [4, 2, 3], Always);
        assert_eq!(chosen.map(|it| it.0), want);
    }

    #[test]
    fn the_cheapest_that_keeps_the_limit_is_chosen() {
        check(0, Some(3));
        // 20 of 110 requests are above the limit with 2 tasks.
        check(181_818, Some(3));
        check(181_819, Some(2));
    }

    #[test]
    fn what_turns_too_often_is_not_chosen() {
        struct Restless;
        impl Rule for Restless {
            fn desired(&mut self, _: &Service, minute: usize, _: Fleet) -> u32 {
                if minute.is_multiple_of(2) { 5 } else { 6 }
            }
        }
        let service = Service::new(vec![10; 10], 1_000);
        let choice = |turns_a_day| {
            let limits = Limits {
                over_limit_ppm: 0,
                turns_a_day,
            };
            choose(&service, &(0..10), limits, [()], |()| Restless).is_some()
        };
        assert!(choice(None));
        assert!(!choice(Some(8)));
    }
}
