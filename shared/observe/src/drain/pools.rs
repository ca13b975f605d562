//! The warm pools of groups, whose instances no list of groups shows.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-warm-pools.html>
//!
//! What is on its way out of a pool is of its group as any other instance: it waits in the same hooks. What waits there until it is needed is
//! known to be there, and nothing more.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_warm_pool::DescribeWarmPoolOutput;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Instance};
use calls::RateBucket;
use model::capacity::Lifecycle;
use model::drain::{DrainGroup, DrainKey};
use model::snapshot::{Gap, GapCause};
use model::{AutoScalingGroupName, IdError, InstanceId};

use crate::drain::Look;
use crate::drain::membership::{Member, Members, Told};
use crate::limits::{WARM_POOL_INSTANCES_PER_PAGE, WARM_POOL_PAGE, WARM_POOL_PAGES_MAX};
use crate::look::unreadable;

const DESCRIBE_WARM_POOL: &str = "autoscaling:DescribeWarmPool";

/// The warm pool of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Whose.
    pub(crate) group: AutoScalingGroupName,
    /// How many pages it takes, by the size that the list of groups tells.
    pages: usize,
}

/// The warm pool of a group that was described. One that is being deleted may still hold instances, and so may one of which no size is told.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>
pub(crate) fn of(answer: &AutoScalingGroup) -> Option<Pool> {
    let size = answer.warm_pool_size().and_then(|it| it.try_into().ok());
    let size: usize = size.unwrap_or_default();
    if size == 0 && answer.warm_pool_configuration().is_none() {
        return None;
    }
    Some(Pool {
        group: answer.auto_scaling_group_name()?.parse().ok()?,
        pages: size.div_ceil(WARM_POOL_INSTANCES_PER_PAGE).max(1),
    })
}

/// How many calls it takes to read these pools.
pub(crate) fn pages(pools: &[Pool]) -> usize {
    pools.iter().map(|it| it.pages).sum()
}

/// Reads the pools of groups that are looked at with all their instances. What is on its way out joins its group; the answer is where the others
/// are. Of more than [`WARM_POOL_PAGES_MAX`] pages not all pools are read, with each minute of AWS's time the next ones. One that was not
/// read leaves a gap at its group.
pub(crate) async fn join(
    look: &mut Look<'_>,
    groups: &mut BTreeMap<DrainKey, DrainGroup>,
    pools: Vec<Pool>,
) -> Members {
    let pages = pages(&pools);
    let mut parts = parts(pools);
    let first = crate::first_of(parts.len(), look.now());
    parts.rotate_left(first);
    let mut parts = parts.into_iter();
    let mut waiting = Members::new();
    for pool in parts.next().unwrap_or_default() {
        let (members, rest) = read(look, &pool).await;
        if let Some(group) = groups.get_mut(&key(&pool)) {
            group.gaps.extend(rest);
            take(group, members, &mut waiting);
        }
    }
    for pool in parts.flatten() {
        if let Some(group) = groups.get_mut(&key(&pool)) {
            group.gaps.push(not_in_turn(&pool, pages));
        }
    }
    waiting
}

/// The pools in parts of which one look reads one.
fn parts(pools: Vec<Pool>) -> Vec<Vec<Pool>> {
    let mut parts: Vec<Vec<Pool>> = Vec::new();
    for pool in pools {
        match parts.last_mut() {
            Some(part) if pages(part).saturating_add(pool.pages) <= WARM_POOL_PAGES_MAX => {
                part.push(pool);
            }
            Some(_) | None => parts.push(vec![pool]),
        }
    }
    parts
}

fn key(pool: &Pool) -> DrainKey {
    DrainKey::Group {
        group: pool.group.clone(),
    }
}

fn not_in_turn(pool: &Pool, pages: usize) -> Gap {
    Gap {
        operation: DESCRIBE_WARM_POOL.to_owned(),
        resource: pool.group.to_string(),
        cause: GapCause::BudgetSpent,
        detail: format!(
            "not sent: the warm pools have {pages} pages, of which one look reads {WARM_POOL_PAGES_MAX}"
        ),
    }
}

/// Puts a pool's instances into their group. One that the group's own description has was there a moment ago.
fn take(group: &mut DrainGroup, members: Vec<Member>, waiting: &mut Members) {
    for member in members {
        let id = member.instance.id.clone();
        if group.instances.contains_key(&id) {
            continue;
        }
        let place = member.instance.member.as_ref();
        if place.is_some_and(|it| it.lifecycle == Lifecycle::Terminating) {
            group.instances.insert(id, member.instance);
        } else {
            group.in_warm_pool.insert(id.clone());
            waiting.insert(id, Ok(Some(member)));
        }
    }
}

