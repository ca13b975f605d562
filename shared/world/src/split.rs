//! Which provider the next task goes to, by the capacity provider strategy.
//!
//! The base first; then the provider with the smallest (count + 1) / weight, counted above the base, ties by the strategy's order.
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
    lines()
        .filter(|(_, (item, _))| item.weight > 0)
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
    let above = |item: &StrategyItem, count: u32| u64::from(count.saturating_sub(item.base)) + 1;
    let one = above(left, left_count) * u64::from(right.weight);
    let other = above(right, right_count) * u64::from(left.weight);
    one.cmp(&other)
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

    #[test]
    fn a_line_without_weight_gets_its_base_only() {
        check(&[("FARGATE", 2, 0), ("FARGATE_SPOT", 0, 1)], 10, &[2, 8]);
        check(&[("FARGATE", 2, 0)], 10, &[2]);
        check(&[], 3, &[]);
    }
}
