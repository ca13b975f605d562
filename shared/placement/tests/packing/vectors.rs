//! Vectors into the fewest bins.

use placement::packing::Effort;
use placement::packing::vector::{VectorPacking, pack};
use proptest::collection::vec;
use proptest::prelude::*;

fn effort(iterations: u32) -> Effort {
    Effort {
        iterations,
        seed: 9,
    }
}

fn faults<const D: usize>(
    capacity: [u32; D],
    needs: &[[u32; D]],
    packing: &VectorPacking,
) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen = vec![0; needs.len()];
    for bin in &packing.bins {
        for dimension in 0..D {
            let sum: u64 = bin
                .iter()
                .map(|item| u64::from(needs[*item][dimension]))
                .sum();
            if sum > u64::from(capacity[dimension]) {
                faults.push(format!("{bin:?} is too full"));
            }
        }
        for item in bin {
            seen[*item] += 1;
        }
    }
    for item in &packing.too_large {
        seen[*item] += 1;
        if (0..D).all(|dimension| needs[*item][dimension] <= capacity[dimension]) {
            faults.push(format!("{item} is not too large"));
        }
    }
    if seen.iter().any(|times| *times != 1) {
        faults.push(format!("each is somewhere once: {seen:?}"));
    }
    faults
}

/// The fewest bins, by trying everything.
fn fewest<const D: usize>(capacity: [u32; D], needs: &[[u32; D]]) -> usize {
    fn place<const D: usize>(
        left: &mut Vec<[u32; D]>,
        capacity: [u32; D],
        needs: &[[u32; D]],
        best: &mut usize,
    ) {
        if left.len() >= *best {
            return;
        }
        let Some((item, rest)) = needs.split_first() else {
            *best = left.len();
            return;
        };
        for bin in 0..left.len() {
            if (0..D).all(|dimension| item[dimension] <= left[bin][dimension]) {
                let before = left[bin];
                for dimension in 0..D {
                    left[bin][dimension] -= item[dimension];
                }
                place(left, capacity, rest, best);
                left[bin] = before;
            }
        }
        let mut opened = capacity;
        for dimension in 0..D {
            opened[dimension] -= item[dimension];
        }
        left.push(opened);
        place(left, capacity, rest, best);
        left.pop();
    }
    let mut best = needs.len() + 1;
    place(&mut Vec::new(), capacity, needs, &mut best);
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_answer_keeps_to_the_capacity(
        needs in vec([0_u32..60, 0_u32..60, 0_u32..60], 0..30),
        iterations in 0_u32..300,
    ) {
        let packing = pack([50, 40, 55], &needs, effort(iterations));
        prop_assert_eq!(faults([50, 40, 55], &needs, &packing), Vec::<String>::new());
    }

    #[test]
    fn more_effort_is_never_worse(needs in vec([1_u32..40, 1_u32..40], 0..40)) {
        let mut last = usize::MAX;
        for iterations in [0, 1, 5, 50, 51, 400] {
            let bins = pack([60, 50], &needs, effort(iterations)).bins.len();
            prop_assert!(bins <= last, "{iterations} iterations: {bins} after {last}");
            last = bins;
        }
    }

    #[test]
    fn the_bound_the_optimum_and_the_answer_are_in_order(
        needs in vec([0_u32..=30, 0_u32..=30], 0..9),
        iterations in 0_u32..300,
    ) {
        let packing = pack([30, 30], &needs, effort(iterations));
        let optimum = fewest([30, 30], &needs);
        prop_assert!(packing.at_least <= optimum);
        prop_assert!(optimum <= packing.bins.len());
    }
}

/// Three numbers that fill a bin exactly, in two dimensions, many times over: the first answer misses what the search finds.
#[test]
fn the_search_puts_triples_together_again() {
    let mut needs = Vec::new();
    for number in 0..20_u32 {
        let (a, b) = (30 + number * 7 % 11, 32 - number * 5 % 13);
        needs.extend([[a, b], [b, a], [100 - a - b, 100 - a - b]]);
    }
    let first = pack([100, 100], &needs, Effort::FIRST);
    let searched = pack([100, 100], &needs, effort(20_000));
    assert!(
        first.bins.len() > 20,
        "the first answer has {} bins",
        first.bins.len()
    );
    assert_eq!(searched.bins.len(), 20);
    assert_eq!(searched.at_least, 20);
}

#[test]
fn nothing_needs_no_bin_and_what_needs_nothing_needs_one() {
    assert_eq!(pack([10, 10], &[], effort(50)).bins.len(), 0);
    assert_eq!(pack([10, 10], &[[0, 0]; 5], effort(50)).bins.len(), 1);
    assert_eq!(
        pack([0, 0], &[[0, 0], [1, 0]], effort(50)).too_large,
        vec![1]
    );
}
