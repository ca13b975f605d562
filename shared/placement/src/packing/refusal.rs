//! Why a task was put nowhere.

use model::capacity::HostPort;

use super::answer::{Dimension, Refusal};
use super::compiled::{Amounts, Compiled, Key, Kind, Shape};
use super::state::State;

const DIMENSIONS: [Dimension; 4] = [
    Dimension::CpuUnits,
    Dimension::MemoryMib,
    Dimension::Gpus,
    Dimension::NetworkInterfaces,
];

/// Why nothing was launched for the tasks of the kind that are missing.
pub(super) fn why(compiled: &Compiled<'_>, kind: &Kind, state: &State) -> Refusal {
    if compiled.shapes.is_empty() {
        return Refusal::NoOffers;
    }
    let allowed: Vec<(usize, &Shape)> = compiled
        .shapes
        .iter()
        .enumerate()
        .filter(|(offer, _)| compiled.allows_offer(kind, *offer))
        .collect();
    if allowed.is_empty() {
        return Refusal::NotAllowed;
    }
    if let Some(refusal) = too_large(kind, &allowed) {
        return refusal;
    }
    let large_enough = |shape: &Shape| lacks(&kind.needs, &shape.room).is_none();
    let free_of_ports = |shape: &Shape| kind.keys.iter().all(|key| !shape.keys.contains(key));
    if !allowed
        .iter()
        .any(|(_, shape)| large_enough(shape) && free_of_ports(shape))
    {
        let taken = allowed
            .iter()
            .filter(|(_, shape)| large_enough(shape))
            .find_map(|(_, shape)| taken_port(compiled, kind, &shape.keys));
        return match taken {
            Some(port) => Refusal::HostPortTaken { port },
            None => Refusal::NotAllowed,
        };
    }
    if state.opened >= compiled.problem.new_bins_at_most {
        return Refusal::LimitReached {
            at_most: compiled.problem.new_bins_at_most,
        };
    }
    Refusal::OffersExhausted
}

fn too_large(kind: &Kind, allowed: &[(usize, &Shape)]) -> Option<Refusal> {
    for ((dimension, amount), needs) in DIMENSIONS.into_iter().zip(0..).zip(kind.needs) {
        let has = |shape: &Shape| shape.room.get::<usize>(amount).copied().unwrap_or(0);
        let largest = allowed
            .iter()
            .map(|(_, shape)| has(shape))
            .max()
            .unwrap_or(0);
        if needs > largest {
            return Some(Refusal::TooLarge {
                dimension,
                needs,
                largest,
            });
        }
    }
    // The offer that takes one has no lack, and is the closest of all.
    let mut closest: Option<(u64, usize, (Dimension, u32, u32))> = None;
    for (offer, shape) in allowed {
        let (share, what) = lacks(&kind.needs, &shape.room)?;
        if closest.is_none_or(|(least, _, _)| share < least) {
            closest = Some((share, *offer, what));
        }
    }
    closest.map(
        |(_, closest, (dimension, needs, has))| Refusal::TooLargeTogether {
            closest,
            dimension,
            needs,
            has,
        },
    )
}

/// What is lacking most, and which share of the need that is, in 65,536ths.
fn lacks(needs: &Amounts, room: &Amounts) -> Option<(u64, (Dimension, u32, u32))> {
    let mut most: Option<(u64, (Dimension, u32, u32))> = None;
    for ((dimension, needs), has) in DIMENSIONS.into_iter().zip(*needs).zip(*room) {
        if needs > has {
            let share = (u64::from(needs - has) << 16) / u64::from(needs);
            if most.is_none_or(|(largest, _)| share > largest) {
                most = Some((share, (dimension, needs, has)));
            }
        }
    }
    most
}

fn taken_port(compiled: &Compiled<'_>, kind: &Kind, taken: &[Key]) -> Option<HostPort> {
    let group = compiled.problem.groups.get(kind.group)?;
    group
        .host_ports
        .iter()
        .copied()
        .find(|port| taken.contains(&Key::from(*port)))
}
