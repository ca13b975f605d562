//! An answer in the making.

use super::answer::{Packing, Place, Placement, Unplaced};
use super::bound;
use super::compiled::{Amounts, Compiled, Family, Key, Kind, times};
use super::problem::{Problem, Readiness};
use super::refusal;

/// The tier of new instances, after those of the instances that are there.
pub(super) const NEW: u8 = 3;

/// What an instance holds so far.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// The offer it is of; `None` for one that is there.
    pub(super) offer: Option<usize>,
    /// The index of the bin, for one that is there.
    pub(super) bin: usize,
    pub(super) zone: usize,
    /// Instances of a lower tier are asked first.
    pub(super) tier: u8,
    pub(super) free: Amounts,
    pub(super) keys: Vec<Key>,
    /// Indexes of kinds, and how many tasks of each.
    pub(super) holds: Vec<(usize, u32)>,
}

impl Instance {
    pub(super) fn put(&mut self, index: usize, kind: &Kind, count: u32) {
        for (free, needs) in self.free.iter_mut().zip(kind.needs) {
            *free = free.saturating_sub(needs.saturating_mul(count));
        }
        if count > 0 {
            self.keys.extend_from_slice(&kind.keys);
        }
        match self.holds.last_mut() {
            Some((last, held)) if *last == index => *held += count,
            _ => self.holds.push((index, count)),
        }
    }
}

/// An answer in the making.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// Those that are there, by readiness and as listed, then the new ones.
    pub(super) instances: Vec<Instance>,
    /// How many tasks of each kind are placed nowhere.
    pub(super) missing: Vec<u32>,
    /// How many of each offer are opened.
    pub(super) used: Vec<u32>,
    pub(super) opened: u32,
    opened_in_zone: Vec<u32>,
    /// How many tasks of each spread are in each zone.
    pub(super) spreads: Vec<Vec<u32>>,
}

impl State {
    /// Nothing placed yet.
    pub(super) fn new(compiled: &Compiled<'_>) -> Self {
        let instances = compiled
            .existing
            .iter()
            .map(|existing| Instance {
                offer: None,
                bin: existing.bin,
                zone: existing.zone,
                tier: match existing.readiness {
                    Readiness::Active => 0,
                    Readiness::Launching => 1,
                    Readiness::Draining => 2,
                },
                free: existing.free,
                keys: existing.keys.clone(),
                holds: Vec::new(),
            })
            .collect();
        let zones = compiled.problem.zones;
        let spreads = compiled.problem.spreads.iter().map(|spread| {
            let mut placed = spread.placed.clone();
            placed.resize(zones, 0);
            placed
        });
        Self {
            instances,
            missing: compiled.kinds.iter().map(|kind| kind.count).collect(),
            used: vec![0; compiled.shapes.len()],
            opened: 0,
            opened_in_zone: vec![0; zones],
            spreads: spreads.collect(),
        }
    }

    /// Whether tasks of the kind are placed nowhere yet.
    pub(super) fn is_missing(&self, index: usize) -> bool {
        self.missing.get(index).is_some_and(|missing| *missing > 0)
    }

    /// Some tasks of a spread are in the zone now.
    pub(super) fn count_in_zone(&mut self, spread: Option<usize>, zone: usize, count: u32) {
        if let Some(placed) = spread
            .and_then(|spread| self.spreads.get_mut(spread))
            .and_then(|zones| zones.get_mut(zone))
        {
            *placed = placed.saturating_add(count);
        }
    }

