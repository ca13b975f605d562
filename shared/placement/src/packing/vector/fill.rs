//! Filling one bin: again and again what points most nearly along the room that is left.

/// What a bin has left, in the caller's units and as shares of [`FULL`].
#[derive(Debug, Clone, Copy)]
pub(in crate::packing) struct Room<const D: usize> {
    pub(in crate::packing) free: [u32; D],
    shares: [u32; D],
}

/// The share that is a whole bin. Small enough that a score of any number of dimensions up to 16 fits 32 bits.
pub(in crate::packing) const FULL: u32 = 1 << 12;

/// What may go into the bin.
#[derive(Debug, Clone, Copy)]
pub(in crate::packing) struct Candidate<const D: usize> {
    /// The caller's number of it.
    pub(in crate::packing) id: usize,
    /// How many of it are left.
    pub(in crate::packing) left: u32,
    needs: [u32; D],
    shares: [u32; D],
    weighted: [u32; D],
}

/// What else decides whether something may join what is in the bin.
pub(in crate::packing) trait Rules {
    /// How many of it may join now.
    fn most(&self, id: usize) -> u32;
    /// Some of it joined.
    fn joined(&mut self, id: usize, count: u32);
}

/// The share of a capacity that a need is. More than the capacity counts as all of it; so does anything of a capacity of zero.
pub(in crate::packing) fn share_of(needs: u32, capacity: u32) -> u32 {
    if needs == 0 {
        return 0;
    }
    let share = (u64::from(needs) * u64::from(FULL))
        .checked_div(u64::from(capacity))
        .unwrap_or(u64::from(FULL));
    u32::try_from(share).unwrap_or(FULL).min(FULL)
}

/// The shares of all dimensions.
pub(in crate::packing) fn shares_of<const D: usize>(
    needs: &[u32; D],
    capacity: &[u32; D],
) -> [u32; D] {
    let mut shares = [0; D];
    for ((share, needs), capacity) in shares.iter_mut().zip(needs).zip(capacity) {
        *share = share_of(*needs, *capacity);
    }
    shares
}

/// Whether so much fits.
pub(in crate::packing) fn fits<const D: usize>(needs: &[u32; D], free: &[u32; D]) -> bool {
    let mut fits = true;
    for (needs, free) in needs.iter().zip(free) {
        fits &= needs <= free;
    }
    fits
}

impl<const D: usize> Room<D> {
    /// An empty bin.
    pub(in crate::packing) const fn whole(capacity: [u32; D]) -> Self {
        Self {
            free: capacity,
            shares: [FULL; D],
        }
    }

    /// A bin with so much left, in shares of a bin that may be another.
    pub(in crate::packing) fn of(free: [u32; D], whole: &[u32; D]) -> Self {
        Self {
            free,
            shares: shares_of(&free, whole),
        }
    }

    fn take(&mut self, candidate: &Candidate<D>, count: u32) {
        for (free, needs) in self.free.iter_mut().zip(&candidate.needs) {
            *free = free.saturating_sub(needs.saturating_mul(count));
        }
        for (free, share) in self.shares.iter_mut().zip(&candidate.shares) {
            *free = free.saturating_sub(share.saturating_mul(count));
        }
    }
}

impl<const D: usize> Candidate<D> {
    /// `weights` say, dimension by dimension, how much it counts that room is filled, up to 128; `factor` is the candidate's
    /// own, in 1,024ths, up to 2,048.
    pub(in crate::packing) fn new(
        id: usize,
        left: u32,
        needs: [u32; D],
        shares: [u32; D],
        weights: &[u32; D],
        factor: u32,
    ) -> Self {
        let mut weighted = [0; D];
        for ((weighted, share), weight) in weighted.iter_mut().zip(shares).zip(weights) {
            *weighted = share.wrapping_mul(*weight).wrapping_mul(factor) >> 14;
        }
        Self {
            id,
            left,
            needs,
            shares,
            weighted,
        }
    }

    /// Takes one off, as a candidate of its own.
    pub(in crate::packing) const fn split_one(&mut self) -> Self {
        let one = Self { left: 1, ..*self };
        self.left = self.left.saturating_sub(1);
        one
    }

    fn score(&self, room: &Room<D>) -> u32 {
        let mut score = 0_u32;
        for (weighted, free) in self.weighted.iter().zip(&room.shares) {
            score = score.wrapping_add(weighted.wrapping_mul(*free) >> 4);
        }
        score
    }

    fn times(&self, room: &Room<D>) -> u32 {
        let mut most = self.left;
        for (needs, free) in self.needs.iter().zip(&room.free) {
            most = most.min(free.checked_div(*needs).unwrap_or(u32::MAX));
        }
        most
    }
}

/// Fills the room and takes what went into it off the candidates; those of which none is left are removed.
///
/// Of a candidate that fits many times half goes in at once, so that what is alike costs little and still mixes.
pub(in crate::packing) fn fill<const D: usize>(
    room: &mut Room<D>,
    candidates: &mut Vec<Candidate<D>>,
    rules: &mut impl Rules,
) {
    // Those from here on do not fit any more, or may not join.
    let mut end = candidates.len();
    while let Some(best) = best_that_fits(room, candidates, &mut end) {
        let Some(candidate) = candidates.get_mut(best) else {
            return;
        };
        let most = candidate.times(room).min(rules.most(candidate.id));
        if most == 0 {
            end -= 1;
            candidates.swap(best, end);
            continue;
        }
        let count = most.div_ceil(2);
        room.take(candidate, count);
        rules.joined(candidate.id, count);
        candidate.left -= count;
        if candidate.left == 0 {
            end -= 1;
            candidates.swap(best, end);
            candidates.swap_remove(end);
        }
    }
}

/// The best candidate before `end` that fits; on the way, those that do not are moved behind it. Ties: the first.
fn best_that_fits<const D: usize>(
    room: &Room<D>,
    candidates: &mut [Candidate<D>],
    end: &mut usize,
) -> Option<usize> {
    let mut best: Option<(u32, usize)> = None;
    let mut at = 0;
    while at < *end {
        let candidate = candidates.get(at)?;
        if !fits(&candidate.needs, &room.free) {
            *end -= 1;
            candidates.swap(at, *end);
            continue;
        }
        let score = candidate.score(room);
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, at));
        }
        at += 1;
    }
    best.map(|(_, at)| at)
}
