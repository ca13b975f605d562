//! Bin completion: for the largest thing left, the set of others that leaves the least of its bin empty, as far as a number of
//! comparisons allows to search.
//!
//! After Gupta and Ho's minimum bin slack, <https://doi.org/10.1080/095372899233334>, with many dimensions.

use super::fill::fits;
use super::items::{Item, Items};

/// How many comparisons one bin may cost.
const COMPARISONS: u32 = 100_000;
/// How many comparisons cost as much time as one iteration of the search.
const COMPARISONS_AN_ITERATION: u32 = 256;

struct Completion<'a, const D: usize> {
    items: &'a Items<D>,
    chosen: Vec<usize>,
    best: Vec<usize>,
    best_size: u32,
    comparisons: u32,
}

/// Packs bin by bin, or gives up if that takes more than the iterations, which it counts down.
pub(super) fn complete<const D: usize>(
    items: &Items<D>,
    iterations: &mut u32,
) -> Option<Vec<Vec<usize>>> {
    // From the largest to the smallest.
    let mut left: Vec<usize> = (0..items.all.len()).collect();
    left.sort_by_key(|index| std::cmp::Reverse(items.size(*index)));
    let mut bins = Vec::new();
    while let Some(first) = left.first().copied() {
        let item = items.all.get(first)?;
        let free = without(&items.capacity, item);
        let others: Vec<usize> = left
            .iter()
            .copied()
            .skip(1)
            .filter(|index| items.fits(*index, &free))
            .collect();
        let mut completion = Completion {
            items,
            chosen: vec![first],
            best: vec![first],
            best_size: item.size,
            comparisons: COMPARISONS,
        };
        completion.search(&free, &others, item.size);
        let spent = COMPARISONS - completion.comparisons;
        *iterations = iterations.checked_sub(1 + spent / COMPARISONS_AN_ITERATION)?;
        left.retain(|index| !completion.best.contains(index));
        bins.push(completion.best);
    }
    Some(bins)
}

impl<const D: usize> Completion<'_, D> {
    /// Tries every set of the others that fits, the larger ones first, until the comparisons are used up.
    fn search(&mut self, free: &[u32; D], others: &[usize], size: u32) {
        if size > self.best_size {
            self.best_size = size;
            self.best.clone_from(&self.chosen);
        }
        let mut rest = Vec::with_capacity(others.len());
        for (place, index) in others.iter().enumerate() {
            let Some(item) = self.items.all.get(*index) else {
                return;
            };
            let smaller = others.get(place + 1..).unwrap_or_default();
            let cost = u32::try_from(smaller.len())
                .unwrap_or(u32::MAX)
                .saturating_add(1);
            if self.comparisons < cost {
                self.comparisons = 0;
                return;
            }
            self.comparisons -= cost;
            let left = without(free, item);
            rest.clear();
            rest.extend(
                smaller
                    .iter()
                    .copied()
                    .filter(|other| self.items.fits(*other, &left)),
            );
            self.chosen.push(*index);
            self.search(&left, &rest, size.saturating_add(item.size));
            self.chosen.pop();
        }
    }
}

fn without<const D: usize>(free: &[u32; D], item: &Item<D>) -> [u32; D] {
    let mut left = *free;
    for (left, needs) in left.iter_mut().zip(&item.needs) {
        *left = left.saturating_sub(*needs);
    }
    left
}

impl<const D: usize> Items<D> {
    fn fits(&self, index: usize, free: &[u32; D]) -> bool {
        self.all
            .get(index)
            .is_some_and(|item| fits(&item.needs, free))
    }
}
