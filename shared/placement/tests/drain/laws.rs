//! The laws, over random states.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::Consent;
use model::drain::{
    CauseKind, DepartureCause, DrainAction, DrainGroup, DrainHoldReason, DrainKey, DrainPlan,
    DrainStep, DrainStepReason,
};
use model::memory::Recall;
use model::outcome::OutcomeResult;
use model::trigger::{Hints, Notice};
use model::{InstanceId, Seconds};
use placement::audit::Violation;
use placement::drain::audit::audit;
use placement::drain::{DrainDecision, decide};
use proptest::prelude::*;

use crate::aws::{carried_out, settled};
use crate::oracle::is_remembered_elsewhere;
use crate::random::situation;
use crate::scene::{Scene, gap};
use crate::shown::{accounted, text};

pub(crate) fn audited(scene: &Scene, plan: &DrainPlan) -> Vec<Violation> {
    audit(
        plan,
        &scene.snapshot,
        &scene.installation,
        &scene.memories,
        &scene.hints,
        scene.now,
    )
}

/// What a step does to what: two steps of one name are the same step.
fn name(step: &DrainStep) -> String {
    let kind = match &step.action {
        DrainAction::Drain { .. } => "drain",
        DrainAction::Activate { .. } => "activate",
        DrainAction::StopTask { .. } => "stop",
        DrainAction::RecordHeartbeat { .. } => "heartbeat",
        DrainAction::CompleteLifecycleAction { .. } => "complete",
    };
    format!("{kind} {}", step.subject)
}

pub(crate) const fn instance(step: &DrainStep) -> &InstanceId {
    match &step.action {
        DrainAction::Drain { instance, .. }
        | DrainAction::Activate { instance, .. }
        | DrainAction::StopTask { instance, .. }
        | DrainAction::RecordHeartbeat { instance, .. }
        | DrainAction::CompleteLifecycleAction { instance, .. } => instance,
    }
}

const fn is_by_choice(step: &DrainStep) -> bool {
    matches!(step.reason, DrainStepReason::Selective { .. })
}

/// The instances that the plan drains because they leave, or by choice.
fn drained(plan: &DrainPlan, by_choice: bool) -> BTreeSet<&InstanceId> {
    let steps = plan.steps.iter().filter(|it| {
        matches!(it.action, DrainAction::Drain { .. }) && is_by_choice(it) == by_choice
    });
    steps.map(instance).collect()
}

/// The instances that the plan drains because they leave, but those that leave for maintenance that may wait.
fn unplanned(plan: &DrainPlan, now: jiff::Timestamp) -> BTreeSet<&InstanceId> {
    let may_wait = |why: &DepartureCause| {
        let near_at = Seconds(600).before(why.at());
        why.kind() == CauseKind::Maintenance && now < near_at
    };
    let steps = plan
        .steps
        .iter()
        .filter(|it| matches!(&it.reason, DrainStepReason::Leaving { why, .. } if !may_wait(why)));
    steps.map(instance).collect()
}

fn acts(group: &DrainGroup) -> bool {
    let policy = group.policy.as_ref();
    policy.is_ok_and(|it| it.consent == Consent::Act && !it.paused)
}

/// Whether each step of the plan is one that the group's tags allow: everything else needs no evidence to be wrong.
fn check_switches(scene: &Scene, plan: &DrainPlan) -> Result<(), TestCaseError> {
    for step in &plan.steps {
        let group = &scene.snapshot.groups[step.key()];
        prop_assert!(acts(group), "{}", step);
        let policy = group.policy.as_ref().unwrap();
        match (&step.action, &step.reason) {
            (DrainAction::StopTask { .. }, _) => prop_assert!(policy.stop_tasks, "{}", step),
            (_, DrainStepReason::Selective { why, .. }) => {
                let allowed = match why.kind().as_str() {
                    "rebalance" => policy.drain_on_rebalance,
                    "agent_lost" => policy.drain_on_lost_agent,
                    _ => false,
                };
                prop_assert!(allowed, "{}", step);
            }
            (_, DrainStepReason::Leaving { why, .. }) => {
                prop_assert!(why.kind().is_certain(), "{}", step);
            }
            (_, _) => {}
        }
    }
    Ok(())
}

