//! The container instances of an opted-in cluster that are in no Auto Scaling group.

use std::collections::BTreeSet;

use model::InstanceId;
use model::capacity::ContainerInstance;
use model::drain::{DrainGroup, LookedInstance};
use model::snapshot::{Gap, GapCause};

use crate::drain::Look;
use crate::drain::clusters::Searched;
use crate::drain::membership::{self, DESCRIBE_AUTO_SCALING_INSTANCES, Members};
use crate::limits::INSTANCES_ASKED_MAX;

/// Whether an instance is one of ECS Managed Instances, which AWS drains and replaces itself.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ManagedInstances.html>
pub(crate) fn is_managed(searched: &Searched, instance: &ContainerInstance) -> bool {
    let provider = instance.provider.as_ref();
    provider.is_some_and(|it| searched.opened.is_managed_instances(it))
}

/// An instance in no group.
pub(crate) fn looked(id: &InstanceId) -> LookedInstance {
    LookedInstance {
        id: id.clone(),
        instance_type: None,
        zone: None,
        member: None,
        registered: None,
        tasks_counted: None,
    }
}

/// Reads which of the cluster's instances are in no group, and puts them into `group`. `known` are left out: they are in a group, or it is
/// known already that they are in none. The answer is the groups of the others.
pub(crate) async fn read(
    look: &mut Look<'_>,
    searched: &Searched,
    known: &BTreeSet<InstanceId>,
    group: &mut DrainGroup,
) -> Members {
    let capacity = &searched.opened.capacity;
    let open = capacity.instances.values();
    let open = open.filter(|it| !is_managed(searched, it));
    let mut open: BTreeSet<InstanceId> = open
        .filter_map(|it| it.ec2_instance.clone())
        .filter(|id| !known.contains(id))
        .collect();
    let rest = match open.iter().nth(INSTANCES_ASKED_MAX).cloned() {
        Some(first) => open.split_off(&first),
        None => BTreeSet::new(),
    };
    if !rest.is_empty() {
        group.gaps.push(Gap {
            operation: DESCRIBE_AUTO_SCALING_INSTANCES.to_owned(),
            resource: capacity.cluster.to_string(),
            cause: GapCause::BudgetSpent,
            detail: format!(
                "not sent for {} instances: one look asks the groups of {INSTANCES_ASKED_MAX}",
                rest.len()
            ),
        });
    }
    let mut members = membership::read(look, &open).await;
    let mut gaps = BTreeSet::new();
    for (id, read) in &members {
        match read {
            Ok(None) => _ = group.instances.insert(id.clone(), looked(id)),
            Ok(Some(_)) => {}
            Err(gap) => _ = gaps.insert(gap.clone()),
        }
    }
    group.gaps.extend(gaps);
    members.retain(|id, _| !group.instances.contains_key(id));
    members
}
