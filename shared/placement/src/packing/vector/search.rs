//! Ruin and recreate: a few bins are emptied and filled again, with one bin fewer than the best answer, until nothing is left
//! outside.

use super::super::Effort;
use super::completion::complete;
use super::fill::{Candidate, Room, Rules, fill};
use super::items::Items;
use super::random::Random;

/// At most so many bins are emptied at a time.
const EMPTIED_AT_MOST: u32 = 4;
/// How far the weights of dimensions and candidates stray from what they are, in percent, at most.
const NOISE_PERCENT: u32 = 60;
/// How often the less filled of two bins is emptied, in percent.
const BADLY_FILLED_PERCENT: u32 = 50;
/// What a bin's uneven filling counts beside what is left outside: this part of its squared size, in 64ths.
const UNEVEN: i64 = 32;
/// What is worse is accepted with the probability e^(-worse / temperature); the temperature as a share of a full bin.
const TEMPERATURE_SHARE: i64 = 100;

#[derive(Debug, Clone, Default)]
struct Bin {
    items: Vec<usize>,
    size: u32,
}

/// Everything may share a bin; the search only has to know what went in.
struct Joined<'a>(&'a mut Vec<usize>);

impl Rules for Joined<'_> {
    fn most(&self, _: usize) -> u32 {
        u32::MAX
    }

    fn joined(&mut self, id: usize, _: u32) {
        self.0.push(id);
    }
}

struct Search<'a, const D: usize> {
    items: &'a Items<D>,
    bins: Vec<Bin>,
    /// What is in no bin, and its size.
    outside: Vec<usize>,
    outside_size: i64,
    random: Random,
    // Kept from one iteration to the next, so that their memory is.
    emptied: Vec<usize>,
    candidates: Vec<Candidate<D>>,
    filled: Vec<Bin>,
}

/// The fewest bins found, each with the indexes of its items.
pub(super) fn search<const D: usize>(
    items: &Items<D>,
    at_least: usize,
    effort: Effort,
) -> Vec<Vec<usize>> {
    let mut best = one_by_one(items);
    let mut iterations = effort.iterations;
    if best.len() <= at_least || iterations == 0 {
        return best;
    }
    let Some(completed) = complete(items, &mut iterations) else {
        return best;
    };
    if completed.len() < best.len() {
        best = completed;
    }
    let mut search = Search::new(items, &best, effort.seed);
    while best.len() > at_least {
        search.take_one_away();
        while !search.outside.is_empty() {
            if iterations == 0 {
                return best;
            }
            iterations -= 1;
            search.step();
        }
        search.bins.retain(|bin| !bin.items.is_empty());
        best = search.bins.iter().map(|bin| bin.items.clone()).collect();
    }
    best
}

/// Each bin in turn is filled with what is left.
fn one_by_one<const D: usize>(items: &Items<D>) -> Vec<Vec<usize>> {
    let mut candidates: Vec<Candidate<D>> = items
        .all
        .iter()
        .enumerate()
        .map(|(id, item)| Candidate::new(id, 1, item.needs, item.shares, &items.weights, 1024))
        .collect();
    let mut bins = Vec::new();
    while !candidates.is_empty() {
        let mut bin = Vec::new();
        fill(
            &mut Room::whole(items.capacity),
            &mut candidates,
            &mut Joined(&mut bin),
        );
        if bin.is_empty() {
            break;
        }
        bins.push(bin);
    }
    bins
}

impl<'a, const D: usize> Search<'a, D> {
    fn new(items: &'a Items<D>, from: &[Vec<usize>], seed: u64) -> Self {
        let bins = from
            .iter()
            .map(|bin| Bin {
                items: bin.clone(),
                size: bin.iter().map(|index| items.size(*index)).sum(),
            })
            .collect();
        Self {
            items,
            bins,
            outside: Vec::new(),
            outside_size: 0,
            random: Random::new(seed),
            emptied: Vec::new(),
            candidates: Vec::new(),
            filled: Vec::new(),
        }
    }