/// The same state with less known about it. The first three leave nothing about what is certain out.
fn less(scene: &Scene, which: usize) -> Scene {
    let mut less = scene.clone();
    match which {
        0 => less.snapshot.gaps.push(gap("ecs:ListClusters")),
        1 => {
            for group in less.snapshot.groups.values_mut() {
                group
                    .gaps
                    .push(gap("autoscaling:DescribeScalingActivities"));
            }
        }
        2 => less.snapshot.is_full = false,
        3 => {
            for cluster in less.snapshot.clusters.values_mut() {
                cluster.has_every_instance = false;
            }
        }
        4 => {
            for cluster in less.snapshot.clusters.values_mut() {
                cluster.tasks_read.clear();
                cluster.capacity.tasks.clear();
                cluster.capacity.gaps.push(gap("ecs:ListTasks"));
            }
        }
        5 => {
            let keys = scene.snapshot.groups.keys();
            less.memories = keys.map(|key| (key.clone(), Recall::Unknown)).collect();
        }
        _ => {
            for group in less.snapshot.groups.values_mut() {
                group.hooks.clear();
                group.hooks_read = false;
            }
        }
    }
    less
}

proptest! {
    #[test]
    fn everything_in_scope_is_accounted_for(scene in situation()) {
        accounted(&scene, &scene.decide());
    }

    #[test]
    fn the_audit_finds_nothing(scene in situation()) {
        let decision = scene.decide();
        let found = audited(&scene, &decision.plan);
        prop_assert!(found.is_empty(), "{:?} in\n{}", found, text(&decision));
    }

    /// Duplicates and any order of what was said change nothing.
    #[test]
    fn the_same_inputs_give_the_same_plan(scene in situation(), turn in 0..8_usize) {
        let mut other = scene.clone();
        let hints = &mut other.hints;
        hints.notices.reverse();
        hints.notices.extend(scene.hints.notices.clone());
        let turn = turn.min(hints.notices.len());
        hints.notices.rotate_left(turn);
        hints.lifecycle_actions.reverse();
        hints.lifecycle_actions.extend(scene.hints.lifecycle_actions.clone());
        prop_assert_eq!(scene.decide(), scene.decide());
        let (one, two) = (scene.decide(), other.decide());
        prop_assert_eq!(text(&one), text(&two));
        prop_assert_eq!(one, two);
    }

    #[test]
    fn nothing_happens_without_opt_in_and_nothing_that_is_switched_off(scene in situation()) {
        check_switches(&scene, &scene.decide().plan)?;
    }

    /// Whatever is said, with every tag at its default nothing is stopped and nothing drained by choice.
    #[test]
    fn what_is_not_asked_for_does_not_happen(scene in situation()) {
        let mut scene = scene;
        for group in scene.snapshot.groups.values_mut() {
            if let Ok(policy) = &mut group.policy {
                policy.stop_tasks = false;
                policy.drain_on_rebalance = false;
                policy.drain_on_lost_agent = false;
            }
        }
        let plan = scene.decide().plan;
        prop_assert!(drained(&plan, true).is_empty(), "{}", plan);
        let stops = plan.steps.iter().any(|it| matches!(it.action, DrainAction::StopTask { .. }));
        prop_assert!(!stops, "{}", plan);
    }

    /// What advice names is what would be done.
    #[test]
    fn advice_is_what_would_be_done(scene in situation()) {
        let mut advised = scene.clone();
        for group in advised.snapshot.groups.values_mut() {
            if let Ok(policy) = &mut group.policy {
                policy.consent = Consent::Advise;
            }
        }
        let mut acting = scene;
        for group in acting.snapshot.groups.values_mut() {
            if let Ok(policy) = &mut group.policy {
                policy.consent = Consent::Act;
            }
        }
        let (advised, acting) = (advised.decide().plan, acting.decide().plan);
        prop_assert!(advised.steps.is_empty(), "{}", advised);
        let said = advised.holds.iter().filter_map(|it| {
            let DrainHoldReason::AdviceOnly { advice } = &it.reason else {
                return None;
            };
            Some(advice.clone())
        });
        let mut said: Vec<String> = said.flatten().collect();
        let mut wanted: Vec<String> = acting.steps.iter().map(ToString::to_string).collect();
        said.sort();
        wanted.sort();
        prop_assert_eq!(said, wanted);
    }

    /// What is drained is stopped next where that is late, and then may go; nothing is done twice, and nothing is taken back.
    #[test]
    fn a_plan_that_worked_comes_to_rest(scene in situation(), repeated in any::<bool>()) {
        let mut scene = scene;
        let mut done: BTreeSet<String> = BTreeSet::new();
        let mut told = Vec::new();
        let mut returned = BTreeSet::new();
        let mut turned: BTreeMap<InstanceId, &'static str> = BTreeMap::new();
        // Drained, its tasks stopped, its action completed, and nothing more. A task that is stopped counts no more for its service, so
        // that ECS may stop fewer of the others: they are stopped in turn.
        let tasks: usize = scene.snapshot.clusters.values().map(|it| it.capacity.tasks.len()).sum();
        for round in 0..5 + tasks {
            let decision = scene.decide();
            // Where it is not known since when an instance waits, each look keeps it waiting.
            let unknown: BTreeSet<_> = scene.memories.iter()
                .filter(|(_, it)| **it == Recall::Unknown)
                .map(|(key, _)| key.clone())
                .collect();
            let counts = |step: &&DrainStep| {
                !(matches!(step.action, DrainAction::RecordHeartbeat { .. }) && unknown.contains(step.key()))
            };
            let steps: Vec<&DrainStep> = decision.plan.steps.iter().filter(counts).collect();
            if steps.is_empty() {
                return Ok(());
            }
            for step in steps {
                told.push(format!("{round}: {step}"));
                let is_end = matches!(
                    step.action,
                    DrainAction::StopTask { .. } | DrainAction::CompleteLifecycleAction { .. }
                );
                // A drain that is taken back leaves room for one that waits for it: in its group's budget, and on the instance for any.
                let in_turn = step.needs_ledger() && !returned.is_empty();
                prop_assert!(round == 0 || is_end || in_turn, "{:#?}", told);
                prop_assert!(done.insert(name(step)), "{:#?}", told);
                let kind = match step.action {
                    DrainAction::Drain { .. } => "drain",
                    DrainAction::Activate { .. } => "activate",
                    DrainAction::StopTask { .. }
                    | DrainAction::RecordHeartbeat { .. }
                    | DrainAction::CompleteLifecycleAction { .. } => continue,
                };
                if kind == "activate" {
                    returned.insert(step.key().clone());
                }
                let before = turned.insert(instance(step).clone(), kind);
                prop_assert_eq!(before, None, "{:#?}", told);
            }
            told.push(text(&decision));
            scene = carried_out(&scene, &decision);
            // What is remembered need not be said again. That an instance has ended is not: it is soon seen.
            if !repeated && unknown.is_empty() {
                let hints = &mut scene.hints;
                hints.notices.retain(|it| matches!(it.notice, Notice::StateChanged { .. }));
                hints.lifecycle_actions.clear();
            }
        }
        prop_assert!(false, "{:#?}", told);
    }

    /// What could not be written is written at the next look, and what was announced is not taken for done.
    #[test]
    fn what_failed_is_done_at_the_next_look(scene in situation()) {
        let decision = scene.decide();
        let mut after = scene.clone();
        after.memories = settled(&scene, &decision, &OutcomeResult::OutOfTime);
        let again = after.decide();
        let names = |it: &DrainDecision| -> BTreeSet<String> { it.plan.steps.iter().map(name).collect() };
        prop_assert_eq!(names(&decision), names(&again), "{}\n{}", text(&decision), text(&again));
    }

    /// The memory alone carries what was said to the next look.
    #[test]
    fn what_was_said_is_remembered(scene in situation()) {
        let decision = scene.decide();
        let mut after = scene.clone();
        after.memories = settled(&scene, &decision, &OutcomeResult::OutOfTime);
        after.hints = Hints::default();
        let again = after.decide().plan;
        let keys: BTreeSet<_> = scene.memories.iter()
            .filter(|(_, it)| **it == Recall::Unknown)
            .map(|(key, _)| key.clone())
            .collect();
        for step in &decision.plan.steps {
            let is_drain = matches!(step.action, DrainAction::Drain { .. });
            if is_drain && !keys.contains(step.key()) {
                prop_assert!(again.steps.iter().any(|it| name(it) == name(step)), "{}\n{}", step, again);
            }
        }
    }

    #[test]
    fn less_information_never_means_less_capacity(scene in situation(), which in 0..7_usize) {
        let less = less(&scene, which);
        let (full, partial) = (scene.decide().plan, less.decide().plan);
        let blind = [0, 1, 2, 4, 5].contains(&which);
        let chosen = drained(&partial, true);
        prop_assert!(!blind || chosen.is_empty(), "{}", partial);
        prop_assert!(chosen.len() <= drained(&full, true).len(), "{}\n{}", full, partial);
        for step in &partial.steps {
            let takes_back = matches!(step.action, DrainAction::Activate { .. });
            prop_assert!(!takes_back || ![0, 1, 4, 5].contains(&which), "{}", partial);
            let by_tasks = matches!(step.reason, DrainStepReason::Drained { .. } | DrainStepReason::LastMoment { .. });
            prop_assert!(!by_tasks || which != 4, "{}", partial);
            let in_hook = matches!(
                step.action,
                DrainAction::RecordHeartbeat { .. } | DrainAction::CompleteLifecycleAction { .. }
            );
            prop_assert!(!in_hook || which != 6, "{}", partial);
        }
        // What certainly leaves is drained all the same.
        let certain = unplanned(&full, scene.now);
        let still = unplanned(&partial, scene.now);
        prop_assert!(which == 5 || certain == still, "{}\n{}", full, partial);
    }

    #[test]
    fn no_other_group_matters(scene in situation()) {
        let all = scene.decide().plan;
        for (key, group) in &scene.snapshot.groups {
            let mut alone = scene.clone();
            alone.snapshot.groups = BTreeMap::from([(key.clone(), group.clone())]);
            // What has left for another group would have left for nothing.
            alone.memories.retain(|of, _| of == key || matches!(of, DrainKey::Instance { .. }));
            let alone = alone.decide().plan;
            for step in alone.steps {
                // What is stuck depends on the room, which all groups share.
                let may_differ = matches!(step.action, DrainAction::StopTask { .. }) || is_by_choice(&step);
                let id = instance(&step);
                let is_here = group.instances.contains_key(id);
                let may_differ =
                    may_differ || !is_here || is_remembered_elsewhere(&scene, key, id);
                let same = all.steps.iter().any(|it| name(it) == name(&step));
                prop_assert!(may_differ || same, "{}\n{}", step, all);
            }
        }
    }

    /// What is remembered of instances that were not looked at stays.
    #[test]
    fn a_look_at_one_group_forgets_no_other(scene in situation()) {
        let mut named = scene.clone();
        named.snapshot.is_full = false;
        for group in named.snapshot.groups.values_mut() {
            group.instances.clear();
        }
        named.hints = Hints::default();
        let decision = named.decide();
        for (key, planned) in &decision.memories {
            let Some(Recall::Known(before)) = named.memories.get(key) else { continue };
            for (id, departure) in &before.departures {
                let kept = planned.departures.get(id);
                let own = departure.own_drain.is_none() || kept.is_some_and(|it| it.own_drain == departure.own_drain);
                prop_assert!(own, "{}", id);
            }
        }
    }
}

/// The random states reach what matters: a law over states that never occur proves nothing.
#[test]
fn the_random_states_reach_the_rules() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..5_000 {
        let scene = situation().new_tree(&mut runner).unwrap().current();
        let plan = decide(
            &scene.snapshot,
            &scene.installation,
            &scene.memories,
            &scene.hints,
            scene.now,
        )
        .plan;
        seen.extend(plan.holds.iter().map(|it| it.reason.as_str()));
        seen.extend(plan.steps.iter().map(|it| it.reason.as_str()));
    }
    let wanted = DrainHoldReason::NAMES.into_iter();
    let wanted = wanted.chain(DrainStepReason::NAMES);
    let missed: Vec<&str> = wanted.filter(|it| !seen.contains(it)).collect();
    assert_eq!(missed, Vec::<&str>::new());
}
