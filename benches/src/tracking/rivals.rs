//! Rules that others use, each with one parameter: the target.

use std::collections::VecDeque;

use super::model::{Fleet, Rule, Service};

/// AWS's target tracking, as it is documented and was observed: out after three minutes of three above the target, in proportion; in
/// after fifteen of fifteen below nine tenths of it, rounded so that less is removed, and not within 300 seconds of another change.
/// <https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking.html>
#[derive(Debug)]
pub(super) struct TargetTracking {
    target_percent: u64,
    /// The utilisation of the latest minutes in millionths, the newest last.
    utilisation: VecDeque<u64>,
    ready_before: Option<u32>,
    changed_at: Option<usize>,
}

const HIGH_POINTS: usize = 3;
const LOW_POINTS: usize = 15;
const COOL_DOWN_MINUTES: usize = 5;

impl TargetTracking {
    pub(super) const fn new(target_percent: u64) -> Self {
        Self {
            target_percent,
            utilisation: VecDeque::new(),
            ready_before: None,
            changed_at: None,
        }
    }

    fn measure(&mut self, service: &Service, minute: usize, ready: u32) -> u64 {
        let serving = self.ready_before.replace(ready).unwrap_or(ready).max(1);
        let busy = service.milli_tasks(service.requests(minute.saturating_sub(1)), 100);
        let utilisation = busy * 1_000 / u64::from(serving);
        self.utilisation.push_back(utilisation);
        if self.utilisation.len() > LOW_POINTS {
            self.utilisation.pop_front();
        }
        utilisation
    }
}

impl Rule for TargetTracking {
    fn desired(&mut self, service: &Service, minute: usize, fleet: Fleet) -> u32 {
        let now = self.measure(service, minute, fleet.ready);
        let target = self.target_percent * 10_000;
        let number = self.utilisation.len();
        let mut newest = self.utilisation.iter().rev().take(HIGH_POINTS);
        if number >= HIGH_POINTS && newest.all(|it| *it > target) {
            // The metric leaves out the tasks that start, and the capacity counts them.
            let wanted = service.tasks(
                service.requests(minute.saturating_sub(1)),
                self.target_percent,
            );
            if wanted > fleet.desired {
                self.changed_at = Some(minute);
                return wanted;
            }
        }
        let is_low = number == LOW_POINTS && self.utilisation.iter().all(|it| it * 10 < target * 9);
        let is_cool = self
            .changed_at
            .is_none_or(|at| minute >= at + COOL_DOWN_MINUTES);
        if is_low && is_cool {
            let wanted = (u64::from(fleet.desired) * now).div_ceil(target.max(1));
            let wanted = u32::try_from(wanted).unwrap_or(fleet.desired).max(1);
            if wanted < fleet.desired {
                self.changed_at = Some(minute);
                return wanted;
            }
        }
        fleet.desired
    }
}

/// The Horizontal Pod Autoscaler of Kubernetes with its defaults: a tolerance of a tenth; down to the most that was recommended within
/// 300 seconds; up by the greater of 100 % and 4 in 15 seconds, of which a minute has four; a pod that is not ready counts as idle.
/// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
#[derive(Debug)]
pub(super) struct HorizontalPodAutoscaler {
    target_percent: u64,
    /// When it was recommended, and how many.
    recommended: VecDeque<(usize, u32)>,
}

const DOWN_WINDOW_MINUTES: usize = 5;
const SYNCS_A_MINUTE: u32 = 4;

impl HorizontalPodAutoscaler {
    pub(super) const fn new(target_percent: u64) -> Self {
        Self {
            target_percent,
            recommended: VecDeque::new(),
        }
    }

    /// How many these pods would have to be, where the ratio is out of the tolerance.
    fn by_ratio(&self, milli: u64, pods: u32) -> Option<u32> {
        let at_target = u64::from(pods) * 1_000;
        let is_within = milli * 10 <= at_target * 11 && milli * 10 >= at_target * 9;
        let wanted = u32::try_from(milli.div_ceil(1_000)).unwrap_or(u32::MAX);
        (!is_within).then_some(wanted)
    }
}

impl Rule for HorizontalPodAutoscaler {
    fn desired(&mut self, service: &Service, minute: usize, fleet: Fleet) -> u32 {
        let requests = service.requests(minute.saturating_sub(1));
        let milli = service.milli_tasks(requests, self.target_percent);
        let is_up = milli > u64::from(fleet.ready) * 1_000;
        let counted = if is_up { fleet.desired } else { fleet.ready };
        let wanted = self
            .by_ratio(milli, fleet.ready)
            .and_then(|_| self.by_ratio(milli, counted))
            // With those that start as idle it may be no raise any more: then nothing changes.
            .filter(|wanted| !is_up || *wanted > fleet.desired)
            .unwrap_or(fleet.desired)
            .max(1);
        self.recommended.push_back((minute, wanted));
        while self
            .recommended
            .pop_front_if(|it| it.0 + DOWN_WINDOW_MINUTES < minute)
            .is_some()
        {}
        if wanted < fleet.desired {
            let most = self.recommended.iter().map(|it| it.1).max();
            return most.unwrap_or(wanted).min(fleet.desired);
        }
        let limit = (0..SYNCS_A_MINUTE).fold(fleet.desired, |it, _| (it * 2).max(it + 4));
        wanted.min(limit)
    }
}

