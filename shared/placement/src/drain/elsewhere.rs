//! What is remembered of an instance elsewhere than where it is now: before it registered, or of the group that it has left.
//!
//! | it is now | and elsewhere | then |
//! |---|---|---|
//! | in no group, just registered in an opted-in cluster | it was warned before ([`unregistered`]) | it leaves for that, unless it was called off, in whatever order that was told |
//! | in another opted-in group, or in none in an opted-in cluster, DRAINING | Ballast drained it in the group that it has left | that drain is Ballast's own there too |
//! | in nothing that is opted in, and a container instance that is DRAINING | the same | the group that it has left looks after it until the drain is taken back |
//! | in nothing that is opted in, and a container instance that is ACTIVE | the same, [`READ_LAG`] ago and more | somebody else took the drain back: a later one is theirs |
//!
//! Of the third only what is in no group at all, or in service in one, is set to ACTIVE: not what waits in a warm pool, is on its way out of a
//! group that is not opted in, or of which AWS did not tell.
//!
//! Guaranteed: what is remembered where the instance is comes first. Whose drain it is moves only in a look at everything, and never to an
//! instance that was set to ACTIVE again since. Nothing is forgotten in one place before it is remembered in the other.
//!
//! Assumed: what registers does so within [`DrainSnapshot::NEW_FOR`] of the look that shows it first.
//!
//! Absent: instances of clusters of which nothing else is looked at. Ballast's drain of them is remembered, for as long as it is taken for its own,
//! until a look shows the cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{ContainerInstance, ContainerInstanceStatus, Lifecycle};
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainHold, DrainHoldReason, DrainKey, DrainMemory,
    DrainSnapshot, DrainSubject, InstancePassedOver, LookedInstance, MaintenanceKey, Membership,
    Whereabouts,
};
use model::ids::{ClusterName, InstanceId};
use model::memory::Recall;

use super::case::Place;
use super::causes::{self, set, set_later};
use super::said::{
    Said, change_maintenance, choose_maintenance, forget, known_maintenance, last_said,
};
use crate::fallback::foreign::READ_LAG;

/// What is remembered of instances in places that they are not in.
#[derive(Default)]
pub(crate) struct Elsewhere<'a> {
    /// Of those that were not registered when they were warned, without what is forgotten in other places too.
    unregistered: BTreeMap<&'a InstanceId, Departure>,
    /// Of those that Ballast drained in a group that they have left.
    left: BTreeMap<&'a InstanceId, &'a Departure>,
    /// The instances that a group need not remember any more.
    handed_over: BTreeSet<(&'a DrainKey, &'a InstanceId)>,
    /// The instances that have left a group for nothing that is opted in, and drain by Ballast's hand.
    detached: BTreeMap<&'a DrainKey, Vec<LookedInstance>>,
}

type Memories = BTreeMap<DrainKey, Recall<DrainMemory>>;

fn known<'a>(memories: &'a Memories, key: &DrainKey) -> Option<&'a DrainMemory> {
    memories.get(key)?.known()
}

impl<'a> Elsewhere<'a> {
    pub(crate) fn new(snapshot: &'a DrainSnapshot, memories: &'a Memories) -> Self {
        let mut elsewhere = Self::default();
        for (key, recall) in memories {
            if let (DrainKey::Instance { instance }, Recall::Known(memory)) = (key, recall)
                && let Some(departure) = memory.departures.get(instance)
            {
                let mut departure = departure.clone();
                forget(&mut departure, snapshot.taken_at);
                elsewhere.unregistered.insert(instance, departure);
            }
        }
        if snapshot.is_full {
            elsewhere.find_left(snapshot, memories);
        }
        elsewhere
    }

    fn find_left(&mut self, snapshot: &'a DrainSnapshot, memories: &'a Memories) {
        let mut place_of: BTreeMap<&InstanceId, (&DrainKey, &LookedInstance)> = BTreeMap::new();
        for (key, group) in &snapshot.groups {
            place_of.extend(group.instances.iter().map(|(id, it)| (id, (key, it))));
        }
        let mut containers: Option<Containers<'a>> = None;
        for (key, group) in &snapshot.groups {
            let Some(memory) = known(memories, key) else {
                continue;
            };
            for (id, departure) in &memory.departures {
                let Some(own) = departure.own_drain else {
                    continue;
                };
                if group.instances.contains_key(id) {
                    continue;
                }
                // Until then AWS's answer may be older than the write.
                let shows = READ_LAG.after(own.at) <= snapshot.taken_at;
                match place_of.get(id) {
                    Some((now_in, looked)) => {
                        let remembered = known(memories, now_in);
                        let has_own = remembered.is_some_and(|it| {
                            let of_it = it.departures.get(id);
                            of_it.is_some_and(|it| it.own_drain.is_some())
                                || it.reversed.get(id).is_some_and(|it| own.at <= it.at)
                        });
                        let container = snapshot.container(looked).map(|(_, it)| it);
                        if has_own || container.is_some_and(|it| shows && takes_tasks(it)) {
                            self.handed_over.insert((key, id));
                        } else if container.is_some_and(is_draining) {
                            self.leave(id, departure);
                        }
                    }
                    None => {
                        let containers = containers.get_or_insert_with(|| by_instance(snapshot));
                        let Some((cluster, container)) = containers.get(id) else {
                            continue;
                        };
                        if is_draining(container) {
                            let member = member(snapshot, id);
                            let looked = detached(id, cluster, container, member);
                            self.detached.entry(key).or_default().push(looked);
                        } else if shows && takes_tasks(container) {
                            self.handed_over.insert((key, id));
                        }
                    }
                }
            }
        }
    }

