//! Where tasks find room on instances that are there and stay.
//!
//! Guaranteed: a task is put only where it fits in every amount, its host ports are free, the instance is ACTIVE with a connected agent
//! and does not depart, and the service's strategy, its placement constraints and the task definition's attributes allow the instance;
//! room that was given is not given again.
//!
//! Assumed: what ECS says is left of an instance is left. Daemons are on it already.
//!
//! Absent: an attempt at the best packing. Tasks are put on the first instance that takes them, in the order of the container instances'
//! ARNs: what finds room this way does find room.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{
    CapacityService, ContainerInstance, ContainerInstanceStatus, HostPort, Resources,
};
use model::drain::{CauseKind, DrainCluster};
use model::ids::{ClusterName, ContainerInstanceArn, TaskDefinitionArn};
use model::{AvailabilityZone, InstanceType, ServiceName};

use super::case::{GroupCase, Indexes};
use crate::capacity::demand::Request;
use crate::capacity::eligible::{Allowed, Rules};
use crate::capacity::index::Index;

/// An instance that takes tasks and stays.
#[derive(Debug, Clone)]
pub(crate) struct Site<'a> {
    container: &'a ContainerInstance,
    free: Resources,
    host_ports: BTreeSet<HostPort>,
    /// The services of which a task is on it; `None` where its tasks were not read.
    services: Option<BTreeSet<&'a ServiceName>>,
    /// The services of which a task was put on it here.
    put: BTreeSet<&'a ServiceName>,
    /// How many tasks run on it, by ECS's count.
    running: u32,
    /// Whether it may leave itself.
    may_leave: bool,
}

impl<'a> Site<'a> {
    /// Its pool: a type in a zone.
    pub(crate) const fn pool(&self) -> (Option<&'a InstanceType>, Option<&'a AvailabilityZone>) {
        (
            self.container.instance_type.as_ref(),
            self.container.zone.as_ref(),
        )
    }

    /// Whether it may leave itself: tasks that are moved by choice are not moved there.
    pub(crate) const fn may_leave(&self) -> bool {
        self.may_leave
    }
}

/// Tasks with the same key are put where the others are.
type Key<'a> = (Option<&'a ServiceName>, &'a TaskDefinitionArn, Resources);

/// What a task asks of an instance beyond amounts and ports, and the instances that it was asked of.
struct Class {
    is_distinct: bool,
    /// The numbers of the sites that it may be on.
    allowed: Vec<usize>,
}

/// What is free in a cluster.
pub(crate) struct Room<'a> {
    sites: Vec<Site<'a>>,
    classes: BTreeMap<Key<'a>, Class>,
    /// Whether every instance of the cluster was read. If not, more may be free.
    pub(crate) is_known: bool,
}

/// How sure room must be, and whether it is given for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing speaks against it. What is given is not taken back, and every site will do.
    Possible,
    /// It is there.
    Certain,
}

/// The room in each cluster that stays when everything that departs is gone.
pub(crate) fn of_clusters<'a>(
    clusters: &'a BTreeMap<ClusterName, DrainCluster>,
    groups: &[GroupCase<'a>],
    indexes: &Indexes<'a>,
) -> BTreeMap<&'a ClusterName, Room<'a>> {
    let mut departing: BTreeSet<&ContainerInstanceArn> = BTreeSet::new();
    let mut perhaps: BTreeSet<&ContainerInstanceArn> = BTreeSet::new();
    let mut counted: BTreeMap<&ContainerInstanceArn, u32> = BTreeMap::new();
    for case in groups.iter().flat_map(|it| &it.cases) {
        let Some((_, arn)) = &case.instance.registered else {
            continue;
        };
        counted.extend(case.instance.tasks_counted.map(|it| (arn, it)));
        if case.departs() || case.gone.is_some() {
            departing.insert(arn);
        } else if may_leave(&case.departure.causes) {
            perhaps.insert(arn);
        }
    }
    let rooms = clusters.iter().filter_map(|(name, cluster)| {
        let index = indexes.get(name)?;
        let sites = cluster.capacity.instances.values();
        let sites = sites.filter(|it| {
            it.status == ContainerInstanceStatus::Active
                && it.agent_connected
                && !departing.contains(&it.arn)
        });
        let sites = sites.map(|it| site(cluster, index, it, &perhaps, &counted));
        let room = Room {
            sites: sites.collect(),
            classes: BTreeMap::new(),
            is_known: cluster.has_every_instance,
        };
        Some((name, room))
    });
    rooms.collect()
}

fn may_leave(causes: &[model::drain::DepartureCause]) -> bool {
    causes.iter().any(|it| match it.kind() {
        CauseKind::Maintenance | CauseKind::Rebalance | CauseKind::AgentLost => true,
        CauseKind::SpotInterruption
        | CauseKind::CapacityReservationInterruption
        | CauseKind::Terminating
        | CauseKind::Stopping => false,
    })
}