/// The most of the last hour, as Autopilot's peak recommender holds it.
/// <https://doi.org/10.1145/3342195.3387524>
#[derive(Debug)]
pub(super) struct PeakHold {
    target_percent: u64,
}

const HOLD_MINUTES: usize = 60;

impl PeakHold {
    pub(super) const fn new(target_percent: u64) -> Self {
        Self { target_percent }
    }
}

impl Rule for PeakHold {
    fn desired(&mut self, service: &Service, minute: usize, _: Fleet) -> u32 {
        let hour = service
            .all()
            .get(minute.saturating_sub(HOLD_MINUTES)..minute)
            .unwrap_or_default();
        let peak = hour.iter().copied().max().unwrap_or(0);
        service.tasks(peak, self.target_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task serves 10 requests a minute at 100 %, so 5 at the target of 50 %.
    fn check(rule: &mut dyn Rule, requests: &[u64], fleets: &[(u32, u32)], want: &[u32]) {
        let service = Service::new(requests.to_vec(), 1_000);
        let got: Vec<u32> = fleets
            .iter()
            .zip(1..)
            .map(|((desired, ready), minute)| {
                let fleet = Fleet {
                    desired: *desired,
                    ready: *ready,
                };
                rule.desired(&service, minute, fleet)
            })
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn target_tracking_raises_after_three_high_minutes_in_proportion() {
        let rule = &mut TargetTracking::new(50);
        // 5.5, 6 and 7 requests a task of 10: high; the third sets ceil(70 / 5).
        let fleets = [(10, 10), (10, 10), (10, 10), (14, 10)];
        check(rule, &[55, 60, 70, 70], &fleets, &[10, 10, 14, 14]);
    }

    #[test]
    fn target_tracking_lowers_after_fifteen_low_minutes_and_then_waits_five() {
        let rule = &mut TargetTracking::new(50);
        let requests = [20; 21];
        let mut fleets = vec![(10, 10); 15];
        fleets.extend([(4, 4); 6]);
        // 20 % of 50 %: 10 x 0.4 = 4. With 4 tasks it is at the target.
        let mut want = vec![10; 14];
        want.extend([4; 7]);
        check(rule, &requests, &fleets, &want);
        // At exactly nine tenths of the target it is not low.
        let rule = &mut TargetTracking::new(50);
        check(rule, &[45; 20], &[(10, 10); 20], &[10; 20]);
        // A change of its own keeps it from lowering for five minutes more.
        let rule = &mut TargetTracking::new(50);
        let mut want = vec![10; 14];
        want.extend([4, 10, 10, 10, 10, 4]);
        check(rule, &[20; 20], &[(10, 10); 20], &want);
    }

    #[test]
    fn the_autoscaler_raises_beyond_a_tenth_and_counts_what_starts_as_idle() {
        let rule = &mut HorizontalPodAutoscaler::new(50);
        // 55 needs 11 of 10: a tenth, nothing. 56 needs 12. With 12 asked for and 10 ready, 60 needs 12: nothing more; 70 needs 14.
        let fleets = [(10, 10), (10, 10), (12, 10), (12, 10)];
        check(rule, &[55, 56, 60, 70], &fleets, &[10, 12, 12, 14]);
    }

    #[test]
    fn the_autoscaler_lowers_to_the_most_of_five_minutes() {
        let rule = &mut HorizontalPodAutoscaler::new(50);
        let requests = [50, 40, 30, 30, 30, 30, 30, 30];
        // 10 is recommended at minute 1, 8 at minute 2, 6 from minute 3 on.
        let fleets = [
            (10, 10),
            (10, 10),
            (10, 10),
            (10, 10),
            (10, 10),
            (10, 10),
            (10, 10),
            (8, 8),
        ];
        check(rule, &requests, &fleets, &[10, 10, 10, 10, 10, 10, 8, 6]);
    }

    #[test]
    fn the_peak_is_held_for_an_hour() {
        let rule = &mut PeakHold::new(50);
        let mut requests = vec![50; 1];
        requests.extend([20; 61]);
        let fleets = vec![(10, 10); 62];
        let mut want = vec![10; 60];
        want.extend([4, 4]);
        check(rule, &requests, &fleets, &want);
    }
}
