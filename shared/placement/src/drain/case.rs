//! What the rules ask about: a look, a group, an instance.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{
    ClusterCapacity, Consent, ContainerInstance, ContainerInstanceStatus, InstanceTask, Lifecycle,
};
use model::drain::{
    CauseKind, Departure, DepartureCause, DrainCluster, DrainGroup, DrainKey, DrainMemory,
    DrainPolicy, DrainSnapshot, LifecycleHook, LookedInstance,
};
use model::ids::{ClusterName, InstanceId};
use model::memory::Recall;
use model::policy::Installation;
use model::snapshot::Gap;
use model::{Seconds, TaskArn};

use super::causes;
use super::elsewhere::Elsewhere;
use super::said::Said;
use super::stuck::Stuck;
use crate::capacity::index::Index;

/// How much later than its interval the schedule's next look may decide: EventBridge's own delay, and the time that an invocation waits and
/// reads. The number is ours.
pub(crate) const LOOK_LAG: Seconds = Seconds(30);

/// Everything that is decided about at once.
#[derive(Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) snapshot: &'a DrainSnapshot,
    pub(crate) installation: &'a Installation,
    pub(crate) now: Timestamp,
}

impl Look<'_> {
    /// When the schedule looks the next time, at the latest.
    pub(crate) fn next_look_at(&self) -> Timestamp {
        LOOK_LAG.after(self.installation.schedule_interval.after(self.now))
    }

    /// When it looks the time after, at the latest: one look may be missed.
    pub(crate) fn look_after_next_at(&self) -> Timestamp {
        self.installation
            .schedule_interval
            .after(self.next_look_at())
    }
}

/// What of the tasks on instances is asked for again and again, by cluster.
pub(crate) type Indexes<'a> = BTreeMap<&'a ClusterName, Index<'a>>;

/// Indexes the clusters.
pub(crate) fn indexes(snapshot: &DrainSnapshot) -> Indexes<'_> {
    let clusters = snapshot.clusters.iter();
    clusters
        .map(|(name, it)| (name, Index::new(&it.capacity, &BTreeSet::new())))
        .collect()
}

/// What a group's tags let Ballast do. Those that act come first where several ask for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// What the plan says.
    Act,
    /// Nothing; what would be done is recorded.
    Advise,
    /// Nothing.
    Held,
}

/// A group, or a cluster for its instances in none.
pub(crate) struct GroupCase<'a> {
    pub(crate) look: Look<'a>,
    pub(crate) of: &'a DrainGroup,
    /// The policy; with tags that cannot be used, every default.
    pub(crate) policy: DrainPolicy,
    pub(crate) standing: Standing,
    /// What was remembered; `None` where the ledger did not answer.
    pub(crate) before: Option<&'a DrainMemory>,
    /// Everything that could not be observed about it, each once.
    pub(crate) gaps: Vec<Gap>,
    /// What is remembered of its instances elsewhere.
    pub(crate) elsewhere: &'a Elsewhere<'a>,
    pub(crate) cases: Vec<Case<'a>>,
}

