//! Single cases, as operators meet them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::capacity::{HostPort, Protocol, Resources};
use placement::packing::{
    Bin, DistinctKey, Effort, Eligibility, GroupId, Offer, Place, Problem, Readiness, Refusal,
    Spread, TaskGroup, pack,
};

use crate::judge::faults;

/// The shapes of the workshop: a `t3.small` and an `m5.large`, after the agent and the system took their part.
const T3_SMALL: Resources = room(2_048, 1_900);
const M5_LARGE: Resources = room(2_048, 7_600);

const fn room(cpu_units: u32, memory_mib: u32) -> Resources {
    Resources {
        cpu_units,
        memory_mib,
        gpus: 0,
        network_interfaces: 0,
    }
}

fn tasks(id: u32, count: u32, needs: Resources) -> TaskGroup {
    TaskGroup {
        id: GroupId(id),
        count,
        needs,
        host_ports: BTreeSet::new(),
        distinct_instance: None,
        spread: None,
        eligibility: None,
    }
}

fn offer(zone: usize, room: Resources) -> Offer {
    Offer {
        zone,
        room,
        host_ports: BTreeSet::new(),
        cost: 1,
        at_most: u32::MAX,
    }
}

fn bin(zone: usize, readiness: Readiness, free: Resources) -> Bin {
    Bin {
        zone,
        readiness,
        free,
        host_ports: BTreeSet::new(),
        distinct_instance: BTreeSet::new(),
    }
}

fn problem(groups: Vec<TaskGroup>, bins: Vec<Bin>, offers: Vec<Offer>) -> Problem {
    Problem {
        groups,
        bins,
        offers,
        new_bins_at_most: 100,
        zones: 3,
        eligibilities: Vec::new(),
        spreads: Vec::new(),
    }
}

fn tcp(port: u16) -> BTreeSet<HostPort> {
    BTreeSet::from([HostPort {
        protocol: Protocol::Tcp,
        port,
    }])
}

/// Packs at once and a while longer: both answers keep to the problem, and the first reads as expected.
fn check(problem: &Problem, expected: &Expect) {
    let searched = Effort {
        iterations: 200,
        seed: 1,
    };
    assert_eq!(
        faults(problem, &pack(problem, searched)),
        Vec::<String>::new()
    );
    let packing = pack(problem, Effort::FIRST);
    assert_eq!(faults(problem, &packing), Vec::<String>::new());
    let mut text = String::new();
    for placement in &packing.placements {
        let place = match placement.place {
            Place::Existing(bin) => format!("instance {bin} in zone {}", problem.bins[bin].zone),
            Place::New(new) => {
                let offer = packing.opened[new];
                let zone = problem.offers[offer].zone;
                format!("new {new} of offer {offer} in zone {zone}")
            }
        };
        let (count, group) = (placement.count, placement.group);
        writeln!(text, "{place}: {count} of group {group}").unwrap();
    }
    for unplaced in &packing.unplaced {
        let (count, group, why) = (unplaced.count, unplaced.group, unplaced.why);
        writeln!(text, "nowhere: {count} of group {group}, {why:?}").unwrap();
    }
    writeln!(
        text,
        "opened {}, at least {}, cost {}",
        packing.opened.len(),
        packing.opened_at_least,
        packing.cost
    )
    .unwrap();
    expected.assert_eq(&text);
}

#[test]
fn nine_tasks_of_the_workshop_need_three_t3_small() {
    check(
        &problem(
            vec![tasks(0, 9, room(256, 512))],
            vec![],
            vec![offer(0, T3_SMALL), offer(1, T3_SMALL)],
        ),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 3 of group 0
            new 1 of offer 0 in zone 0: 3 of group 0
            new 2 of offer 1 in zone 1: 3 of group 0
            opened 3, at least 3, cost 3
        "#]],
    );
}

