//! The service that is scaled: requests by the minute, tasks that take two minutes to start, and what is counted.

use std::collections::VecDeque;
use std::ops::Range;

/// A task's utilisation may not be above this, in percent.
pub(super) const LIMIT_PERCENT: u64 = 80;
/// A task that is asked for at the beginning of a minute serves from so many minutes later on.
const START_UP_MINUTES: usize = 2;
/// The most tasks.
const TASKS_MAX: u32 = 150;
/// At first the tasks that the first minute needs, times this.
const FIRST_PERCENT: u64 = 130;
const MINUTES_A_DAY: u64 = 1_440;

/// A service under a load.
#[derive(Debug, Clone)]
pub(super) struct Service {
    requests: Vec<u64>,
    /// A task at 100 % serves a hundredth of this in a minute.
    peak: u64,
}

impl Service {
    /// A service of which so many requests come in each minute, and a hundred tasks at 100 % serve `peak` of them.
    pub(super) fn new(requests: Vec<u64>, peak: u64) -> Self {
        Self {
            requests,
            peak: peak.max(1),
        }
    }

    /// The requests of a minute.
    pub(super) fn requests(&self, minute: usize) -> u64 {
        self.requests.get(minute).copied().unwrap_or(0)
    }

    /// The requests of every minute.
    pub(super) fn all(&self) -> &[u64] {
        &self.requests
    }

    /// How many tasks serve so many requests a minute at a utilisation, in thousandths of a task, rounded up.
    pub(super) fn milli_tasks(&self, requests: u64, percent: u64) -> u64 {
        let busy = u128::from(requests) * 100 * 100 * 1_000;
        let milli = busy.div_ceil(u128::from(self.peak) * u128::from(percent.max(1)));
        u64::try_from(milli).unwrap_or(u64::MAX)
    }

    /// The same, in whole tasks.
    pub(super) fn tasks(&self, requests: u64, percent: u64) -> u32 {
        let tasks = self.milli_tasks(requests, percent).div_ceil(1_000);
        u32::try_from(tasks).unwrap_or(u32::MAX)
    }

    /// The tasks that a minute needs: at least one.
    pub(super) fn required(&self, minute: usize) -> u32 {
        self.tasks(self.requests(minute), LIMIT_PERCENT).max(1)
    }
}

/// What a rule may look at besides the requests of the minutes before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fleet {
    /// What is asked for.
    pub(super) desired: u32,
    /// What serves.
    pub(super) ready: u32,
}

/// A rule that scales.
pub(super) trait Rule {
    /// The desired count from the beginning of this minute on. Of the service only the minutes before this one may be looked at: the
    /// metric of a minute is known when the minute is over.
    fn desired(&mut self, service: &Service, minute: usize, fleet: Fleet) -> u32;
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Minutes, times the tasks that served.
    pub(super) task_minutes: u64,
    /// Minutes, times the tasks that were needed.
    pub(super) required_minutes: u64,
    pub(super) requests: u64,
    /// Requests of minutes in which the utilisation was above the limit.
    pub(super) over_limit_requests: u64,
    /// How often the desired count went up after it had gone down, or down after up.
    pub(super) turns: u64,
    pub(super) minutes: u64,
}

impl Account {
    /// Task-minutes over the required ones, in thousandths, rounded to the nearest.
    pub(super) fn ratio_milli(&self) -> u64 {
        let required = self.required_minutes.max(1);
        (self.task_minutes * 1_000 + required / 2) / required
    }

    /// The share of requests above the limit, in millionths, rounded up.
    pub(super) fn over_limit_ppm(&self) -> u64 {
        (self.over_limit_requests * 1_000_000).div_ceil(self.requests.max(1))
    }

    /// Changes of direction a day, in tenths, rounded to the nearest.
    pub(super) fn turns_a_day_tenths(&self) -> u64 {
        let minutes = self.minutes.max(1);
        (self.turns * MINUTES_A_DAY * 10 + minutes / 2) / minutes
    }
}

/// Tasks that serve, and tasks that start.
struct Tasks {
    ready: u32,
    /// When they serve, and how many; the latest last.
    starting: VecDeque<(usize, u32)>,
}

impl Tasks {
    fn start_of_minute(&mut self, minute: usize) {
        while let Some((_, number)) = self.starting.pop_front_if(|it| it.0 <= minute) {
            self.ready += number;
        }
    }

    fn raise(&mut self, by: u32, minute: usize) {
        self.starting.push_back((minute + START_UP_MINUTES, by));
    }

    /// Tasks that start are let go first, the latest first.
    fn lower(&mut self, mut by: u32) {
        while by > 0 {
            let Some((_, number)) = self.starting.back_mut() else {
                self.ready = self.ready.saturating_sub(by);
                return;
            };
            let gone = by.min(*number);
            *number -= gone;
            by -= gone;
            if *number == 0 {
                self.starting.pop_back();
            }
        }
    }
}

