//! A share of AWS's rate limits.
//!
//! ECS counts calls per account and Region in token buckets that several actions share. Whoever else works in the account draws
//! from the same buckets, so that one process keeps to a share of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::deadline::Deadline;

/// Calls that draw from one bucket.
///
/// ECS's buckets, with their sizes and refill rates:
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateBucket {
    /// `UpdateService`, `CreateService`, `DeleteService`.
    ServiceModify,
    /// `DescribeServices`, `ListServices`.
    ServiceRead,
    /// `DescribeClusters`, `ListClusters`.
    ClusterRead,
    /// `DescribeTasks`, `ListTasks`, `DescribeContainerInstances`, `ListContainerInstances`.
    ClusterResourceRead,
    /// `UpdateContainerInstancesState`, `DeregisterContainerInstance`, `RunTask`, `StopTask`.
    ClusterResourceModify,
    /// `GetTaskProtection`, `UpdateTaskProtection`.
    TaskProtection,
    /// `DescribeCapacityProviders`.
    CapacityProviderRead,
    /// `DescribeTaskDefinition`, `ListTaskDefinitions`.
    TaskDefinitionRead,
    /// Every action of Application Auto Scaling. AWS publishes no number.
    ApplicationAutoScaling,
    /// Every action of EC2 Auto Scaling, which share one bucket. AWS publishes no number.
    AutoScaling,
    /// `GetMetricData`. CloudWatch publishes the calls of a second, and no burst.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
    MetricRead,
    /// `DescribeAlarms`. CloudWatch publishes the calls of a second, and no burst.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
    AlarmRead,
}

/// The size of a bucket and what flows into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rate {
    /// How many calls a full bucket allows at once.
    burst: u32,
    /// How many calls are added in a second.
    refill_per_second: u32,
}

/// For the two services that publish no rate: low enough to be lost in the noise of an account, high enough for 5,000 services
/// (100 calls of `DescribeScalableTargets`) within one invocation.
const UNPUBLISHED: Rate = Rate {
    burst: 20,
    refill_per_second: 5,
};

/// The share that a process takes of these two, in percent: 10 calls at once and 5 in two seconds, whatever its share of ECS's is. Only
/// where that is above 100, because AWS has raised the account's rates, it is half of that.
const UNPUBLISHED_SHARE_PERCENT: u32 = 50;

impl RateBucket {
    /// A stable name, for errors and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceModify => "service_modify",
            Self::ServiceRead => "service_read",
            Self::ClusterRead => "cluster_read",
            Self::ClusterResourceRead => "cluster_resource_read",
            Self::ClusterResourceModify => "cluster_resource_modify",
            Self::TaskProtection => "task_protection",
            Self::CapacityProviderRead => "capacity_provider_read",
            Self::TaskDefinitionRead => "task_definition_read",
            Self::ApplicationAutoScaling => "application_auto_scaling",
            Self::AutoScaling => "auto_scaling",
            Self::MetricRead => "metric_read",
            Self::AlarmRead => "alarm_read",
        }
    }

    /// Whether AWS publishes its size. The share that is asked for is one of what AWS publishes.
    const fn is_published(self) -> bool {
        match self {
            Self::ServiceModify
            | Self::ServiceRead
            | Self::ClusterRead
            | Self::ClusterResourceRead
            | Self::ClusterResourceModify
            | Self::TaskProtection
            | Self::CapacityProviderRead
            | Self::TaskDefinitionRead
            | Self::MetricRead
            | Self::AlarmRead => true,
            Self::ApplicationAutoScaling | Self::AutoScaling => false,
        }
    }

    /// The whole bucket, as AWS documents it for an account and Region.
    const fn rate(self) -> Rate {
        match self {
            Self::ServiceModify => Rate {
                burst: 50,
                refill_per_second: 5,
            },
            Self::ServiceRead | Self::ClusterResourceRead => Rate {
                burst: 100,
                refill_per_second: 20,
            },
            Self::ClusterResourceModify => Rate {
                burst: 100,
                refill_per_second: 40,
            },
            Self::TaskProtection => Rate {
                burst: 200,
                refill_per_second: 80,
            },
            Self::ClusterRead | Self::CapacityProviderRead | Self::TaskDefinitionRead => Rate {
                burst: 50,
                refill_per_second: 20,
            },
            Self::ApplicationAutoScaling | Self::AutoScaling => UNPUBLISHED,
            Self::MetricRead => Rate {
                burst: 50,
                refill_per_second: 50,
            },
            Self::AlarmRead => Rate {
                burst: 9,
                refill_per_second: 9,
            },
        }
    }
}