    /// Of several groups that it has left the last one counts.
    fn leave(&mut self, id: &'a InstanceId, departure: &'a Departure) {
        let at = |it: &Departure| it.own_drain.map(|it| it.at);
        let known = self.left.get(id).copied();
        if known.is_none_or(|known| at(known) < at(departure)) {
            self.left.insert(id, departure);
        }
    }

    /// The instances that have left the group for nothing that is opted in.
    pub(crate) fn detached(&self, key: &DrainKey) -> &[LookedInstance] {
        self.detached
            .get(key)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// Whether the group need not remember the instance any more.
    pub(crate) fn is_handed_over(&self, key: &DrainKey, id: &InstanceId) -> bool {
        self.handed_over.contains(&(key, id))
    }

    /// What is remembered of an instance, here and elsewhere.
    pub(crate) fn departure(&self, id: &InstanceId, here: Option<&Departure>) -> Departure {
        let mut departure = here.cloned().unwrap_or_default();
        if departure.own_drain.is_none()
            && let Some(left) = self.left.get(id)
        {
            departure.own_drain = left.own_drain;
            departure.drained_in.clone_from(&left.drained_in);
            departure.left_at = left.left_at;
            departure.draining_since = departure.draining_since.or(left.draining_since);
            add_causes(&mut departure, left);
        }
        if let Some(before) = self.unregistered.get(id) {
            add_causes(&mut departure, before);
        }
        departure
    }
}

/// Adds what is known elsewhere and not, or not as late, here. Of a maintenance that place counts of which AWS Health spoke last.
fn add_causes(departure: &mut Departure, elsewhere: &Departure) {
    for cause in &elsewhere.causes {
        match cause {
            DepartureCause::SpotInterruption { .. }
            | DepartureCause::CapacityReservationInterruption { .. }
            | DepartureCause::Rebalance { .. } => set_later(departure, cause.clone()),
            DepartureCause::Terminating { .. }
            | DepartureCause::Stopping { .. }
            | DepartureCause::AgentLost { .. } => {
                if departure.cause(cause.kind()).is_none() {
                    set(departure, cause.clone());
                }
            }
            // The others are beside it.
            DepartureCause::Maintenance { .. } => {}
        }
    }
    add_maintenance(departure, elsewhere);
}

fn add_maintenance(departure: &mut Departure, elsewhere: &Departure) {
    let is_later_there =
        |here: &Departure, key: &MaintenanceKey| last_said(here, key) < last_said(elsewhere, key);
    let mut open_there = elsewhere.other_maintenance.clone();
    open_there.extend(known_maintenance(elsewhere));
    let here = departure.clone();
    change_maintenance(departure, |all| {
        // What was spoken of later there, and is not known there, was called off. So it was where nobody knows here any more when it was announced.
        all.retain(|key, _| {
            open_there.keys().any(|it| it.may_be(key)) || !is_later_there(&here, key)
        });
        for (key, starts_at) in &open_there {
            let is_known = all.keys().any(|it| it.may_be(key));
            if is_later_there(&here, key) || (!is_known && last_said(&here, key).is_none()) {
                all.retain(|it, _| !it.may_be(key));
                all.insert(key.clone(), *starts_at);
            }
        }
    });
    for (key, at) in &elsewhere.maintenance_said {
        let known = departure.maintenance_said.entry(key.clone()).or_insert(*at);
        *known = (*known).max(*at);
    }
}

type Containers<'a> = BTreeMap<&'a InstanceId, (&'a ClusterName, &'a ContainerInstance)>;

/// The container instances by their EC2 instance. One that registered anew has several, of which the old ones stay as they were when its agent
/// was last connected to them: that counts whose agent is connected. While none is, one that is DRAINING counts before one that is ACTIVE, so that
/// no old one takes Ballast's drain for taken back; of several the one that registered last.
fn by_instance(snapshot: &DrainSnapshot) -> Containers<'_> {
    let mut containers: Containers<'_> = BTreeMap::new();
    for (name, cluster) in &snapshot.clusters {
        for container in cluster.capacity.instances.values() {
            if let Some(id) = &container.ec2_instance {
                let known = containers.get(id).map(|(_, it)| liveness(it));
                if known < Some(liveness(container)) {
                    containers.insert(id, (name, container));
                }
            }
        }
    }
    containers
}

fn liveness(container: &ContainerInstance) -> impl Ord + use<> {
    (
        container.agent_connected,
        is_draining(container),
        takes_tasks(container),
        container.registered_at,
        container.arn.clone(),
    )
}

