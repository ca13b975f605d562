//! What is remembered of an instance under another subject than the one that it is looked at with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainAction, DrainGroup, DrainKey, DrainMemory,
    DrainSnapshot, DrainStep, LookedInstance, MaintenanceKey, Membership, Whereabouts,
};
use model::memory::Recall;
use model::{ClusterName, ContainerInstanceArn, InstanceId, Seconds};

use super::maintenance::are_two;

/// For how long a word about maintenance is compared with others.
const WORD_SECS: i64 = 86_400;

type Memories = BTreeMap<DrainKey, Recall<DrainMemory>>;

/// What is remembered of an instance, wherever that is: whose drain it is follows an instance that drains into another group, and what it
/// was warned of follows one that registers.
pub(super) fn remembered(
    snapshot: &DrainSnapshot,
    memories: &Memories,
    here: &DrainKey,
    looked: &LookedInstance,
) -> Option<Departure> {
    let id = &looked.id;
    let own = departure(memories, here, id).cloned();
    let has_own_drain = own.as_ref().is_some_and(|it| it.own_drain.is_some());
    let is_draining = snapshot
        .container(looked)
        .is_some_and(|(_, it)| it.status == ContainerInstanceStatus::Draining);
    let mut all: Vec<Departure> = own.into_iter().collect();
    if snapshot.is_full && is_draining && !has_own_drain {
        all.extend(left_behind(snapshot, memories, here, id).cloned());
    }
    let alone = DrainKey::Instance {
        instance: id.clone(),
    };
    let warned = departure(memories, &alone, id).cloned();
    all.extend(warned.map(|mut warned| {
        let is_old = |at: &Timestamp| Seconds(WORD_SECS).after(*at) <= snapshot.taken_at;
        warned.maintenance_said.retain(|_, at| !is_old(at));
        warned
    }));
    all.into_iter().reduce(joined)
}

fn departure<'a>(memories: &'a Memories, key: &DrainKey, id: &InstanceId) -> Option<&'a Departure> {
    memories.get(key)?.known()?.departures.get(id)
}

/// The latest drain of the instance that is remembered of a group that it is not in, unless the place that it is in has taken it back since.
fn left_behind<'a>(
    snapshot: &DrainSnapshot,
    memories: &'a Memories,
    here: &DrainKey,
    id: &InstanceId,
) -> Option<&'a Departure> {
    let known = memories.get(here).and_then(Recall::known);
    let returned_at = known.and_then(|it| it.reversed.get(id)).map(|it| it.at);
    let others = snapshot.groups.iter().filter(|(key, group)| {
        let is_here = *key == here || group.instances.contains_key(id);
        !is_here
    });
    let remembered = others.filter_map(|(key, _)| departure(memories, key, id));
    let drained = remembered.filter(|it| {
        let own = it.own_drain.map(|it| it.at);
        own.is_some() && returned_at < own
    });
    // Of several of one moment the first counts.
    drained.reduce(|a, b| {
        let at = |it: &Departure| it.own_drain.map(|it| it.at);
        if at(a) < at(b) { b } else { a }
    })
}

/// What the first says, and where it says nothing the second; of maintenance what is of the later word.
fn joined(first: Departure, second: Departure) -> Departure {
    let maintenance = joined_maintenance(&first, &second);
    let mut both = first;
    both.own_drain = both.own_drain.or(second.own_drain);
    both.left_at = both.left_at.or(second.left_at);
    both.draining_since = both.draining_since.or(second.draining_since);
    both.causes.retain(|it| it.kind() != CauseKind::Maintenance);
    for cause in second.causes {
        if cause.kind() == CauseKind::Maintenance {
            continue;
        }
        let known = both.causes.iter_mut().find(|it| it.kind() == cause.kind());
        match known {
            None => both.causes.push(cause),
            Some(known) if known.at() < cause.at() => *known = cause,
            Some(_) => {}
        }
    }
    both.other_maintenance = maintenance;
    for (key, at) in second.maintenance_said {
        let last = both.maintenance_said.get(&key).copied().max(Some(at));
        both.maintenance_said.extend(last.map(|at| (key, at)));
    }
    both
}

