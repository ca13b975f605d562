//! The problem in the form that the search works on: vectors, and keys that an instance holds at most once.

use std::collections::BTreeMap;

use model::capacity::{HostPort, Protocol, Resources};

use super::problem::{DistinctKey, Problem, Readiness, TaskGroup};

/// How many amounts are packed by.
pub(super) const AMOUNTS: usize = 4;

/// An amount of each.
pub(super) type Amounts = [u32; AMOUNTS];

/// Something an instance holds at most once: a host port, or a task of a service under `distinctInstance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl From<HostPort> for Key {
    fn from(port: HostPort) -> Self {
        let protocol = match port.protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1 << 16,
        };
        Self(protocol | u64::from(port.port))
    }
}

impl From<DistinctKey> for Key {
    fn from(key: DistinctKey) -> Self {
        Self((1 << 32) | u64::from(key.0))
    }
}

pub(super) fn amounts(resources: &Resources) -> Amounts {
    let Resources {
        cpu_units,
        memory_mib,
        gpus,
        network_interfaces,
    } = *resources;
    [cpu_units, memory_mib, gpus, network_interfaces]
}

/// A group, ready to be placed.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    /// The index of the group.
    pub(super) group: usize,
    pub(super) count: u32,
    pub(super) needs: Amounts,
    /// In ascending order.
    pub(super) keys: Vec<Key>,
    pub(super) spread: Option<usize>,
}

/// An instance that is there.
#[derive(Debug, Clone)]
pub(super) struct Existing {
    /// The index of the bin.
    pub(super) bin: usize,
    pub(super) zone: usize,
    pub(super) readiness: Readiness,
    pub(super) free: Amounts,
    pub(super) keys: Vec<Key>,
}

/// An offer.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) zone: usize,
    pub(super) room: Amounts,
    pub(super) keys: Vec<Key>,
    pub(super) cost: u64,
    pub(super) at_most: u32,
}

/// Offers that differ by their zone alone.
#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) room: Amounts,
    pub(super) keys: Vec<Key>,
    pub(super) cost: u64,
    /// Indexes of offers, in ascending order; never empty.
    pub(super) offers: Vec<usize>,
    /// One of them. What constraints allow of one, they allow of all.
    pub(super) sample: usize,
    /// Which of the eligibilities allow it.
    pub(super) allowed: Vec<bool>,
}

/// The problem, compiled.
#[derive(Debug)]
pub(super) struct Compiled<'a> {
    pub(super) problem: &'a Problem,
    /// Those that hold a key first, then from the largest to the smallest; ties by what they need and then by their id.
    pub(super) kinds: Vec<Kind>,
    /// By readiness, then in the order listed.
    pub(super) existing: Vec<Existing>,
    /// In the order listed.
    pub(super) shapes: Vec<Shape>,
    /// From the cheapest to the dearest, ties by the room.
    pub(super) families: Vec<Family>,
    /// The most that any offer has of each amount.
    pub(super) largest: Amounts,
}

impl<'a> Compiled<'a> {
    pub(super) fn new(problem: &'a Problem) -> Self {
        let mut largest = [0; AMOUNTS];
        for offer in &problem.offers {
            for (most, has) in largest.iter_mut().zip(amounts(&offer.room)) {
                *most = (*most).max(has);
            }
        }
        let mut kinds: Vec<Kind> = problem.groups.iter().enumerate().map(kind).collect();
        kinds.sort_by(|a, b| {
            b.keys
                .len()
                .cmp(&a.keys.len())
                .then_with(|| size(&b.needs, &largest).cmp(&size(&a.needs, &largest)))
                .then_with(|| b.needs.cmp(&a.needs))
                .then_with(|| b.keys.cmp(&a.keys))
                .then_with(|| id(problem, a).cmp(&id(problem, b)))
        });
        let mut existing: Vec<Existing> = problem
            .bins
            .iter()
            .enumerate()
            .map(|(bin, from)| Existing {
                bin,
                zone: from.zone,
                readiness: from.readiness,
                free: amounts(&from.free),
                keys: keys(
                    from.host_ports.iter().copied(),
                    from.distinct_instance.iter().copied(),
                ),
            })
            .collect();
        existing.sort_by_key(|instance| (instance.readiness, instance.bin));
        let shapes: Vec<Shape> = problem
            .offers
            .iter()
            .map(|offer| Shape {
                zone: offer.zone,
                room: amounts(&offer.room),
                keys: keys(offer.host_ports.iter().copied(), None),
                cost: offer.cost,
                at_most: offer.at_most,
            })
            .collect();
        Self {
            problem,
            kinds,
            existing,
            families: families(problem, &shapes),
            shapes,
            largest,
        }
    }