    /// Which offer of the family to open next: in the zone with the fewest of the spread tasks that will be on it, then in
    /// the one with the fewest new instances, then as listed. `None` if no more may be opened.
    pub(super) fn offer_of(
        &self,
        compiled: &Compiled<'_>,
        family: &Family,
        holds: &[(usize, u32)],
    ) -> Option<usize> {
        if self.opened >= compiled.problem.new_bins_at_most {
            return None;
        }
        let offers = family.offers.iter().copied();
        let open = offers.filter(|offer| self.is_left(compiled, *offer));
        open.min_by_key(|offer| {
            let zone = compiled.shapes.get(*offer).map_or(0, |shape| shape.zone);
            let spread: u64 = holds
                .iter()
                .filter_map(|(index, _)| compiled.kinds.get(*index)?.spread)
                .map(|spread| u64::from(self.in_zone(spread, zone)))
                .sum();
            let opened = self.opened_in_zone.get(zone).copied().unwrap_or(0);
            (spread, opened, *offer)
        })
    }

    /// Whether another instance of the family may be opened.
    pub(super) fn may_open(&self, compiled: &Compiled<'_>, family: &Family) -> bool {
        let mut offers = family.offers.iter();
        self.opened < compiled.problem.new_bins_at_most
            && offers.any(|offer| self.is_left(compiled, *offer))
    }

    fn is_left(&self, compiled: &Compiled<'_>, offer: usize) -> bool {
        let shape = compiled.shapes.get(offer);
        let used = self.used.get(offer).copied().unwrap_or(u32::MAX);
        shape.is_some_and(|shape| used < shape.at_most)
    }

    fn in_zone(&self, spread: usize, zone: usize) -> u32 {
        let zones = self.spreads.get(spread);
        zones
            .and_then(|zones| zones.get(zone))
            .copied()
            .unwrap_or(0)
    }

    /// Opens a new instance of the offer with this on it.
    pub(super) fn open(&mut self, compiled: &Compiled<'_>, offer: usize, holds: &[(usize, u32)]) {
        let Some(shape) = compiled.shapes.get(offer) else {
            return;
        };
        let place = self.instances.len();
        self.instances.push(Instance {
            offer: Some(offer),
            bin: usize::MAX,
            zone: shape.zone,
            tier: NEW,
            free: shape.room,
            keys: shape.keys.clone(),
            holds: Vec::with_capacity(holds.len()),
        });
        self.add(compiled, place, holds);
        self.opened += 1;
        if let Some(used) = self.used.get_mut(offer) {
            *used += 1;
        }
        if let Some(opened) = self.opened_in_zone.get_mut(shape.zone) {
            *opened += 1;
        }
    }

    /// Puts more tasks on an instance.
    pub(super) fn add(&mut self, compiled: &Compiled<'_>, place: usize, holds: &[(usize, u32)]) {
        let Some(instance) = self.instances.get_mut(place) else {
            return;
        };
        let zone = instance.zone;
        for (index, count) in holds {
            if let Some(kind) = compiled.kinds.get(*index) {
                instance.put(*index, kind, *count);
            }
        }
        self.count(compiled, zone, holds, u32::saturating_add);
    }

    /// Takes all tasks off an instance that is there, and gives it as it was before.
    pub(super) fn empty(&mut self, compiled: &Compiled<'_>, place: usize) -> Option<Instance> {
        let existing = compiled.existing.get(place)?;
        let instance = self.instances.get_mut(place)?;
        let emptied = Instance {
            free: existing.free,
            keys: existing.keys.clone(),
            holds: Vec::new(),
            ..*instance
        };
        let before = std::mem::replace(instance, emptied);
        self.count(compiled, before.zone, &before.holds, u32::saturating_sub);
        Some(before)
    }

    /// Takes a new instance out. The last instance takes its place.
    pub(super) fn close(&mut self, compiled: &Compiled<'_>, place: usize) -> Option<Instance> {
        let offer = self.instances.get(place)?.offer?;
        let instance = self.instances.swap_remove(place);
        self.count(
            compiled,
            instance.zone,
            &instance.holds,
            u32::saturating_sub,
        );
        self.opened = self.opened.saturating_sub(1);
        if let Some(used) = self.used.get_mut(offer) {
            *used = used.saturating_sub(1);
        }
        if let Some(opened) = self.opened_in_zone.get_mut(instance.zone) {
            *opened = opened.saturating_sub(1);
        }
        Some(instance)
    }

