//! How many new instances there must be at the least.

use std::collections::BTreeMap;

use super::compiled::{AMOUNTS, Amounts, Compiled, Key, Kind};

/// A number of new instances below which no packing takes every task that some offer can take.
pub(super) fn opened_at_least(compiled: &Compiled<'_>) -> u32 {
    let placeable: Vec<&Kind> = compiled
        .kinds
        .iter()
        .filter(|kind| (0..compiled.shapes.len()).any(|offer| compiled.offer_takes(kind, offer)))
        .collect();
    let mut most = by_number(compiled, &placeable).max(by_key(compiled, &placeable));
    for amount in 0..AMOUNTS {
        most = most.max(by_amount(compiled, &placeable, amount));
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}

/// All tasks, less those that the instances there could take if each needed as little as the least of them, by how many of such a
/// new instance takes.
fn by_number(compiled: &Compiled<'_>, placeable: &[&Kind]) -> u64 {
    let mut least = [u32::MAX; AMOUNTS];
    for kind in placeable.iter().filter(|kind| kind.count > 0) {
        for (least, needs) in least.iter_mut().zip(kind.needs) {
            *least = (*least).min(needs);
        }
    }
    let at_most = |room: &Amounts| -> u64 {
        let times = room.iter().zip(least);
        let times = times.filter_map(|(room, least)| room.checked_div(least));
        times.min().map_or(u64::MAX, u64::from)
    };
    let tasks: u64 = placeable.iter().map(|kind| u64::from(kind.count)).sum();
    let there = compiled
        .existing
        .iter()
        .map(|instance| at_most(&instance.free))
        .fold(0_u64, u64::saturating_add);
    let new = compiled.shapes.iter().map(|shape| at_most(&shape.room));
    tasks
        .saturating_sub(there)
        .div_ceil(new.max().unwrap_or(0).max(1))
}

/// The tasks that hold a key, less the instances there on which it is free: no two share an instance.
fn by_key(compiled: &Compiled<'_>, placeable: &[&Kind]) -> u64 {
    let mut holders: BTreeMap<Key, u64> = BTreeMap::new();
    for kind in placeable {
        for key in &kind.keys {
            *holders.entry(*key).or_insert(0) += u64::from(kind.count);
        }
    }
    if holders.is_empty() {
        return 0;
    }
    let there = u64::try_from(compiled.existing.len()).unwrap_or(u64::MAX);
    let mut taken: BTreeMap<Key, u64> = BTreeMap::new();
    for key in compiled.existing.iter().flat_map(|instance| &instance.keys) {
        *taken.entry(*key).or_insert(0) += 1;
    }
    let lacking = holders.iter().map(|(key, tasks)| {
        let free = there - taken.get(key).copied().unwrap_or(0);
        tasks.saturating_sub(free)
    });
    lacking.max().unwrap_or(0)
}

/// All that is needed of one amount, less all that is free of it, in the largest offers.
fn by_amount(compiled: &Compiled<'_>, placeable: &[&Kind], amount: usize) -> u64 {
    let needed: u64 = placeable
        .iter()
        .map(|kind| u64::from(kind.count) * of(&kind.needs, amount))
        .sum();
    let free: u64 = compiled
        .existing
        .iter()
        .map(|instance| of(&instance.free, amount))
        .sum();
    needed
        .saturating_sub(free)
        .div_ceil(of(&compiled.largest, amount).max(1))
}

fn of(amounts: &[u32; AMOUNTS], amount: usize) -> u64 {
    amounts.get(amount).copied().map_or(0, u64::from)
}
