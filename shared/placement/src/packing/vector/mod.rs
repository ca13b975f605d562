//! Packing vectors of any number of dimensions into the fewest bins of one size.
//!
//! The core of the search, without anything of AWS: no types, prices, ports or zones. It has a face of its own, so that it can
//! be measured on published instances of vector bin packing.
//!
//! Guaranteed: every bin keeps to its capacity in every dimension; everything that fits a bin alone is in exactly one;
//! more iterations from the same seed never give more bins.
//!
//! Assumed: at most 16 dimensions. With more the answer is still valid, and worse.

pub(in crate::packing) mod fill;
pub(in crate::packing) mod random;

mod completion;
mod items;
mod search;

use super::Effort;

/// What packing vectors came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "an answer that nobody reads places nothing"]
pub struct VectorPacking {
    /// What is in each bin, as indexes into what was to be packed, in ascending order.
    pub bins: Vec<Vec<usize>>,
    /// What fits no bin even alone.
    pub too_large: Vec<usize>,
    /// No packing has fewer bins.
    pub at_least: usize,
}

/// Packs into the fewest bins that the effort finds.
///
/// First each bin in turn is filled with what points along the room that is left (0 iterations end here). Then bin completion
/// packs anew, and the better of the two is taken apart and put together again: a few bins at a time, with one bin fewer than
/// the best answer has, until everything is in.
pub fn pack<const D: usize>(
    capacity: [u32; D],
    needs: &[[u32; D]],
    effort: Effort,
) -> VectorPacking {
    let (fitting, too_large): (Vec<usize>, Vec<usize>) = (0..needs.len()).partition(|index| {
        needs
            .get(*index)
            .is_some_and(|needs| fill::fits(needs, &capacity))
    });
    let kept: Vec<[u32; D]> = fitting
        .iter()
        .filter_map(|index| needs.get(*index).copied())
        .collect();
    let items = items::Items::new(capacity, &kept);
    let at_least = items.at_least();
    let mut bins: Vec<Vec<usize>> = search::search(&items, at_least, effort)
        .iter()
        .map(|bin| {
            let mut bin: Vec<usize> = bin
                .iter()
                .filter_map(|kept| fitting.get(*kept).copied())
                .collect();
            bin.sort_unstable();
            bin
        })
        .collect();
    bins.sort_unstable();
    VectorPacking {
        bins,
        too_large,
        at_least,
    }
}
