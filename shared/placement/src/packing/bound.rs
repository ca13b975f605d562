//! How many new instances there must be at the least.

use super::compiled::{AMOUNTS, Compiled, Kind};

/// A number of new instances below which no packing takes every task that some offer can take.
pub(super) fn opened_at_least(compiled: &Compiled<'_>) -> u32 {
    let placeable: Vec<&Kind> = compiled
        .kinds
        .iter()
        .filter(|kind| (0..compiled.shapes.len()).any(|offer| compiled.offer_takes(kind, offer)))
        .collect();
    let mut most = 0;
    for amount in 0..AMOUNTS {
        most = most.max(by_amount(compiled, &placeable, amount));
    }
    u32::try_from(most).unwrap_or(u32::MAX)
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
