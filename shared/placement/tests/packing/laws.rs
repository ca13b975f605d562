//! What holds for every problem.

use std::collections::BTreeMap;

use placement::packing::{Effort, GroupId, Packing, Problem, pack};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::exhaustive::{self, Worth};
use crate::judge::faults;
use crate::random::{SMALL, TINY, problem};

fn effort(iterations: u32) -> Effort {
    Effort {
        iterations,
        seed: 3,
    }
}

fn worth(packing: &Packing) -> Worth {
    (
        packing.unplaced.iter().map(|one| one.count).sum(),
        packing.cost,
        u32::try_from(packing.opened.len()).unwrap(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn an_answer_keeps_to_the_problem(problem in problem(SMALL), iterations in 0_u32..60) {
        let packing = pack(&problem, effort(iterations));
        prop_assert_eq!(faults(&problem, &packing), Vec::<String>::new());
    }

    #[test]
    fn more_effort_is_never_worse(problem in problem(SMALL), seed in 0_u64..4) {
        let mut last = worth(&pack(&problem, Effort::FIRST));
        for iterations in [1, 7, 30, 31, 90] {
            let next = worth(&pack(&problem, Effort { iterations, seed }));
            prop_assert!(next <= last, "{iterations} iterations: {next:?} after {last:?}");
            last = next;
        }
    }

    #[test]
    fn the_order_of_groups_does_not_matter(
        (listed, mixed) in problem(SMALL).prop_flat_map(|listed| {
            let groups = Just(listed.groups.clone()).prop_shuffle();
            (Just(listed.clone()), groups.prop_map(move |groups| Problem { groups, ..listed.clone() }))
        }),
        iterations in 0_u32..40,
    ) {
        let (a, b) = (pack(&listed, effort(iterations)), pack(&mixed, effort(iterations)));
        prop_assert_eq!(&a.opened, &b.opened);
        prop_assert_eq!(a.opened_at_least, b.opened_at_least);
        prop_assert_eq!(placed(&listed, &a), placed(&mixed, &b));
    }

    #[test]
    fn the_same_again_gives_the_same(problem in problem(SMALL), iterations in 0_u32..40) {
        prop_assert_eq!(pack(&problem, effort(iterations)), pack(&problem, effort(iterations)));
    }

    #[test]
    fn nothing_beats_the_best_there_is(problem in problem(TINY), iterations in 0_u32..40) {
        let packing = pack(&problem, effort(iterations));
        prop_assert!(worth(&packing) >= exhaustive::best(&problem));
    }

    #[test]
    fn the_lower_bound_is_one(problem in problem(TINY)) {
        let packing = pack(&problem, Effort::FIRST);
        prop_assert!(packing.opened_at_least <= exhaustive::fewest_without_limits(&problem));
    }
}

fn placed(problem: &Problem, packing: &Packing) -> BTreeMap<(String, GroupId), u32> {
    let placed = packing.placements.iter();
    placed
        .map(|one| {
            let place = format!("{:?}", one.place);
            ((place, problem.groups[one.group].id), one.count)
        })
        .collect()
}

/// The search is worth its name: it nearly always finds the best of what can be tried out.
#[test]
fn a_short_search_nearly_always_finds_the_best() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut first, mut searched, mut all) = (0, 0, 0);
    for _ in 0..400 {
        let problem = problem(TINY).new_tree(&mut runner).unwrap().current();
        let best = exhaustive::best(&problem);
        all += 1;
        first += u32::from(worth(&pack(&problem, Effort::FIRST)) == best);
        searched += u32::from(worth(&pack(&problem, effort(300))) == best);
    }
    assert!(
        first >= all * 85 / 100,
        "the first answer is best {first} times of {all}"
    );
    assert!(
        searched >= all * 98 / 100,
        "the search finds the best {searched} times of {all}"
    );
}
