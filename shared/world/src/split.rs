//! Which provider the next task goes to, by the capacity provider strategy.
//!
//! The base first; then the provider with the smallest (count + 1) / weight, counted above the base, ties by the strategy's order.
//! A provider that would get a whole task more than its exact share is passed over; that can only be with three and more.
//! AWS documents base and weights as a ratio of the tasks launched and leaves the rounding open; this one gives the workshop's
//! tables (3 and 7 of 10 tasks, 9 and 31 of 40).
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>

use std::cmp::Ordering;

use model::strategy::StrategyItem;

/// The index of the strategy's line that the next task goes to, given the tasks that each line has. `None` where no line places any.
#[must_use]
pub(crate) fn next(items: &[StrategyItem], counts: &[u32]) -> Option<usize> {
    let lines = || items.iter().zip(counts.iter().copied()).enumerate();
    let below_base = lines().find(|(_, (item, count))| *count < item.base);
    if let Some((index, _)) = below_base {
        return Some(index);
    }
    let total_weight: u64 = items.iter().map(|item| u64::from(item.weight)).sum();
    let placed: u64 = lines().map(|(_, (item, count))| above(item, count)).sum();
    lines()
        .filter(|(_, (item, count))| {
            above(item, *count) * total_weight < u64::from(item.weight) * (placed + 1)
        })
        .min_by(|(_, (left, left_count)), (_, (right, right_count))| {
            by_share(left, *left_count, right, *right_count)
        })
        .map(|(index, _)| index)
}

fn by_share(
    left: &StrategyItem,
    left_count: u32,
    right: &StrategyItem,
    right_count: u32,
) -> Ordering {
    let one = (above(left, left_count) + 1) * u64::from(right.weight);
    let other = (above(right, right_count) + 1) * u64::from(left.weight);
    one.cmp(&other)
}

/// The tasks of a line above its base.
fn above(item: &StrategyItem, count: u32) -> u64 {
    u64::from(count.saturating_sub(item.base))
}

/// How many tasks of a desired count each line of a strategy gets.
#[must_use]
pub fn split(items: &[StrategyItem], desired: u32) -> Vec<u32> {
    let mut counts = vec![0; items.len()];
    for _ in 0..desired {
        if let Some(count) = next(items, &counts).and_then(|index| counts.get_mut(index)) {
            *count += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(strategy: &[(&str, u32, u32)], desired: u32, want: &[u32]) {
        let items: Vec<StrategyItem> = strategy
            .iter()
            .map(|(provider, base, weight)| StrategyItem {
                provider: provider.parse().unwrap(),
                base: *base,
                weight: *weight,
            })
            .collect();
        assert_eq!(split(&items, desired), want, "{strategy:?} of {desired}");
    }

    #[test]
    fn the_workshops_tables() {
        let strategy = [("FARGATE", 1, 1), ("FARGATE_SPOT", 0, 4)];
        check(&strategy, 10, &[3, 7]);
        check(&strategy, 40, &[9, 31]);
        check(&strategy, 1, &[1, 0]);
        check(&strategy, 0, &[0, 0]);
    }

    /// Every strategy of up to four lines with weights up to 5: no line is ever a whole task away from its exact share of what is
    /// above the base, and what one task more adds is one task.
    #[test]
    fn no_line_is_a_whole_task_away_from_its_share() {
        for weights in (1..6_u32.pow(4)).map(|n| [n % 6, n / 6 % 6, n / 36 % 6, n / 216]) {
            let total: u32 = weights.iter().sum();
            let items: Vec<StrategyItem> = weights
                .iter()
                .enumerate()
                .map(|(index, weight)| StrategyItem {
                    provider: format!("p{index}").parse().unwrap(),
                    base: u32::from(index == 0) * 2,
                    weight: *weight,
                })
                .collect();
            let mut before = vec![0; items.len()];
            for desired in 1..(2 + 2 * total) {
                let counts = split(&items, desired);
                assert_eq!(counts.iter().sum::<u32>(), desired, "{weights:?}");
                let kept = before.iter().zip(&counts).all(|(old, new)| old <= new);
                assert!(
                    kept,
                    "{weights:?} of {desired}: {before:?}, then {counts:?}"
                );
                let placed = desired.saturating_sub(2);
                for (item, count) in items.iter().zip(&counts) {
                    let above = count.saturating_sub(item.base) * total;
                    let share = item.weight * placed;
                    assert!(
                        above.abs_diff(share) < total,
                        "{weights:?} of {desired}: {counts:?}"
                    );
                }
                before = counts;
            }
        }
    }

    #[test]
    fn a_line_without_weight_gets_its_base_only() {
        check(&[("FARGATE", 2, 0), ("FARGATE_SPOT", 0, 1)], 10, &[2, 8]);
        check(&[("FARGATE", 2, 0)], 10, &[2]);
        check(&[], 3, &[]);
    }
}
