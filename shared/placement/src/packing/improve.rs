//! Something better than the first answer: a few instances are emptied and filled again, those that are there first, and what
//! is left goes on new ones.
//!
//! What is a little worse is accepted now and then, by simulated annealing at a steady temperature, so that a longer search is
//! the shorter one and then more.

use super::bound;
use super::compiled::{AMOUNTS, Amounts, Compiled, Family, Kind, times};
use super::fit::KeyRules;
use super::state::{Instance, State, room_for};
use super::vector::fill::{Candidate, FULL, Room, Rules, fill, shares_of};
use super::vector::random::Random;

/// At most so many instances are emptied at a time.
const EMPTIED_AT_MOST: u32 = 4;
/// How far weights stray from what they are, in percent, at most.
const NOISE_PERCENT: u32 = 60;
/// The dearest offer counts as so much.
const DEAREST: u64 = 1 << 20;
/// A task that is placed nowhere counts as so much.
const MISSING: i64 = 1 << 26;
/// The temperature, as a part of what the emptied instances count.
const TEMPERATURE_SHARE: i64 = 100;
/// Of so many offers that look cheapest for what is left, one is taken.
const OFFERS: usize = 4;
/// The largest weight of an amount.
const HEAVIEST: u64 = 64;

struct Improve<'a> {
    compiled: &'a Compiled<'a>,
    state: State,
    random: Random,
    /// The families that may be the best for something.
    families: Vec<&'a Family>,
    /// Indexes of the instances that are there and take a task of some kind.
    useful: Vec<usize>,
    dearest: u64,
    /// The most of each amount that an instance of the first answer has: what shares are of.
    whole: Amounts,
    /// How scarce each amount is: what is asked for, beside that.
    weights: Amounts,
}

/// What an iteration changes, to be put back if it is not accepted.
struct Before {
    /// Those that are there, with their indexes.
    there: Vec<(usize, Instance)>,
    new: Vec<Instance>,
    missing: Vec<u32>,
    /// How many instances are left once the new ones are taken out.
    len: usize,
    energy: i64,
}

/// Searches for so many iterations from the seed, and gives the best that was met: `from` itself if nothing was better.
pub(super) fn improve(compiled: &Compiled<'_>, from: State, iterations: u32, seed: u64) -> State {
    let mut best_so_far = from.worth(compiled);
    let mut best = from.clone();
    let mut improve = Improve::new(compiled, from, seed);
    let at_least = bound::opened_at_least(compiled);
    let cheapest = improve.families.iter().map(|family| family.cost).min();
    let cheapest = u128::from(cheapest.unwrap_or(0));
    for _ in 0..iterations {
        let (missing, cost, opened) = best_so_far;
        if missing == 0 && opened <= at_least && cost <= cheapest * u128::from(opened) {
            break;
        }
        if improve.step() && improve.state.worth(compiled) < best_so_far {
            // What is said of tasks that are placed nowhere is then true of the best answer.
            improve.state.settle(compiled);
            best_so_far = improve.state.worth(compiled);
            best = improve.state.clone();
        }
    }
    best
}

impl<'a> Improve<'a> {
    fn new(compiled: &'a Compiled<'_>, state: State, seed: u64) -> Self {
        let takes_something = |instance: &Instance| {
            let mut kinds = compiled.kinds.iter();
            instance.offer.is_none()
                && (!instance.holds.is_empty()
                    || kinds.any(|kind| room_for(compiled, kind, instance) > 0))
        };
        let instances = state.instances.iter().enumerate();
        let useful = instances
            .filter(|(_, instance)| takes_something(instance))
            .map(|(index, _)| index)
            .collect();
        let costs = compiled.shapes.iter().map(|shape| shape.cost);
        let whole = whole(compiled, &state);
        Self {
            compiled,
            state,
            random: Random::new(seed),
            families: undominated(compiled),
            useful,
            dearest: costs.max().unwrap_or(0).max(1),
            whole,
            weights: scarcity(compiled, &whole),
        }
    }

    /// One iteration. Says whether the answer changed.
    fn step(&mut self) -> bool {
        let before = self.empty();
        if before.there.is_empty() && before.new.is_empty() {
            return false;
        }
        let mut candidates = self.candidates();
        for (index, _) in &before.there {
            self.refill(*index, &mut candidates);
        }
        while !candidates.is_empty() && self.open_one(&mut candidates) {}
        let opened = self.state.instances.iter().skip(before.len);
        let after: i64 = opened.map(|instance| self.energy(instance)).sum();
        let worse = after + self.energy_of_missing() - before.energy;
        let temperature = before.energy.max(0) / TEMPERATURE_SHARE;
        if self.accepts(worse, temperature) {
            return true;
        }
        self.put_back(before);
        false
    }

