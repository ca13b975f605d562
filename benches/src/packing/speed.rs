//! Packing speed: 20,000 tasks on 400 types with prices, and 200 tasks on 400 instances.

use std::collections::BTreeSet;
use std::time::Instant;

use comfy_table::Table;
use model::capacity::{HostPort, Protocol, Resources};
use placement::packing::{
    Bin, DistinctKey, Effort, Eligibility, GroupId, IndexSet, Offer, Packing, Problem, Readiness,
    Spread, TaskGroup, pack,
};

use super::catalog::{InstanceType, types};
use super::first_fit;
use crate::decide::micros;
use crate::published::Missing;
use crate::start_up::{median, thousandths};

const TASKS: u32 = 20_000;
const TYPES: usize = 400;
const ZONES: usize = 3;
/// 100, 250, 500, 1,000 and 1,500 thousandths of a vCPU, in CPU units.
const CPU_UNITS: [u32; 5] = [102, 256, 512, 1_024, 1_536];
const MEMORY_MIB: [u32; 6] = [100, 256, 512, 1_024, 2_048, 4_096];
/// What a daemon takes of each instance.
const DAEMON: Resources = Resources {
    cpu_units: 102,
    memory_mib: 128,
    gpus: 0,
    network_interfaces: 0,
};
/// What the system keeps of an instance's memory, in thousandths: what Karpenter assumes,
/// <https://karpenter.sh/docs/reference/settings/> (`VM_MEMORY_OVERHEAD_PERCENT`).
const SYSTEM_MEMORY_THOUSANDTHS: u32 = 75;
const KINDS: [Kind; 6] = [
    Kind::Plain,
    Kind::ZoneSpread,
    Kind::DistinctInstance,
    Kind::MemberOf,
    Kind::HostPort,
    Kind::BesideDaemon,
];
/// Iterations of the search that is shown beside the first answer.
const SEARCHED: u32 = 2_000;

/// What is special about a sixth of the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    ZoneSpread,
    DistinctInstance,
    /// Only on types whose family begins with c or m.
    MemberOf,
    HostPort,
    /// Nothing but the daemon that is on every instance.
    BesideDaemon,
}

pub(super) fn run(runs: usize) -> Result<String, Missing> {
    let mut types = types()?;
    types.retain(|one| one.cpu_units > DAEMON.cpu_units && one.memory_mib > DAEMON.memory_mib * 2);
    types.truncate(TYPES);
    let services = problem(&types, 1);
    let alone = problem(&types, TASKS / 180 + 1);
    let mut table = Table::new();
    table.set_header([
        "20,000 tasks, 400 types in 3 zones",
        "ms",
        "tasks a second",
        "new instances",
        "not placed",
        "$ an hour",
        "first-fit decreasing on the best one type",
    ]);
    for (name, problem, iterations) in [
        ("180 groups", &services, 0),
        ("180 groups, searched", &services, SEARCHED),
        ("20,000 groups of one, all different", &alone, 0),
    ] {
        let runs = if iterations == 0 { runs } else { 1 };
        let (packing, micros) = timed(problem, iterations, runs);
        let (best, cost) = cheapest_type(problem, &types);
        table.add_row([
            name.to_owned(),
            thousandths(micros),
            (u64::from(TASKS) * 1_000_000 / micros.max(1)).to_string(),
            packing.opened.len().to_string(),
            packing.unplaced.len().to_string(),
            thousandths(packing.cost / 1_000),
            format!("{} on {best}", thousandths(cost / 1_000)),
        ]);
    }
    let (packing, micros) = timed(&on_instances(&types), 0, runs);
    let placed: u32 = packing.placements.iter().map(|one| one.count).sum();
    Ok(format!(
        "Packing speed on one thread, medians of {runs} runs. Karpenter publishes about 990 pods a second for such a mix.\n{table}\n\
         200 different tasks on 400 instances with little room: {} ms ({placed} placed).",
        thousandths(micros)
    ))
}

fn timed(problem: &Problem, iterations: u32, runs: usize) -> (Packing, u64) {
    let effort = Effort {
        iterations,
        seed: 1,
    };
    let mut times = Vec::new();
    let mut packing = Packing::default();
    for _ in 0..runs.max(1) {
        let started = Instant::now();
        packing = pack(problem, effort);
        times.push(micros(started));
    }
    (packing, median(times))
}

