//! Where tasks may find room: on instances that are there, on instances on their way, and on new ones.
//!
//! Guaranteed: what an instance offers is what ECS says is left of it, less the daemons that are not there yet; one on its way offers
//! what its type does, whoever asked for it. So does each instance that the group's desired capacity asks for beyond those it has.
//!
//! A new instance's type is the group's choice and not Ballast's. Sizing assumes for each task the type, among those that the group may
//! launch now, that takes the fewest of it: then the instances suffice whatever the group chooses. Once an instance is launched its real
//! type counts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    ContainerInstance, HostPort, InstanceTask, Lifecycle, Protocol, Provider, Resources,
};
use model::{AvailabilityZone, InstanceType, Seconds, ServiceName};

use super::case::{Look, Member, MemberState};
use super::daemons::{Daemons, Kept};
use super::index::Index;
use super::pools::Closed;
use super::types::{TypeOffer, Types};
use crate::packing::{Effort, Readiness};
use crate::query::{FutureInstance, OS_TYPE_LINUX};

/// How hard packing looks for something better than its first answer. A look must be cheap, and ECS places by its own strategies anyway:
/// what a better packing saves on paper is often not to be had.
pub const EFFORT: Effort = Effort {
    iterations: 16,
    seed: 0,
};

/// The most instances that are counted as asked for and not there, and the most that one look may find to be needed. A cluster has at
/// most 5,000 container instances. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
pub const NEW_MAX: u32 = 5_000;

/// How long an agent may be disconnected before its instance counts as full: ECS places no task on it meanwhile, and an agent that merely
/// connects anew is back at once. The number is ours.
pub const AGENT_AWAY: Seconds = Seconds(60);

/// The ports that Docker, the agent and SSH take on every instance.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html>
pub const RESERVED_PORTS: [u16; 6] = [22, 2_375, 2_376, 51_678, 51_679, 51_680];

/// An instance with room.
#[derive(Debug, Clone)]
pub(crate) struct Site<'a> {
    /// The member; `None`: one that the group has not begun to launch.
    pub(crate) member: Option<usize>,
    pub(crate) readiness: Readiness,
    pub(crate) zone: usize,
    pub(crate) free: Resources,
    pub(crate) host_ports: BTreeSet<HostPort>,
    pub(crate) container: Option<&'a ContainerInstance>,
    /// An index into [`Room::futures`], where it is not registered yet.
    pub(crate) future: Option<usize>,
    /// The services of which a task is on it.
    pub(crate) services: BTreeSet<&'a ServiceName>,
}

/// A type in a zone.
#[derive(Clone)]
pub(crate) struct Future {
    pub(crate) instance_type: InstanceType,
    pub(crate) zone: usize,
    pub(crate) facts: FutureInstance,
    /// What tasks may use of it; `None`: not known.
    pub(crate) room: Option<Resources>,
    pub(crate) host_ports: BTreeSet<HostPort>,
    /// Whether nothing is to be launched there now.
    pub(crate) is_closed: bool,
    /// Whether the group may launch it.
    pub(crate) is_offered: bool,
}

impl Future {
    /// By what types are small or large.
    pub(crate) fn amounts(&self) -> (u32, u32) {
        let room = self.room.unwrap_or_default();
        (room.memory_mib, room.cpu_units)
    }

    /// By what one comes before another: those that are known, the smaller ones; ties by the name.
    pub(crate) fn size(&self) -> impl Ord + use<'_> {
        let is_unknown = self.room.is_none();
        (is_unknown, self.amounts(), &self.instance_type, self.zone)
    }
}

/// Everything that tasks may be put on, ready to be packed.
#[derive(Clone)]
pub(crate) struct Room<'a> {
    pub(crate) sites: Vec<Site<'a>>,
    pub(crate) zones: Vec<&'a AvailabilityZone>,
    pub(crate) futures: Vec<Future>,
    pub(crate) has_siblings: bool,
    /// How many instances the group has been asked for and has not begun to launch.
    pub(crate) unborn: u32,
    /// Whether the group has types of which something is known.
    pub(crate) has_known_types: bool,
    /// How many pools are left out, and whether these are all.
    pub(crate) closed: u32,
    pub(crate) all_closed: bool,
}

struct Builder<'b, 'a> {
    look: &'b Look<'a>,
    index: &'b Index<'a>,
    types: &'b Types,
    daemons: &'b Daemons<'a>,
    closed: &'b Closed<'b>,
    room: Room<'a>,
    /// Of each type and zone.
    seen: BTreeMap<(InstanceType, usize), usize>,
}

