//! The common case: what is left goes on instances of one size and price, and nothing keeps tasks apart. Then the search for
//! vectors in the fewest bins applies, and it is far stronger than the general one.

use super::Effort;
use super::compiled::{Amounts, Compiled, Family};
use super::improve::undominated;
use super::state::State;
use super::vector;

/// With more tasks than this the search is too slow to be of use.
const TASKS_AT_MOST: usize = 4_096;

/// Packs what does not fit the instances that are there, if the case applies.
pub(super) fn in_fewest_bins(compiled: &Compiled<'_>, effort: Effort) -> Option<State> {
    let mut state = State::new(compiled);
    state.use_what_is_free(compiled);
    let families = undominated(compiled);
    let [family] = families.as_slice() else {
        return None;
    };
    let (needs, kinds) = one_by_one(compiled, &state, family)?;
    let packing = vector::pack(family.room, &needs, effort);
    for bin in &packing.bins {
        let mut holds: Vec<(usize, u32)> = Vec::new();
        for kind in bin.iter().filter_map(|task| kinds.get(*task).copied()) {
            match holds.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => holds.push((kind, 1)),
            }
        }
        let offer = state.offer_of(compiled, family, &holds)?;
        state.open(compiled, offer, &holds);
    }
    Some(state)
}

/// What each missing task needs, and its kind; tasks that fit no offer are left out. `None` if something keeps tasks apart.
fn one_by_one(
    compiled: &Compiled<'_>,
    state: &State,
    family: &Family,
) -> Option<(Vec<Amounts>, Vec<usize>)> {
    let (mut needs, mut kinds) = (Vec::new(), Vec::new());
    for (index, (kind, missing)) in compiled.kinds.iter().zip(&state.missing).enumerate() {
        if *missing == 0 || !compiled.offer_takes(kind, family.sample) {
            continue;
        }
        let missing = usize::try_from(*missing).ok()?;
        if !kind.keys.is_empty() || needs.len().saturating_add(missing) > TASKS_AT_MOST {
            return None;
        }
        needs.resize(needs.len() + missing, kind.needs);
        kinds.resize(kinds.len() + missing, index);
    }
    Some((needs, kinds))
}
