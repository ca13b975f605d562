//! Whether an answer keeps to the problem, task by task.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{HostPort, Resources};
use placement::packing::{
    Dimension, DistinctKey, Packing, Place, Problem, Refusal, TaskGroup, Unplaced,
};

/// What is on an instance.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Cpu, memory, GPUs and network interfaces that are left.
    pub(crate) left: [i64; 4],
    pub(crate) ports: BTreeSet<HostPort>,
    pub(crate) distinct: BTreeSet<DistinctKey>,
}

pub(crate) fn four(resources: &Resources) -> [i64; 4] {
    [
        resources.cpu_units.into(),
        resources.memory_mib.into(),
        resources.gpus.into(),
        resources.network_interfaces.into(),
    ]
}

impl Load {
    pub(crate) fn of_bin(problem: &Problem, bin: usize) -> Self {
        let bin = &problem.bins[bin];
        Self {
            left: four(&bin.free),
            ports: bin.host_ports.clone(),
            distinct: bin.distinct_instance.clone(),
        }
    }

    pub(crate) fn of_offer(problem: &Problem, offer: usize) -> Self {
        let offer = &problem.offers[offer];
        Self {
            left: four(&offer.room),
            ports: offer.host_ports.clone(),
            distinct: BTreeSet::new(),
        }
    }

    /// Puts one task on it; `false` if it does not fit.
    pub(crate) fn put(&mut self, group: &TaskGroup) -> bool {
        let needs = four(&group.needs);
        let fits = (0..4).all(|amount| needs[amount] <= self.left[amount])
            && group.host_ports.is_disjoint(&self.ports)
            && group
                .distinct_instance
                .is_none_or(|key| !self.distinct.contains(&key));
        if fits {
            for (left, needs) in self.left.iter_mut().zip(needs) {
                *left -= needs;
            }
            self.ports.extend(&group.host_ports);
            self.distinct.extend(group.distinct_instance);
        }
        fits
    }
}

pub(crate) fn bin_allowed(problem: &Problem, group: &TaskGroup, bin: usize) -> bool {
    group.eligibility.is_none_or(|index| {
        problem
            .eligibilities
            .get(index)
            .is_some_and(|one| one.bins.contains(bin))
    })
}

pub(crate) fn offer_allowed(problem: &Problem, group: &TaskGroup, offer: usize) -> bool {
    group.eligibility.is_none_or(|index| {
        problem
            .eligibilities
            .get(index)
            .is_some_and(|one| one.offers.contains(offer))
    })
}

/// Whether a new instance of the offer takes one task of the group.
pub(crate) fn offer_takes(problem: &Problem, group: &TaskGroup, offer: usize) -> bool {
    offer_allowed(problem, group, offer) && Load::of_offer(problem, offer).put(group)
}

/// Everything that is wrong with an answer.
pub(crate) fn faults(problem: &Problem, packing: &Packing) -> Vec<String> {
    let mut faults = Vec::new();
    let mut loads: BTreeMap<Place, Load> = BTreeMap::new();
    for bin in 0..problem.bins.len() {
        loads.insert(Place::Existing(bin), Load::of_bin(problem, bin));
    }
    for (new, offer) in packing.opened.iter().enumerate() {
        loads.insert(Place::New(new), Load::of_offer(problem, *offer));
    }
    let mut counted = vec![0_u64; problem.groups.len()];
    for placement in &packing.placements {
        let group = &problem.groups[placement.group];
        counted[placement.group] += u64::from(placement.count);
        let allowed = match placement.place {
            Place::Existing(bin) => bin_allowed(problem, group, bin),
            Place::New(new) => offer_allowed(problem, group, packing.opened[new]),
        };
        if !allowed {
            faults.push(format!("{placement:?}: its constraints forbid it"));
        }
        let load = loads.get_mut(&placement.place).expect("an instance");
        for _ in 0..placement.count {
            if !load.put(group) {
                faults.push(format!("{placement:?}: does not fit"));
                break;
            }
        }
    }
    for unplaced in &packing.unplaced {
        counted[unplaced.group] += u64::from(unplaced.count);
        let group = &problem.groups[unplaced.group];
        for (place, load) in &loads {
            let allowed = match place {
                Place::Existing(bin) => bin_allowed(problem, group, *bin),
                Place::New(new) => offer_allowed(problem, group, packing.opened[*new]),
            };
            if allowed && load.clone().put(group) {
                faults.push(format!("{unplaced:?}: there is room on {place:?}"));
            }
        }
        if !is_true(problem, packing, unplaced) {
            faults.push(format!("{unplaced:?}: the reason is not true"));
        }
    }
    for (group, counted) in problem.groups.iter().zip(counted) {
        if u64::from(group.count) != counted {
            faults.push(format!("{group:?}: {counted} are accounted for"));
        }
    }
    limits(problem, packing, &mut faults);
    faults
}

