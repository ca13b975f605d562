//! The first answer: groups from the largest to the smallest, each on the first instance with room, the rest on new ones.

use super::compiled::Compiled;
use super::open::open_for_the_rest;
use super::state::{NEW, State, room_for};

/// Packs at once.
pub(super) fn first_answer(compiled: &Compiled<'_>) -> State {
    let mut state = State::new(compiled);
    state.settle(compiled);
    state
}

impl State {
    /// Places what is missing wherever it can be, on what is there and on new instances: afterwards nothing more can.
    pub(super) fn settle(&mut self, compiled: &Compiled<'_>) {
        if self.missing.iter().any(|missing| *missing > 0) {
            self.use_what_is_free(compiled);
            open_for_the_rest(compiled, self);
        }
    }

    /// Places what is missing where there is room, on the instances that are there and those opened so far.
    pub(super) fn use_what_is_free(&mut self, compiled: &Compiled<'_>) {
        for index in 0..compiled.kinds.len() {
            for tier in 0..=NEW {
                let left = self.missing.get(index).copied().unwrap_or(0);
                let left = self.place_on_tier(compiled, index, left, tier);
                if let Some(missing) = self.missing.get_mut(index) {
                    *missing = left;
                }
            }
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
        if left == 0 {
            return 0;
        }
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
}
