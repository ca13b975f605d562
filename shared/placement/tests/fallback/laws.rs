//! The laws, over random states.

use std::collections::BTreeMap;

use model::ServiceKey;
use model::memory::{PairMemory, Recall};
use model::plan::{Action, Plan};
use model::snapshot::{Health, Standby, TaskStatus};
use placement::fallback::history::STEPS_MAX;
use placement::{Decision, audit, decide};
use proptest::prelude::*;

use crate::oracle::judge;
use crate::random::{Situation, situation};
use crate::scene::{add, gap, now};

fn decided(it: &Situation) -> Decision {
    decide(
        &it.snapshot,
        &it.installation,
        &it.memories,
        &it.hints,
        now(),
    )
}

/// What each standby is asked to be after the plan, by its primary.
fn standbys(it: &Situation, plan: &Plan) -> BTreeMap<ServiceKey, u32> {
    let mut counts = BTreeMap::new();
    for (key, pair) in &it.snapshot.pairs {
        if let Standby::Present(standby) = &pair.standby {
            counts.insert(key.clone(), standby.desired_count);
        }
    }
    for step in &plan.steps {
        let Action::SetDesiredCount { to, .. } = step.action;
        counts.insert(step.subject.clone(), to);
    }
    counts
}

/// What ECS may have done about a standby by the time of the next look.
#[derive(Debug, Clone, Copy)]
enum Ecs {
    Nothing,
    StopsReadyTasks,
    StopsOtherTasks,
}

/// The situation after the plan was carried out, every write confirmed.
fn carried_out(before: &Situation, decision: &Decision, ecs: Ecs) -> Situation {
    let mut after = before.clone();
    for (key, memory) in &decision.memories {
        let mut memory = memory.clone();
        if let Some(wrote) = &mut memory.wrote {
            wrote.confirmed |= wrote.at == now();
        }
        after.memories.insert(key.clone(), Recall::Known(memory));
    }
    for step in &decision.plan.steps {
        let Action::SetDesiredCount { to, .. } = step.action;
        let pair = after.snapshot.pairs.get_mut(&step.subject).unwrap();
        let Standby::Present(standby) = &mut pair.standby else {
            panic!("a step for a standby that was not read");
        };
        standby.desired_count = to;
        let ready_first = match ecs {
            Ecs::Nothing => continue,
            Ecs::StopsReadyTasks => true,
            Ecs::StopsOtherTasks => false,
        };
        let to_run = standby.tasks.iter().filter(|it| it.desired_running).count();
        let to = to as usize;
        let missing = u32::try_from(to.saturating_sub(to_run)).unwrap();
        add(standby, missing, |task| {
            task.created_at = Some(now());
            if !ready_first {
                task.last_status = TaskStatus::Pending;
            }
        });
        let ready = |it: &model::snapshot::Task| {
            it.last_status == TaskStatus::Running && it.health != Health::Unhealthy
        };
        standby.tasks.sort_by_key(|it| ready(it) != ready_first);
        let to_stop = standby.tasks.iter_mut().filter(|it| it.desired_running);
        for task in to_stop.take(to_run.saturating_sub(to)) {
            task.desired_running = false;
        }
    }
    after
}

fn strictly(memory: &PairMemory) {
    let rising =
        |pair: &[model::memory::Level]| pair[0].tasks < pair[1].tasks && pair[0].at < pair[1].at;
    let falling =
        |pair: &[model::memory::Level]| pair[0].tasks > pair[1].tasks && pair[0].at < pair[1].at;
    assert!(memory.deficits.windows(2).all(rising), "{memory:?}");
    assert!(memory.needs.windows(2).all(falling), "{memory:?}");
}