impl<'a> Room<'a> {
    pub(crate) fn new(
        look: &Look<'a>,
        index: &Index<'a>,
        members: &[Member<'a>],
        types: &Types,
        closed: &Closed<'_>,
    ) -> Self {
        let daemons = Daemons::new(index, members);
        let group = &look.provider.group;
        let of_members = members.iter().map(|member| &member.instance.zone);
        let zones: BTreeSet<&AvailabilityZone> = group.zones.iter().chain(of_members).collect();
        let mut builder = Builder {
            look,
            index,
            types,
            daemons: &daemons,
            closed,
            room: Room {
                sites: Vec::with_capacity(members.len()),
                zones: zones.into_iter().collect(),
                futures: Vec::new(),
                has_siblings: types.has_siblings,
                unborn: 0,
                has_known_types: false,
                closed: 0,
                all_closed: false,
            },
            seen: BTreeMap::new(),
        };
        builder.offers();
        for (number, member) in members.iter().enumerate() {
            builder.member(number, member);
        }
        builder.unborn(members);
        let mut room = builder.room;
        room.sites.sort_by_key(|site| rank(site, members));
        room
    }
}

/// The order in which packing is offered the sites. What holds tasks already comes first, so that what is empty stays empty; of those that
/// drain, what holds the most, so that the fewest must move; ties by the id.
pub(crate) fn rank(site: &Site<'_>, members: &[Member<'_>]) -> impl Ord + use<> {
    let tasks = site
        .member
        .and_then(|it| members.get(it))
        .map_or(0, |member| member.tasks.len());
    let of_draining = match site.readiness {
        Readiness::Draining => tasks,
        Readiness::Active | Readiness::Launching => 0,
    };
    (
        site.readiness,
        tasks == 0,
        Reverse(of_draining),
        site.member.is_none(),
        site.member,
    )
}

impl<'a> Builder<'_, 'a> {
    fn zone(&self, zone: &AvailabilityZone) -> usize {
        self.room.zones.binary_search(&zone).unwrap_or(0)
    }

    /// Every type that the group may launch, in each of its zones.
    fn offers(&mut self) {
        for offer in &self.types.offers {
            for zone in &self.look.provider.group.zones {
                let future = self.future(&offer.instance_type, zone);
                if let Some(future) = self.room.futures.get_mut(future) {
                    future.is_offered = true;
                }
            }
        }
        let offered = || self.room.futures.iter().filter(|it| it.is_offered);
        let closed = offered().filter(|it| it.is_closed).count();
        let (has_known, all_closed) = (
            offered().any(|it| it.room.is_some()),
            closed > 0 && closed == offered().count(),
        );
        self.room.has_known_types = has_known;
        self.room.all_closed = all_closed;
        self.room.closed = u32::try_from(closed).unwrap_or(u32::MAX);
    }

    /// The number of the type in the zone.
    fn future(&mut self, instance_type: &InstanceType, zone: &AvailabilityZone) -> usize {
        let key = (instance_type.clone(), self.zone(zone));
        if let Some(future) = self.seen.get(&key) {
            return *future;
        }
        let architecture = self
            .types
            .offers
            .iter()
            .find(|offer| offer.instance_type == *instance_type)
            .and_then(|offer: &TypeOffer| offer.architecture);
        let facts =
            self.types
                .attributes
                .next_instance(instance_type, zone, architecture, OS_TYPE_LINUX);
        let Kept { needs, host_ports } = self.daemons.on_future(&facts, self.types.has_siblings);
        let reserved = RESERVED_PORTS.iter().map(|port| HostPort {
            protocol: Protocol::Tcp,
            port: *port,
        });
        self.room.futures.push(Future {
            instance_type: instance_type.clone(),
            zone: key.1,
            facts,
            room: self
                .types
                .registers(instance_type)
                .map(|all| all.saturating_sub(&needs)),
            host_ports: host_ports.into_iter().chain(reserved).collect(),
            is_closed: self.closed.holds(instance_type, zone),
            is_offered: false,
        });
        let future = self.room.futures.len() - 1;
        self.seen.insert(key, future);
        future
    }

    fn member(&mut self, number: usize, member: &Member<'a>) {
        match (member.state, member.container) {
            (MemberState::Active, Some(container)) => {
                let site = self.registered(number, member, container, Readiness::Active);
                self.room.sites.push(site);
            }
            (MemberState::Draining(_), Some(container)) => {
                let mut site = self.registered(number, member, container, Readiness::Draining);
                begin_draining(&mut site, member, self.index);
                self.room.sites.push(site);
            }
            (MemberState::Launching, _) => {
                // One that a look with gaps does not see in the cluster may be full.
                let may_be_full = !self.look.cluster.gaps.is_empty()
                    && member.instance.lifecycle == Lifecycle::InService;
                if !may_be_full {
                    let instance_type = member.instance.instance_type.clone();
                    self.launching(Some(number), instance_type, &member.instance.zone);
                }
            }
            (
                MemberState::Active
                | MemberState::Draining(_)
                | MemberState::Overdue
                | MemberState::Disconnected
                | MemberState::DrainedElsewhere
                | MemberState::Leaving
                | MemberState::OutOfService,
                _,
            ) => {}
        }
    }

    fn registered(
        &self,
        number: usize,
        member: &Member<'a>,
        container: &'a ContainerInstance,
        readiness: Readiness,
    ) -> Site<'a> {
        let tasks = self.index.tasks_on(container);
        let kept = self
            .daemons
            .missing_on(container, tasks, self.index.running_on(container));
        let mut host_ports = container.host_ports.clone();
        host_ports.extend(kept.host_ports);
        let away_since = member.agent_away_since;
        let is_away = away_since.is_some_and(|since| AGENT_AWAY.after(since) <= self.look.now);
        let free = if is_away || !is_of_provider(self.look.provider, member) {
            Resources::default()
        } else {
            container.remaining.saturating_sub(&kept.needs)
        };
        Site {
            member: Some(number),
            readiness,
            zone: self.zone(&member.instance.zone),
            free,
            host_ports,
            container: Some(container),
            future: None,
            services: member
                .tasks
                .iter()
                .filter_map(|task| task.service.as_ref())
                .collect(),
        }
    }

    /// An instance on its way. Where its type is not known it is the smallest that the group may launch.
    fn launching(
        &mut self,
        member: Option<usize>,
        instance_type: Option<InstanceType>,
        zone: &AvailabilityZone,
    ) {
        let Some(instance_type) = instance_type.or_else(|| self.smallest()) else {
            return;
        };
        let number = self.future(&instance_type, zone);
        let Some(future) = self.room.futures.get(number) else {
            return;
        };
        // One of a type of which nothing is known offers what the smallest of the others does, until it tells.
        let Some(free) = future.room.or_else(|| self.smallest_room()) else {
            return;
        };
        self.room.sites.push(Site {
            member,
            readiness: Readiness::Launching,
            zone: future.zone,
            free,
            host_ports: future.host_ports.clone(),
            container: None,
            future: Some(number),
            services: BTreeSet::new(),
        });
    }

    /// The smallest type that the group may launch now; of all types, where none may be launched now.
    fn smallest(&self) -> Option<InstanceType> {
        let offered = || self.room.futures.iter().filter(|it| it.is_offered);
        let open = offered().filter(|it| !it.is_closed);
        open.min_by_key(|it| it.size())
            .or_else(|| offered().min_by_key(|it| it.size()))
            .map(|future| future.instance_type.clone())
    }

    /// What the smallest type offers of which it is known.
    fn smallest_room(&self) -> Option<Resources> {
        let offered = self.room.futures.iter().filter(|it| it.is_offered);
        let known = offered.filter(|it| it.room.is_some());
        known.min_by_key(|it| it.size()).and_then(|it| it.room)
    }

    /// The instances that the group has been asked for and has not begun to launch. Nobody knows their types yet: they stand for the
    /// first new instances that the tasks need (see `reservation`), so that what was asked for is not asked for again. Where nothing new
    /// may be launched now they are the smallest there are.
    fn unborn(&mut self, members: &[Member<'_>]) {
        let group = &self.look.provider.group;
        let present = members
            .iter()
            .filter(|member| is_counted(member.instance.lifecycle))
            .count();
        let present = u32::try_from(present).unwrap_or(u32::MAX);
        self.room.unborn = group.desired_capacity.saturating_sub(present);
        if !self.room.all_closed {
            return;
        }
        let zones: Vec<&AvailabilityZone> = group.zones.iter().collect();
        let count = self.room.unborn.min(NEW_MAX);
        for zone in zones
            .iter()
            .cycle()
            .take(usize::try_from(count).unwrap_or(0))
        {
            self.launching(None, None, zone);
        }
    }
}