/// Looks for instances in these pools, one after the other, until none is `open`. Those that are found are taken off that; the answer are they,
/// and why the others may be in a pool all the same.
pub(crate) async fn find(
    look: &mut Look<'_>,
    pools: &[Pool],
    open: &mut BTreeSet<InstanceId>,
) -> (Members, Option<Gap>) {
    let mut found = Members::new();
    let mut unread = None;
    for pool in pools {
        if open.is_empty() {
            break;
        }
        let (members, rest) = read(look, pool).await;
        let members = members.into_iter().map(|it| (it.instance.id.clone(), it));
        found.extend(
            members
                .filter(|(id, _)| open.remove(id))
                .map(|(id, member)| (id, Ok(Some(member)))),
        );
        unread = unread.or(rest);
        if look.is_over() {
            break;
        }
    }
    (found, unread)
}

/// Reads a pool, and why not to its end.
async fn read(look: &mut Look<'_>, pool: &Pool) -> (Vec<Member>, Option<Gap>) {
    let autoscaling = &look.observer.autoscaling;
    let about = pool.group.as_str();
    let send = |token| {
        autoscaling
            .describe_warm_pool()
            .auto_scaling_group_name(about)
            .max_records(WARM_POOL_PAGE)
            .set_next_token(token)
            .send()
    };
    let mut members = Vec::new();
    let mut fault = None;
    let take = |page: DescribeWarmPoolOutput| {
        for answer in page.instances() {
            match member(&pool.group, answer) {
                Ok(member) => members.push(member),
                Err(error) => fault = Some(error),
            }
        }
        page.next_token
    };
    let bucket = RateBucket::AutoScaling;
    let read = look.pages(bucket, DESCRIBE_WARM_POOL, about, send, take);
    let rest = read.await.err();
    let fault = fault.map(|it| unreadable(DESCRIBE_WARM_POOL, about, &it.to_string()));
    (members, rest.or(fault))
}

fn member(group: &AutoScalingGroupName, answer: &Instance) -> Result<Member, IdError> {
    let id = answer.instance_id().unwrap_or_default().parse()?;
    let told = Told {
        instance_type: answer.instance_type(),
        zone: answer.availability_zone(),
        state: answer.lifecycle_state().map_or("", |it| it.as_str()),
        health: answer.health_status(),
    };
    Ok(Member {
        group: group.clone(),
        instance: told.instance(id)?,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::WarmPoolConfiguration;

    use super::*;

    /// How many pages the pool of such a group takes. `None`: it has no pool.
    fn check(size: Option<i32>, is_configured: bool, want: Option<usize>) {
        let configuration = is_configured.then(|| WarmPoolConfiguration::builder().build());
        let group = AutoScalingGroup::builder()
            .auto_scaling_group_name("web")
            .set_warm_pool_size(size)
            .set_warm_pool_configuration(configuration)
            .build();
        let pages = of(&group).map(|it| it.pages);
        assert_eq!(pages, want, "{size:?} {is_configured}");
    }

    #[test]
    fn a_group_has_a_pool_where_its_size_or_its_configuration_tells_so() {
        check(None, false, None);
        check(Some(0), false, None);
        check(Some(-1), false, None);
        check(Some(0), true, Some(1));
        check(None, true, Some(1));
        check(Some(1), false, Some(1));
        check(Some(50), true, Some(1));
        check(Some(51), true, Some(2));
        check(Some(500), true, Some(10));
    }

    #[test]
    fn every_pool_is_in_one_part_and_no_part_of_several_is_too_large() {
        let pool = |(number, pages): (usize, &usize)| Pool {
            group: format!("web-{number}").parse().unwrap(),
            pages: *pages,
        };
        let sizes = [1, 25, 19, 1, 1, 20, 3];
        let all: Vec<Pool> = sizes.iter().enumerate().map(pool).collect();
        let parts = parts(all.clone());
        let of_parts: Vec<usize> = parts.iter().map(|it| pages(it)).collect();
        assert_eq!(of_parts, [1, 25, 20, 1, 20, 3]);
        assert_eq!(parts.concat(), all);
    }
}
