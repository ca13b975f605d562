//! Putting tasks where there is room: the packing problem of a provider, and why a task fits nowhere.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::capacity::{HostPort, InstanceTask, Placement as Field, Resources, Unplaceable};
use model::{InstanceType, ServiceName};

use super::demand::Request;
use super::eligible::{Allowed, Classes};
use super::index::Index;
use super::room::{EFFORT, Future, NEW_MAX, Room, Site};
use crate::packing::{
    Bin, DistinctKey, Eligibility, GroupId, IndexSet, Offer, Packing, Problem, Spread, TaskGroup,
    pack,
};

/// The field that spreads tasks over zones.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html>
const ZONE_FIELD: &str = "attribute:ecs.availability-zone";

/// How much more than any smaller type an instance costs: so much that packing takes the smallest type that will do for each task.
const COST_BASE: u64 = 4_096;
/// The most steps of cost that a 64-bit sum of them has room for.
const COST_STEPS_MAX: u32 = 3;

/// The most tasks of one request that are packed one by one; the rest fits nowhere. A service has at most 5,000 tasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
const TASKS_MAX: u32 = 20_000;

/// What packing came to.
#[derive(Default)]
pub(crate) struct Fit {
    pub(crate) packing: Packing,
    /// Why the tasks of a request that found no room would not find any on a new instance; `None` where they would.
    pub(crate) refusals: Vec<Option<Unplaceable>>,
}

/// What a request may be put on.
struct Choice {
    /// The types that it may be put on, with their zones: numbers of [`Room::futures`].
    futures: BTreeSet<usize>,
    refusal: Option<Unplaceable>,
}

/// What may be packed on.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'s, 'a> {
    pub(crate) index: &'s Index<'a>,
    pub(crate) room: &'s Room<'a>,
    /// When the first pool that is left out is tried again.
    pub(crate) retry_at: Option<Timestamp>,
    /// The names of the types that the group may launch, for texts.
    pub(crate) type_names: &'s str,
    /// Whether tasks that are spread over zones prefer the zone with the fewest of them. Without that the fewest instances do.
    pub(crate) keeps_spread: bool,
    /// Whether tasks that no pool takes that may be launched from now are put on those of the others.
    pub(crate) as_if_open: bool,
}