    fn accepts(&mut self, worse: i64, temperature: i64) -> bool {
        if worse <= 0 {
            return true;
        }
        let allowed = i64::try_from(self.random.exponential()).unwrap_or(0);
        worse.saturating_mul(1024) <= temperature.saturating_mul(allowed)
    }

    /// What a new instance counts: its cost, less the fuller it is, so that two half full become a full one and an empty one.
    fn energy(&self, instance: &Instance) -> i64 {
        let Some(shape) = instance
            .offer
            .and_then(|offer| self.compiled.shapes.get(offer))
        else {
            return 0;
        };
        let cost = u128::from(shape.cost) * u128::from(DEAREST) / u128::from(self.dearest);
        let free = shares_of(&instance.free, &shape.room);
        let (mut empty, mut all) = (0_u64, 0_u64);
        for ((free, room), weight) in free.iter().zip(shape.room).zip(self.weights) {
            if room > 0 {
                empty += u64::from(*free) * u64::from(weight);
                all += u64::from(FULL) * u64::from(weight);
            }
        }
        let full = u128::from((all - empty) * u64::from(FULL) / all.max(1));
        let bonus = cost * full * full / (4 * u128::from(FULL) * u128::from(FULL));
        // One more for each instance: of what costs the same, fewer are better.
        i64::try_from(cost - bonus).unwrap_or(i64::MAX / 2) + 1
    }

    fn energy_of_missing(&self) -> i64 {
        let missing: i64 = self.state.missing.iter().copied().map(i64::from).sum();
        missing.saturating_mul(MISSING)
    }

    /// Empties a few instances; new ones are taken out.
    fn empty(&mut self) -> Before {
        let mut before = Before {
            there: Vec::new(),
            new: Vec::new(),
            missing: self.state.missing.clone(),
            len: 0,
            energy: self.energy_of_missing(),
        };
        let there = self.compiled.existing.len();
        for _ in 0..=self.random.below(EMPTIED_AT_MOST) {
            let new = self.state.instances.len().saturating_sub(there);
            let chosen = self.random.index(self.useful.len() + new);
            if let Some(index) = self.useful.get(chosen).copied() {
                if before.there.iter().all(|(other, _)| *other != index)
                    && let Some(instance) = self.state.empty(self.compiled, index)
                {
                    before.there.push((index, instance));
                }
            } else if let Some(instance) = self
                .state
                .close(self.compiled, there + chosen - self.useful.len())
            {
                before.energy += self.energy(&instance);
                before.new.push(instance);
            }
        }
        before.there.sort_by_key(|(index, _)| *index);
        before.len = self.state.instances.len();
        before
    }

    fn put_back(&mut self, before: Before) {
        while self.state.instances.len() > before.len {
            let last = self.state.instances.len() - 1;
            self.state.close(self.compiled, last);
        }
        for (index, instance) in before.there {
            self.state.empty(self.compiled, index);
            self.state.add(self.compiled, index, &instance.holds);
        }
        for instance in before.new {
            if let Some(offer) = instance.offer {
                self.state.open(self.compiled, offer, &instance.holds);
            }
        }
        self.state.missing = before.missing;
    }

    /// Everything that is missing, with weights that stray a little.
    fn candidates(&mut self) -> Vec<Candidate<AMOUNTS>> {
        let stray = 1 + self.random.below(NOISE_PERCENT);
        let mut weights = self.weights;
        for weight in &mut weights {
            *weight = *weight * (100 - stray + self.random.below(2 * stray + 1)) / 100;
        }
        let stray = self.random.below(NOISE_PERCENT);
        let mut candidates = Vec::new();
        let kinds = self.compiled.kinds.iter().zip(&self.state.missing);
        for (index, (kind, missing)) in kinds.enumerate() {
            if *missing > 0 {
                let shares = shares_of(&kind.needs, &self.whole);
                let factor = 1024 - 10 * stray + self.random.below(20 * stray + 1);
                candidates.push(Candidate::new(
                    index, *missing, kind.needs, shares, &weights, factor,
                ));
            }
        }
        candidates
    }

    /// Fills an instance that is there.
    fn refill(&mut self, index: usize, candidates: &mut Vec<Candidate<AMOUNTS>>) {
        let Some(instance) = self.state.instances.get(index) else {
            return;
        };
        let mut room = Room::of(instance.free, &self.whole);
        let mut rules = KeyRules::new(self.compiled, &instance.keys, |kind: &Kind| {
            self.compiled.allows_bin(kind, instance.bin)
        });
        fill(&mut room, candidates, &mut rules);
        let holds = rules.into_holds();
        self.state.add(self.compiled, index, &holds);
    }

