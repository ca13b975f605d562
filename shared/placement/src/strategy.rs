//! Capacity provider strategies: which rules a strategy breaks, and where its tasks go.
//!
//! Guaranteed: [`validate`] names every broken rule, not only the first. [`split`] places the base first and never gives a
//! provider a whole task more or less than its exact share of the tasks above the base; one task more never takes a task from
//! any provider. [`split_from`] moves a distribution that has drifted towards that split, and never past it. Only whole
//! numbers are used, and the same arguments always give the same answer.
//!
//! Assumed: AWS documents the ratio of a strategy, not its rounding, so the rounding here is this project's own. It agrees with
//! every distribution that AWS's workshops publish (10 tasks at 1/1 : 0/4 are 3 and 7, 40 tasks are 9 and 31).
//!
//! Absent: the choice of zones and instances, and the scale-in of ECS itself, which looks at zones and not at providers.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>

use std::collections::{BTreeMap, BTreeSet};

use model::CapacityProviderName;
use model::strategy::{FARGATE, FARGATE_SPOT, ProviderFamily, StrategyItem};
use serde::{Deserialize, Serialize};

/// The most providers that a strategy may name.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
pub const PROVIDERS_MAX: usize = 20;
/// The largest weight of a line.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
pub const WEIGHT_MAX: u32 = 1_000;
/// The largest base of a line, in tasks.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
pub const BASE_MAX: u32 = 100_000;
/// The weight of a line that names none, by the API and the AWS CLI. (The console fills in 1.)
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
pub const WEIGHT_DEFAULT: u32 = 0;
/// The base of a line that names none.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
pub const BASE_DEFAULT: u32 = 0;

/// A capacity provider that is associated with the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssociatedProvider {
    /// Who owns the machines under it.
    pub family: ProviderFamily,
    /// Its status, in AWS's word. Only `ACTIVE` and `UPDATING` providers may be used in a strategy.
    pub status: String,
}

/// One rule that a strategy breaks.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum StrategyFault {
    /// No line at all.
    #[error("the strategy is empty: name at least one capacity provider")]
    Empty,
    /// More lines than [`PROVIDERS_MAX`].
    #[error("{count} capacity providers: at most {PROVIDERS_MAX} are allowed")]
    TooManyProviders {
        /// How many lines there are.
        count: usize,
    },
    /// A provider has more than one line.
    #[error("`{provider}` is named {count} times: give each capacity provider one line")]
    Duplicate {
        /// The provider.
        provider: CapacityProviderName,
        /// How many lines name it.
        count: usize,
    },
    /// A weight above [`WEIGHT_MAX`].
    #[error("`{provider}` has weight {weight}: 0 to {WEIGHT_MAX} is allowed")]
    WeightTooLarge {
        /// The provider.
        provider: CapacityProviderName,
        /// Its weight.
        weight: u32,
    },
    /// A base above [`BASE_MAX`].
    #[error("`{provider}` has base {base}: 0 to {BASE_MAX} is allowed")]
    BaseTooLarge {
        /// The provider.
        provider: CapacityProviderName,
        /// Its base, in tasks.
        base: u32,
    },
    /// More than one line has a base.
    #[error("{} have a base: at most one capacity provider may have one above 0", names(.providers))]
    SeveralBases {
        /// The providers with a base above 0, in the strategy's order.
        providers: Vec<CapacityProviderName>,
    },
    /// No line has a weight, so that nothing can be placed above the base.
    #[error(
        "no capacity provider has a weight above 0: give at least one a weight (without one, the API takes {WEIGHT_DEFAULT})"
    )]
    NoWeight,
    /// The providers are of more than one family.
    #[error("{} cannot be in one strategy: it takes capacity providers of one family", families(.members))]
    SeveralFamilies {
        /// The providers of each family.
        members: BTreeMap<Family, Vec<CapacityProviderName>>,
    },
    /// A provider that the cluster does not know.
    #[error(
        "`{provider}` is not associated with the cluster: associate it first (`put-cluster-capacity-providers`)"
    )]
    NotAssociated {
        /// The provider.
        provider: CapacityProviderName,
    },
    /// A provider that cannot be used now.
    #[error("`{provider}` is {status}: only an ACTIVE or UPDATING capacity provider can be used")]
    NotActive {
        /// The provider.
        provider: CapacityProviderName,
        /// Its status.
        status: String,
    },
}