/// What of the requests is more than is packed at all.
fn beyond_the_bound(requests: &[Request<'_>]) -> impl Iterator<Item = crate::packing::Unplaced> {
    let of = |(group, request): (usize, &Request<'_>)| {
        let count = request.count().saturating_sub(TASKS_MAX);
        (count > 0).then_some(crate::packing::Unplaced {
            group,
            count,
            why: crate::packing::Refusal::LimitReached { at_most: TASKS_MAX },
        })
    };
    requests.iter().enumerate().filter_map(of)
}

/// Packs the requests on the sites, and on new instances where `may_launch`.
pub(crate) fn fit<'a>(
    ground: &Ground<'_, 'a>,
    requests: &[Request<'a>],
    sites: &[&Site<'a>],
    may_launch: bool,
) -> Fit {
    if requests.is_empty() {
        return Fit::default();
    }
    let mut classes = Classes::new();
    let of_requests: Vec<usize> = requests
        .iter()
        .map(|it| classes.class(it.service, it.shape))
        .collect();
    let choices = if may_launch {
        choose(ground, requests, &of_requests, &classes)
    } else {
        Vec::new()
    };
    let opened: BTreeSet<usize> = choices.iter().flat_map(|it| it.futures.clone()).collect();
    let opened: Vec<usize> = opened.into_iter().collect();
    let allowed = ground.allowed(&classes, sites);
    let mut problem = Problem {
        new_bins_at_most: if may_launch { NEW_MAX } else { 0 },
        zones: ground.room.zones.len(),
        offers: offers(ground.room, &opened),
        ..Problem::default()
    };
    let distinct = distinct_keys(requests, &of_requests, &classes);
    problem.bins = sites.iter().map(|site| bin(site, &distinct)).collect();
    let mut spreads: BTreeMap<&ServiceName, usize> = BTreeMap::new();
    // Requests that are alike in what they may be put on share one list of it: it is as long as there are instances.
    let mut eligible: BTreeMap<(usize, Option<&BTreeSet<usize>>), usize> = BTreeMap::new();
    for (number, request) in requests.iter().enumerate() {
        let class = of_requests.get(number).copied().unwrap_or(0);
        let is_distinct = classes.get(class).is_some_and(|rules| rules.is_distinct);
        let service = request.service.map(|it| &it.name);
        let futures = choices.get(number).map(|it| &it.futures);
        let eligibilities = &mut problem.eligibilities;
        let eligibility = *eligible.entry((class, futures)).or_insert_with(|| {
            let bins = match allowed.get(class) {
                Some(Some(allowed)) => only(allowed),
                Some(None) | None => (0..sites.len()).collect(),
            };
            let offers = opened
                .iter()
                .enumerate()
                .filter(|(_, future)| futures.is_some_and(|it| it.contains(future)))
                .map(|(offer, _)| offer);
            eligibilities.push(Eligibility {
                bins,
                offers: offers.collect(),
            });
            eligibilities.len() - 1
        });
        problem.groups.push(TaskGroup {
            id: GroupId(u32::try_from(number).unwrap_or(u32::MAX)),
            count: request.count().min(TASKS_MAX),
            needs: request.needs,
            host_ports: request
                .shape
                .map(|it| it.host_ports.clone())
                .unwrap_or_default(),
            distinct_instance: service
                .filter(|_| is_distinct)
                .and_then(|it| distinct.get(it).copied()),
            spread: spread(ground, request, &mut spreads, &mut problem.spreads),
            eligibility: Some(eligibility),
        });
    }
    let mut packing = pack(&problem, EFFORT);
    packing.unplaced.extend(beyond_the_bound(requests));
    Fit {
        packing,
        refusals: choices.into_iter().map(|it| it.refusal).collect(),
    }
}

fn only(allowed: &[bool]) -> IndexSet {
    let allowed = allowed.iter().enumerate().filter(|(_, allowed)| **allowed);
    allowed.map(|(bin, _)| bin).collect()
}

impl<'a> Ground<'_, 'a> {
    /// Which sites each class allows; `None` for all.
    fn allowed(&self, classes: &Classes<'a>, sites: &[&Site<'a>]) -> Vec<Option<Vec<bool>>> {
        let with_count = |site: &&Site<'a>| {
            let container = site.container?;
            Some((container, self.index.running_on(container)))
        };
        let containers: Vec<_> = sites.iter().map(with_count).collect();
        let mut allowed = classes.allowed(&containers);
        for (class, allowed) in allowed.iter_mut().enumerate() {
            let (Some(allowed), Some(rules)) = (allowed, classes.get(class)) else {
                continue;
            };
            let mut of_futures: BTreeMap<usize, bool> = BTreeMap::new();
            for (allowed, site) in allowed.iter_mut().zip(sites) {
                let Some((number, future)) = site
                    .future
                    .and_then(|number| Some((number, self.room.futures.get(number)?)))
                else {
                    continue;
                };
                *allowed = *of_futures.entry(number).or_insert_with(|| {
                    rules.allow_future(&future.facts, self.room.has_siblings) == Allowed::Yes
                });
            }
        }
        allowed
    }
}

/// What each request may be put on: the type that takes the fewest of it, and larger ones that another request needs.
fn choose<'a>(
    ground: &Ground<'_, 'a>,
    requests: &[Request<'a>],
    of_requests: &[usize],
    classes: &Classes<'a>,
) -> Vec<Choice> {
    let futures = &ground.room.futures;
    // The verdicts of a class about every type, asked once.
    let verdicts: Vec<Vec<Allowed>> = (0..classes.len())
        .filter_map(|class| classes.get(class))
        .map(|rules| {
            let of = |it: &Future| rules.allow_future(&it.facts, ground.room.has_siblings);
            futures.iter().map(of).collect()
        })
        .collect();
    let none = Vec::new();
    let mut choices: Vec<(Option<&InstanceType>, Vec<usize>, Option<Unplaceable>)> = Vec::new();
    for (request, class) in requests.iter().zip(of_requests) {
        let verdicts = verdicts.get(*class).unwrap_or(&none);
        let is_distinct = classes.get(*class).is_some_and(|rules| rules.is_distinct);
        let fitting: Vec<usize> = (0..futures.len())
            .filter(|number| verdicts.get(*number) == Some(&Allowed::Yes))
            .filter(|number| {
                let future = futures.get(*number);
                future.is_some_and(|it| it.is_offered && takes(request, it, is_distinct) > 0)
            })
            .collect();
        let is_open = |number: &usize| futures.get(*number).is_some_and(|it| !it.is_closed);
        let ignores_closed = ground.as_if_open && !fitting.iter().any(is_open);
        let open = fitting.iter().copied().filter_map(|number| {
            let future = futures
                .get(number)
                .filter(|it| ignores_closed || !it.is_closed)?;
            Some((number, future))
        });
        let chosen = open
            .clone()
            .min_by_key(|(_, it)| (takes(request, it, is_distinct), it.size()))
            .map(|(_, it)| &it.instance_type);
        let refusal = chosen
            .is_none()
            .then(|| refusal(ground, request, verdicts, &fitting));
        choices.push((chosen, open.map(|(number, _)| number).collect(), refusal));
    }
    let rank = |of: &InstanceType| {
        let of_type = futures
            .iter()
            .filter(|it| it.is_offered && it.instance_type == *of);
        of_type.map(|it| it.amounts()).max()
    };
    let used: BTreeSet<&InstanceType> = choices.iter().filter_map(|(it, ..)| *it).collect();
    choices
        .iter()
        .map(|(chosen, open, refusal)| {
            let may = |number: &usize| {
                let (Some(future), Some(chosen)) = (futures.get(*number), chosen) else {
                    return false;
                };
                let of = &future.instance_type;
                of == *chosen || (used.contains(of) && rank(chosen) < rank(of))
            };
            Choice {
                futures: open.iter().copied().filter(may).collect(),
                refusal: refusal.clone(),
            }
        })
        .collect()
}