/// Where an instance is in its life as a container instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// It is in no cluster that Ballast looks after.
    NotRegistered,
    /// It is being registered, or it is not known what it is.
    Registering,
    /// It takes tasks.
    Active(&'a ContainerInstance),
    /// It takes no more tasks.
    Draining(&'a ContainerInstance),
    /// It is deregistered, or about to be; by ECS's own word.
    Gone(&'static str),
}

/// An instance's wait in a hook of its group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    /// Since when.
    pub(crate) since: Timestamp,
    /// Whether that is known. It is not where neither AWS nor the ledger nor an event tells.
    pub(crate) is_since_known: bool,
    /// Ballast's hook, and until when Ballast keeps the instance waiting in it. `None` where the group has no such hook.
    pub(crate) own: Option<(&'a LifecycleHook, Timestamp)>,
}

/// An instance that was looked at.
pub(crate) struct Case<'a> {
    pub(crate) instance: &'a LookedInstance,
    /// Whether it has left the group for nothing that is opted in.
    pub(crate) is_detached: bool,
    pub(crate) cluster: Option<&'a DrainCluster>,
    pub(crate) place: Place<'a>,
    /// Its tasks that are not STOPPED; `None` where they were not read.
    pub(crate) tasks: Option<Vec<&'a InstanceTask>>,
    /// What is remembered of it, brought up to date.
    pub(crate) departure: Departure,
    /// What shows that it is gone.
    pub(crate) gone: Option<String>,
    /// The most urgent cause for which it certainly leaves, now or shortly.
    pub(crate) why: Option<DepartureCause>,
    pub(crate) waiting: Option<Waiting<'a>>,
    /// When it goes, where that is known.
    pub(crate) deadline: Option<Timestamp>,
    /// Its tasks that will not be moved in time.
    pub(crate) stuck: Vec<Stuck<'a>>,
    /// Of an instance that stays: its tasks that ECS could not move if it left.
    pub(crate) immovable: Vec<Stuck<'a>>,
}

impl<'a> GroupCase<'a> {
    /// The group, with what is known of each of its instances.
    pub(crate) fn new(
        look: Look<'a>,
        of: &'a DrainGroup,
        recall: Option<&'a Recall<DrainMemory>>,
        said: &Said<'a>,
        indexes: &Indexes<'a>,
        nothing: &'a DrainMemory,
        elsewhere: &'a Elsewhere<'a>,
    ) -> Self {
        let (policy, standing) = match &of.policy {
            Err(_) => (DrainPolicy::with_defaults(Consent::Advise), Standing::Held),
            Ok(policy) if policy.paused => (policy.clone(), Standing::Held),
            Ok(policy) => {
                let standing = match policy.consent {
                    Consent::Act => Standing::Act,
                    Consent::Advise => Standing::Advise,
                };
                (policy.clone(), standing)
            }
        };
        let before = match recall {
            None => Some(nothing),
            Some(recall) => recall.known(),
        };
        let mut group = Self {
            look,
            of,
            policy,
            standing,
            before,
            gaps: gaps(look.snapshot, of, elsewhere.detached(&of.key)),
            elsewhere,
            cases: Vec::new(),
        };
        let cases = of.instances.values().map(|it| (it, false));
        let detached = elsewhere.detached(&of.key).iter().map(|it| (it, true));
        group.cases = cases
            .chain(detached)
            .map(|(instance, is_detached)| Case {
                is_detached,
                ..Case::new(&group, instance, said, indexes)
            })
            .collect();
        group.cases.sort_by_key(|it| it.id());
        group
    }

    /// Whether what is decided by choice may be decided: everything was seen, and the ledger answered.
    pub(crate) const fn may_choose(&self) -> bool {
        self.look.snapshot.is_full && self.is_certain()
    }

    /// Whether nothing about it is missing, from AWS or from the ledger.
    pub(crate) const fn is_certain(&self) -> bool {
        self.gaps.is_empty() && self.before.is_some()
    }

    /// Whether an instance that is registered nowhere, as far as was seen, is registered nowhere. It may be registered in a cluster that was
    /// not read; where only what an event named was looked at, or where the group may be of another installation, in one of that one's.
    pub(crate) fn proves_unregistered(&self) -> bool {
        self.look.snapshot.is_full && self.gaps.is_empty() && self.of.is_proven_ours
    }

    /// The hook that Ballast completes.
    pub(crate) fn own_hook(&self) -> Option<&'a LifecycleHook> {
        self.of.hooks.get(&self.policy.lifecycle_hook)
    }
}

/// Everything that could not be observed about a group, each once.
fn gaps(snapshot: &DrainSnapshot, of: &DrainGroup, detached: &[LookedInstance]) -> Vec<Gap> {
    let looked = of.instances.values().chain(detached);
    let registered = looked.map(|it| it.registered.as_ref());
    let clusters: Option<BTreeSet<&ClusterName>> = registered
        .map(|it| it.map(|(cluster, _)| cluster))
        .collect();
    // An instance that is registered nowhere may be registered in any cluster that was not read wholly.
    let concerns = |name: &ClusterName| clusters.as_ref().is_none_or(|it| it.contains(name));
    let of_clusters = snapshot.clusters.iter();
    let of_clusters = of_clusters
        .filter(|(name, _)| concerns(name))
        .flat_map(|(_, it)| &it.capacity.gaps);
    let all: BTreeSet<&Gap> = snapshot
        .gaps
        .iter()
        .chain(&of.gaps)
        .chain(of_clusters)
        .collect();
    all.into_iter().cloned().collect()
}