/// Few enough for every build; `PROPTEST_CASES` asks for more.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.div_ceil(2),
        ..usual
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_done_is_allowed_and_what_is_said_is_true(it in situation()) {
        let plan = decided(&it).plan;
        for (key, pair) in &it.snapshot.pairs {
            let steps: Vec<_> = plan.steps.iter().filter(|it| it.subject == *key).collect();
            let holds: Vec<_> = plan.holds.iter().filter(|it| it.subject == *key).collect();
            prop_assert_eq!(steps.len() + holds.len(), 1);
            judge(&it, pair, steps.first().copied(), holds.first().copied());
        }
        let subjects = plan.steps.len() + plan.holds.len();
        prop_assert_eq!(subjects, it.snapshot.pairs.len() + it.snapshot.passed_over.len());
    }

    #[test]
    fn the_audit_finds_nothing(it in situation()) {
        let plan = decided(&it).plan;
        let found = audit::audit(&plan, &it.snapshot, &it.installation, &it.memories, now());
        prop_assert!(found.is_empty(), "{:?} in {}", found, plan);
    }

    #[test]
    fn the_same_inputs_give_the_same_plan_in_whatever_order_events_come(it in situation()) {
        let mut other = it.clone();
        other.hints.placement_failures.reverse();
        other.hints.placement_failures.extend(it.hints.placement_failures.clone());
        prop_assert_eq!(decided(&it), decided(&other));
    }

    #[test]
    fn no_other_pair_matters(it in situation()) {
        let all = decided(&it);
        for (key, pair) in &it.snapshot.pairs {
            let mut alone = it.clone();
            alone.snapshot.pairs = BTreeMap::from([(key.clone(), pair.clone())]);
            let alone = decided(&alone);
            prop_assert_eq!(all.memories.get(key), alone.memories.get(key));
            prop_assert!(alone.plan.steps.iter().all(|it| all.plan.steps.contains(it)));
            prop_assert!(alone.plan.holds.iter().all(|it| all.plan.holds.contains(it)));
        }
    }

    #[test]
    fn a_plan_that_worked_leaves_nothing_to_do(it in situation()) {
        let decision = decided(&it);
        for ecs in [Ecs::Nothing, Ecs::StopsReadyTasks, Ecs::StopsOtherTasks] {
            let after = carried_out(&it, &decision, ecs);
            let again = decided(&after).plan.steps;
            prop_assert!(again.is_empty(), "{:?}: {} and then {}", ecs, decision.plan, again[0]);
        }
    }

    #[test]
    fn a_plan_that_worked_shows_in_no_foreign_edit(it in situation()) {
        let decision = decided(&it);
        let after = decided(&carried_out(&it, &decision, Ecs::Nothing)).plan;
        for step in &decision.plan.steps {
            let hold = after.holds.iter().find(|it| it.subject == step.subject).unwrap();
            prop_assert!(!["foreign_edit", "own_write_not_visible"].contains(&hold.reason.as_str()), "{}", hold);
        }
    }

    #[test]
    fn less_information_never_means_less_capacity(it in situation(), which in 0..8) {
        let mut less = it.clone();
        let blind = match which {
            0 => {
                less.snapshot.gaps.push(gap("ecs:ListServices", "*"));
                true
            }
            1 => {
                let unknown = it.snapshot.pairs.keys().map(|key| (key.clone(), Recall::Unknown));
                less.memories = unknown.collect();
                true
            }
            2 => {
                less.memories.clear();
                true
            }
            3 => {
                less.hints.placement_failures.clear();
                false
            }
            _ => {
                for pair in less.snapshot.pairs.values_mut() {
                    pair.gaps.push(gap("ecs:DescribeTasks", "container-demo/web"));
                    forget(pair, which);
                }
                true
            }
        };
        let before = standbys(&it, &Plan::default());
        let full = standbys(&it, &decided(&it).plan);
        for (key, count) in standbys(&less, &decided(&less).plan) {
            prop_assert!(count >= before[&key].min(full[&key]), "{}: {} instead of {}", key, count, full[&key]);
            prop_assert!(!blind || count >= before[&key], "{} gave back to {}", key, count);
            // Gaps alone never keep the standby from being raised.
            prop_assert!(which != 0 || count >= full[&key], "{} was not raised", key);
        }
    }

    #[test]
    fn what_is_remembered_is_in_order_and_bounded(it in situation()) {
        for (key, memory) in decided(&it).memories {
            // What could not be noted is kept as it was.
            let kept = it.memories.get(&key) == Some(&Recall::Known(memory.clone()));
            let fits = memory.deficits.len() <= STEPS_MAX && memory.needs.len() <= STEPS_MAX;
            // Nor is much noted of tasks that were not read.
            let noted = it.orderly || it.snapshot.pairs[&key].primary.all_to_run_read;
            prop_assert!(kept || fits || !noted);
            if it.orderly {
                strictly(&memory);
            }
        }
    }
}

/// Takes something away that a look may lack.
fn forget(pair: &mut model::snapshot::Pair, which: i32) {
    let primary = &mut pair.primary;
    match which {
        4 => primary.tasks.truncate(1),
        5 => {
            for task in &mut primary.tasks {
                (task.created_at, task.started_at, task.stopping_at) = (None, None, None);
            }
        }
        6 => primary.stop_timeout = None,
        _ => {
            if let Standby::Present(standby) = &mut pair.standby {
                standby.tasks.clear();
                standby.scaled_by_application_auto_scaling = None;
            }
        }
    }
}

/// The random states reach every hold and every kind of evidence: a law over states that never occur proves nothing.
#[test]
fn the_random_states_reach_every_rule() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let it = situation().new_tree(&mut runner).unwrap().current();
        let plan = decided(&it).plan;
        for hold in &plan.holds {
            seen.insert(hold.reason.as_str());
        }
        for step in &plan.steps {
            seen.insert(match &step.reason {
                model::plan::StepReason::Cover { evidence, .. } => evidence.as_str(),
                model::plan::StepReason::GiveBack { .. } => step.reason.as_str(),
            });
        }
    }
    let outside = ["not_found", "unread", "standby_without_primary"];
    let steps = [
        "spot_shortage",
        "deadline_near",
        "spot_instances_short",
        "spot_instances_draining",
        "spot_took_tasks",
        "overdue",
        "persisted",
        "give_back",
    ];
    let wanted = model::plan::HoldReason::NAMES.into_iter().chain(steps);
    let missed: Vec<&str> = wanted
        .filter(|it| !seen.contains(it) && !outside.contains(it))
        .collect();
    assert_eq!(missed, Vec::<&str>::new());
}