/// How many tasks of the request a new instance takes.
fn takes(request: &Request<'_>, future: &Future, is_distinct: bool) -> u32 {
    let Some(room) = future.room else { return 0 };
    let ports = request.shape.map(|it| &it.host_ports);
    let has_ports = ports.is_some_and(|it| !it.is_empty());
    if !request.needs.fits(&room) || port_taken(request, future).is_some() {
        return 0;
    }
    if is_distinct || has_ports {
        return 1;
    }
    let needs = amounts(&request.needs).into_iter();
    needs
        .zip(amounts(&room))
        .filter_map(|((_, needs), (_, has))| has.checked_div(needs))
        .min()
        .unwrap_or(u32::MAX)
}

fn port_taken(request: &Request<'_>, future: &Future) -> Option<HostPort> {
    let shape = request.shape?;
    let mut ports = shape.host_ports.iter().copied();
    ports.find(|port| future.host_ports.contains(port))
}

const fn amounts(of: &Resources) -> [(&'static str, u32); 4] {
    [
        ("cpu_units", of.cpu_units),
        ("memory_mib", of.memory_mib),
        ("gpus", of.gpus),
        ("network_interfaces", of.network_interfaces),
    ]
}

/// Why no instance that the group may launch now takes a task of the request. `fitting` are those that would, and are left out.
fn refusal(
    ground: &Ground<'_, '_>,
    request: &Request<'_>,
    verdicts: &[Allowed],
    fitting: &[usize],
) -> Unplaceable {
    let futures = &ground.room.futures;
    if let (false, Some(retry_at)) = (fitting.is_empty(), ground.retry_at) {
        return Unplaceable::NoPoolLeft { retry_at };
    }
    let known: Vec<(&Future, &Allowed)> = futures
        .iter()
        .zip(verdicts)
        .filter(|(it, _)| it.is_offered && it.room.is_some())
        .collect();
    let allowed: Vec<&Future> = known
        .iter()
        .filter(|(_, verdict)| **verdict == Allowed::Yes)
        .map(|(it, _)| *it)
        .collect();
    if allowed.is_empty() {
        let denied = known.iter().find_map(|(_, verdict)| match verdict {
            Allowed::No(why) => Some(why.clone()),
            Allowed::Yes => None,
        });
        return denied.unwrap_or_else(|| Unplaceable::TypesUnknown {
            types: ground.type_names.to_owned(),
        });
    }
    let lacking = |room: &Future| {
        let has = room.room.unwrap_or_default();
        let pairs = amounts(&request.needs).into_iter().zip(amounts(&has));
        pairs
            .filter(|((_, needs), (_, has))| needs > has)
            .map(|((name, needs), (_, has))| (name, needs, has))
            .collect::<Vec<_>>()
    };
    // What is lacking everywhere, on the instance that has the most of it; else what the instance lacks that lacks least.
    let mut closest: Option<(usize, u32, &str, u32, u32, &Future)> = None;
    for future in allowed.iter().copied() {
        let lacks = lacking(future);
        let Some((name, needs, has)) = lacks.first().copied() else {
            if let Some(port) = port_taken(request, future) {
                return Unplaceable::HostPortTaken {
                    port: port.to_string(),
                };
            }
            continue;
        };
        let found = (
            lacks.len(),
            needs.saturating_sub(has),
            name,
            needs,
            has,
            future,
        );
        let is_closer = closest.is_none_or(|it| {
            (found.0, found.1, &found.5.instance_type) < (it.0, it.1, &it.5.instance_type)
        });
        if is_closer {
            closest = Some(found);
        }
    }
    match closest {
        Some((_, _, resource, needs, largest, future)) => Unplaceable::TooLarge {
            resource: resource.to_owned(),
            needs,
            largest,
            instance_type: future.instance_type.to_string(),
        },
        None => Unplaceable::TypesUnknown {
            types: ground.type_names.to_owned(),
        },
    }
}

/// The types that requests are put on, the smaller the cheaper.
fn offers(room: &Room<'_>, opened: &[usize]) -> Vec<Offer> {
    let futures: Vec<&Future> = opened
        .iter()
        .filter_map(|number| room.futures.get(*number))
        .collect();
    let ranks: BTreeSet<_> = futures.iter().map(|it| it.amounts()).collect();
    futures
        .iter()
        .map(|future| {
            let rank = ranks.range(..future.amounts()).count();
            let rank = u32::try_from(rank).unwrap_or(u32::MAX).min(COST_STEPS_MAX);
            Offer {
                zone: future.zone,
                room: future.room.unwrap_or_default(),
                host_ports: future.host_ports.clone(),
                cost: COST_BASE.saturating_pow(rank),
                at_most: NEW_MAX,
            }
        })
        .collect()
}

/// A number for each service whose tasks may not share an instance.
fn distinct_keys<'a>(
    requests: &[Request<'a>],
    of_requests: &[usize],
    classes: &Classes<'_>,
) -> BTreeMap<&'a ServiceName, DistinctKey> {
    let mut keys = BTreeMap::new();
    for (request, class) in requests.iter().zip(of_requests) {
        if let Some(service) = request.service
            && classes.get(*class).is_some_and(|rules| rules.is_distinct)
        {
            let next = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            keys.entry(&service.name).or_insert(DistinctKey(next));
        }
    }
    keys
}