/// The maintenance that is not known to be called off.
fn joined_maintenance(
    first: &Departure,
    second: &Departure,
) -> BTreeMap<MaintenanceKey, Timestamp> {
    let is_same = |a: &MaintenanceKey, b: &MaintenanceKey| {
        a.code == b.code && !are_two(a.health_event.as_deref(), b.health_event.as_deref())
    };
    let is_later = |key: &MaintenanceKey| spoken_of(first, key) < spoken_of(second, key);
    let (of_first, of_second) = (announced(first), announced(second));
    let mut open: Vec<(MaintenanceKey, Timestamp)> = of_first.clone();
    open.retain(|(key, _)| !is_later(key) || of_second.iter().any(|(it, _)| is_same(it, key)));
    for (key, starts_at) in of_second {
        let is_unheard = spoken_of(first, &key).is_none();
        let is_known = of_first.iter().any(|(it, _)| is_same(it, &key));
        if is_later(&key) || (is_unheard && !is_known) {
            open.retain(|(it, _)| !is_same(it, &key));
            open.push((key, starts_at));
        }
    }
    open.into_iter().collect()
}

/// All maintenance that is remembered as announced.
fn announced(departure: &Departure) -> Vec<(MaintenanceKey, Timestamp)> {
    let mut all: Vec<(MaintenanceKey, Timestamp)> = Vec::new();
    for cause in &departure.causes {
        if let DepartureCause::Maintenance {
            code,
            health_event,
            starts_at,
        } = cause
        {
            let key = MaintenanceKey::new(code, health_event.as_deref());
            all.push((key, *starts_at));
        }
    }
    let others = departure.other_maintenance.iter();
    all.extend(others.map(|(key, starts_at)| (key.clone(), *starts_at)));
    all
}

/// When a maintenance was last spoken of.
fn spoken_of(departure: &Departure, of: &MaintenanceKey) -> Option<Timestamp> {
    let mut last = None;
    for (key, at) in &departure.maintenance_said {
        let is_of_code = key.code.is_empty() || key.code == of.code;
        if is_of_code && !are_two(key.health_event.as_deref(), of.health_event.as_deref()) {
            last = last.max(Some(*at));
        }
    }
    last
}

/// The instance of a step that takes back a drain of one that has left the group: it is in nothing that was looked at, and a cluster that
/// was shows it DRAINING.
pub(super) fn detached(
    snapshot: &DrainSnapshot,
    memories: &Memories,
    group: &DrainGroup,
    step: &DrainStep,
) -> Option<LookedInstance> {
    let (cluster, arn, id) = activated(&step.action)?;
    let is_looked_at = snapshot
        .groups
        .values()
        .any(|it| it.instances.contains_key(id));
    let own = departure(memories, &group.key, id)?.own_drain;
    if is_looked_at || own.is_none() || !snapshot.is_full {
        return None;
    }
    let seen = snapshot.clusters.get(cluster)?;
    let container = seen.capacity.instances.get(arn)?;
    (container.ec2_instance.as_ref() == Some(id)).then(|| LookedInstance {
        id: id.clone(),
        instance_type: None,
        zone: None,
        member: outside(snapshot, id),
        registered: Some((cluster.clone(), arn.clone())),
        tasks_counted: None,
    })
}

/// Its place in a group that is not opted in; `None` only where Auto Scaling said that it is in none.
fn outside(snapshot: &DrainSnapshot, id: &InstanceId) -> Option<Membership> {
    let said = snapshot.outside.get(id);
    let lifecycle = match said {
        Some(Whereabouts::InNoGroup) => None,
        Some(Whereabouts::InGroup { lifecycle, .. }) => Some(*lifecycle),
        Some(Whereabouts::Unread { .. }) | None => Some(Lifecycle::Unknown),
    };
    lifecycle.map(|lifecycle| Membership {
        lifecycle,
        waits_in_hook: false,
        is_healthy: true,
        terminating_since: None,
    })
}

const fn activated(
    action: &DrainAction,
) -> Option<(&ClusterName, &ContainerInstanceArn, &InstanceId)> {
    match action {
        DrainAction::Activate {
            cluster,
            container_instance,
            instance,
        } => Some((cluster, container_instance, instance)),
        DrainAction::Drain { .. }
        | DrainAction::StopTask { .. }
        | DrainAction::RecordHeartbeat { .. }
        | DrainAction::CompleteLifecycleAction { .. } => None,
    }
}
