//! Plans, held against the [`oracle`](crate::oracle).

use model::drain::{CauseKind, DrainAction, DrainKey, DrainPlan, DrainStep, DrainStepReason};
use model::memory::Recall;
use model::{InstanceId, TaskArn};
use proptest::prelude::*;

use crate::laws::audited;
use crate::oracle::{Subject, Want, is_remembered_elsewhere, wants_return};
use crate::oracle_choices::recommended;
use crate::random::situation;
use crate::scene::Scene;
use crate::shown::text;

/// Whether the plan has a step that does this to the instance.
fn has(plan: &DrainPlan, id: &InstanceId, is: impl Fn(&DrainStep) -> bool) -> bool {
    let about = |step: &&DrainStep| match &step.action {
        DrainAction::Drain { instance, .. }
        | DrainAction::Activate { instance, .. }
        | DrainAction::RecordHeartbeat { instance, .. }
        | DrainAction::CompleteLifecycleAction { instance, .. } => instance == id,
        DrainAction::StopTask { .. } => false,
    };
    plan.steps.iter().filter(about).any(is)
}

fn stops(plan: &DrainPlan, arn: &TaskArn) -> bool {
    let mut steps = plan.steps.iter();
    steps.any(|it| matches!(&it.action, DrainAction::StopTask { task, .. } if task == arn))
}

fn judged(
    scene: &Scene,
    plan: &DrainPlan,
    told: &mut Vec<(&'static str, Want)>,
) -> Result<(), TestCaseError> {
    for (key, group) in &scene.snapshot.groups {
        for looked in group.instances.values() {
            let id = &looked.id;
            let Some(subject) = Subject::of(scene, key, group, looked) else {
                prop_assert!(!has(plan, id, |_| true), "{}", plan);
                continue;
            };
            if subject.is_of_several {
                // The scenarios of such instances are in words.
                continue;
            }
            let mut check = |what: &'static str, want: Want, is: bool| {
                told.push((what, want));
                want.check(is, &format!("{what} `{id}`"), plan)
            };
            let leaves = |it: &DrainStep| {
                let by_choice = matches!(it.reason, DrainStepReason::Selective { .. });
                matches!(it.action, DrainAction::Drain { .. }) && !by_choice
            };
            check("drain", subject.wants_drain(), has(plan, id, leaves))?;
            let chosen = |it: &DrainStep| matches!(&it.reason, DrainStepReason::Selective { why, .. } if why.kind() == CauseKind::Rebalance);
            check("choose", subject.wants_choice(), has(plan, id, chosen))?;
            let (kept, ended) = subject.wants_wait();
            let keeps = |it: &DrainStep| matches!(it.action, DrainAction::RecordHeartbeat { .. });
            check("heartbeat", kept, has(plan, id, keeps))?;
            let ends =
                |it: &DrainStep| matches!(it.action, DrainAction::CompleteLifecycleAction { .. });
            check("complete", ended, has(plan, id, ends))?;
            let returns = |it: &DrainStep| matches!(it.action, DrainAction::Activate { .. });
            check(
                "activate",
                subject.wants_activation(),
                has(plan, id, returns),
            )?;
            for task in scene.snapshot.tasks(looked).unwrap_or_default() {
                let want = if task.is_daemon || !task.desired_running {
                    Want::MustNot
                } else {
                    subject.wants_stop(task.service.is_none(), &task.task_definition)
                };
                check("stop", want, stops(plan, &task.arn))?;
            }
        }
    }
    for (key, recall) in &scene.memories {
        let (Recall::Known(memory), DrainKey::Group { .. } | DrainKey::Cluster { .. }) =
            (recall, key)
        else {
            continue;
        };
        for id in memory.departures.keys() {
            let mut groups = scene.snapshot.groups.values();
            if groups.any(|it| it.instances.contains_key(id))
                || is_remembered_elsewhere(scene, key, id)
            {
                continue;
            }
            let want = wants_return(scene, key, id);
            told.push(("return", want));
            let returns = |it: &DrainStep| matches!(it.action, DrainAction::Activate { .. });
            want.check(has(plan, id, returns), &format!("return `{id}`"), plan)?;
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_must_be_done_is_done_and_what_must_not_is_not(scene in situation()) {
        let decision = scene.decide();
        judged(&scene, &decision.plan, &mut Vec::new())?;
    }

    #[test]
    fn what_may_leave_is_drained_where_there_is_room_and_nowhere_else(scene in situation()) {
        let scene = recommended(&scene);
        let decision = scene.decide();
        judged(&scene, &decision.plan, &mut Vec::new())?;
        let found = audited(&scene, &decision.plan);
        prop_assert!(found.is_empty(), "{:?} in\n{}", found, text(&decision));
    }
}

/// An oracle that never says anything proves nothing.
#[test]
fn the_oracle_says_both_of_everything() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut told = Vec::new();
    for _ in 0..2_000 {
        let scene = situation().new_tree(&mut runner).unwrap().current();
        for scene in [recommended(&scene), scene] {
            let decision = scene.decide();
            judged(&scene, &decision.plan, &mut told)
                .unwrap_or_else(|it| panic!("{it}\n{}", text(&decision)));
        }
    }
    for what in [
        "drain",
        "choose",
        "heartbeat",
        "complete",
        "activate",
        "stop",
        "return",
    ] {
        let count = |want: Want| told.iter().filter(|it| **it == (what, want)).count();
        let (must, must_not, open) = (count(Want::Must), count(Want::MustNot), count(Want::Open));
        assert!(
            must > 5 && must_not > 20,
            "{what}: {must}, {must_not}, {open}"
        );
        assert!(open < must_not, "{what}: {must}, {must_not}, {open}");
    }
}
