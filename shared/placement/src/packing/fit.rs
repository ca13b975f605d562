//! What fits beside what is on an instance already.

use std::collections::BTreeMap;

use super::compiled::{Amounts, Compiled, Family, Key, Kind, times};
use super::missing::Missing;
use super::state::State;
use super::vector::fill::Rules;

/// Tasks that share a key do not share an instance, and constraints may forbid a kind altogether.
pub(super) struct KeyRules<'a, F> {
    compiled: &'a Compiled<'a>,
    taken: Vec<Key>,
    holds: Vec<(usize, u32)>,
    allows: F,
}

impl<'a, F: Fn(&Kind) -> bool> KeyRules<'a, F> {
    /// Nothing joined yet; these keys are taken.
    pub(super) fn new(compiled: &'a Compiled<'_>, taken: &[Key], allows: F) -> Self {
        Self {
            compiled,
            taken: taken.to_vec(),
            holds: Vec::new(),
            allows,
        }
    }

    /// What joined: indexes of kinds, ascending and each once, and how many tasks.
    pub(super) fn into_holds(mut self) -> Vec<(usize, u32)> {
        self.holds.sort_unstable();
        self.holds.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.holds
    }
}

impl<F: Fn(&Kind) -> bool> Rules for KeyRules<'_, F> {
    fn most(&self, id: usize) -> u32 {
        let Some(kind) = self.compiled.kinds.get(id) else {
            return 0;
        };
        if !(self.allows)(kind) {
            0
        } else if kind.keys.is_empty() {
            u32::MAX
        } else {
            u32::from(!kind.keys.iter().any(|key| self.taken.contains(key)))
        }
    }

    fn joined(&mut self, id: usize, count: u32) {
        if let Some(kind) = self.compiled.kinds.get(id) {
            self.taken.extend_from_slice(&kind.keys);
        }
        self.holds.push((id, count));
    }
}

/// Adds to a filling of the family whatever of the missing kinds still fits, in order.
pub(super) fn fit_the_rest(
    compiled: &Compiled<'_>,
    state: &State,
    family: &Family,
    holds: &mut Vec<(usize, u32)>,
    missing: &Missing,
) {
    let mut free = family.room;
    let mut taken = family.keys.clone();
    let mut held: BTreeMap<usize, u32> = holds.iter().copied().collect();
    for (index, count) in holds.iter() {
        if let Some(kind) = compiled.kinds.get(*index) {
            take(&mut free, &kind.needs, *count);
            taken.extend_from_slice(&kind.keys);
        }
    }
    for (block, kinds) in missing.blocks() {
        if missing.too_large(block, &free) {
            continue;
        }
        for index in kinds {
            let (Some(kind), Some(missing)) =
                (compiled.kinds.get(*index), state.missing.get(*index))
            else {
                continue;
            };
            let already = held.get(index).copied().unwrap_or(0);
            let count = times(kind, &free, &taken).min(missing.saturating_sub(already));
            if count > 0 && compiled.allows_offer(kind, family.sample) {
                take(&mut free, &kind.needs, count);
                taken.extend_from_slice(&kind.keys);
                held.insert(*index, already + count);
            }
        }
    }
    *holds = held.into_iter().collect();
}

fn take(free: &mut Amounts, needs: &Amounts, count: u32) {
    for (free, needs) in free.iter_mut().zip(needs) {
        *free = free.saturating_sub(needs.saturating_mul(count));
    }
}
