//! First-fit decreasing, the usual yardstick.

use placement::packing::Problem;

/// How many bins it takes for vectors, ordered by the square of their length with each dimension weighted by how much of it is
/// asked for (the published FFD-L2-Avg).
pub(super) fn bins(capacity: &[u32], items: &[Vec<u32>]) -> usize {
    let share = |size: u32, capacity: u32| u64::from(size) * 1_000 / u64::from(capacity).max(1);
    let weights: Vec<u64> = (0..capacity.len())
        .map(|dimension| {
            let sizes = items.iter().filter_map(|item| item.get(dimension));
            let sum: u64 = sizes.copied().map(u64::from).sum();
            let capacity = capacity.get(dimension).copied().map_or(1, u64::from);
            sum * 1_000 / capacity.max(1)
        })
        .collect();
    let length = |item: &Vec<u32>| -> u64 {
        let shares = item.iter().zip(capacity).zip(&weights);
        shares
            .map(|((size, capacity), weight)| weight * share(*size, *capacity).pow(2))
            .sum()
    };
    let mut ordered: Vec<&Vec<u32>> = items.iter().collect();
    ordered.sort_by_key(|item| std::cmp::Reverse(length(item)));
    let mut bins: Vec<Vec<u32>> = Vec::new();
    for item in ordered {
        let fits = |free: &&mut Vec<u32>| {
            item.iter()
                .zip(free.iter())
                .all(|(size, free)| size <= free)
        };
        let mut opened = capacity.to_vec();
        let first = bins.iter_mut().find(fits);
        let is_new = first.is_none();
        for (free, size) in first.unwrap_or(&mut opened).iter_mut().zip(item) {
            *free -= size;
        }
        if is_new {
            bins.push(opened);
        }
    }
    bins.len()
}

/// What a problem costs on instances of one offer alone; `None` if not all tasks fit it, or it is more than `at_most`.
pub(super) fn cost(problem: &Problem, offer: usize, at_most: u64) -> Option<u64> {
    let what = problem.offers.get(offer)?;
    let room = [what.room.cpu_units, what.room.memory_mib];
    let share = |size: u32, room: u32| u64::from(size) * 1_000_000 / u64::from(room).max(1);
    let mut groups: Vec<_> = problem.groups.iter().collect();
    groups.sort_by_key(|group| {
        let [cpu, memory] = room;
        std::cmp::Reverse(share(group.needs.cpu_units, cpu) + share(group.needs.memory_mib, memory))
    });
    let mut bins: Vec<([u32; 2], Vec<Apart>)> = Vec::new();
    for group in groups {
        let needs = [group.needs.cpu_units, group.needs.memory_mib];
        let too_large = needs.iter().zip(room).any(|(needs, room)| *needs > room);
        if too_large || !problem.allows_offer(group, offer) {
            return None;
        }
        let ports = group.host_ports.iter().map(|port| Apart::Port(port.port));
        let service = group.distinct_instance.map(|key| Apart::Service(key.0));
        let apart: Vec<Apart> = ports.chain(service).collect();
        // A bin that does not take one does not take the next of the same group either.
        let mut at = 0;
        for _ in 0..group.count {
            while bins.get(at).is_some_and(|(free, on)| {
                needs.iter().zip(free).any(|(needs, free)| needs > free)
                    || apart.iter().any(|one| on.contains(one))
            }) {
                at += 1;
            }
            if at == bins.len() {
                bins.push((room, Vec::new()));
                if u64::try_from(bins.len()).ok()? * what.cost > at_most {
                    return None;
                }
            }
            let (free, on) = bins.get_mut(at)?;
            for (free, needs) in free.iter_mut().zip(needs) {
                *free -= needs;
            }
            on.extend_from_slice(&apart);
        }
    }
    Some(u64::try_from(bins.len()).ok()? * what.cost)
}

/// Tasks with the same of these do not share an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    Port(u16),
    Service(u32),
}
