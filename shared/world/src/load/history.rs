//! A load that has been there for days, as far as its metrics can tell.

use super::publish::{request_metrics, service_metric};
use super::tick::Requests;
use super::{Fleet, LoadCurve};
use crate::state::Sample;
use crate::world::World;

/// A load before now, and the tasks that served it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// For how many minutes.
    pub minutes: usize,
    /// The requests per minute; minute 0 is so many minutes ago. It is repeated as often as needed.
    pub curve: LoadCurve,
    /// As many tasks ran as kept the utilisation at this, in percent.
    pub target_percent: u32,
    /// At least so many tasks ran.
    pub tasks_min: u32,
}

impl History {
    /// A curve that has been going on for so many days, with as many tasks as kept their utilisation at 60 %, and at least one.
    #[must_use]
    pub const fn days(curve: LoadCurve, days: usize) -> Self {
        Self {
            minutes: days * 24 * 60,
            curve,
            target_percent: 60,
            tasks_min: 1,
        }
    }

    /// How many tasks ran with a load.
    fn tasks(&self, fleet: &Fleet, requests: u64) -> u64 {
        let capacity = u128::from(fleet.requests_per_task_min) * u128::from(self.target_percent);
        let tasks = (u128::from(requests) * 100).div_ceil(capacity.max(1));
        u64::try_from(tasks)
            .unwrap_or(u64::MAX)
            .max(u64::from(self.tasks_min.max(1)))
    }
}

impl World {
    /// Fills the metrics of a fleet that has a load with what a history would have left in them, up to the minute before now. All of
    /// its tasks were those of the fleet's primary, and all were ready. It is read as any datapoint is, without delay. Whether there is
    /// such a fleet is the answer.
    pub fn seed_history(&mut self, name: &str, history: &History) -> bool {
        let Some(fleet) = self.fleet(name).cloned() else {
            return false;
        };
        let now_minute = self.now.as_second().div_euclid(60);
        let length = i64::try_from(history.minutes).unwrap_or(i64::MAX);
        for minute in 0..history.minutes {
            let passed = i64::try_from(minute).unwrap_or(i64::MAX);
            let at_secs = (now_minute - length + passed) * 60;
            self.seed_minute(&fleet, history, history.curve.at(minute), at_secs);
        }
        true
    }

    fn seed_minute(&mut self, fleet: &Fleet, history: &History, requests: u64, at_secs: i64) {
        let tasks = history.tasks(fleet, requests);
        let busy = fleet.utilisation_milli(requests, tasks).unwrap_or(0);
        let usage = fleet.usage(true, busy);
        if let Some(service) = fleet.services.first() {
            for (name, milli) in [
                ("CPUUtilization", usage.cpu_milli),
                ("MemoryUtilization", usage.memory_milli),
            ] {
                let value = i64::try_from(milli).unwrap_or(i64::MAX);
                let key = service_metric(service, name);
                self.put_sample(&key, at_secs, false, &Sample::of(value, tasks));
            }
        }
        if requests == 0 && !fleet.shares_load_balancer {
            return;
        }
        let per_target = u128::from(requests) * 1_000 / u128::from(tasks);
        let requests = Requests {
            received: requests,
            per_target_milli: i64::try_from(per_target).unwrap_or(i64::MAX),
        };
        for (key, sample) in request_metrics(fleet, requests) {
            self.put_sample(&key, at_secs, false, &sample);
        }
    }
}