fn site<'a>(
    cluster: &'a DrainCluster,
    index: &Index<'a>,
    container: &'a ContainerInstance,
    perhaps: &BTreeSet<&ContainerInstanceArn>,
    counted: &BTreeMap<&ContainerInstanceArn, u32>,
) -> Site<'a> {
    let tasks = index.tasks_on(container);
    let is_read = cluster.tasks_read.contains(&container.arn);
    let running = counted.get(&container.arn).copied();
    Site {
        container,
        free: container.remaining,
        host_ports: container.host_ports.clone(),
        services: is_read.then(|| {
            let services = tasks.iter().filter_map(|task| task.service.as_ref());
            services.collect()
        }),
        put: BTreeSet::new(),
        running: running.unwrap_or_else(|| index.running_on(container)),
        may_leave: perhaps.contains(&container.arn),
    }
}

impl<'a> Room<'a> {
    /// Puts as many of the request's waiting tasks as find room on sites that will do. What was put there before is in what is returned,
    /// to undo it.
    pub(crate) fn put(
        &mut self,
        request: &Request<'a>,
        proof: Proof,
        will_do: impl Fn(&Site<'a>) -> bool,
    ) -> Put<'a> {
        let mut put = Put::default();
        let class = class(&mut self.classes, &self.sites, request);
        let service = request.service.map(|it| &it.name);
        let ports = request.shape.map(|it| &it.host_ports);
        let mut is_over = 0;
        for number in &class.allowed {
            let Some(site) = self.sites.get_mut(*number).filter(|it| will_do(it)) else {
                is_over += 1;
                continue;
            };
            if site.takes(request, class.is_distinct, proof) {
                put.undo.push((*number, site.clone()));
            }
            while put.tasks < request.waiting && site.takes(request, class.is_distinct, proof) {
                site.free = site.free.saturating_sub(&request.needs);
                site.host_ports.extend(ports.into_iter().flatten());
                site.put.extend(service);
                put.tasks = put.tasks.saturating_add(1);
            }
            if put.tasks == request.waiting {
                break;
            }
            is_over += 1;
        }
        if proof == Proof::Possible {
            // What takes none of such tasks now takes none later: room only becomes less.
            class.allowed.drain(..is_over);
        }
        put
    }

    /// Takes back what was put, the last first.
    pub(crate) fn undo(&mut self, puts: Vec<Put<'a>>) {
        let before = puts
            .into_iter()
            .rev()
            .flat_map(|it| it.undo.into_iter().rev());
        for (number, before) in before {
            if let Some(site) = self.sites.get_mut(number) {
                *site = before;
            }
        }
    }
}

/// What was put somewhere.
#[derive(Default)]
pub(crate) struct Put<'a> {
    /// How many tasks.
    pub(crate) tasks: u32,
    /// The sites as they were before.
    undo: Vec<(usize, Site<'a>)>,
}

impl Site<'_> {
    fn takes(&self, request: &Request<'_>, is_distinct: bool, proof: Proof) -> bool {
        let ports = request.shape.map(|it| &it.host_ports);
        let is_alone = request.service.is_none_or(|service| {
            let is_there = self.services.as_ref().map(|it| it.contains(&service.name));
            let may_be_there = is_there.unwrap_or(proof == Proof::Certain && self.running > 0);
            !is_distinct || !(may_be_there || self.put.contains(&service.name))
        });
        is_alone
            && request.needs.fits(&self.free)
            && ports.is_none_or(|it| it.is_disjoint(&self.host_ports))
            // What a task asks for could not be read: it may ask for more than the amounts.
            && (request.shape.is_some() || proof == Proof::Possible)
    }
}

/// The class of a request, made where it is the first of its kind.
fn class<'c, 'a>(
    classes: &'c mut BTreeMap<Key<'a>, Class>,
    sites: &[Site<'a>],
    request: &Request<'a>,
) -> &'c mut Class {
    let service = request.service.map(|it| &it.name);
    let key = (service, request.task_definition, request.needs);
    classes.entry(key).or_insert_with(|| {
        let rules = Rules::new(request.service, request.shape);
        let will_do = |site: &Site<'a>| {
            is_of_strategy(request.service, site.container)
                && (rules.is_open() || rules.allow(site.container, site.running) == Allowed::Yes)
        };
        let sites = sites.iter().enumerate();
        Class {
            is_distinct: rules.is_distinct,
            allowed: sites
                .filter(|(_, site)| will_do(site))
                .map(|(number, _)| number)
                .collect(),
        }
    })
}

/// Whether the service's strategy names the instance's provider. With a launch type every instance will do.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-capacity-providers.html>
fn is_of_strategy(service: Option<&CapacityService>, container: &ContainerInstance) -> bool {
    let Some(service) = service.filter(|it| !it.strategy.is_empty()) else {
        return true;
    };
    service.strategy.iter().any(|item| {
        (item.base > 0 || item.weight > 0) && Some(&item.provider) == container.provider.as_ref()
    })
}
