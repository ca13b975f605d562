//! What is missing, kept so that looking at it costs little when there is much.

use super::compiled::{AMOUNTS, Amounts, Compiled, Kind};
use super::state::State;

/// So many kinds are skipped at once if none of them can fit.
const BLOCK: usize = 32;
/// So many kinds of which none is missing any more may be among the others.
const STALE_AT_MOST: usize = 32;

/// What is missing, added up.
pub(super) struct Missing {
    totals: [u64; AMOUNTS],
    /// Indexes of kinds, in order.
    kinds: Vec<usize>,
    /// The least that any kind of a block needs of each amount.
    least: Vec<Amounts>,
    gone: usize,
}

impl Missing {
    pub(super) fn new(compiled: &Compiled<'_>, state: &State) -> Self {
        let mut missing = Self {
            totals: [0; AMOUNTS],
            kinds: (0..compiled.kinds.len()).collect(),
            least: Vec::new(),
            gone: usize::MAX,
        };
        for (kind, count) in compiled.kinds.iter().zip(&state.missing) {
            missing.count(kind, *count, u64::saturating_add);
        }
        missing.forget_what_is_placed(compiled, state);
        missing
    }

    /// All that is missing of each amount. Of a kind that holds a key one task counts: more do not go on the next instance.
    pub(super) const fn totals(&self) -> &[u64; AMOUNTS] {
        &self.totals
    }

    /// The kinds of which some may be missing, in order.
    pub(super) fn kinds(&self) -> &[usize] {
        &self.kinds
    }

    /// What a task is worth: its share of all that is missing, of each amount.
    pub(super) fn value(&self, kind: &Kind) -> u128 {
        let shares = kind.needs.iter().zip(self.totals);
        shares
            .map(|(needs, total)| (u64::from(*needs) << 30) / total.max(1))
            .map(u128::from)
            .sum::<u128>()
            .max(1)
    }

    /// Takes out the kinds of which none is missing any more, if they are more than a few.
    pub(super) fn forget_what_is_placed(&mut self, compiled: &Compiled<'_>, state: &State) {
        if self.gone <= STALE_AT_MOST {
            return;
        }
        self.gone = 0;
        self.kinds.retain(|index| state.is_missing(*index));
        self.least.clear();
        for block in self.kinds.chunks(BLOCK) {
            let mut least = [u32::MAX; AMOUNTS];
            for kind in block.iter().filter_map(|index| compiled.kinds.get(*index)) {
                for (least, needs) in least.iter_mut().zip(kind.needs) {
                    *least = (*least).min(needs);
                }
            }
            self.least.push(least);
        }
    }

    /// So many instances with this filling were opened.
    pub(super) fn placed(
        &mut self,
        compiled: &Compiled<'_>,
        state: &State,
        holds: &[(usize, u32)],
        times: u32,
    ) {
        for (index, count) in holds {
            let Some(kind) = compiled.kinds.get(*index) else {
                continue;
            };
            let left = state.is_missing(*index);
            self.gone += usize::from(!left);
            if kind.keys.is_empty() {
                self.count(kind, count.saturating_mul(times), u64::saturating_sub);
            } else if !left {
                self.count(kind, 1, u64::saturating_sub);
            }
        }
    }

    /// The kinds, in blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, &[usize])> {
        self.kinds.chunks(BLOCK).enumerate()
    }

    /// Whether nothing of the block fits.
    pub(super) fn too_large(&self, block: usize, free: &Amounts) -> bool {
        self.least
            .get(block)
            .is_some_and(|least| least.iter().zip(free).any(|(least, free)| least > free))
    }

    fn count(&mut self, kind: &Kind, count: u32, add: impl Fn(u64, u64) -> u64) {
        let count = if kind.keys.is_empty() {
            count
        } else {
            count.min(1)
        };
        for (total, needs) in self.totals.iter_mut().zip(kind.needs) {
            *total = add(*total, u64::from(needs) * u64::from(count));
        }
    }
}
