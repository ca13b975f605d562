//! Scaling policies: what an alarm makes of a group's desired capacity.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html>
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html>
//!
//! Assumed of target tracking: AWS documents that capacity moves in proportion to the metric, that it rounds up, and that it is
//! more cautious on the way in; the limits of a step are parameters of [`TargetTracking`]. Without capacity the proportion is taken
//! of one instance, so that a group can leave zero.

use super::desired::group_not_found;
use crate::error::ApiError;
use crate::pool::later;
use crate::state::{
    Adjustment, Alarm, Comparison, Group, MetricKey, Policy, PolicyKind, Process, SimpleScaling,
    Statistic, StepScaling, TargetTracking, Watched,
};
use crate::world::World;

/// What an alarm tells a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyTrigger {
    /// The alarm's name.
    pub(crate) alarm: String,
    /// Its threshold, in thousandths.
    pub(crate) threshold_milli: i64,
    /// The newest value of its metric, in thousandths.
    pub(crate) value_milli: i64,
}

impl TargetTracking {
    /// A policy with what users see of AWS's own: out after three minutes, in after fifteen, with the lower threshold at 90 % of
    /// the target, and a warm-up of 300 s.
    #[must_use]
    pub fn new(metric: MetricKey, target_milli: i64) -> Self {
        Self {
            metric,
            predefined: None,
            statistic: Statistic::Average,
            target_milli,
            disable_scale_in: false,
            instance_warmup_secs: 300,
            high_minutes: 3,
            low_minutes: 15,
            low_threshold_percent: 90,
            scale_in_max_percent: 50,
            scale_in_wait_secs: 0,
            warmup_blocks_scale_out: false,
            alarms: Vec::new(),
        }
    }

    /// The policy that ECS managed scaling makes: out after one minute, in after fifteen, with both thresholds at the target; while
    /// an instance warms up, nothing is added.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/managed-scaling-behavior.html>
    #[must_use]
    pub fn of_managed_scaling(
        metric: MetricKey,
        target_milli: i64,
        instance_warmup_secs: u32,
    ) -> Self {
        Self {
            instance_warmup_secs,
            high_minutes: 1,
            low_threshold_percent: 100,
            warmup_blocks_scale_out: true,
            ..Self::new(metric, target_milli)
        }
    }
}

/// `amount` percent of a capacity, with AWS's rounding: towards zero, but at least one.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html#as-scaling-adjustment>
fn percent_of(capacity: u32, amount: i32) -> i64 {
    let hundredths = i64::from(capacity) * i64::from(amount);
    if hundredths != 0 && hundredths.abs() < 100 {
        hundredths.signum()
    } else {
        hundredths / 100
    }
}

fn adjusted(capacity: u32, adjustment: Adjustment, by: i32) -> u32 {
    let wanted = match adjustment {
        Adjustment::ExactCapacity => i64::from(by),
        Adjustment::ChangeInCapacity => i64::from(capacity) + i64::from(by),
        Adjustment::PercentChangeInCapacity => i64::from(capacity) + percent_of(capacity, by),
    };
    u32::try_from(wanted.max(0)).unwrap_or(u32::MAX)
}

/// How much capacity brings a metric, which moves the other way, to its target; rounded up.
fn proportional(capacity: u32, value_milli: i64, target_milli: i64) -> u32 {
    let value = u128::from(value_milli.max(0).unsigned_abs());
    let target = u128::from(target_milli.max(1).unsigned_abs());
    let wanted = (u128::from(capacity) * value).div_ceil(target);
    u32::try_from(wanted).unwrap_or(u32::MAX)
}