/// Whether ECS places the provider's tasks on the instance: on those that registered with the provider only.
pub(crate) fn is_of_provider(provider: &Provider, member: &Member<'_>) -> bool {
    let container = member.container;
    container.is_none_or(|it| it.provider.as_ref() == Some(&provider.key.provider))
}

/// Whether the group counts such an instance towards its desired capacity.
pub(crate) const fn is_counted(lifecycle: Lifecycle) -> bool {
    match lifecycle {
        Lifecycle::Pending | Lifecycle::InService => true,
        Lifecycle::Standby
        | Lifecycle::Terminating
        | Lifecycle::Detaching
        | Lifecycle::Warmed
        | Lifecycle::Unknown => false,
    }
}

/// The instance drains. Its tasks are looked for room elsewhere; if it is taken back they may stay.
pub(crate) fn begin_draining(site: &mut Site<'_>, member: &Member<'_>, index: &Index<'_>) {
    site.readiness = Readiness::Draining;
    for task in replaced(member) {
        site.free = site.free.saturating_add(&task.needs);
        let shape = index.cluster.task_definitions.get(&task.task_definition);
        for port in shape.iter().flat_map(|it| &it.host_ports) {
            site.host_ports.remove(port);
        }
    }
    site.services.clear();
}

/// The tasks on a draining instance that ECS starts elsewhere.
pub(crate) fn replaced<'m, 'a>(
    member: &'m Member<'a>,
) -> impl Iterator<Item = &'a InstanceTask> + use<'m, 'a> {
    member
        .tasks
        .iter()
        .copied()
        .filter(|task| task.desired_running && task.service.is_some())
}
