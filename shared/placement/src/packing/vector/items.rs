//! What is packed, with what the search knows of it beforehand.

use super::fill::{FULL, shares_of};

/// The largest weight of a dimension.
pub(super) const HEAVIEST: u32 = 64;

/// One thing to pack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<const D: usize> {
    pub(super) needs: [u32; D],
    pub(super) shares: [u32; D],
    /// Its shares, weighted and added up.
    pub(super) size: u32,
}

/// All things to pack.
#[derive(Debug, Clone)]
pub(super) struct Items<const D: usize> {
    pub(super) capacity: [u32; D],
    pub(super) all: Vec<Item<D>>,
    /// How scarce each dimension is, up to [`HEAVIEST`]: its share of all that is needed.
    pub(super) weights: [u32; D],
    /// The size of a full bin.
    pub(super) full: u32,
}

impl<const D: usize> Items<D> {
    pub(super) fn new(capacity: [u32; D], needs: &[[u32; D]]) -> Self {
        let mut totals = [0_u64; D];
        for needs in needs {
            for (total, share) in totals.iter_mut().zip(shares_of(needs, &capacity)) {
                *total += u64::from(share);
            }
        }
        let most = totals.iter().copied().max().unwrap_or(0).max(1);
        let weights = totals
            .map(|total| u32::try_from(total * u64::from(HEAVIEST) / most).unwrap_or(HEAVIEST));
        let all = needs
            .iter()
            .map(|needs| {
                let shares = shares_of(needs, &capacity);
                Item {
                    needs: *needs,
                    shares,
                    size: size(&shares, &weights),
                }
            })
            .collect();
        Self {
            capacity,
            all,
            weights,
            full: size(&[FULL; D], &weights).max(1),
        }
    }

    pub(super) fn size(&self, index: usize) -> u32 {
        self.all.get(index).map_or(0, |item| item.size)
    }

    /// Below this number of bins there is no packing: the most that any dimension asks for, and the number of things of
    /// which no two fit together in one dimension.
    pub(super) fn at_least(&self) -> usize {
        let mut most = usize::from(!self.all.is_empty());
        for dimension in 0..D {
            let needs = || {
                self.all
                    .iter()
                    .filter_map(move |item| item.needs.get(dimension).copied())
                    .map(u64::from)
            };
            let capacity = self.capacity.get(dimension).copied().map_or(0, u64::from);
            let together = needs().sum::<u64>().div_ceil(capacity.max(1));
            let alone = needs().filter(|needs| 2 * needs > capacity).count();
            most = most
                .max(usize::try_from(together).unwrap_or(usize::MAX))
                .max(alone);
        }
        most
    }
}

fn size<const D: usize>(shares: &[u32; D], weights: &[u32; D]) -> u32 {
    let sum: u32 = shares
        .iter()
        .zip(weights)
        .map(|(share, weight)| share * weight)
        .sum();
    sum / HEAVIEST
}