fn limits(problem: &Problem, packing: &Packing, faults: &mut Vec<String>) {
    if packing.opened.len() > problem.new_bins_at_most as usize {
        faults.push(format!("{} are opened", packing.opened.len()));
    }
    for (offer, what) in problem.offers.iter().enumerate() {
        if opened_of(packing, offer) > what.at_most as usize {
            faults.push(format!("too many of offer {offer}"));
        }
    }
    let cost: u64 = packing
        .opened
        .iter()
        .map(|offer| problem.offers[*offer].cost)
        .sum();
    if cost != packing.cost {
        faults.push(format!("it costs {cost}, not {}", packing.cost));
    }
    let used: BTreeSet<Place> = packing.placements.iter().map(|one| one.place).collect();
    for new in 0..packing.opened.len() {
        if !used.contains(&Place::New(new)) {
            faults.push(format!("new instance {new} is empty"));
        }
    }
}

fn opened_of(packing: &Packing, offer: usize) -> usize {
    packing.opened.iter().filter(|one| **one == offer).count()
}

fn is_true(problem: &Problem, packing: &Packing, unplaced: &Unplaced) -> bool {
    let group = &problem.groups[unplaced.group];
    let needs = four(&group.needs);
    let allowed: Vec<usize> = (0..problem.offers.len())
        .filter(|offer| offer_allowed(problem, group, *offer))
        .collect();
    let takes: Vec<usize> = (0..problem.offers.len())
        .filter(|offer| offer_takes(problem, group, *offer))
        .collect();
    let room = |offer: &usize| four(&problem.offers[*offer].room);
    let large = |offer: &&usize| (0..4).all(|amount| needs[amount] <= room(offer)[amount]);
    match unplaced.why {
        Refusal::NoOffers => problem.offers.is_empty(),
        Refusal::NotAllowed => !problem.offers.is_empty() && allowed.is_empty(),
        Refusal::TooLarge {
            dimension,
            needs: said,
            largest,
        } => {
            let amount = amount(dimension);
            let most = allowed.iter().map(|offer| room(offer)[amount]).max();
            i64::from(said) == needs[amount] && most == Some(i64::from(largest)) && said > largest
        }
        Refusal::TooLargeTogether {
            closest,
            dimension,
            needs: said,
            has,
        } => {
            let amount = amount(dimension);
            allowed.contains(&closest)
                && !allowed.iter().any(|offer| large(&offer))
                && i64::from(said) == needs[amount]
                && i64::from(has) == room(&closest)[amount]
                && said > has
        }
        Refusal::HostPortTaken { port } => {
            takes.is_empty()
                && group.host_ports.contains(&port)
                && allowed
                    .iter()
                    .find(large)
                    .is_some_and(|offer| problem.offers[*offer].host_ports.contains(&port))
        }
        Refusal::LimitReached { at_most } => {
            at_most == problem.new_bins_at_most
                && packing.opened.len() == at_most as usize
                && !takes.is_empty()
        }
        Refusal::OffersExhausted => {
            !takes.is_empty()
                && packing.opened.len() < problem.new_bins_at_most as usize
                && takes.iter().all(|offer| {
                    opened_of(packing, *offer) == problem.offers[*offer].at_most as usize
                })
        }
    }
}

fn amount(dimension: Dimension) -> usize {
    match dimension {
        Dimension::CpuUnits => 0,
        Dimension::MemoryMib => 1,
        Dimension::Gpus => 2,
        Dimension::NetworkInterfaces => 3,
    }
}