    /// Counts tasks of an instance as placed (`change` adds) or as missing again (`change` takes away).
    fn count(
        &mut self,
        compiled: &Compiled<'_>,
        zone: usize,
        holds: &[(usize, u32)],
        change: fn(u32, u32) -> u32,
    ) {
        for (index, count) in holds {
            if let Some(missing) = self.missing.get_mut(*index) {
                let asked = compiled.kinds.get(*index).map_or(0, |kind| kind.count);
                *missing = asked.saturating_sub(change(asked.saturating_sub(*missing), *count));
            }
            let spread = compiled.kinds.get(*index).and_then(|kind| kind.spread);
            let zones = spread.and_then(|spread| self.spreads.get_mut(spread));
            if let Some(placed) = zones.and_then(|zones| zones.get_mut(zone)) {
                *placed = change(*placed, *count);
            }
        }
    }

    /// Tasks placed nowhere, then the cost, then the number of new instances: less is better.
    pub(super) fn worth(&self, compiled: &Compiled<'_>) -> (u64, u128, u32) {
        let missing = self.missing.iter().copied().map(u64::from).sum();
        let costs = self.used.iter().zip(&compiled.shapes);
        let cost = costs
            .map(|(used, shape)| u128::from(*used) * u128::from(shape.cost))
            .sum();
        (missing, cost, self.opened)
    }

    /// The answer, in the caller's indexes.
    pub(super) fn into_packing(self, problem: &Problem, compiled: &Compiled<'_>) -> Packing {
        let unplaced = self.unplaced(compiled);
        let mut opened: Vec<(usize, &Instance)> = Vec::new();
        let mut placements = Vec::new();
        let record = |place: Place, holds: &[(usize, u32)], placements: &mut Vec<Placement>| {
            for (index, count) in holds {
                if let Some(kind) = compiled.kinds.get(*index) {
                    placements.push(Placement {
                        place,
                        group: kind.group,
                        count: *count,
                    });
                }
            }
        };
        for instance in &self.instances {
            match instance.offer {
                None => record(
                    Place::Existing(instance.bin),
                    &instance.holds,
                    &mut placements,
                ),
                Some(offer) => opened.push((offer, instance)),
            }
        }
        opened.sort_by_key(|(offer, _)| *offer);
        for (place, (_, instance)) in opened.iter().enumerate() {
            record(Place::New(place), &instance.holds, &mut placements);
        }
        placements.sort_unstable();
        let opened: Vec<usize> = opened.iter().map(|(offer, _)| *offer).collect();
        let cost = opened
            .iter()
            .filter_map(|offer| problem.offers.get(*offer))
            .fold(0_u64, |sum, offer| sum.saturating_add(offer.cost));
        Packing {
            placements,
            opened,
            unplaced,
            opened_at_least: bound::opened_at_least(compiled),
            cost,
        }
    }

    fn unplaced(&self, compiled: &Compiled<'_>) -> Vec<Unplaced> {
        let mut unplaced: Vec<Unplaced> = compiled
            .kinds
            .iter()
            .zip(&self.missing)
            .filter(|(_, missing)| **missing > 0)
            .map(|(kind, missing)| Unplaced {
                group: kind.group,
                count: *missing,
                why: refusal::why(compiled, kind, self),
            })
            .collect();
        unplaced.sort_unstable_by_key(|unplaced| unplaced.group);
        unplaced
    }
}

/// How many tasks of the kind the instance still takes.
pub(super) fn room_for(compiled: &Compiled<'_>, kind: &Kind, instance: &Instance) -> u32 {
    let count = times(kind, &instance.free, &instance.keys);
    if count == 0 {
        return 0;
    }
    let allowed = match instance.offer {
        None => compiled.allows_bin(kind, instance.bin),
        Some(offer) => compiled.allows_offer(kind, offer),
    };
    if allowed { count } else { 0 }
}