/// A family of providers, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// `FARGATE` and `FARGATE_SPOT`.
    Fargate,
    /// Providers over EC2 Auto Scaling groups.
    AutoScalingGroup,
    /// Providers over ECS Managed Instances.
    ManagedInstances,
    /// Not Fargate, and no cluster was asked which of the other two it is.
    NotFargate,
}

impl Family {
    /// The family's name, as AWS writes it in prose.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fargate => "Fargate",
            Self::AutoScalingGroup => "Auto Scaling group",
            Self::ManagedInstances => "Managed Instances",
            Self::NotFargate => "other",
        }
    }
}

impl From<ProviderFamily> for Family {
    fn from(family: ProviderFamily) -> Self {
        match family {
            ProviderFamily::Fargate => Self::Fargate,
            ProviderFamily::AutoScalingGroup => Self::AutoScalingGroup,
            ProviderFamily::ManagedInstances => Self::ManagedInstances,
        }
    }
}

fn names(providers: &[CapacityProviderName]) -> String {
    let quoted: Vec<String> = providers.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn families(members: &BTreeMap<Family, Vec<CapacityProviderName>>) -> String {
    let groups: Vec<String> = members
        .iter()
        .map(|(family, providers)| format!("{} ({})", names(providers), family.as_str()))
        .collect();
    groups.join(" and ")
}

/// Checks a strategy against every rule that AWS documents for it.
///
/// `associated` are the providers of the cluster. Without a cluster (`None`) nothing is said about association and status, and
/// a provider's family is told by its name: no other provider's name may begin with `fargate`.
///
/// # Errors
/// Every broken rule, in the order in which [`StrategyFault`] lists them.
pub fn validate(
    items: &[StrategyItem],
    associated: Option<&BTreeMap<CapacityProviderName, AssociatedProvider>>,
) -> Result<(), Vec<StrategyFault>> {
    let mut faults = faults_of_lines(items);
    let mut members: BTreeMap<Family, Vec<CapacityProviderName>> = BTreeMap::new();
    let mut of_the_cluster = Vec::new();
    let distinct: BTreeSet<&CapacityProviderName> = items.iter().map(|it| &it.provider).collect();
    for provider in distinct {
        let known = associated.and_then(|cluster| cluster.get(provider));
        let is_fargate = [FARGATE, FARGATE_SPOT].contains(&provider.as_str());
        let family = match known {
            Some(known) => known.family.into(),
            None if is_fargate => Family::Fargate,
            None => Family::NotFargate,
        };
        match known {
            Some(known) if !["ACTIVE", "UPDATING"].contains(&known.status.as_str()) => {
                of_the_cluster.push(StrategyFault::NotActive {
                    provider: provider.clone(),
                    status: known.status.clone(),
                });
            }
            None if associated.is_some() => of_the_cluster.push(StrategyFault::NotAssociated {
                provider: provider.clone(),
            }),
            Some(_) | None => {}
        }
        // A provider that the cluster does not know may be of any family but Fargate: it proves a mixture only beside Fargate.
        members.entry(family).or_default().push(provider.clone());
    }
    let unknown_matters = members.contains_key(&Family::Fargate);
    let distinct_families = members
        .keys()
        .filter(|family| unknown_matters || **family != Family::NotFargate)
        .count();
    if distinct_families > 1 {
        faults.push(StrategyFault::SeveralFamilies { members });
    }
    faults.append(&mut of_the_cluster);
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
}

/// The broken rules that the lines alone show.
fn faults_of_lines(items: &[StrategyItem]) -> Vec<StrategyFault> {
    let mut faults = Vec::new();
    if items.is_empty() {
        faults.push(StrategyFault::Empty);
    }
    if items.len() > PROVIDERS_MAX {
        faults.push(StrategyFault::TooManyProviders { count: items.len() });
    }
    let mut lines: BTreeMap<&CapacityProviderName, usize> = BTreeMap::new();
    for item in items {
        *lines.entry(&item.provider).or_default() += 1;
    }
    for (provider, count) in lines.into_iter().filter(|(_, count)| *count > 1) {
        faults.push(StrategyFault::Duplicate {
            provider: provider.clone(),
            count,
        });
    }
    for item in items.iter().filter(|item| item.weight > WEIGHT_MAX) {
        faults.push(StrategyFault::WeightTooLarge {
            provider: item.provider.clone(),
            weight: item.weight,
        });
    }
    for item in items.iter().filter(|item| item.base > BASE_MAX) {
        faults.push(StrategyFault::BaseTooLarge {
            provider: item.provider.clone(),
            base: item.base,
        });
    }
    let with_base: Vec<&StrategyItem> = items.iter().filter(|item| item.base > 0).collect();
    if with_base.len() > 1 {
        faults.push(StrategyFault::SeveralBases {
            providers: with_base.iter().map(|item| item.provider.clone()).collect(),
        });
    }
    if !items.is_empty() && items.iter().all(|item| item.weight == 0) {
        faults.push(StrategyFault::NoWeight);
    }
    faults
}

/// How many of `desired` tasks go to each provider, in the strategy's order.
///
/// The base is placed first, as far as `desired` reaches. Each further task goes to the provider with the smallest
/// (count + 1) / weight, where `count` leaves the base out; among equals the first of the strategy wins. A provider that would
/// exceed its exact share by a whole task is passed over (with two weighted providers that never comes to pass). Lines of
/// weight 0 get nothing above their base.
///
/// The sum is `desired` for every strategy that [`validate`] accepts. Where no line has a weight, what is above the base is
/// placed nowhere, as in ECS.
///
/// Cost: at most as many single steps as the sum of the weights, divided by their greatest common divisor, and never more than
/// `desired`.
#[must_use]
pub fn split(items: &[StrategyItem], desired: u32) -> Vec<u32> {
    let mut counts = Vec::with_capacity(items.len());
    let mut left = desired;
    for item in items {
        let base = item.base.min(left);
        left -= base;
        counts.push(base);
    }
    for (count, above) in counts.iter_mut().zip(shares(items, left)) {
        *count += above;
    }
    counts
}

/// The tasks above the base.
fn shares(items: &[StrategyItem], above_base: u32) -> Vec<u32> {
    let divisor = items.iter().fold(0, |sum, it| gcd(sum, it.weight)).max(1);
    let weights: Vec<u64> = items
        .iter()
        .map(|it| u64::from(it.weight / divisor))
        .collect();
    let total: u64 = weights.iter().sum();
    if total == 0 {
        return vec![0; items.len()];
    }
    // After every `total` tasks each provider has exactly its share, so whole rounds need no steps.
    let rounds = u64::from(above_base) / total;
    let mut round: Vec<u64> = vec![0; weights.len()];
    for placed in 0..u64::from(above_base) % total {
        if let Some(next) = next_of(&weights, &round, total, placed)
            && let Some(count) = round.get_mut(next)
        {
            *count += 1;
        }
    }
    weights
        .iter()
        .zip(round)
        .map(|(weight, in_round)| u32::try_from(rounds * weight + in_round).unwrap_or(u32::MAX))
        .collect()
}

/// Who gets the task after `placed` tasks of a round: the smallest (count + 1) / weight of those that stay below a whole task
/// above their share, count < weight × (placed + 1) / total.
fn next_of(weights: &[u64], counts: &[u64], total: u64, placed: u64) -> Option<usize> {
    let mut best: Option<(usize, u64, u64)> = None;
    for (index, (weight, count)) in weights.iter().zip(counts).enumerate() {
        if *count * total >= *weight * (placed + 1) {
            continue;
        }
        // (count + 1) / weight < best_next / best_weight, without a division.
        let is_better = best.is_none_or(|(_, best_next, best_weight)| {
            (count + 1) * best_weight < best_next * weight
        });
        if is_better {
            best = Some((index, count + 1, *weight));
        }
    }
    best.map(|(index, _, _)| index)
}

const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Where the tasks are after a change of the desired count, when they are spread as `current` says now.
///
/// The target is [`split`] of `desired`. Tasks are only added, or only removed:
/// - added tasks fill the base first; each further one goes to the provider that is the most tasks behind its target, and among
///   equals to the first of the strategy;
/// - removed tasks come from the provider that is the most tasks ahead of its target, and among equals from the last of the
///   strategy.
///
/// So no provider moves past its target, and from `split(items, n)` the answer is `split(items, desired)`. A distribution that
/// already has `desired` tasks stays as it is, however far it has drifted: ECS moves no running task.
///
/// Lines without an entry in `current` have no tasks; entries beyond the strategy are left out.
#[must_use]
pub fn split_from(items: &[StrategyItem], current: &[u32], desired: u32) -> Vec<u32> {
    let target = split(items, desired);
    let mut counts: Vec<u32> = current.iter().copied().take(items.len()).collect();
    counts.resize(items.len(), 0);
    let placed: u64 = counts.iter().copied().map(u64::from).sum();
    let wanted = u64::from(desired);
    if placed < wanted {
        let mut left = wanted - placed;
        let mut base_left = desired;
        for (count, item) in counts.iter_mut().zip(items) {
            let base = item.base.min(base_left);
            base_left -= base;
            let missing = u64::from(base.saturating_sub(*count)).min(left);
            left -= missing;
            *count += u32::try_from(missing).unwrap_or(u32::MAX);
        }
        let behind = distances(&target, &counts);
        for (count, more) in counts.iter_mut().zip(level_off(&behind, left)) {
            *count += more;
        }
    } else {
        // Ties go to the last, so the list is read backwards.
        counts.reverse();
        let backwards: Vec<u32> = target.iter().rev().copied().collect();
        let ahead = distances(&counts, &backwards);
        for (count, fewer) in counts.iter_mut().zip(level_off(&ahead, placed - wanted)) {
            *count -= fewer;
        }
        counts.reverse();
    }
    counts
}

/// How far each of `high` is above its fellow in `low`; 0 where it is not.
fn distances(high: &[u32], low: &[u32]) -> Vec<u32> {
    high.iter()
        .zip(low)
        .map(|(high, low)| high.saturating_sub(*low))
        .collect()
}

/// Takes `amount` single steps, each from the highest of `heights` (the first among equals), and returns how many each took.
/// Nothing goes below 0, so at most the sum of the heights is taken.
///
/// Instead of the single steps: the level that all are cut to is found by bisection, and what is then left is less than one
/// step each.
fn level_off(heights: &[u32], amount: u64) -> Vec<u32> {
    let above = |level: u32| -> u64 {
        let cut = heights.iter().map(|height| height.saturating_sub(level));
        cut.map(u64::from).sum()
    };
    let (mut low, mut high) = (0, heights.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low) / 2;
        if above(middle) <= amount {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let level = low;
    let mut left = amount.saturating_sub(above(level));
    let mut taken = Vec::with_capacity(heights.len());
    for height in heights {
        let one_more = left > 0 && level > 0 && *height >= level;
        left -= u64::from(one_more);
        taken.push(height.saturating_sub(level) + u32::from(one_more));
    }
    taken
}