fn takes_tasks(container: &ContainerInstance) -> bool {
    container.status == ContainerInstanceStatus::Active
}

fn is_draining(container: &ContainerInstance) -> bool {
    container.status == ContainerInstanceStatus::Draining
}

/// Its place in a group that is not opted in. Of one of which AWS did not tell that is unknown: it is not taken for an instance in none. The
/// hooks of that group are nobody's here.
fn member(snapshot: &DrainSnapshot, id: &InstanceId) -> Option<Membership> {
    let lifecycle = match snapshot.outside.get(id) {
        Some(Whereabouts::InNoGroup) => return None,
        Some(Whereabouts::InGroup { lifecycle, .. }) => *lifecycle,
        Some(Whereabouts::Unread { .. }) | None => Lifecycle::Unknown,
    };
    Some(Membership {
        lifecycle,
        waits_in_hook: false,
        is_healthy: true,
        terminating_since: None,
    })
}

fn detached(
    id: &InstanceId,
    cluster: &ClusterName,
    container: &ContainerInstance,
    member: Option<Membership>,
) -> LookedInstance {
    LookedInstance {
        id: id.clone(),
        instance_type: container.instance_type.clone(),
        zone: container.zone.clone(),
        member,
        registered: Some((cluster.clone(), container.arn.clone())),
        tasks_counted: None,
    }
}

/// What an instance that an event named and that is not looked after comes to, and what to remember of it: why it certainly leaves, by
/// what events said, where it may register yet.
pub(crate) fn unregistered(
    instance: &InstanceId,
    why: &InstancePassedOver,
    recall: Option<&Recall<DrainMemory>>,
    said: &Said<'_>,
    now: Timestamp,
) -> (DrainHold, Option<DrainMemory>) {
    let mut until = None;
    let mut memory = None;
    let reason = match why {
        InstancePassedOver::NotOptedIn { group, cluster } => DrainHoldReason::NotOptedIn {
            group: group.clone(),
            cluster: cluster.clone(),
        },
        InstancePassedOver::NotFound => DrainHoldReason::NotFound,
        InstancePassedOver::Unread { gap } => DrainHoldReason::Unread { gap: gap.clone() },
        InstancePassedOver::LeftToSchedule { group } => DrainHoldReason::LeftToSchedule {
            group: group.clone(),
        },
        InstancePassedOver::NotRegistered => {
            let nothing = DrainMemory::default();
            let before = match recall {
                None => Some(&nothing),
                Some(recall) => recall.known(),
            };
            let known = before.and_then(|it| it.departures.get(instance));
            let departure = told(instance, known, said, now);
            memory = before.map(|_| {
                let mut memory = DrainMemory::default();
                if departure != Departure::default() {
                    memory
                        .departures
                        .insert(instance.clone(), departure.clone());
                }
                memory
            });
            let first = departure.causes.into_iter().next();
            until = first.as_ref().and_then(causes::over_at);
            match first {
                Some(why) => DrainHoldReason::NotRegistered { why },
                None => DrainHoldReason::NotFound,
            }
        }
    };
    let hold = DrainHold {
        subject: DrainSubject::Instances {
            key: DrainKey::Instance {
                instance: instance.clone(),
            },
            instances: vec![instance.clone()],
        },
        reason,
        numbers: None,
        until,
    };
    (hold, memory)
}

/// Why it certainly leaves, by what is remembered and what events said. Where nothing is left of that, still for a day when AWS Health last spoke
/// of its maintenance: an older word that comes later says nothing then.
fn told(
    instance: &InstanceId,
    known: Option<&Departure>,
    said: &Said<'_>,
    now: Timestamp,
) -> Departure {
    let place = Place::NotRegistered;
    let mut departure = known.cloned().unwrap_or_default();
    forget(&mut departure, now);
    let is_over = |it: &DepartureCause| causes::is_over(it, place, now);
    // What comes too late is over at once here: no agent's silence speaks for it.
    said.tell(&mut departure, instance, is_over, |_, _| false);
    let is_told = |it: &DepartureCause| match it.kind() {
        CauseKind::SpotInterruption
        | CauseKind::CapacityReservationInterruption
        | CauseKind::Maintenance => true,
        // The state tells these, or a stop is over before the instance registers; the last two are a choice.
        CauseKind::Terminating
        | CauseKind::Stopping
        | CauseKind::Rebalance
        | CauseKind::AgentLost => false,
    };
    if departure.ended_at.is_some() {
        return Departure::default();
    }
    let stays = |it: &DepartureCause| is_told(it) && !causes::is_over(it, place, now);
    departure.causes.retain(stays);
    choose_maintenance(&mut departure, None, causes::MAINTENANCE_OVER, now);
    if departure.causes.is_empty() {
        forget(&mut departure, now);
    }
    Departure {
        causes: departure.causes,
        maintenance_said: departure.maintenance_said,
        other_maintenance: departure.other_maintenance,
        ..Departure::default()
    }
}
