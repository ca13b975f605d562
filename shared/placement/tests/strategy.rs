//! Capacity provider strategies: the published distributions, every rule, and the laws of the split.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::CapacityProviderName;
use model::strategy::{ProviderFamily, StrategyItem};
use placement::strategy::{AssociatedProvider, split, split_from, validate};
use proptest::prelude::*;

fn item(text: &str) -> StrategyItem {
    let (provider, numbers) = text.split_once('=').unwrap();
    let (base, weight) = numbers.split_once('/').unwrap();
    StrategyItem {
        provider: provider.parse().unwrap(),
        base: base.parse().unwrap(),
        weight: weight.parse().unwrap(),
    }
}

fn strategy(text: &str) -> Vec<StrategyItem> {
    text.split_whitespace().map(item).collect()
}

/// The one place that calls `validate`: the faults, one a line.
fn check(
    text: &str,
    associated: Option<&BTreeMap<CapacityProviderName, AssociatedProvider>>,
    want: Expect,
) {
    let lines = match validate(&strategy(text), associated) {
        Ok(()) => "valid\n".to_owned(),
        Err(faults) => faults.iter().map(|fault| format!("{fault}\n")).collect(),
    };
    want.assert_eq(&lines);
}

fn cluster() -> BTreeMap<CapacityProviderName, AssociatedProvider> {
    [
        ("FARGATE", ProviderFamily::Fargate, "ACTIVE"),
        ("FARGATE_SPOT", ProviderFamily::Fargate, "ACTIVE"),
        ("EC2", ProviderFamily::AutoScalingGroup, "UPDATING"),
        ("EC2Spot", ProviderFamily::AutoScalingGroup, "INACTIVE"),
        ("managed", ProviderFamily::ManagedInstances, "ACTIVE"),
    ]
    .into_iter()
    .map(|(name, family, status)| {
        let status = status.to_owned();
        (name.parse().unwrap(), AssociatedProvider { family, status })
    })
    .collect()
}

#[test]
fn the_workshops_distributions_come_out() {
    let fargate = strategy("FARGATE=1/1 FARGATE_SPOT=0/4");
    assert_eq!(split(&fargate, 10), [3, 7]);
    let ec2 = strategy("EC2=1/1 EC2Spot=0/4");
    assert_eq!(split(&ec2, 40), [9, 31]);
    assert_eq!(split(&ec2, 1), [1, 0]);
    assert_eq!(split(&ec2, 0), [0, 0]);
}

#[test]
fn weight_0_gets_its_base_and_no_more() {
    assert_eq!(split(&strategy("FARGATE=4/0 FARGATE_SPOT=0/1"), 10), [4, 6]);
    assert_eq!(split(&strategy("FARGATE=4/0 FARGATE_SPOT=0/1"), 3), [3, 0]);
    assert_eq!(split(&strategy("FARGATE=0/0 FARGATE_SPOT=0/1"), 9), [0, 9]);
    assert_eq!(split(&strategy("FARGATE=2/0 FARGATE_SPOT=0/0"), 9), [2, 0]);
    assert_eq!(split(&[], 9), [0_u32; 0]);
}

#[test]
fn the_largest_numbers_neither_overflow_nor_take_long() {
    let lines: Vec<StrategyItem> = (0..20)
        .map(|line| item(&format!("provider-{line}=0/{}", 1_000 - line)))
        .collect();
    let counts = split(&lines, u32::MAX);
    assert_eq!(
        counts.iter().copied().map(u64::from).sum::<u64>(),
        u64::from(u32::MAX)
    );
    let none = vec![0; 20];
    assert_eq!(split_from(&lines, &none, u32::MAX), counts);
    assert_eq!(split_from(&lines, &counts, 0), none);
}

#[test]
fn a_drifted_distribution_moves_towards_its_split() {
    let items = strategy("FARGATE=1/1 FARGATE_SPOT=0/4");
    // All ten were started on demand; the split of 12 is 3 and 9, so the two new tasks go to Spot.
    assert_eq!(split_from(&items, &[10, 0], 12), [10, 2]);
    // Six of them go: what is ahead of the split of 4 (1 and 3) is on demand.
    assert_eq!(split_from(&items, &[10, 0], 4), [4, 0]);
    // The base is missing: it comes first, although Spot is further behind.
    assert_eq!(split_from(&items, &[0, 2], 12), [3, 9]);
    assert_eq!(split_from(&items, &[0, 1], 2), [1, 1]);
    // Nothing to add or remove: nothing moves.
    assert_eq!(split_from(&items, &[0, 10], 10), [0, 10]);
}