impl<'a> Case<'a> {
    fn new(
        group: &GroupCase<'a>,
        instance: &'a LookedInstance,
        said: &Said<'a>,
        indexes: &Indexes<'a>,
    ) -> Self {
        let look = group.look;
        let cluster = instance
            .registered
            .as_ref()
            .and_then(|(cluster, _)| look.snapshot.clusters.get(cluster));
        let place = place(cluster, instance);
        let noted = causes::note(group, instance, place, said);
        let why = causes::in_force(&noted.departure, &group.policy, place, look.now);
        let waiting = noted.terminating.and_then(|(since, is_since_known)| {
            instance.member.as_ref().filter(|it| it.waits_in_hook)?;
            let own = group.own_hook().map(|hook| {
                let longest = group.policy.departure_timeout.min(hook.global_timeout);
                let deadline = longest.after(since);
                let warned = causes::warned_until(&current(&noted.departure));
                (hook, warned.map_or(deadline, |it| it.min(deadline)))
            });
            Some(Waiting {
                since,
                is_since_known,
                own,
            })
        });
        let of_action = waiting.and_then(|it| it.own).map(|(_, deadline)| deadline);
        let of_causes =
            causes::deadline(&current(&noted.departure), &group.policy, place, look.now);
        Self {
            instance,
            is_detached: false,
            cluster,
            place,
            tasks: tasks(cluster, instance, place, indexes),
            departure: noted.departure,
            gone: noted.gone,
            why,
            waiting,
            deadline: of_causes.into_iter().chain(of_action).min(),
            stuck: Vec::new(),
            immovable: Vec::new(),
        }
    }

    pub(crate) const fn id(&self) -> &'a InstanceId {
        &self.instance.id
    }

    /// Its container instance, where it takes tasks or took them until it was drained.
    pub(crate) const fn container(&self) -> Option<&'a ContainerInstance> {
        match self.place {
            Place::Active(container) | Place::Draining(container) => Some(container),
            Place::NotRegistered | Place::Registering | Place::Gone(_) => None,
        }
    }

    /// Whether its agent can be told what to do.
    pub(crate) fn is_connected(&self) -> bool {
        self.container().is_some_and(|it| it.agent_connected)
    }

    pub(crate) const fn is_draining(&self) -> bool {
        matches!(self.place, Place::Draining(_))
    }

    /// Whether its tasks go elsewhere: it certainly leaves, or drains by whoever's hand.
    pub(crate) const fn departs(&self) -> bool {
        self.gone.is_none() && (self.why.is_some() || self.is_draining())
    }

    /// Where its group has it.
    pub(crate) fn lifecycle(&self) -> Option<Lifecycle> {
        self.instance.member.as_ref().map(|it| it.lifecycle)
    }

    /// Its tasks that are to run and not daemons'; none where they were not read.
    pub(crate) fn running(&self) -> impl Iterator<Item = &'a InstanceTask> + '_ {
        let tasks = self.tasks.iter().flatten().copied();
        tasks.filter(|task| task.desired_running && !task.is_daemon)
    }

    /// Those of them that ECS would move if the instance were drained.
    pub(crate) fn moved(&self) -> impl Iterator<Item = &'a InstanceTask> + '_ {
        self.running().filter(|task| {
            let mut immovable = self.immovable.iter();
            !immovable.any(|it| it.task.arn == task.arn)
        })
    }

    /// Whether tasks need room elsewhere if the instance is drained, or may.
    pub(crate) fn needs_room(&self) -> bool {
        let is_unread = self.tasks.is_none() && self.instance.tasks_counted != Some(0);
        is_unread || self.moved().next().is_some()
    }

    /// The longest stop timeout of a task's containers.
    pub(crate) fn stop_timeout(&self, task: &InstanceTask) -> Seconds {
        self.cluster
            .and_then(|it| it.stop_timeouts.get(&task.task_definition).copied())
            .unwrap_or(STOP_TIMEOUT_DEFAULT)
    }

    /// What of its tasks will not be moved in time, those left out that Ballast stops now.
    pub(crate) fn stuck_but<'s>(
        &'s self,
        stopped: &'s BTreeSet<&TaskArn>,
    ) -> impl Iterator<Item = &'s Stuck<'a>> + use<'s, 'a> {
        let is_left = |it: &&Stuck<'_>| !stopped.contains(&it.task.arn);
        self.stuck.iter().filter(is_left)
    }
}