/// The largest share of a budget, in percent. AWS raises the rates of an account on request, so that it may be more than all of what
/// is documented.
pub const SHARE_PERCENT_MAX: u32 = 1_000;

/// No token of a bucket comes free before the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the budget of `{}` calls is spent: the next is free in {} ms, and {} ms are left",
    bucket.as_str(), wait.as_millis(), left.as_millis()
)]
pub struct BudgetSpent {
    /// The bucket that is empty.
    pub bucket: RateBucket,
    /// How long until the next token.
    pub wait: Duration,
    /// How long until the deadline.
    pub left: Duration,
}

/// A share of every bucket. One per process; it is shared by whoever calls AWS.
#[derive(Debug)]
pub struct Budget {
    service_modify: Mutex<Gate>,
    service_read: Mutex<Gate>,
    cluster_read: Mutex<Gate>,
    cluster_resource_read: Mutex<Gate>,
    cluster_resource_modify: Mutex<Gate>,
    task_protection: Mutex<Gate>,
    capacity_provider_read: Mutex<Gate>,
    task_definition_read: Mutex<Gate>,
    application_auto_scaling: Mutex<Gate>,
    auto_scaling: Mutex<Gate>,
    metric_read: Mutex<Gate>,
    alarm_read: Mutex<Gate>,
}

impl Budget {
    /// A budget of `share_percent` of what AWS allows an account by default, at least 1 percent and at most [`SHARE_PERCENT_MAX`].
    #[must_use]
    pub fn new(share_percent: u32) -> Self {
        Self::starting_at(Instant::now(), share_percent.clamp(1, SHARE_PERCENT_MAX))
    }

    fn starting_at(now: Instant, share_percent: u32) -> Self {
        let gate = |bucket: RateBucket| {
            let share_percent = if bucket.is_published() {
                share_percent
            } else {
                UNPUBLISHED_SHARE_PERCENT.max(share_percent / 2)
            };
            Mutex::new(Gate::new(bucket.rate(), share_percent, now))
        };
        Self {
            service_modify: gate(RateBucket::ServiceModify),
            service_read: gate(RateBucket::ServiceRead),
            cluster_read: gate(RateBucket::ClusterRead),
            cluster_resource_read: gate(RateBucket::ClusterResourceRead),
            cluster_resource_modify: gate(RateBucket::ClusterResourceModify),
            task_protection: gate(RateBucket::TaskProtection),
            capacity_provider_read: gate(RateBucket::CapacityProviderRead),
            task_definition_read: gate(RateBucket::TaskDefinitionRead),
            application_auto_scaling: gate(RateBucket::ApplicationAutoScaling),
            auto_scaling: gate(RateBucket::AutoScaling),
            metric_read: gate(RateBucket::MetricRead),
            alarm_read: gate(RateBucket::AlarmRead),
        }
    }

    /// Takes a token, waiting for one while the deadline allows it. Who comes first is served first.
    ///
    /// # Errors
    /// At once, when no token comes free before the deadline.
    pub async fn take(&self, bucket: RateBucket, deadline: Deadline) -> Result<(), BudgetSpent> {
        let now = Instant::now();
        let free_at = self.book(bucket, now, deadline.instant())?;
        if free_at > now {
            tokio::time::sleep_until(free_at).await;
        }
        Ok(())
    }

