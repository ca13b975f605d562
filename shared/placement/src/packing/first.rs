//! The first answer: groups from the largest to the smallest, each on the first instance with room.

use super::answer::{Packing, Place, Placement, Unplaced};
use super::bound;
use super::compiled::{Amounts, Compiled, Key, Kind, times};
use super::problem::Problem;
use super::refusal;

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
    fn put(&mut self, index: usize, kind: &Kind, count: u32) {
        for (free, needs) in self.free.iter_mut().zip(kind.needs) {
            *free = free.saturating_sub(needs.saturating_mul(count));
        }
        self.keys.extend_from_slice(&kind.keys);
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
    /// How many tasks of each spread are in each zone.
    spreads: Vec<Vec<u32>>,
}

/// Packs at once.
pub(super) fn first_answer(compiled: &Compiled<'_>) -> State {
    let mut state = State::new(compiled);
    for (index, kind) in compiled.kinds.iter().enumerate() {
        let mut left = kind.count;
        for tier in 0..=NEW {
            left = state.place_on_tier(compiled, index, left, tier);
        }
        while left > 0 {
            let Some(offer) = state.choose(compiled, kind, left) else {
                break;
            };
            state.open(compiled, offer);
            let fits = state.place_on_last(compiled, index, left);
            left -= fits;
        }
        if let Some(missing) = state.missing.get_mut(index) {
            *missing = left;
        }
    }
    state
}

const NEW: u8 = 3;

impl State {
    fn new(compiled: &Compiled<'_>) -> Self {
        let instances = compiled
            .existing
            .iter()
            .map(|existing| Instance {
                offer: None,
                bin: existing.bin,
                zone: existing.zone,
                tier: match existing.readiness {
                    super::Readiness::Active => 0,
                    super::Readiness::Launching => 1,
                    super::Readiness::Draining => 2,
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
            spreads: spreads.collect(),
        }
    }

    /// Places on instances of one tier what fits there, and says what is left.
    fn place_on_tier(
        &mut self,
        compiled: &Compiled<'_>,
        index: usize,
        mut left: u32,
        tier: u8,
    ) -> u32 {
        let Some(kind) = compiled.kinds.get(index) else {
            return left;
        };
        let Some(spread) = kind.spread.filter(|index| *index < self.spreads.len()) else {
            for instance in self.instances.iter_mut().filter(|one| one.tier == tier) {
                if left == 0 {
                    break;
                }
                let count = room_for(compiled, kind, instance).min(left);
                if count > 0 {
                    instance.put(index, kind, count);
                    left -= count;
                }
            }
            return left;
        };
        // The places that still take such a task, by zone; one that is full for this kind stays so.
        let mut open: Vec<usize> = self
            .instances
            .iter()
            .enumerate()
            .filter(|(_, one)| one.tier == tier && room_for(compiled, kind, one) > 0)
            .map(|(place, _)| place)
            .collect();
        while left > 0 {
            let counts = self.spreads.get(spread);
            let fewest = open.iter().copied().min_by_key(|place| {
                let zone = self.instances.get(*place).map_or(0, |one| one.zone);
                (
                    counts.and_then(|counts| counts.get(zone)).copied(),
                    zone,
                    *place,
                )
            });
            let Some(place) = fewest else { break };
            if let Some(instance) = self.instances.get_mut(place) {
                instance.put(index, kind, 1);
                left -= 1;
                let zone = instance.zone;
                if room_for(compiled, kind, instance) == 0 {
                    open.retain(|other| *other != place);
                }
                self.count_in_zone(Some(spread), zone, 1);
            }
        }
        left
    }

    fn count_in_zone(&mut self, spread: Option<usize>, zone: usize, count: u32) {
        if let Some(placed) = spread
            .and_then(|spread| self.spreads.get_mut(spread))
            .and_then(|zones| zones.get_mut(zone))
        {
            *placed = placed.saturating_add(count);
        }
    }

    /// The offer that costs least for each task of the kind that it takes; ties by the zone with the fewest, then as listed.
    fn choose(&self, compiled: &Compiled<'_>, kind: &Kind, left: u32) -> Option<usize> {
        if self.opened >= compiled.problem.new_bins_at_most {
            return None;
        }
        let mut best: Option<(u128, u128, u32, usize)> = None;
        for (offer, shape) in compiled.shapes.iter().enumerate() {
            let used = self.used.get(offer).copied().unwrap_or(u32::MAX);
            if used >= shape.at_most || !compiled.allows_offer(kind, offer) {
                continue;
            }
            let count = times(kind, &shape.room, &shape.keys).min(left);
            if count == 0 {
                continue;
            }
            let in_zone = kind
                .spread
                .and_then(|spread| self.spreads.get(spread))
                .and_then(|zones| zones.get(shape.zone))
                .copied()
                .unwrap_or(0);
            let (cost, count) = (u128::from(shape.cost), u128::from(count));
            let better = best.is_none_or(|(best_cost, best_count, best_in_zone, _)| {
                (cost * best_count)
                    .cmp(&(best_cost * count))
                    .then_with(|| best_count.cmp(&count))
                    .then_with(|| in_zone.cmp(&best_in_zone))
                    .is_lt()
            });
            if better {
                best = Some((cost, count, in_zone, offer));
            }
        }
        best.map(|(_, _, _, offer)| offer)
    }

    fn open(&mut self, compiled: &Compiled<'_>, offer: usize) {
        let Some(shape) = compiled.shapes.get(offer) else {
            return;
        };
        self.instances.push(Instance {
            offer: Some(offer),
            bin: usize::MAX,
            zone: shape.zone,
            tier: NEW,
            free: shape.room,
            keys: shape.keys.clone(),
            holds: Vec::new(),
        });
        self.opened += 1;
        if let Some(used) = self.used.get_mut(offer) {
            *used += 1;
        }
    }

    fn place_on_last(&mut self, compiled: &Compiled<'_>, index: usize, left: u32) -> u32 {
        let (Some(kind), Some(instance)) = (compiled.kinds.get(index), self.instances.last_mut())
        else {
            return 0;
        };
        let count = times(kind, &instance.free, &instance.keys).min(left);
        instance.put(index, kind, count);
        let zone = instance.zone;
        self.count_in_zone(kind.spread, zone, count);
        count
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
fn room_for(compiled: &Compiled<'_>, kind: &Kind, instance: &Instance) -> u32 {
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
