//! Container instances that drain and are in nothing that is opted in: Ballast may have drained them before they left.
//!
//! An observer has no memory, so that it asks about all of them. There are few: DRAINING ends with the instance, or is taken back.
//!
//! Assumed: DescribeAutoScalingInstances tells of instances in a warm pool as well: their states are among its answers.
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingInstanceDetails.html>

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::Whereabouts;
use model::snapshot::{Gap, GapCause};
use model::{ClusterName, InstanceId};

use crate::drain::clusters::Searched;
use crate::drain::membership::{self, DESCRIBE_AUTO_SCALING_INSTANCES, Member, Members};
use crate::drain::{Look, Seen, strays};
use crate::limits::OUTSIDE_MAX;

/// Where Auto Scaling has these instances. `members` tells it of some already. Of more than [`OUTSIDE_MAX`] others not all are asked about, with
/// each minute of AWS's time the next ones; the rest is unread.
pub(crate) async fn read(
    look: &mut Look<'_>,
    seen: &Seen,
    members: Members,
) -> BTreeMap<InstanceId, Whereabouts> {
    let looked: BTreeSet<&InstanceId> = seen.looked().map(|it| &it.id).collect();
    let draining: BTreeSet<&InstanceId> = seen
        .clusters
        .values()
        .flat_map(draining)
        .filter(|it| !looked.contains(it))
        .collect();
    let mut open: Vec<&InstanceId> = draining
        .iter()
        .copied()
        .filter(|it| !members.contains_key(*it))
        .collect();
    crate::turn(&mut open, OUTSIDE_MAX, look.now());
    let unasked = open.split_off(open.len().min(OUTSIDE_MAX));
    let asked = open.into_iter().cloned().collect();
    let gap = not_asked(unasked.len());
    let unasked = unasked.into_iter().map(|id| (id.clone(), Err(gap.clone())));
    let mut all = members;
    all.retain(|id, _| draining.contains(id));
    all.extend(membership::read(look, &asked).await);
    all.extend(unasked);
    all.into_iter().map(|(id, it)| (id, place(it))).collect()
}

/// The gap of those that are not asked about: one for all.
fn not_asked(instances: usize) -> Gap {
    Gap {
        operation: DESCRIBE_AUTO_SCALING_INSTANCES.to_owned(),
        resource: "*".to_owned(),
        cause: GapCause::BudgetSpent,
        detail: format!(
            "not sent for {instances} instances that drain in nothing that is opted in: one look asks about {OUTSIDE_MAX}"
        ),
    }
}

fn place(read: Result<Option<Member>, Gap>) -> Whereabouts {
    match read {
        Ok(None) => Whereabouts::InNoGroup,
        Ok(Some(Member { group, instance })) => Whereabouts::InGroup {
            group,
            lifecycle: instance
                .member
                .map_or(Lifecycle::Unknown, |it| it.lifecycle),
        },
        Err(gap) => Whereabouts::Unread { gap },
    }
}

/// The instances of a cluster that are DRAINING, but those that AWS drains and replaces itself.
fn draining(searched: &Searched) -> impl Iterator<Item = &InstanceId> {
    let all = searched.opened.capacity.instances.values();
    let draining = all.filter(|it| {
        it.status == ContainerInstanceStatus::Draining && !strays::is_managed(searched, it)
    });
    draining.filter_map(|it| it.ec2_instance.as_ref())
}

/// The clusters that these instances are in.
pub(crate) fn clusters(
    all: &BTreeMap<ClusterName, Searched>,
    outside: &BTreeMap<InstanceId, Whereabouts>,
) -> Vec<ClusterName> {
    let holds = |searched: &Searched| draining(searched).any(|it| outside.contains_key(it));
    let holding = all.iter().filter(|(_, searched)| holds(searched));
    holding.map(|(name, _)| name.clone()).collect()
}

/// The clusters of which every container instance is known: those that were read whole, and those in which ECS counts none. Of a look at
/// what events named none.
pub(crate) fn searched(
    all: &BTreeMap<ClusterName, Searched>,
    is_full: bool,
) -> BTreeSet<ClusterName> {
    let known = all.iter().filter(|(_, searched)| {
        is_full && (searched.has_every_instance || !searched.may_hold_instances())
    });
    known.map(|(name, _)| name.clone()).collect()
}
