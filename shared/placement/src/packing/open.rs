//! Opening new instances: which offer, and what goes on it.
//!
//! The largest task that is missing leads. The offers that look cheapest for what is missing are filled in thought, and the one
//! that costs least for what it takes is opened, as many times as the same filling can be repeated.

use std::cmp::Ordering;

use super::compiled::{AMOUNTS, Amounts, Compiled, Family, Kind, times};
use super::fit::{KeyRules, fit_the_rest};
use super::missing::Missing;
use super::state::State;
use super::vector::fill::{Candidate, Room, fill, shares_of};

/// How many offers are filled in thought.
const TRIED: usize = 6;
/// How many kinds of tasks are looked at in choosing what goes on an instance; what then still fits of the others is added.
const LOOKED_AT: usize = 96;
/// With more kinds than this the offer that won is taken again without trying the others, except once in so many instances.
const MANY: usize = 4 * LOOKED_AT;
const REVIEWED: u32 = 4;
/// Worth twice as much is worth one part in about this many more.
const BONUS: u128 = 16;
/// The largest weight of an amount.
const HEAVIEST: u64 = 64;

/// An instance in thought.
struct Filling<'a> {
    family: &'a Family,
    holds: Vec<(usize, u32)>,
    value: u128,
}

/// Opens what is needed for the tasks that are missing, as far as limits allow.
pub(super) fn open_for_the_rest(compiled: &Compiled<'_>, state: &mut State) {
    let mut missing = Missing::new(compiled, state);
    let mut favourite: Option<&Family> = None;
    let mut number = 0_u32;
    for lead in 0..compiled.kinds.len() {
        while state.is_missing(lead) {
            missing.forget_what_is_placed(compiled, state);
            let Some(kind) = compiled.kinds.get(lead) else {
                break;
            };
            let many = missing.kinds().len() > MANY;
            let tried = match favourite.filter(|_| many && !number.is_multiple_of(REVIEWED)) {
                Some(family) if may_open(compiled, state, kind, family) => vec![family],
                Some(_) | None => promising(compiled, state, kind, &missing),
            };
            number += 1;
            let best = tried
                .into_iter()
                .map(|family| fill_in_thought(compiled, state, lead, family, &missing))
                .min_by(|a, b| dearer(a, b));
            favourite = best.as_ref().map(|best| best.family);
            let Some(mut best) = best.filter(|best| !best.holds.is_empty()) else {
                break;
            };
            fit_the_rest(compiled, state, best.family, &mut best.holds, &missing);
            let times = repeat(compiled, state, &best);
            missing.placed(compiled, state, &best.holds, times);
            if times == 0 {
                break;
            }
        }
    }
}

/// The first costs less for each part of value, or as much and is worth more, or comes first.
fn dearer(a: &Filling<'_>, b: &Filling<'_>) -> Ordering {
    (u128::from(a.family.cost) * b.value)
        .cmp(&(u128::from(b.family.cost) * a.value))
        .then_with(|| b.value.cmp(&a.value))
}

/// The families that take the lead and look cheapest for what is missing: by the cost of the part of it that one instance takes
/// if everything went in without waste.
fn promising<'a>(
    compiled: &'a Compiled<'_>,
    state: &State,
    lead: &Kind,
    missing: &Missing,
) -> Vec<&'a Family> {
    let mut ranked: Vec<(u128, usize)> = Vec::new();
    for (place, family) in compiled.families.iter().enumerate() {
        if may_open(compiled, state, lead, family) {
            ranked.push((family.looks(missing.totals(), lead), place));
        }
    }
    let by_cost = |a: &(u128, usize), b: &(u128, usize)| a.cmp(b);
    if ranked.len() > TRIED {
        ranked.select_nth_unstable_by(TRIED, by_cost);
        ranked.truncate(TRIED);
    }
    ranked.sort_unstable_by(by_cost);
    ranked
        .into_iter()
        .filter_map(|(_, place)| compiled.families.get(place))
        .collect()
}

/// Whether a new instance of the family may be opened for the lead.
fn may_open(compiled: &Compiled<'_>, state: &State, lead: &Kind, family: &Family) -> bool {
    times(lead, &family.room, &family.keys) > 0
        && compiled.allows_offer(lead, family.sample)
        && state.may_open(compiled, family)
}

fn fill_in_thought<'a>(
    compiled: &Compiled<'_>,
    state: &State,
    lead: usize,
    family: &'a Family,
    missing: &Missing,
) -> Filling<'a> {
    let weights = weights(&family.room, missing.totals());
    let candidate = |index: usize, left: u32| {
        let kind = compiled.kinds.get(index)?;
        if left == 0 || !compiled.allows_offer(kind, family.sample) {
            return None;
        }
        let shares = shares_of(&kind.needs, &family.room);
        Some(Candidate::new(
            index, left, kind.needs, shares, &weights, 1024,
        ))
    };
    let mut rules = KeyRules::new(compiled, &family.keys, |_: &Kind| true);
    let mut room = Room::whole(family.room);
    // The lead goes in first, once; then what fits best beside it.
    let mut candidates: Vec<Candidate<AMOUNTS>> = candidate(lead, 1).into_iter().collect();
    fill(&mut room, &mut candidates, &mut rules);
    candidates.clear();
    let step = missing.kinds().len().div_ceil(LOOKED_AT).max(1);
    for index in missing.kinds().iter().copied().step_by(step) {
        let left = state.missing.get(index).copied().unwrap_or(0);
        candidates.extend(candidate(
            index,
            left.saturating_sub(u32::from(index == lead)),
        ));
    }
    fill(&mut room, &mut candidates, &mut rules);
    let holds = rules.into_holds();
    let value: u128 = holds
        .iter()
        .filter_map(|(index, count)| {
            let kind = compiled.kinds.get(*index)?;
            Some(missing.value(kind) * u128::from(*count))
        })
        .sum();
    let doublings = u128::from(value.max(1).ilog2());
    Filling {
        family,
        holds,
        value: value * (BONUS + doublings),
    }
}

/// How scarce each amount is on the family's instances, for what is missing.
fn weights(room: &Amounts, totals: &[u64; AMOUNTS]) -> Amounts {
    let mut scarcity = [0_u64; AMOUNTS];
    for ((scarcity, room), total) in scarcity.iter_mut().zip(room).zip(totals) {
        *scarcity = total.saturating_mul(1 << 16) / u64::from(*room).max(1);
    }
    let most = scarcity.iter().copied().max().unwrap_or(0).max(1);
    scarcity.map(|scarcity| {
        let weight = u128::from(scarcity) * u128::from(HEAVIEST) / u128::from(most);
        u32::try_from(weight).unwrap_or(0)
    })
}

/// Opens instances with this filling while there are tasks for it and limits allow, and says how many.
fn repeat(compiled: &Compiled<'_>, state: &mut State, filling: &Filling<'_>) -> u32 {
    let enough = |state: &State| {
        filling.holds.iter().all(|(index, count)| {
            state
                .missing
                .get(*index)
                .is_some_and(|missing| missing >= count)
        })
    };
    let mut times = 0;
    while enough(state) {
        let Some(offer) = state.offer_of(compiled, filling.family, &filling.holds) else {
            break;
        };
        state.open(compiled, offer, &filling.holds);
        times += 1;
    }
    times
}