/// The type on which first-fit decreasing costs least, of all types that take every task.
fn cheapest_type(problem: &Problem, types: &[InstanceType]) -> (String, u64) {
    let mut best = (String::from("none"), u64::MAX);
    for (offer, what) in (0..problem.offers.len()).step_by(ZONES).zip(types) {
        if let Some(cost) = first_fit::cost(problem, offer, best.1)
            && cost < best.1
        {
            best = (what.name.clone(), cost);
        }
    }
    best
}

/// 20,000 tasks: 30 sizes of each of the six kinds, each split into so many groups that differ a little.
fn problem(types: &[InstanceType], split: u32) -> Problem {
    let offers: Vec<Offer> = types
        .iter()
        .flat_map(|one| (0..ZONES).map(move |zone| offer(one, zone)))
        .collect();
    let member_of = types
        .iter()
        .enumerate()
        .filter(|(_, one)| one.name.starts_with(['c', 'm']));
    let members: IndexSet = member_of
        .flat_map(|(place, _)| (0..ZONES).map(move |zone| place * ZONES + zone))
        .collect();
    let sizes = || {
        MEMORY_MIB
            .into_iter()
            .flat_map(|memory| CPU_UNITS.into_iter().map(move |cpu| (cpu, memory)))
    };
    let mut groups = Vec::new();
    for (service, (kind, (cpu_units, memory_mib))) in (0_u16..).zip(
        KINDS
            .into_iter()
            .flat_map(|kind| sizes().map(move |size| (kind, size))),
    ) {
        let tasks = TASKS / 180 + u32::from(u32::from(service) < TASKS % 180);
        for part in 0..split.min(tasks) {
            let count = tasks / split + u32::from(part < tasks % split);
            // Parts differ by a few CPU units and MiB: no two tasks are alike, and all are as large as before or larger.
            let needs = Resources {
                cpu_units: cpu_units + part % 7,
                memory_mib: memory_mib + part % 97,
                gpus: 0,
                network_interfaces: 0,
            };
            groups.push(group(kind, service, needs, count));
        }
    }
    for (id, group) in (0..).zip(&mut groups) {
        group.id = GroupId(id);
    }
    Problem {
        groups,
        bins: Vec::new(),
        offers,
        new_bins_at_most: u32::MAX,
        zones: ZONES,
        eligibilities: vec![Eligibility {
            bins: IndexSet::default(),
            offers: members,
        }],
        spreads: vec![Spread::default(); 180],
    }
}

fn offer(one: &InstanceType, zone: usize) -> Offer {
    let memory_mib = one.memory_mib - one.memory_mib / 1_000 * SYSTEM_MEMORY_THOUSANDTHS;
    let registered = Resources {
        cpu_units: one.cpu_units,
        memory_mib,
        gpus: 0,
        network_interfaces: one.network_interfaces.saturating_sub(1),
    };
    Offer {
        zone,
        room: registered.saturating_sub(&DAEMON),
        host_ports: BTreeSet::new(),
        cost: one.microdollars_per_hour,
        at_most: u32::MAX,
    }
}

fn group(kind: Kind, service: u16, needs: Resources, count: u32) -> TaskGroup {
    let port = HostPort {
        protocol: Protocol::Tcp,
        port: 8_000 + service,
    };
    let only = |wanted: Kind| kind == wanted;
    TaskGroup {
        id: GroupId(0),
        count,
        needs,
        host_ports: only(Kind::HostPort).then_some(port).into_iter().collect(),
        distinct_instance: only(Kind::DistinctInstance).then(|| DistinctKey(service.into())),
        spread: only(Kind::ZoneSpread).then(|| usize::from(service)),
        eligibility: only(Kind::MemberOf).then_some(0),
    }
}

/// 200 different tasks, a sixth of each kind, and 400 instances that are nearly full.
fn on_instances(types: &[InstanceType]) -> Problem {
    let mut problem = problem(types, TASKS / 180 + 1);
    let step = problem.groups.len() / 200;
    let groups = std::mem::take(&mut problem.groups).into_iter();
    problem.groups = groups.step_by(step).take(200).collect();
    let bins: Vec<Bin> = (0_u32..400)
        .zip((0..ZONES).cycle())
        .map(|(number, zone)| Bin {
            zone,
            readiness: Readiness::Active,
            free: Resources {
                cpu_units: number * 7 % 1_600,
                memory_mib: number * 11 % 3_000,
                gpus: 0,
                network_interfaces: 0,
            },
            host_ports: BTreeSet::new(),
            distinct_instance: BTreeSet::new(),
        })
        .collect();
    let all: IndexSet = (0..bins.len()).collect();
    for eligibility in &mut problem.eligibilities {
        eligibility.bins = all.clone();
    }
    problem.bins = bins;
    problem
}