#[test]
fn thirty_one_tasks_of_the_workshop_need_four_large() {
    check(
        &problem(
            vec![tasks(0, 31, room(256, 512))],
            vec![],
            vec![offer(0, M5_LARGE)],
        ),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 8 of group 0
            new 1 of offer 0 in zone 0: 8 of group 0
            new 2 of offer 0 in zone 0: 8 of group 0
            new 3 of offer 0 in zone 0: 7 of group 0
            opened 4, at least 4, cost 4
        "#]],
    );
}

#[test]
fn active_instances_are_filled_before_launching_and_draining_ones_and_those_before_new_ones() {
    check(
        &problem(
            vec![tasks(0, 10, room(256, 512))],
            vec![
                bin(0, Readiness::Draining, T3_SMALL),
                bin(0, Readiness::Launching, T3_SMALL),
                bin(0, Readiness::Active, room(600, 1_900)),
            ],
            vec![offer(0, T3_SMALL)],
        ),
        &expect![[r#"
            instance 0 in zone 0: 3 of group 0
            instance 1 in zone 0: 3 of group 0
            instance 2 in zone 0: 2 of group 0
            new 0 of offer 0 in zone 0: 2 of group 0
            opened 1, at least 1, cost 1
        "#]],
    );
}

/// ECS's own scaling counts each group alone and takes the largest number, which would be 3 here; what is lacking would come a
/// round later.
#[test]
fn groups_are_packed_together() {
    check(
        &problem(
            vec![tasks(0, 6, room(900, 500)), tasks(1, 6, room(100, 3_000))],
            vec![],
            vec![offer(0, M5_LARGE)],
        ),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 2 of group 0
            new 0 of offer 0 in zone 0: 2 of group 1
            new 1 of offer 0 in zone 0: 2 of group 0
            new 1 of offer 0 in zone 0: 2 of group 1
            new 2 of offer 0 in zone 0: 2 of group 0
            new 2 of offer 0 in zone 0: 2 of group 1
            opened 3, at least 3, cost 3
        "#]],
    );
}

#[test]
fn tasks_with_one_host_port_go_on_one_instance_each() {
    let mut web = tasks(0, 3, room(256, 512));
    web.host_ports = tcp(80);
    let mut taken = bin(0, Readiness::Active, M5_LARGE);
    taken.host_ports = tcp(80);
    check(
        &problem(
            vec![web],
            vec![taken, bin(0, Readiness::Active, M5_LARGE)],
            vec![offer(0, M5_LARGE)],
        ),
        &expect![[r#"
            instance 1 in zone 0: 1 of group 0
            new 0 of offer 0 in zone 0: 1 of group 0
            new 1 of offer 0 in zone 0: 1 of group 0
            opened 2, at least 2, cost 2
        "#]],
    );
}

#[test]
fn two_revisions_of_a_distinct_instance_service_do_not_share_one() {
    let mut old = tasks(0, 1, room(256, 512));
    let mut new = tasks(1, 2, room(256, 1_024));
    old.distinct_instance = Some(DistinctKey(7));
    new.distinct_instance = Some(DistinctKey(7));
    check(
        &problem(vec![old, new], vec![], vec![offer(0, M5_LARGE)]),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 1 of group 1
            new 1 of offer 0 in zone 0: 1 of group 1
            new 2 of offer 0 in zone 0: 1 of group 0
            opened 3, at least 3, cost 3
        "#]],
    );
}

#[test]
fn a_constraint_decides_which_instances_and_offers_are_asked() {
    let mut constrained = tasks(0, 5, room(1_024, 512));
    constrained.eligibility = Some(0);
    let mut problem = problem(
        vec![constrained],
        vec![
            bin(0, Readiness::Active, M5_LARGE),
            bin(1, Readiness::Active, M5_LARGE),
        ],
        vec![offer(0, M5_LARGE), offer(1, M5_LARGE)],
    );
    problem.eligibilities = vec![Eligibility {
        bins: [1].into_iter().collect(),
        offers: [1].into_iter().collect(),
    }];
    check(
        &problem,
        &expect![[r#"
        instance 1 in zone 1: 2 of group 0
        new 0 of offer 1 in zone 1: 2 of group 0
        new 1 of offer 1 in zone 1: 1 of group 0
        opened 2, at least 1, cost 2
    "#]],
    );
}

#[test]
fn a_spread_counts_what_runs_and_yields_where_there_is_no_room() {
    let mut spread = tasks(0, 5, room(256, 512));
    spread.spread = Some(0);
    let mut problem = problem(
        vec![spread],
        vec![
            bin(0, Readiness::Active, M5_LARGE),
            bin(1, Readiness::Active, M5_LARGE),
            bin(2, Readiness::Active, room(256, 512)),
        ],
        vec![],
    );
    problem.spreads = vec![Spread { placed: vec![2] }];
    check(
        &problem,
        &expect![[r#"
        instance 0 in zone 0: 1 of group 0
        instance 1 in zone 1: 3 of group 0
        instance 2 in zone 2: 1 of group 0
        opened 0, at least 0, cost 0
    "#]],
    );
}

#[test]
fn new_instances_of_a_spread_go_to_the_zones_in_turn() {
    let mut spread = tasks(0, 9, room(256, 512));
    spread.spread = Some(0);
    let mut problem = problem(
        vec![spread],
        vec![],
        vec![offer(0, T3_SMALL), offer(1, T3_SMALL), offer(2, T3_SMALL)],
    );
    problem.spreads = vec![Spread::default()];
    check(
        &problem,
        &expect![[r#"
        new 0 of offer 0 in zone 0: 3 of group 0
        new 1 of offer 1 in zone 1: 3 of group 0
        new 2 of offer 2 in zone 2: 3 of group 0
        opened 3, at least 3, cost 3
    "#]],
    );
}

#[test]
fn awsvpc_tasks_are_bounded_by_network_interfaces() {
    let needs = Resources {
        network_interfaces: 1,
        ..room(256, 512)
    };
    let small = Resources {
        network_interfaces: 2,
        ..T3_SMALL
    };
    check(
        &problem(vec![tasks(0, 5, needs)], vec![], vec![offer(0, small)]),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 2 of group 0
            new 1 of offer 0 in zone 0: 2 of group 0
            new 2 of offer 0 in zone 0: 1 of group 0
            opened 3, at least 3, cost 3
        "#]],
    );
}

#[test]
fn what_fits_nothing_says_which_amount_and_how_much() {
    let gpu = Resources {
        gpus: 1,
        ..room(256, 512)
    };
    let mut port = tasks(3, 1, room(256, 512));
    port.host_ports = tcp(51_678);
    let mut forbidden = tasks(4, 1, room(256, 512));
    forbidden.eligibility = Some(0);
    let offers = [M5_LARGE, room(8_192, 1_900)].map(|room| Offer {
        host_ports: tcp(51_678),
        ..offer(0, room)
    });
    let mut problem = problem(
        vec![
            tasks(0, 2, room(256, 10_000)),
            tasks(1, 1, room(4_096, 4_096)),
            tasks(2, 1, gpu),
            port,
            forbidden,
            tasks(5, 1, room(256, 512)),
        ],
        vec![],
        offers.to_vec(),
    );
    problem.eligibilities = vec![Eligibility::default()];
    check(
        &problem,
        &expect![[r#"
        new 0 of offer 0 in zone 0: 1 of group 5
        nowhere: 2 of group 0, TooLarge { dimension: MemoryMib, needs: 10000, largest: 7600 }
        nowhere: 1 of group 1, TooLargeTogether { closest: 0, dimension: CpuUnits, needs: 4096, has: 2048 }
        nowhere: 1 of group 2, TooLarge { dimension: Gpus, needs: 1, largest: 0 }
        nowhere: 1 of group 3, HostPortTaken { port: HostPort { protocol: Tcp, port: 51678 } }
        nowhere: 1 of group 4, NotAllowed
        opened 1, at least 1, cost 1
    "#]],
    );
}

#[test]
fn limits_are_kept_and_said() {
    let mut limited = problem(
        vec![tasks(0, 9, room(256, 512))],
        vec![],
        vec![Offer {
            at_most: 2,
            ..offer(0, T3_SMALL)
        }],
    );
    check(
        &limited,
        &expect![[r#"
        new 0 of offer 0 in zone 0: 3 of group 0
        new 1 of offer 0 in zone 0: 3 of group 0
        nowhere: 3 of group 0, OffersExhausted
        opened 2, at least 3, cost 2
    "#]],
    );
    limited.new_bins_at_most = 1;
    check(
        &limited,
        &expect![[r#"
        new 0 of offer 0 in zone 0: 3 of group 0
        nowhere: 6 of group 0, LimitReached { at_most: 1 }
        opened 1, at least 3, cost 1
    "#]],
    );
    limited.offers.clear();
    check(
        &limited,
        &expect![[r#"
        nowhere: 9 of group 0, NoOffers
        opened 0, at least 0, cost 0
    "#]],
    );
}

#[test]
fn the_cheaper_of_two_sizes_is_opened() {
    let priced = |cost, room| Offer {
        cost,
        ..offer(0, room)
    };
    check(
        &problem(
            vec![tasks(0, 5, room(256, 512))],
            vec![],
            vec![priced(208, T3_SMALL), priced(960, M5_LARGE)],
        ),
        &expect![[r#"
            new 0 of offer 0 in zone 0: 3 of group 0
            new 1 of offer 0 in zone 0: 2 of group 0
            opened 2, at least 1, cost 416
        "#]],
    );
}

#[test]
fn nothing_to_place_opens_nothing() {
    check(
        &problem(vec![], vec![], vec![offer(0, T3_SMALL)]),
        &expect![[r#"
            opened 0, at least 0, cost 0
        "#]],
    );
}

/// An answer, not a panic, with numbers at their largest.
#[test]
fn the_largest_numbers_are_numbers() {
    let all = Resources {
        cpu_units: u32::MAX,
        memory_mib: u32::MAX,
        gpus: u32::MAX,
        network_interfaces: u32::MAX,
    };
    let mut problem = problem(
        vec![tasks(0, u32::MAX, all), tasks(1, u32::MAX, Resources::ZERO)],
        vec![bin(9, Readiness::Active, all)],
        vec![Offer {
            cost: u64::MAX,
            zone: 77,
            ..offer(0, all)
        }],
    );
    problem.new_bins_at_most = 3;
    for iterations in [0, 20] {
        let packing = pack(
            &problem,
            Effort {
                iterations,
                seed: 1,
            },
        );
        assert_eq!(packing.cost, u64::MAX);
        let left: Vec<_> = packing
            .unplaced
            .iter()
            .map(|one| (one.group, one.count, one.why))
            .collect();
        let limit = Refusal::LimitReached { at_most: 3 };
        assert_eq!(left, vec![(0, u32::MAX - 4, limit)]);
    }
}

#[test]
fn five_thousand_instances_take_ten_thousand_tasks() {
    let bins = (0..5_000).map(|number| bin(number % 3, Readiness::Active, room(512, 1_100)));
    let problem = problem(
        vec![
            tasks(0, 6_000, room(256, 512)),
            tasks(1, 4_000, room(200, 500)),
        ],
        bins.collect(),
        vec![offer(0, M5_LARGE)],
    );
    let packing = pack(&problem, Effort::FIRST);
    assert_eq!(faults(&problem, &packing), Vec::<String>::new());
    assert!(packing.unplaced.is_empty() && packing.opened.is_empty());
}