    /// Books the next token; the answer says from when on it may be used. A refused call books nothing.
    fn book(
        &self,
        bucket: RateBucket,
        now: Instant,
        deadline: Instant,
    ) -> Result<Instant, BudgetSpent> {
        let gate = match bucket {
            RateBucket::ServiceModify => &self.service_modify,
            RateBucket::ServiceRead => &self.service_read,
            RateBucket::ClusterRead => &self.cluster_read,
            RateBucket::ClusterResourceRead => &self.cluster_resource_read,
            RateBucket::ClusterResourceModify => &self.cluster_resource_modify,
            RateBucket::TaskProtection => &self.task_protection,
            RateBucket::CapacityProviderRead => &self.capacity_provider_read,
            RateBucket::TaskDefinitionRead => &self.task_definition_read,
            RateBucket::ApplicationAutoScaling => &self.application_auto_scaling,
            RateBucket::AutoScaling => &self.auto_scaling,
            RateBucket::MetricRead => &self.metric_read,
            RateBucket::AlarmRead => &self.alarm_read,
        };
        // The numbers of a gate are whole at every moment: a panic elsewhere cannot have broken them.
        let mut gate = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let free_at = gate.free_at(now);
        if free_at > now && free_at > deadline {
            return Err(BudgetSpent {
                bucket,
                wait: free_at.saturating_duration_since(now),
                left: deadline.saturating_duration_since(now),
            });
        }
        gate.book(now);
        Ok(free_at)
    }
}

/// A token bucket, kept as the moment at which it will be full again.
#[derive(Debug)]
struct Gate {
    /// How long one token takes to flow in.
    interval: Duration,
    /// How long an empty bucket takes to fill.
    depth: Duration,
    /// When the bucket is full again.
    full_at: Instant,
}

impl Gate {
    fn new(rate: Rate, share_percent: u32, now: Instant) -> Self {
        // Thousandths of a token per second: 1 % of 5 calls per second is 50.
        let millitokens_per_second =
            u64::from(rate.refill_per_second) * u64::from(share_percent) * 10;
        let interval = Duration::from_nanos(1_000_000_000_000 / millitokens_per_second.max(1));
        let burst = (rate.burst * share_percent / 100).max(1);
        Self {
            interval,
            depth: interval * burst,
            full_at: now,
        }
    }

    /// When the next token is free.
    fn free_at(&self, now: Instant) -> Instant {
        let booked = self.full_at.max(now) + self.interval;
        booked.checked_sub(self.depth).unwrap_or(now)
    }