    /// Opens a new instance for what is left. `false`: nothing is left that may be put anywhere.
    fn open_one(&mut self, candidates: &mut Vec<Candidate<AMOUNTS>>) -> bool {
        let lead = candidates.iter().map(|candidate| candidate.id).min();
        let Some(kind) = lead.and_then(|lead| self.compiled.kinds.get(lead)) else {
            return false;
        };
        let mut totals = [0_u64; AMOUNTS];
        for candidate in candidates.iter() {
            let Some(kind) = self.compiled.kinds.get(candidate.id) else {
                continue;
            };
            let count = if kind.keys.is_empty() {
                candidate.left
            } else {
                1
            };
            for (total, needs) in totals.iter_mut().zip(kind.needs) {
                *total += u64::from(needs) * u64::from(count);
            }
        }
        let mut ranked: Vec<(u128, usize)> = Vec::new();
        for (place, family) in self.families.iter().enumerate() {
            if times(kind, &family.room, &family.keys) > 0
                && self.compiled.allows_offer(kind, family.sample)
                && self.state.may_open(self.compiled, family)
            {
                ranked.push((family.looks(&totals, kind), place));
            }
        }
        ranked.sort_unstable();
        ranked.truncate(OFFERS);
        // Half of the time the cheapest by its looks, then the next, and so on.
        let place = self.random.bits().trailing_zeros();
        let place = usize::try_from(place).unwrap_or(0) % ranked.len().max(1);
        let family = ranked
            .get(place)
            .and_then(|(_, place)| self.families.get(*place).copied());
        let Some(family) = family else {
            // Nothing can be opened for the lead: it stays missing, and the others have their turn.
            candidates.retain(|candidate| Some(candidate.id) != lead);
            return true;
        };
        let mut room = Room::of(family.room, &self.whole);
        let mut rules = KeyRules::new(self.compiled, &family.keys, |kind: &Kind| {
            self.compiled.allows_offer(kind, family.sample)
        });
        if let Some(lead) = lead {
            fill_with(&mut room, candidates, &mut rules, lead);
        }
        fill(&mut room, candidates, &mut rules);
        let holds = rules.into_holds();
        if let Some(offer) = self.state.offer_of(self.compiled, family, &holds) {
            self.state.open(self.compiled, offer, &holds);
        }
        true
    }
}

/// Puts one of the candidate in, before anything else.
fn fill_with(
    room: &mut Room<AMOUNTS>,
    candidates: &mut Vec<Candidate<AMOUNTS>>,
    rules: &mut impl Rules,
    id: usize,
) {
    let Some(place) = candidates.iter().position(|candidate| candidate.id == id) else {
        return;
    };
    let Some(candidate) = candidates.get_mut(place) else {
        return;
    };
    let mut one = vec![candidate.split_one()];
    let left = candidate.left;
    fill(room, &mut one, rules);
    if left == 0 {
        candidates.swap_remove(place);
    }
}

/// The families of which no other has at least as much room for at most the cost, wherever they are allowed.
pub(super) fn undominated<'a>(compiled: &'a Compiled<'_>) -> Vec<&'a Family> {
    let unlimited = |family: &Family| {
        family.offers.iter().any(|offer| {
            compiled
                .shapes
                .get(*offer)
                .is_some_and(|shape| shape.at_most >= compiled.problem.new_bins_at_most)
        })
    };
    let mut kept: Vec<&Family> = Vec::new();
    // By cost, and of one cost the largest first: what dominates a family comes before it.
    let mut families: Vec<&Family> = compiled.families.iter().collect();
    families.sort_by(|a, b| a.cost.cmp(&b.cost).then_with(|| b.room.cmp(&a.room)));
    for family in families {
        let dominated = kept.iter().any(|other| {
            unlimited(other)
                && other.allowed == family.allowed
                && other
                    .room
                    .iter()
                    .zip(family.room)
                    .all(|(has, less)| *has >= less)
                && other.keys.iter().all(|key| family.keys.contains(key))
        });
        if !dominated {
            kept.push(family);
        }
    }
    kept
}

/// The most of each amount that an instance of the answer has.
fn whole(compiled: &Compiled<'_>, state: &State) -> Amounts {
    let there = compiled.existing.iter().map(|instance| instance.free);
    let opened = state.used.iter().zip(&compiled.shapes);
    let opened = opened
        .filter(|(used, _)| **used > 0)
        .map(|(_, shape)| shape.room);
    let mut whole = [0; AMOUNTS];
    for room in there.chain(opened) {
        for (most, has) in whole.iter_mut().zip(room) {
            *most = (*most).max(has);
        }
    }
    whole
}

/// What is asked for of each amount, beside a whole instance, up to [`HEAVIEST`].
fn scarcity(compiled: &Compiled<'_>, whole: &Amounts) -> Amounts {
    let mut totals = [0_u64; AMOUNTS];
    for kind in &compiled.kinds {
        for (total, share) in totals.iter_mut().zip(shares_of(&kind.needs, whole)) {
            *total += u64::from(share) * u64::from(kind.count);
        }
    }
    let most = totals.iter().copied().max().unwrap_or(0).max(1);
    totals.map(|total| u32::try_from(total * HEAVIEST / most).unwrap_or(0))
}
