//! Steps that somebody planted in a plan, and what the audit says of them.

use model::drain::{
    CauseKind, DepartureCause, DrainAction, DrainPlan, DrainStep, DrainStepReason, DrainSubject,
    PoolRoom, StuckReason,
};
use model::{InstanceId, Seconds};
use placement::audit::Violation;
use placement::drain::audit::{LAWS, audit};

use crate::scene::{Scene, arn, gap, key};

/// Two instances of `spot`, each with a task of `web`; everything is allowed.
pub(crate) fn planted() -> (Scene, InstanceId) {
    let (mut scene, ids) = Scene::web(2);
    let group = scene.group("spot").group.as_mut().unwrap();
    let tag = ("ballast:instance-drain".to_owned(), "act".to_owned());
    group.tags.extend([tag]);
    let policy = scene.policy();
    policy.stop_tasks = true;
    policy.drain_on_rebalance = true;
    policy.drain_on_lost_agent = true;
    policy.disruption_percent = 50;
    (scene, ids[0].clone())
}

/// The other instance.
pub(crate) fn second(scene: &mut Scene) -> InstanceId {
    let instances = &scene.group("spot").instances;
    instances.keys().nth(1).unwrap().clone()
}

pub(crate) fn warned_at(scene: &Scene, secs: i64) -> DepartureCause {
    DepartureCause::SpotInterruption {
        warned_at: scene.ago(secs),
        action: "terminate".to_owned(),
    }
}

pub(crate) fn about(id: &InstanceId) -> DrainSubject {
    DrainSubject::Instances {
        key: key("spot"),
        instances: vec![id.clone()],
    }
}

pub(crate) fn set_to_draining(id: &InstanceId) -> DrainAction {
    DrainAction::Drain {
        cluster: "demo".parse().unwrap(),
        container_instance: arn(id),
        instance: id.clone(),
    }
}

pub(crate) fn drain(id: &InstanceId, why: DepartureCause) -> DrainStep {
    DrainStep {
        subject: about(id),
        action: set_to_draining(id),
        reason: DrainStepReason::Leaving {
            deadline: why.deadline(),
            why,
            tasks: None,
            stuck: Vec::new(),
            budget_left: None,
        },
    }
}

/// The drain as one that waits for the disruption budget.
pub(crate) fn within_budget(mut step: DrainStep) -> DrainStep {
    if let DrainStepReason::Leaving { budget_left, .. } = &mut step.reason {
        *budget_left = Some(1);
    }
    step
}

pub(crate) fn choose(id: &InstanceId, why: DepartureCause) -> DrainStep {
    DrainStep {
        subject: about(id),
        action: set_to_draining(id),
        reason: DrainStepReason::Selective {
            why,
            room: PoolRoom::Free { tasks: 1 },
            budget_left: 1,
            tasks: None,
        },
    }
}

pub(crate) fn activate(scene: &Scene, id: &InstanceId, cause: CauseKind) -> DrainStep {
    DrainStep {
        subject: about(id),
        action: DrainAction::Activate {
            cluster: "demo".parse().unwrap(),
            container_instance: arn(id),
            instance: id.clone(),
        },
        reason: DrainStepReason::CauseGone {
            drained_at: scene.ago(4_000),
            cause,
            shown_by: "nothing came".to_owned(),
        },
    }
}

pub(crate) fn stop(scene: &mut Scene, id: &InstanceId, why: StuckReason) -> DrainStep {
    let tasks = scene.cluster().capacity.tasks.iter();
    let mut on = tasks.filter(|it| it.instance == Some(arn(id)));
    let task = on.next().unwrap().arn.clone();
    DrainStep {
        subject: DrainSubject::Task {
            key: key("spot"),
            instance: id.clone(),
            task: task.clone(),
        },
        action: DrainAction::StopTask {
            cluster: "demo".parse().unwrap(),
            task,
            container_instance: arn(id),
            instance: id.clone(),
        },
        reason: DrainStepReason::LastMoment {
            whose: "service/web".to_owned(),
            why,
            deadline: scene.now,
            stop_timeout: Seconds(30),
            next_look_at: scene.now,
        },
    }
}

pub(crate) const HOOK: &str = "ballast-instance-drain";

pub(crate) fn waiting(id: &InstanceId, hook: &str) -> DrainSubject {
    DrainSubject::LifecycleAction {
        key: key("spot"),
        instance: id.clone(),
        hook: hook.parse().unwrap(),
    }
}

pub(crate) fn heartbeat(scene: &Scene, id: &InstanceId, hook: &str) -> DrainStep {
    DrainStep {
        subject: waiting(id, hook),
        action: DrainAction::RecordHeartbeat {
            group: "spot".parse().unwrap(),
            hook: hook.parse().unwrap(),
            instance: id.clone(),
        },
        reason: DrainStepReason::TasksLeft {
            tasks: None,
            stuck: Vec::new(),
            times_out_at: scene.now,
            deadline: scene.now,
        },
    }
}

pub(crate) fn complete(id: &InstanceId, hook: &str, is_empty: bool) -> DrainStep {
    DrainStep {
        subject: waiting(id, hook),
        action: DrainAction::CompleteLifecycleAction {
            group: "spot".parse().unwrap(),
            hook: hook.parse().unwrap(),
            instance: id.clone(),
            empty: is_empty.then(|| ("demo".parse().unwrap(), arn(id))),
        },
        reason: DrainStepReason::NothingToWaitFor {
            shown_by: "nothing".to_owned(),
        },
    }
}

pub(crate) fn found(scene: &Scene, steps: Vec<DrainStep>) -> Vec<Violation> {
    let plan = DrainPlan {
        steps,
        holds: Vec::new(),
    };
    audit(
        &plan,
        &scene.snapshot,
        &scene.installation,
        &scene.memories,
        &scene.hints,
        scene.now,
    )
}

#[track_caller]
pub(crate) fn passes(scene: &Scene, step: &DrainStep) {
    assert_eq!(found(scene, vec![step.clone()]), Vec::new(), "{step}");
}

#[track_caller]
pub(crate) fn breaks(scene: &Scene, step: &DrainStep, law: &str) {
    assert!(LAWS.contains(&law), "{law}");
    let found = found(scene, vec![step.clone()]);
    assert!(found.iter().any(|it| it.law == law), "{law}: {found:?}");
}

/// A law, and a change of the scene after which a sound step breaks it.
pub(crate) type Change<'a> = (&'a str, &'a dyn Fn(&mut Scene));

/// The sound step passes; after each change it breaks the law that the change is about.
#[track_caller]
pub(crate) fn check(scene: &Scene, step: &DrainStep, changes: &[Change<'_>]) {
    passes(scene, step);
    for (law, change) in changes {
        let mut changed = scene.clone();
        change(&mut changed);
        breaks(&changed, step, law);
    }
}

pub(crate) fn unread(scene: &mut Scene) {
    scene.snapshot.gaps.push(gap("ecs:ListClusters"));
}