impl World {
    /// Puts a scaling policy into a group, and gives its ARN. A target tracking policy makes its two alarms.
    ///
    /// # Errors
    /// `ValidationError` where there is no such group.
    pub fn put_scaling_policy(
        &mut self,
        group: &str,
        name: &str,
        kind: PolicyKind,
    ) -> Result<String, ApiError> {
        if !self.state.groups.contains_key(group) {
            return Err(group_not_found());
        }
        self.delete_scaling_policy(group, name);
        let id = self.dice.uuid("policy", &format!("{group}/{name}"), 0);
        let arn = format!(
            "arn:aws:autoscaling:{}:{}:scalingPolicy:{id}:autoScalingGroupName/{group}:policyName/{name}",
            self.config.region, self.config.account
        );
        let kind = match kind {
            PolicyKind::TargetTracking(tracking) => {
                PolicyKind::TargetTracking(self.with_alarms(group, &id, &arn, tracking))
            }
            other @ (PolicyKind::Step(_) | PolicyKind::Simple(_)) => other,
        };
        if let Some(known) = self.state.groups.get_mut(group) {
            known.policies.insert(
                name.to_owned(),
                Policy {
                    arn: arn.clone(),
                    enabled: true,
                    kind,
                },
            );
        }
        Ok(arn)
    }

    /// Removes a scaling policy, and the alarms that it made. Whether there was one is the answer.
    pub fn delete_scaling_policy(&mut self, group: &str, name: &str) -> bool {
        let known = self.state.groups.get_mut(group);
        let Some(policy) = known.and_then(|it| it.policies.remove(name)) else {
            return false;
        };
        match policy.kind {
            PolicyKind::TargetTracking(tracking) => {
                for alarm in &tracking.alarms {
                    self.delete_alarm(alarm);
                }
            }
            PolicyKind::Step(_) | PolicyKind::Simple(_) => {}
        }
        true
    }

    fn with_alarms(
        &mut self,
        group: &str,
        id: &str,
        arn: &str,
        mut tracking: TargetTracking,
    ) -> TargetTracking {
        let low_milli = tracking
            .target_milli
            .saturating_mul(i64::from(tracking.low_threshold_percent))
            / 100;
        tracking.alarms = Vec::new();
        for (which, minutes, threshold_milli, comparison) in [
            (
                "High",
                tracking.high_minutes,
                tracking.target_milli,
                Comparison::GreaterThan,
            ),
            ("Low", tracking.low_minutes, low_milli, Comparison::LessThan),
        ] {
            let name = format!(
                "TargetTracking-{group}-Alarm{which}-{}",
                self.dice
                    .uuid("policy alarm", id, u64::from(which == "High"))
            );
            let watched = Watched::metric(tracking.metric.clone(), tracking.statistic.into(), 60);
            let mut alarm = Alarm::new(&name, watched, comparison, threshold_milli);
            alarm.description = Some(format!(
                "DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}."
            ));
            alarm.actions.alarm = vec![arn.to_owned()];
            self.put_alarm(alarm.takes(minutes, minutes));
            tracking.alarms.push(name);
        }
        tracking
    }

    /// An alarm's action: the policy of this ARN acts.
    pub(crate) fn run_policy(&mut self, arn: &str, trigger: &PolicyTrigger) {
        let Some((group, name)) = arn
            .split_once(":autoScalingGroupName/")
            .and_then(|(_, rest)| rest.split_once(":policyName/"))
        else {
            return;
        };
        let Some(known) = self.state.groups.get(group) else {
            return;
        };
        let Some(policy) = known
            .policies
            .get(name)
            .filter(|it| it.enabled && it.arn == arn)
        else {
            return;
        };
        if known.is_suspended(Process::AlarmNotification) || known.deleting {
            return;
        }
        let wanted = match &policy.kind {
            PolicyKind::TargetTracking(it) => self.tracked(known, it, trigger),
            PolicyKind::Step(it) => self.stepped(known, it, trigger),
            PolicyKind::Simple(it) => self.adjusted_once(known, it),
        };
        let Some(wanted) = wanted else {
            return;
        };
        let why = format!(
            "a monitor alarm {} in state ALARM triggered policy {name}",
            trigger.alarm
        );
        let (group, now) = (group.to_owned(), self.now);
        if self.change_group_desired(&group, wanted, &why)
            && let Some(known) = self.state.groups.get_mut(&group)
        {
            known.scaled_at = Some(now);
        }
    }