/// Scales the service by the rule in these minutes. `None` as soon as `is_hopeless` says so of what has been counted so far.
pub(super) fn follow(
    service: &Service,
    minutes: Range<usize>,
    rule: &mut dyn Rule,
    is_hopeless: &dyn Fn(&Account) -> bool,
) -> Option<Account> {
    let first = u64::from(service.required(minutes.start)) * FIRST_PERCENT;
    let mut desired = u32::try_from(first.div_ceil(100)).unwrap_or(TASKS_MAX);
    let mut tasks = Tasks {
        ready: desired,
        starting: VecDeque::new(),
    };
    let mut account = Account::default();
    let mut is_up = None;
    for minute in minutes {
        tasks.start_of_minute(minute);
        let ready = tasks.ready;
        let fleet = Fleet { desired, ready };
        let wanted = rule.desired(service, minute, fleet).clamp(1, TASKS_MAX);
        if wanted != desired {
            if wanted > desired {
                tasks.raise(wanted - desired, minute);
            } else {
                tasks.lower(desired - wanted);
            }
            account.turns += u64::from(is_up.is_some_and(|it| it != (wanted > desired)));
            is_up = Some(wanted > desired);
            desired = wanted;
        }
        count(&mut account, service, minute, tasks.ready);
        if is_hopeless(&account) {
            return None;
        }
    }
    Some(account)
}

fn count(account: &mut Account, service: &Service, minute: usize, ready: u32) {
    let requests = service.requests(minute);
    let is_over = service.milli_tasks(requests, LIMIT_PERCENT) > u64::from(ready) * 1_000;
    account.task_minutes += u64::from(ready);
    account.required_minutes += u64::from(service.required(minute));
    account.requests += requests;
    account.over_limit_requests += if is_over { requests } else { 0 };
    account.minutes += 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks for these, one minute after the other, then for the last again and again.
    struct Script(Vec<u32>);

    impl Rule for Script {
        fn desired(&mut self, _: &Service, _: usize, _: Fleet) -> u32 {
            if self.0.len() > 1 {
                return self.0.remove(0);
            }
            self.0[0]
        }
    }

    /// A task serves 10 requests a minute at 100 %, 8 at the limit.
    fn check(requests: &[u64], asked: &[u32], want: Account) {
        let service = Service::new(requests.to_vec(), 1_000);
        let mut rule = Script(asked.to_vec());
        let account = follow(&service, 0..requests.len(), &mut rule, &|_| false);
        assert_eq!(account, Some(want));
    }

    #[test]
    fn a_task_serves_two_minutes_after_it_was_asked_for() {
        // The first minute needs 1, so there are 2; 4 are asked for at its beginning and serve from the third on.
        check(
            &[8, 30, 30, 33],
            &[4],
            Account {
                task_minutes: 2 + 2 + 4 + 4,
                required_minutes: 1 + 4 + 4 + 5,
                requests: 101,
                // 30 of 2 tasks is 150 %, of 4 it is 75 %; 33 of 4 is 82.5 %.
                over_limit_requests: 30 + 33,
                turns: 0,
                minutes: 4,
            },
        );
    }

    #[test]
    fn a_task_that_starts_goes_first_and_at_once() {
        // 2, then 5 asked for, then 3: one of the three that start is left.
        check(
            &[16, 16, 16, 16],
            &[3, 6, 4, 4],
            Account {
                task_minutes: 3 + 3 + 3 + 4,
                required_minutes: 8,
                requests: 64,
                over_limit_requests: 0,
                turns: 1,
                minutes: 4,
            },
        );
    }

    #[test]
    fn only_changes_of_direction_are_turns() {
        check(
            &[8; 7],
            &[3, 5, 5, 4, 2, 2, 6],
            Account {
                task_minutes: 2 + 2 + 3 + 4 + 2 + 2 + 2,
                required_minutes: 7,
                requests: 56,
                over_limit_requests: 0,
                turns: 2,
                minutes: 7,
            },
        );
    }

    #[test]
    fn no_minute_needs_less_than_a_task_and_exactly_at_the_limit_is_enough() {
        let service = Service::new(vec![0, 8, 9, 80, 81], 1_000);
        let needed: Vec<u32> = (0..5).map(|minute| service.required(minute)).collect();
        assert_eq!(needed, [1, 1, 2, 10, 11]);
    }

    #[test]
    fn shares_are_rounded_up_and_ratios_to_the_nearest() {
        let account = Account {
            task_minutes: 1_285,
            required_minutes: 1_000,
            requests: 3_000_000,
            over_limit_requests: 1,
            turns: 7,
            minutes: 1_440,
        };
        assert_eq!(account.ratio_milli(), 1_285);
        assert_eq!(account.over_limit_ppm(), 1);
        assert_eq!(account.turns_a_day_tenths(), 70);
    }
}