/// How long ECS waits between asking a container to stop and killing it, where nothing else is set.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout>
const STOP_TIMEOUT_DEFAULT: Seconds = Seconds(30);

/// Without the warnings that came to nothing: an instance that its group began to terminate after EC2 was to take it, was not taken.
fn current(departure: &Departure) -> Departure {
    let mut current = departure.clone();
    let terminating = departure.cause(CauseKind::Terminating);
    if let Some(since) = terminating.map(DepartureCause::at) {
        let is_warning = |it: &DepartureCause| match it.kind() {
            CauseKind::SpotInterruption | CauseKind::CapacityReservationInterruption => true,
            CauseKind::Terminating
            | CauseKind::Stopping
            | CauseKind::Maintenance
            | CauseKind::Rebalance
            | CauseKind::AgentLost => false,
        };
        let came_to_nothing =
            |it: &DepartureCause| is_warning(it) && it.deadline().is_some_and(|it| it <= since);
        current.causes.retain(|it| !came_to_nothing(it));
    }
    current
}

fn place<'a>(cluster: Option<&'a DrainCluster>, instance: &'a LookedInstance) -> Place<'a> {
    let Some((_, arn)) = &instance.registered else {
        return Place::NotRegistered;
    };
    let Some(container) = cluster.and_then(|it| it.capacity.instances.get(arn)) else {
        return Place::Registering;
    };
    match container.status {
        ContainerInstanceStatus::Active => Place::Active(container),
        ContainerInstanceStatus::Draining => Place::Draining(container),
        ContainerInstanceStatus::Registering | ContainerInstanceStatus::Unknown => {
            Place::Registering
        }
        ContainerInstanceStatus::Deregistering => Place::Gone("DEREGISTERING"),
        ContainerInstanceStatus::Inactive => Place::Gone("INACTIVE"),
        ContainerInstanceStatus::RegistrationFailed => Place::Gone("REGISTRATION_FAILED"),
    }
}

/// The tasks on an instance that are not STOPPED: as [`DrainSnapshot::tasks`], without going through all tasks of the cluster.
fn tasks<'a>(
    cluster: Option<&'a DrainCluster>,
    instance: &'a LookedInstance,
    place: Place<'a>,
    indexes: &Indexes<'a>,
) -> Option<Vec<&'a InstanceTask>> {
    let Some((name, arn)) = &instance.registered else {
        return Some(Vec::new());
    };
    let is_read = cluster.is_some_and(|it| it.tasks_read.contains(arn));
    if !is_read {
        return None;
    }
    match place {
        Place::Active(container) | Place::Draining(container) => {
            let index = indexes.get(name)?;
            Some(index.tasks_on(container).to_vec())
        }
        Place::NotRegistered | Place::Registering | Place::Gone(_) => {
            let capacity: &ClusterCapacity = &cluster?.capacity;
            let tasks = capacity.tasks.iter();
            let of_instance = tasks.filter(|task| {
                task.instance.as_ref() == Some(arn)
                    && task.last_status != model::snapshot::TaskStatus::Stopped
            });
            Some(of_instance.collect())
        }
    }
}

/// Whose instances they are.
pub(crate) fn is_group(key: &DrainKey) -> bool {
    match key {
        DrainKey::Group { .. } => true,
        DrainKey::Cluster { .. } | DrainKey::Instance { .. } => false,
    }
}