    /// The capacity that is in service and warm, and whether there is more that is not.
    fn warm_capacity(&self, group: &Group, warmup_secs: u32) -> (u32, bool) {
        let warmup = i64::from(warmup_secs) * 1_000;
        let is_warm =
            |at: Option<jiff::Timestamp>| at.is_some_and(|at| later(at, warmup) <= self.now);
        let (mut warm, mut is_warming) = (0_u32, false);
        for instance in self.counted(group) {
            if is_warm(instance.in_service_at) {
                warm = warm.saturating_add(instance.weight);
            } else {
                is_warming = true;
            }
        }
        (warm, is_warming)
    }

    fn tracked(
        &self,
        group: &Group,
        tracking: &TargetTracking,
        trigger: &PolicyTrigger,
    ) -> Option<u32> {
        let desired = group.desired_capacity;
        let (warm, is_warming) = self.warm_capacity(group, tracking.instance_warmup_secs);
        if trigger.value_milli > tracking.target_milli {
            if is_warming && tracking.warmup_blocks_scale_out {
                return None;
            }
            let wanted = proportional(warm.max(1), trigger.value_milli, tracking.target_milli);
            return Some(wanted.max(desired));
        }
        let wait = i64::from(tracking.scale_in_wait_secs) * 1_000;
        let is_early = group.scaled_at.is_some_and(|it| later(it, wait) > self.now);
        if tracking.disable_scale_in || is_warming || is_early {
            return None;
        }
        let wanted = proportional(warm, trigger.value_milli, tracking.target_milli);
        let most = u64::from(desired) * u64::from(tracking.scale_in_max_percent) / 100;
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        Some(wanted.max(desired.saturating_sub(most)).min(desired))
    }

    fn stepped(
        &self,
        group: &Group,
        scaling: &StepScaling,
        trigger: &PolicyTrigger,
    ) -> Option<u32> {
        let distance = trigger.value_milli.saturating_sub(trigger.threshold_milli);
        let step = scaling.steps.iter().find(|it| {
            it.from_milli.is_none_or(|from| from <= distance)
                && it.to_milli.is_none_or(|to| distance < to)
        })?;
        let desired = group.desired_capacity;
        let (warm, is_warming) = self.warm_capacity(group, scaling.instance_warmup_secs);
        let grown = adjusted(warm, scaling.adjustment, step.by);
        if is_warming {
            // What warms up counts as there: only more than it is added, and nothing is taken away.
            return Some(grown.max(desired));
        }
        Some(adjusted(desired, scaling.adjustment, step.by))
    }

    fn adjusted_once(&self, group: &Group, scaling: &SimpleScaling) -> Option<u32> {
        let cooldown = scaling.cooldown_secs.unwrap_or(group.default_cooldown_secs);
        let is_cooling = group
            .scaled_at
            .is_some_and(|it| later(it, i64::from(cooldown) * 1_000) > self.now);
        (!is_cooling).then(|| adjusted(group.desired_capacity, scaling.adjustment, scaling.by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjustments_are_rounded_as_documented() {
        for (capacity, by, wanted) in [
            (10, 25, 12),
            (3, 10, 4),
            (3, -10, 2),
            (10, -25, 8),
            (0, 50, 0),
        ] {
            assert_eq!(
                adjusted(capacity, Adjustment::PercentChangeInCapacity, by),
                wanted,
                "{capacity} by {by} %"
            );
        }
        assert_eq!(adjusted(3, Adjustment::ChangeInCapacity, -5), 0);
        assert_eq!(adjusted(3, Adjustment::ExactCapacity, 7), 7);
    }

    #[test]
    fn proportions_round_up() {
        // Four instances that are all needed, at a target of 80 %: five.
        assert_eq!(proportional(4, 100_000, 80_000), 5);
        // From zero, the metric of 200 asks for two at a target of 100.
        assert_eq!(proportional(1, 200_000, 100_000), 2);
        assert_eq!(proportional(5, 0, 80_000), 0);
    }
}