    pub(super) fn allows_bin(&self, kind: &Kind, bin: usize) -> bool {
        let group = self.problem.groups.get(kind.group);
        group.is_some_and(|group| self.problem.allows_bin(group, bin))
    }

    pub(super) fn allows_offer(&self, kind: &Kind, offer: usize) -> bool {
        let group = self.problem.groups.get(kind.group);
        group.is_some_and(|group| self.problem.allows_offer(group, offer))
    }

    /// Whether a new instance of the offer takes a task of the kind.
    pub(super) fn offer_takes(&self, kind: &Kind, offer: usize) -> bool {
        self.allows_offer(kind, offer)
            && self
                .shapes
                .get(offer)
                .is_some_and(|shape| times(kind, &shape.room, &shape.keys) > 0)
    }
}

impl Family {
    /// What the part of it that one instance takes would cost, for all of what is asked for, if everything went in without waste.
    /// What the lead does not need (GPUs) is not what the family is chosen for.
    pub(super) fn looks(&self, asked: &[u64; AMOUNTS], lead: &Kind) -> u128 {
        let mut part: u128 = 1 << 32;
        for ((room, total), needs) in self.room.iter().zip(asked).zip(lead.needs) {
            if needs > 0 {
                part = part.min((u128::from(*room) << 32) / u128::from(*total).max(1));
            }
        }
        (u128::from(self.cost) << 32) / part.max(1)
    }
}

/// How many tasks of the kind fit into what is free, its constraints aside.
pub(super) fn times(kind: &Kind, free: &Amounts, taken: &[Key]) -> u32 {
    let mut most = kind.count;
    for (needs, has) in kind.needs.iter().zip(free) {
        if needs > has {
            return 0;
        }
        if let Some(fit) = has.checked_div(*needs) {
            most = most.min(fit);
        }
    }
    if kind.keys.is_empty() {
        most
    } else if kind.keys.iter().any(|key| taken.contains(key)) {
        0
    } else {
        most.min(1)
    }
}

fn families(problem: &Problem, shapes: &[Shape]) -> Vec<Family> {
    let allowed_to = |offer: usize| -> Vec<bool> {
        let sets = problem.eligibilities.iter();
        sets.map(|one| one.offers.contains(offer)).collect()
    };
    let mut families = BTreeMap::new();
    for (offer, shape) in shapes
        .iter()
        .enumerate()
        .filter(|(_, shape)| shape.at_most > 0)
    {
        families
            .entry((shape.cost, shape.room, &shape.keys, allowed_to(offer)))
            .or_insert_with(Vec::new)
            .push(offer);
    }
    families
        .into_iter()
        .filter_map(|((cost, room, keys, allowed), offers)| {
            Some(Family {
                room,
                keys: keys.clone(),
                cost,
                sample: *offers.first()?,
                allowed,
                offers,
            })
        })
        .collect()
}

fn kind((index, group): (usize, &TaskGroup)) -> Kind {
    Kind {
        group: index,
        count: group.count,
        needs: amounts(&group.needs),
        keys: keys(group.host_ports.iter().copied(), group.distinct_instance),
        spread: group.spread,
    }
}

fn keys(
    ports: impl IntoIterator<Item = HostPort>,
    distinct: impl IntoIterator<Item = DistinctKey>,
) -> Vec<Key> {
    let mut keys: Vec<Key> = ports
        .into_iter()
        .map(Key::from)
        .chain(distinct.into_iter().map(Key::from))
        .collect();
    keys.sort_unstable();
    keys
}

/// The sum of the shares of the largest offer, each in 65,536ths.
fn size(needs: &Amounts, largest: &Amounts) -> u64 {
    needs
        .iter()
        .zip(largest)
        .map(|(needs, most)| (u64::from(*needs) << 16) / u64::from(*most).max(1))
        .sum()
}

fn id(problem: &Problem, kind: &Kind) -> Option<super::GroupId> {
    problem.groups.get(kind.group).map(|group| group.id)
}