    /// One bin fewer: the least filled one goes, and what was in it is outside.
    fn take_one_away(&mut self) {
        let least = (0..self.bins.len()).min_by_key(|index| self.size(*index));
        if let Some(least) = least {
            let bin = self.bins.swap_remove(least);
            self.outside_size += i64::from(bin.size);
            self.outside.extend(bin.items);
        }
    }

    fn size(&self, index: usize) -> u32 {
        self.bins.get(index).map_or(0, |bin| bin.size)
    }

    /// One iteration: empties some bins, fills them again from what was in them and outside, and keeps that if it is better,
    /// or not too much worse.
    fn step(&mut self) {
        self.choose();
        self.gather();
        let before: i64 = self
            .emptied
            .iter()
            .map(|index| self.unevenness(self.size(*index)))
            .sum();
        self.filled.resize_with(self.emptied.len(), Bin::default);
        let mut filled = std::mem::take(&mut self.filled);
        for bin in &mut filled {
            bin.items.clear();
            fill(
                &mut Room::whole(self.items.capacity),
                &mut self.candidates,
                &mut Joined(&mut bin.items),
            );
            bin.size = bin.items.iter().map(|index| self.items.size(*index)).sum();
        }
        let after: i64 = filled.iter().map(|bin| self.unevenness(bin.size)).sum();
        let outside: i64 = self
            .candidates
            .iter()
            .map(|candidate| i64::from(self.items.size(candidate.id)))
            .sum();
        let worse = outside - self.outside_size + before - after;
        if self.accepts(worse) {
            self.outside_size = outside;
            self.outside.clear();
            self.outside
                .extend(self.candidates.iter().map(|candidate| candidate.id));
            for (index, bin) in self.emptied.iter().zip(&mut filled) {
                if let Some(old) = self.bins.get_mut(*index) {
                    std::mem::swap(old, bin);
                }
            }
        }
        self.filled = filled;
    }

    fn accepts(&mut self, worse: i64) -> bool {
        if worse <= 0 {
            return true;
        }
        let temperature = i64::from(self.items.full) / TEMPERATURE_SHARE;
        let allowed = i64::try_from(self.random.exponential()).unwrap_or(0);
        worse.saturating_mul(1024) <= temperature.saturating_mul(allowed)
    }

    /// A full bin and an empty one are better than two half full.
    fn unevenness(&self, size: u32) -> i64 {
        let size = i64::from(size);
        size * size / i64::from(self.items.full) * UNEVEN / 64
    }

    fn choose(&mut self) {
        let wanted = usize::try_from(1 + self.random.below(EMPTIED_AT_MOST)).unwrap_or(1);
        self.emptied.clear();
        while self.emptied.len() < wanted.min(self.bins.len()) {
            let mut index = self.random.index(self.bins.len());
            if self.random.below(100) < BADLY_FILLED_PERCENT {
                let other = self.random.index(self.bins.len());
                if self.size(other) < self.size(index) {
                    index = other;
                }
            }
            if !self.emptied.contains(&index) {
                self.emptied.push(index);
            }
        }
    }

    /// What was in the emptied bins and what is outside becomes candidates, with weights that stray a little.
    fn gather(&mut self) {
        let stray = 1 + self.random.below(NOISE_PERCENT);
        let mut weights = self.items.weights;
        for weight in &mut weights {
            *weight = *weight * (100 - stray + self.random.below(2 * stray + 1)) / 100;
        }
        let stray = self.random.below(NOISE_PERCENT);
        self.candidates.clear();
        let emptied = self
            .emptied
            .iter()
            .filter_map(|index| self.bins.get(*index))
            .flat_map(|bin| &bin.items);
        for id in emptied.chain(&self.outside) {
            if let Some(item) = self.items.all.get(*id) {
                let factor = 1024 - 10 * stray + self.random.below(20 * stray + 1);
                self.candidates.push(Candidate::new(
                    *id,
                    1,
                    item.needs,
                    item.shares,
                    &weights,
                    factor,
                ));
            }
        }
    }
}