#[test]
fn ties_go_to_the_first_when_adding_and_come_from_the_last_when_removing() {
    let items = strategy("A=0/1 B=0/1 C=0/1");
    assert_eq!(split_from(&items, &[0, 0, 0], 1), [1, 0, 0]);
    assert_eq!(split_from(&items, &[0, 0, 6], 8), [1, 1, 6]);
    assert_eq!(split_from(&items, &[3, 3, 3], 8), [3, 3, 2]);
    assert_eq!(split_from(&items, &[2], 3), [2, 1, 0]);
}

#[test]
fn the_workshops_strategies_are_valid() {
    let cluster = cluster();
    check(
        "FARGATE=1/1 FARGATE_SPOT=0/4",
        Some(&cluster),
        expect![[r#"
        valid
    "#]],
    );
    check(
        "EC2=1/1",
        Some(&cluster),
        expect![[r#"
        valid
    "#]],
    );
    check(
        "EC2=1/1 EC2Spot=0/4",
        None,
        expect![[r#"
        valid
    "#]],
    );
}

#[test]
fn every_broken_rule_is_named_at_once() {
    check(
        "FARGATE=1/0 FARGATE_SPOT=200000/0 EC2Spot=0/0 managed=0/0 gone=0/0 FARGATE=0/0",
        Some(&cluster()),
        expect![[r#"
            `FARGATE` is named 2 times: give each capacity provider one line
            `FARGATE_SPOT` has base 200000: 0 to 100000 is allowed
            `FARGATE`, `FARGATE_SPOT` have a base: at most one capacity provider may have one above 0
            no capacity provider has a weight above 0: give at least one a weight (without one, the API takes 0)
            `FARGATE`, `FARGATE_SPOT` (Fargate) and `EC2Spot` (Auto Scaling group) and `managed` (Managed Instances) and `gone` (other) cannot be in one strategy: it takes capacity providers of one family
            `EC2Spot` is INACTIVE: only an ACTIVE or UPDATING capacity provider can be used
            `gone` is not associated with the cluster: associate it first (`put-cluster-capacity-providers`)
        "#]],
    );
    check(
        "",
        None,
        expect![[r#"
        the strategy is empty: name at least one capacity provider
    "#]],
    );
    check(
        "EC2=0/1001",
        None,
        expect![[r#"
        `EC2` has weight 1001: 0 to 1000 is allowed
    "#]],
    );
}

#[test]
fn twenty_providers_are_allowed_and_twenty_one_are_not() {
    let lines = |count: usize| -> Vec<StrategyItem> {
        (0..count)
            .map(|line| item(&format!("p{line}=0/1")))
            .collect()
    };
    assert_eq!(validate(&lines(20), None), Ok(()));
    let faults = validate(&lines(21), None).unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "21 capacity providers: at most 20 are allowed"
    );
    assert_eq!(faults.len(), 1);
}

#[test]
fn without_a_cluster_the_name_tells_fargate_from_the_rest() {
    check(
        "FARGATE=0/1 EC2=0/1",
        None,
        expect![[r#"
            `FARGATE` (Fargate) and `EC2` (other) cannot be in one strategy: it takes capacity providers of one family
        "#]],
    );
    // A provider that the cluster does not know may be of the same family as the others.
    check(
        "EC2=0/1 gone=0/1",
        Some(&cluster()),
        expect![[r#"
        `gone` is not associated with the cluster: associate it first (`put-cluster-capacity-providers`)
    "#]],
    );
}

/// A strategy that `validate` accepts: up to six lines (or twenty), one base, at least one weight.
fn any_strategy() -> impl Strategy<Value = Vec<StrategyItem>> {
    let weight = prop_oneof![Just(0_u32), 1..=6_u32, 1..=1_000_u32];
    let lines = prop_oneof![
        proptest::collection::vec(weight.clone(), 1..=4),
        proptest::collection::vec(weight, 1..=20)
    ];
    (
        lines,
        any::<prop::sample::Index>(),
        0..=30_u32,
        any::<prop::sample::Index>(),
        1..=1_000_u32,
    )
        .prop_map(|(weights, base_at, base, weight_at, weight)| {
            let (base_at, weight_at) =
                (base_at.index(weights.len()), weight_at.index(weights.len()));
            let none = weights.iter().all(|weight| *weight == 0);
            let lines = weights.into_iter().enumerate();
            lines
                .map(|(line, own)| StrategyItem {
                    provider: format!("provider-{line}").parse().unwrap(),
                    base: if line == base_at { base } else { 0 },
                    weight: if none && line == weight_at {
                        weight
                    } else {
                        own
                    },
                })
                .collect()
        })
}

/// The rule in fractions, one task at a time, from the definition alone: exact rationals by `i128` numerators over one
/// denominator, the whole list sorted anew for every task.
fn by_hand(items: &[StrategyItem], desired: u32) -> Vec<u32> {
    let total: i128 = items.iter().map(|it| i128::from(it.weight)).sum();
    let mut counts: Vec<u32> = vec![0; items.len()];
    let mut above: Vec<i128> = vec![0; items.len()];
    for _ in 0..desired {
        if let Some(line) = (0..items.len()).find(|line| counts[*line] < items[*line].base) {
            counts[line] += 1;
            continue;
        }
        let nth: i128 = above.iter().sum::<i128>() + 1;
        let mut order: Vec<usize> = (0..items.len())
            .filter(|line| items[*line].weight > 0)
            // One more must stay below the exact share of `nth` tasks, plus one.
            .filter(|line| (above[*line] + 1 - 1) * total < nth * i128::from(items[*line].weight))
            .collect();
        order.sort_by(|a, b| {
            let left = (above[*a] + 1) * i128::from(items[*b].weight);
            let right = (above[*b] + 1) * i128::from(items[*a].weight);
            left.cmp(&right).then(a.cmp(b))
        });
        counts[order[0]] += 1;
        above[order[0]] += 1;
    }
    counts
}

/// The change of a distribution, one task at a time.
fn by_hand_from(items: &[StrategyItem], current: &[u32], desired: u32) -> Vec<u32> {
    let target = by_hand(items, desired);
    let base: Vec<i64> = items
        .iter()
        .map(|it| i64::from(it.base.min(desired)))
        .collect();
    let mut counts: Vec<i64> = current.iter().map(|count| i64::from(*count)).collect();
    let gap = |counts: &[i64], line: usize| i64::from(target[line]) - counts[line];
    while counts.iter().sum::<i64>() < i64::from(desired) {
        let below_base = (0..items.len()).find(|line| counts[*line] < base[*line]);
        // `max_by_key` takes the last of equals, so the lines are read backwards.
        let behind = (0..items.len())
            .rev()
            .max_by_key(|line| gap(&counts, *line));
        counts[below_base.or(behind).unwrap()] += 1;
    }
    while counts.iter().sum::<i64>() > i64::from(desired) {
        let ahead = (0..items.len()).max_by_key(|line| -gap(&counts, *line));
        counts[ahead.unwrap()] -= 1;
    }
    counts
        .into_iter()
        .map(|count| u32::try_from(count).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_split_is_that_of_single_steps(items in any_strategy(), desired in 0..400_u32) {
        prop_assert_eq!(split(&items, desired), by_hand(&items, desired));
    }

    #[test]
    fn sums_base_and_exact_share_hold(items in any_strategy(), desired in 0..200_000_u32) {
        let counts = split(&items, desired);
        prop_assert_eq!(counts.iter().sum::<u32>(), desired);
        let base: u32 = items.iter().map(|it| it.base).sum();
        let above = i128::from(desired.saturating_sub(base));
        let total: i128 = items.iter().map(|it| i128::from(it.weight)).sum();
        for (count, item) in counts.iter().zip(&items) {
            let own_base = item.base.min(desired);
            prop_assert!(*count >= own_base, "the base is kept");
            let distance = i128::from(count - own_base) * total - above * i128::from(item.weight);
            prop_assert!(distance.abs() < total, "{} is a whole task off its share", item.provider);
        }
    }

    #[test]
    fn one_task_more_takes_none_away(items in any_strategy(), desired in 0..5_000_u32) {
        let (before, after) = (split(&items, desired), split(&items, desired + 1));
        let grown = before.iter().zip(&after).filter(|(before, after)| before < after).count();
        prop_assert!(before.iter().zip(&after).all(|(before, after)| before <= after));
        prop_assert_eq!(grown, 1);
    }

    #[test]
    fn from_a_split_every_change_leads_to_the_split(items in any_strategy(), n in 0..5_000_u32, m in 0..5_000_u32) {
        prop_assert_eq!(split_from(&items, &split(&items, n), m), split(&items, m));
    }

    #[test]
    fn from_anywhere_the_change_is_that_of_single_steps(
        items in any_strategy(),
        current in proptest::collection::vec(0..40_u32, 20),
        desired in 0..300_u32,
    ) {
        let current = &current[..items.len()];
        let after = split_from(&items, current, desired);
        prop_assert_eq!(&after, &by_hand_from(&items, current, desired));
        prop_assert_eq!(after.iter().sum::<u32>(), desired);
        let target = split(&items, desired);
        for ((before, after), target) in current.iter().zip(&after).zip(&target) {
            let between = before.min(target)..=before.max(target);
            prop_assert!(between.contains(&after), "{before} went to {after}, past {target}");
        }
    }

    #[test]
    fn a_valid_strategy_is_accepted(items in any_strategy()) {
        prop_assert_eq!(validate(&items, None), Ok(()));
    }
}