    /// Takes the next token.
    fn book(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many calls a budget lets through from its first moment to `seconds` later, all asked for at once.
    fn check(share_percent: u32, bucket: RateBucket, seconds: u64, calls: u32) {
        let start = Instant::now();
        let budget = Budget::starting_at(start, share_percent.clamp(1, SHARE_PERCENT_MAX));
        let deadline = start + Duration::from_secs(seconds);
        let mut granted = Vec::new();
        while let Ok(free_at) = budget.book(bucket, start, deadline) {
            granted.push(free_at);
        }
        assert!(granted.is_sorted(), "first come, first served");
        assert!(granted.iter().all(|at| *at <= deadline || seconds == 0));
        assert_eq!(
            granted.len(),
            usize::try_from(calls).unwrap(),
            "{share_percent} % of {} for {seconds} s",
            bucket.as_str()
        );
    }

    #[test]
    fn a_share_is_burst_then_refill() {
        check(50, RateBucket::ServiceRead, 0, 50);
        check(50, RateBucket::ServiceRead, 10, 50 + 100);
        check(100, RateBucket::ServiceRead, 10, 100 + 200);
        check(50, RateBucket::ClusterResourceRead, 1, 50 + 10);
        check(50, RateBucket::ServiceModify, 10, 25 + 25);
        check(50, RateBucket::ClusterResourceModify, 2, 50 + 40);
        check(100, RateBucket::TaskProtection, 1, 200 + 80);
        check(50, RateBucket::CapacityProviderRead, 3, 25 + 30);
        check(50, RateBucket::MetricRead, 1, 25 + 25);
        check(50, RateBucket::AlarmRead, 2, 4 + 9);
        check(1, RateBucket::ServiceModify, 40, 1 + 2);
        check(0, RateBucket::ServiceModify, 0, 1);
        check(900, RateBucket::ServiceModify, 1, 450 + 45);
        check(1_001, RateBucket::ServiceModify, 0, 500);
        for share_percent in [1, 50, 100] {
            check(share_percent, RateBucket::AutoScaling, 2, 10 + 5);
            check(share_percent, RateBucket::ApplicationAutoScaling, 0, 10);
        }
        check(1_000, RateBucket::ApplicationAutoScaling, 2, 100 + 50);
    }

    /// What 300 instances that are warned at once cost instance-drain, with its fifth of the rates: ten in each write, and the reads that a look
    /// counts. docs/decisions/025 has the same numbers.
    #[test]
    fn of_300_warned_instances_a_fifth_writes_the_last_ten_within_a_second_and_a_quarter() {
        let start = Instant::now();
        let budget = Budget::starting_at(start, 20);
        let far = start + Duration::from_secs(120);
        let last = |bucket, calls: u32| {
            let free_at = (0..calls).map(|_| budget.book(bucket, start, far).unwrap());
            free_at.max().unwrap().saturating_duration_since(start)
        };
        let reads = [
            (RateBucket::AutoScaling, 1),
            (RateBucket::ClusterRead, 2),
            (RateBucket::CapacityProviderRead, 1),
            (RateBucket::ClusterResourceRead, 9),
        ];
        for (bucket, calls) in reads {
            assert_eq!(last(bucket, calls), Duration::ZERO, "{}", bucket.as_str());
        }
        let (at_once, rest) = (
            last(RateBucket::ClusterResourceModify, 20),
            last(RateBucket::ClusterResourceModify, 10),
        );
        assert_eq!(at_once, Duration::ZERO);
        assert_eq!(rest, Duration::from_millis(1_250));
        assert_eq!(reads.map(|it| it.1).iter().sum::<u32>(), 13);
    }

    #[test]
    fn buckets_do_not_share_tokens_and_refill_while_idle() {
        let start = Instant::now();
        let budget = Budget::starting_at(start, 1);
        let modify = |seconds| {
            let now = start + Duration::from_secs(seconds);
            budget.book(RateBucket::ServiceModify, now, now)
        };
        assert_eq!(modify(0).map(|free_at| free_at <= start), Ok(true));
        let spent = modify(0).unwrap_err();
        assert_eq!(
            spent.to_string(),
            "the budget of `service_modify` calls is spent: the next is free in 20000 ms, and 0 ms are left"
        );
        assert!(budget.book(RateBucket::ServiceRead, start, start).is_ok());
        // A refused call takes nothing away from those that follow.
        for seconds in 0..20 {
            assert!(modify(seconds).is_err(), "after {seconds} s");
        }
        assert!(modify(20).is_ok());
        assert!(modify(20).is_err());
    }

    #[tokio::test]
    async fn no_call_waits_beyond_the_deadline() {
        let budget = Budget::new(1);
        let over = Deadline::after(Duration::ZERO);
        assert!(budget.take(RateBucket::ServiceModify, over).await.is_ok());
        let spent = budget
            .take(RateBucket::ServiceModify, over)
            .await
            .unwrap_err();
        assert_eq!(spent.bucket, RateBucket::ServiceModify);
        assert_eq!(spent.left, Duration::ZERO);
    }
}