fn bin(site: &Site<'_>, distinct: &BTreeMap<&ServiceName, DistinctKey>) -> Bin {
    let of_services = if distinct.is_empty() {
        BTreeSet::new()
    } else {
        let services = site.services.iter();
        services
            .filter_map(|it| distinct.get(it).copied())
            .collect()
    };
    Bin {
        zone: site.zone,
        readiness: site.readiness,
        free: site.free,
        host_ports: site.host_ports.clone(),
        distinct_instance: of_services,
    }
}

/// The spread of the request's service over zones, if it asks for one.
fn spread<'a>(
    ground: &Ground<'_, 'a>,
    request: &Request<'a>,
    numbers: &mut BTreeMap<&'a ServiceName, usize>,
    spreads: &mut Vec<Spread>,
) -> Option<usize> {
    let service = request.service?;
    let is_spread = service
        .placement
        .iter()
        .any(|it| matches!(it, Field::Spread { field } if field == ZONE_FIELD));
    if !is_spread || !ground.keeps_spread {
        return None;
    }
    if let Some(number) = numbers.get(&service.name) {
        return Some(*number);
    }
    let zones = &ground.room.zones;
    let mut placed = vec![0_u32; zones.len()];
    for task in ground.index.tasks_of(&service.name) {
        let zone = task
            .instance
            .as_ref()
            .filter(|_| ground.index.stays(task))
            .and_then(|it| ground.index.cluster.instances.get(it)?.zone.as_ref())
            .and_then(|zone| zones.binary_search(&zone).ok());
        if let Some(count) = zone.and_then(|zone| placed.get_mut(zone)) {
            *count = count.saturating_add(1);
        }
    }
    spreads.push(Spread { placed });
    numbers.insert(&service.name, spreads.len() - 1);
    Some(spreads.len() - 1)
}

/// The tasks as requests: those that are alike together.
pub(crate) fn requests_of<'a>(
    index: &Index<'a>,
    tasks: impl Iterator<Item = &'a InstanceTask>,
) -> Vec<Request<'a>> {
    let cluster = index.cluster;
    let mut requests: BTreeMap<_, Request<'a>> = BTreeMap::new();
    for task in tasks {
        let service = task.service.as_ref();
        let request = requests
            .entry((service, &task.task_definition, task.needs))
            .or_insert_with(|| Request {
                service: service.and_then(|it| cluster.services.get(it)),
                task_definition: &task.task_definition,
                shape: cluster.task_definitions.get(&task.task_definition),
                needs: task.needs,
                waiting: 0,
                missing: 0,
                headroom: 0,
            });
        request.waiting = request.waiting.saturating_add(1);
    }
    requests.into_values().collect()
}
