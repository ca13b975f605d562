//! Whether the group launches an instance for the tasks of one that is drained by choice.
//!
//! | all of this | else |
//! |---|---|
//! | the group launches instances, and is below its maximum with those that what leaves or drains waits for | it launches nothing for this one |
//! | a pool that will do had no failed launch lately | what it launches is not certain to come |
//! | somebody raises the group for tasks that wait: ECS's managed scaling, or cluster-scaler by its tag | nobody does |
//! | each service with a task on the instance is placed by a strategy that names the group's provider | nobody raises the group for its tasks |
//! | none of them may run less than it desires meanwhile: its minimum lets ECS stop no task first, its maximum lets it start one | tasks would be missing until the launch |
//!
//! Guaranteed: an instance that may be launched is promised once, and not while another one that leaves or drains waits for it.
//!
//! Assumed: one instance more takes what one instance had. Nobody but the one that is named sizes the group: a look at departures reads no
//! scaling policies.

use std::collections::BTreeSet;

use model::ServiceName;
use model::capacity::{CapacityService, Consent, ContainerInstance, Group, GroupPolicy};
use model::drain::{GroupRaiser, PoolRoom};

use super::case::{Case, GroupCase};
use crate::capacity::pools;

/// What is left of what a group may launch.
pub(super) struct Launchable<'a> {
    /// How many instances.
    below_max: u32,
    /// The pools that it may launch from: types and zones.
    pools: BTreeSet<pools::Pool<'a>>,
    /// Who raises its desired capacity when tasks wait.
    raised_by: Option<GroupRaiser>,
}

impl<'a> Launchable<'a> {
    pub(super) fn new(group: &GroupCase<'a>) -> Self {
        let launches = group.of.group.as_ref().filter(|it| {
            it.desired_capacity_type.counts_instances()
                && !it.is_deleting
                && !it.suspended_processes.contains("Launch")
        });
        // What leaves, or drains already, waits for a launch as well, raised for or not: managed scaling takes minutes.
        let goes = |it: &Case<'_>| it.departs() || it.departure.own_drain.is_some();
        let waits = |it: &&Case<'_>| goes(it) && it.needs_room();
        let waiting = group.cases.iter().filter(waits).count();
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let below_max = |it: &Group| it.max_size.saturating_sub(it.desired_capacity);
        Self {
            below_max: launches.map_or(0, |it| below_max(it).saturating_sub(waiting)),
            pools: launches
                .map(|it| pools::not_failed_lately(it, group.look.now))
                .unwrap_or_default(),
            raised_by: launches.and_then(|it| raised_by(it, group.of.managed_scaling)),
        }
    }

    /// One less may be promised: what must be drained without any room waits for a launch, whatever speaks against promising it one.
    pub(super) fn take(&mut self) {
        self.below_max = self.below_max.saturating_sub(1);
    }

    /// The promise of an instance, or what speaks against it. An instance that must leave its pool is replaced from another one.
    pub(super) fn room(
        &mut self,
        case: &Case<'a>,
        may_stay_in_pool: bool,
    ) -> Result<PoolRoom, String> {
        let pool = (
            case.instance.instance_type.as_ref(),
            case.instance.zone.as_ref(),
        );
        let is_other = |it: &&pools::Pool<'a>| may_stay_in_pool || (Some(it.0), Some(it.1)) != pool;
        let pools = self.pools.iter().filter(is_other).count();
        let below_max = self.below_max;
        if below_max == 0 {
            return Err(
                "the group launches nothing, or is at its maximum with what already waits for a launch"
                    .to_owned(),
            );
        }
        if pools == 0 {
            return Err(
                "the group has no other pool from which no launch failed lately".to_owned(),
            );
        }
        let Some(raised_by) = self.raised_by else {
            return Err(
                "nobody raises the group for tasks that wait: its tag `ballast:cluster-scaler` is not `act`, and managed scaling not ENABLED"
                    .to_owned(),
            );
        };
        match no_replacement_first(case) {
            Some(why) => Err(why),
            None => {
                self.take();
                Ok(PoolRoom::Launchable {
                    pools: u32::try_from(pools).unwrap_or(u32::MAX),
                    below_max,
                    raised_by,
                })
            }
        }
    }
}

/// Who raises the group's desired capacity for tasks that find no room. With managed scaling, or a warm pool, cluster-scaler only advises.
fn raised_by(group: &Group, is_managed: bool) -> Option<GroupRaiser> {
    if is_managed {
        return Some(GroupRaiser::ManagedScaling);
    }
    let acts = match GroupPolicy::from_tags(&group.tags) {
        Some(Ok(policy)) => policy.consent == Consent::Act && !policy.paused,
        Some(Err(_)) | None => false,
    };
    (acts && !group.has_warm_pool).then_some(GroupRaiser::ClusterScaler)
}

/// What speaks against replacing the tasks that ECS moves off the instance before it stops them, on an instance that is launched for them.
fn no_replacement_first(case: &Case<'_>) -> Option<String> {
    let services = &case.cluster?.capacity.services;
    let container = case.container()?;
    let moved = case.moved().filter_map(|it| it.service.as_ref());
    let moved: BTreeSet<&ServiceName> = moved.collect();
    moved.into_iter().find_map(|name| {
        let Some(service) = services.get(name) else {
            return Some(format!("`service/{name}` was not read"));
        };
        if !is_of_provider(service, container) {
            return Some(format!(
                "nobody raises the group for `service/{name}`: its strategy does not name the group's capacity provider"
            ));
        }
        (!replaces_first(service)).then(|| {
            format!(
                "`service/{name}` may run less than it desires until the launch (minimum healthy {} % and maximum {} % of {})",
                service.minimum_healthy_percent, service.maximum_percent, service.desired_count
            )
        })
    })
}

/// Whether the service's strategy places tasks with the instance's provider. What has a launch type moves neither cluster-scaler nor managed
/// scaling.
fn is_of_provider(service: &CapacityService, container: &ContainerInstance) -> bool {
    service.strategy.iter().any(|item| {
        (item.base > 0 || item.weight > 0) && Some(&item.provider) == container.provider.as_ref()
    })
}

/// Whether ECS may stop no task of the service before its replacement runs, and may start a replacement first.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-draining.html>
fn replaces_first(service: &CapacityService) -> bool {
    let desired = u64::from(service.desired_count);
    let at_least = (desired * u64::from(service.minimum_healthy_percent)).div_ceil(100);
    let at_most = desired * u64::from(service.maximum_percent) / 100;
    desired <= at_least && desired < at_most
}
