//! The audit: a sound plan passes, and each law is found broken by a step that breaks it.

use model::Seconds;
use model::capacity::{Consent, ContainerInstanceStatus, Lifecycle};
use model::drain::{
    CauseKind, DepartureCause, DrainKey, DrainStepReason, DrainSubject, GroupRaiser, OwnDrain,
    PoolRoom, Reversal, StuckReason,
};
use model::trigger::{MachineState, Notice};

use crate::planted::{
    HOOK, about, activate, breaks, check, choose, complete, drain, found, heartbeat, passes,
    planted, second, stop, unread, warned_at, within_budget,
};
use crate::scene::{Scene, arn, gap};

#[test]
fn a_drain_of_what_leaves_needs_consent_evidence_and_time() {
    let (mut scene, id) = planted();
    scene.warned(&id, 40);
    let step = drain(&id, warned_at(&scene, 40));
    check(
        &scene,
        &step,
        &[
            ("opt_in", &|it| it.policy().consent = Consent::Advise),
            ("opt_in", &|it| it.policy().paused = true),
            ("opt_in", &|it| it.group("spot").policy = Err(Vec::new())),
            ("opt_in", &|it| it.snapshot.groups.clear()),
            ("opt_in", &|it| {
                let group = it.group("spot").group.as_mut().unwrap();
                group.tags.clear();
            }),
            ("opt_in", &|it| it.group("spot").instances.clear()),
            ("evidence", &|it| it.hints.notices.clear()),
            ("evidence", &|it| it.later(1_000)),
            ("within_deadline", &|it| it.later(81)),
            ("within_deadline", &|it| {
                let id = it.hints.notices[0].instance.clone();
                it.container(&id).agent_connected = false;
                let state = MachineState::ShuttingDown;
                it.said(&id, 1, Notice::StateChanged { state });
            }),
            ("good_neighbour", &|it| {
                it.group("spot").managed_draining = true;
                it.hints.notices[0].at = Some(it.ago(9));
            }),
            ("good_neighbour", &|it| {
                it.policy().agent_drains = true;
                it.hints.notices[0].at = Some(it.ago(9));
            }),
            ("precondition", &|it| {
                let id = it.hints.notices[0].instance.clone();
                it.container(&id).status = ContainerInstanceStatus::Registering;
            }),
            ("precondition", &|it| {
                let id = it.hints.notices[0].instance.clone();
                it.container(&id).ec2_instance = None;
            }),
            ("precondition", &|it| {
                let id = it.hints.notices[0].instance.clone();
                it.deregister(&id);
            }),
        ],
    );
    // What is remembered is evidence as well, and so is what the group says.
    let said = scene.hints.notices.clone();
    scene.hints.notices.clear();
    let cause = warned_at(&scene, 40);
    scene.departure(&id).causes.push(cause);
    passes(&scene, &step);
    scene.forget();
    breaks(&scene, &step, "evidence");
    scene.hints.notices = said;
    scene.group("spot").managed_draining = true;
    passes(&scene, &step);
}

#[test]
fn maintenance_is_evidence_when_it_is_near() {
    let (mut scene, id) = planted();
    let code = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";
    let starts_at = scene.ago(-1_799);
    let notice = |code: &str, is_over| Notice::Maintenance {
        code: code.to_owned(),
        health_event: None,
        starts_at: Some(starts_at),
        is_over,
    };
    scene.said(&id, 90_000, notice(code, false));
    let why = DepartureCause::Maintenance {
        code: code.to_owned(),
        health_event: None,
        starts_at,
    };
    let at_once = drain(&id, why);
    breaks(&scene, &at_once, "disruption_budget");
    let step = within_budget(at_once.clone());
    check(
        &scene,
        &step,
        &[
            ("evidence", &|it| {
                it.policy().maintenance_lead = Seconds(1_798);
            }),
            ("evidence", &|it| {
                it.hints.notices[0].notice = notice("AWS_EC2_NETWORK", false);
            }),
            ("evidence", &|it| {
                it.hints.notices[0].notice = notice(code, true);
            }),
            ("within_deadline", &|it| it.later(1_800)),
        ],
    );
    scene.later(1_199);
    passes(&scene, &at_once);
}

#[test]
fn a_drain_by_choice_needs_its_tag_everything_known_and_the_budget() {
    let (mut scene, id) = planted();
    scene.said(&id, 40, Notice::Rebalance);
    let why = DepartureCause::Rebalance { at: scene.ago(40) };
    let step = choose(&id, why.clone());
    check(
        &scene,
        &step,
        &[
            ("switched_off", &|it| it.policy().drain_on_rebalance = false),
            ("room_elsewhere", &|it| {
                let other = second(it);
                it.fill(&other);
            }),
            ("room_elsewhere", &|it| {
                let (first, other) = (it.hints.notices[0].instance.clone(), second(it));
                let zone = it.container(&first).zone.clone();
                it.container(&other).zone = zone;
            }),
            ("room_elsewhere", &|it| {
                let other = second(it);
                it.container(&other).agent_connected = false;
            }),
            ("room_elsewhere", &|it| it.cluster().tasks_read.clear()),
            ("room_elsewhere", &|it| {
                it.cluster().has_every_instance = false
            }),
            ("room_elsewhere", &|it| {
                it.capacity().tasks[0].service = None
            }),
            ("room_elsewhere", &|it| {
                it.service("web", 0).maximum_percent = 100
            }),
            ("evidence", &|it| it.hints.notices.clear()),
            ("evidence", &|it| it.later(3_600)),
            ("evidence", &|it| it.snapshot.is_full = false),
            ("evidence", &unread),
            ("evidence", &|it| {
                it.group("spot").gaps.push(gap("autoscaling:X"));
            }),
            ("evidence", &|it| {
                it.cluster().capacity.gaps.push(gap("ecs:ListTasks"));
            }),
            ("evidence", &Scene::forget),
            ("evidence", &|it| {
                let id = it.hints.notices[0].instance.clone();
                let at = it.ago(21_599);
                let cause = CauseKind::Rebalance;
                it.memory().reversed.insert(id, Reversal { at, cause });
            }),
            ("disruption_budget", &|it| {
                let other = second(it);
                it.container(&other).status = ContainerInstanceStatus::Draining;
            }),
            ("disruption_budget", &|it| {
                let other = second(it);
                it.member(&other).is_healthy = false;
            }),
        ],
    );
    // As a drain of what certainly leaves it has no evidence.
    breaks(&scene, &drain(&id, why), "evidence");
    // Two such steps are one too many.
    let other = second(&mut scene);
    scene.said(&other, 40, Notice::Rebalance);
    let why = DepartureCause::Rebalance { at: scene.ago(40) };
    let laws = found(&scene, vec![step, choose(&other, why)]);
    let laws: Vec<_> = laws.iter().map(|it| (it.step, it.law)).collect();
    assert!(laws.contains(&(1, "disruption_budget")), "{laws:?}");
    // Nor is there room for the tasks of both on each other.
    assert!(laws.contains(&(0, "room_elsewhere")), "{laws:?}");
}

/// On an instance that somebody launches; and none of its tasks stops before.
#[test]
fn a_drain_by_choice_needs_a_launch_that_somebody_makes() {
    let (mut scene, id) = planted();
    scene.raised();
    scene.said(&id, 40, Notice::Rebalance);
    let other = second(&mut scene);
    scene.fill(&other);
    let mut step = choose(&id, DepartureCause::Rebalance { at: scene.ago(40) });
    let DrainStepReason::Selective { room, .. } = &mut step.reason else {
        panic!("{step}");
    };
    *room = PoolRoom::Launchable {
        pools: 1,
        below_max: 8,
        raised_by: GroupRaiser::ClusterScaler,
    };
    check(
        &scene,
        &step,
        &[
            ("room_elsewhere", &|it| {
                let group = it.group("spot").group.as_mut().unwrap();
                group.tags.remove("ballast:cluster-scaler");
            }),
            ("room_elsewhere", &|it| {
                it.group("spot").group.as_mut().unwrap().max_size = 2;
            }),
            ("room_elsewhere", &|it| {
                let group = it.group("spot").group.as_mut().unwrap();
                group.suspended_processes.insert("Launch".to_owned());
            }),
            ("room_elsewhere", &|it| {
                it.service("web", 0).minimum_healthy_percent = 50;
            }),
            ("room_elsewhere", &|it| {
                it.service("web", 0).maximum_percent = 149
            }),
        ],
    );
}

/// What was drained by choice and is not empty after `ballast:departure-timeout-secs` need not wait for the hour.
#[test]
fn a_drain_by_choice_that_is_stuck_may_be_taken_back() {
    let (mut scene, id) = planted();
    scene.draining(&id, 900);
    let own = OwnDrain {
        at: scene.ago(900),
        cause: CauseKind::Rebalance,
        confirmed: true,
    };
    scene.departure(&id).own_drain = Some(own);
    scene.said(&id, 1_000, Notice::Rebalance);
    let step = activate(&scene, &id, CauseKind::Rebalance);
    let at = id.clone();
    check(
        &scene,
        &step,
        &[
            ("only_own_drains", &|it| it.empty(&at)),
            ("only_own_drains", &|it| {
                it.policy().departure_timeout = Seconds(901);
            }),
            ("only_own_drains", &|it| it.warned(&at, 10)),
        ],
    );
}

#[test]
fn a_lost_agent_is_evidence_after_the_grace() {
    let (mut scene, id) = planted();
    scene.disconnected(&id, 300);
    let why = DepartureCause::AgentLost {
        since: scene.ago(300),
    };
    check(
        &scene,
        &choose(&id, why),
        &[
            ("switched_off", &|it| {
                it.policy().drain_on_lost_agent = false;
            }),
            ("evidence", &|it| it.policy().agent_grace = Seconds(301)),
            ("evidence", &|it| {
                let id = it.group("spot").instances.keys().next().unwrap().clone();
                it.container(&id).agent_connected = true;
            }),
        ],
    );
}

#[test]
fn only_an_own_drain_is_taken_back_and_only_where_nothing_is_left() {
    let (mut scene, id) = planted();
    scene.draining(&id, 4_000);
    scene.policy().departure_timeout = Seconds(172_800);
    let own = OwnDrain {
        at: scene.ago(3_000),
        cause: CauseKind::Rebalance,
        confirmed: true,
    };
    scene.departure(&id).own_drain = Some(own);
    let step = activate(&scene, &id, CauseKind::Rebalance);
    let at = id.clone();
    check(
        &scene,
        &step,
        &[
            ("only_own_drains", &|it| it.departure(&at).own_drain = None),
            ("only_own_drains", &Scene::forget),
            ("only_own_drains", &unread),
            ("only_own_drains", &|it| it.warned(&at, 100)),
            ("only_own_drains", &|it| {
                it.said(&at, 100, Notice::Rebalance)
            }),
            ("only_own_drains", &|it| {
                it.container(&at).agent_connected = false;
            }),
            ("only_own_drains", &|it| {
                it.member(&at).lifecycle = Lifecycle::Standby;
            }),
            ("only_own_drains", &|it| it.terminating(&at, 10)),
            ("only_own_drains", &|it| {
                let long_ago = it.ago(691_200);
                it.departure(&at).own_drain.as_mut().unwrap().at = long_ago;
            }),
            ("precondition", &|it| {
                it.container(&at).status = ContainerInstanceStatus::Active;
            }),
        ],
    );
    let other = activate(&scene, &id, CauseKind::SpotInterruption);
    breaks(&scene, &other, "only_own_drains");
}

#[test]
fn a_task_is_stopped_only_at_the_last_moment() {
    let (mut scene, id) = planted();
    scene.warned(&id, 40);
    scene.draining(&id, 30);
    let why = StuckReason::NotMoved {
        draining_since: scene.ago(30),
    };
    let step = stop(&mut scene, &id, why);
    let at = id.clone();
    check(
        &scene,
        &step,
        &[
            ("switched_off", &|it| it.policy().stop_tasks = false),
            ("evidence", &|it| it.hints.notices.clear()),
            ("within_deadline", &|it| it.later(81)),
            // The next look comes at 35 s, and the instance goes at 120 s.
            ("not_too_early", &|it| {
                it.installation.schedule_interval = Seconds(20);
                it.hints.notices[0].at = Some(it.now);
            }),
            ("not_too_early", &|it| it.draining(&at, 29)),
            ("not_too_early", &|it| {
                it.container(&at).agent_connected = false;
            }),
            ("not_too_early", &|it| {
                it.container(&at).status = ContainerInstanceStatus::Active;
            }),
            ("not_too_early", &|it| {
                it.cluster().capacity.tasks[0].is_daemon = true;
            }),
            ("precondition", &|it| {
                it.cluster().capacity.tasks[0].desired_running = false;
            }),
            ("precondition", &|it| it.empty(&at)),
        ],
    );
    let of_service = stop(&mut scene, &id, StuckReason::Standalone);
    breaks(&scene, &of_service, "not_too_early");
}

#[test]
fn only_the_own_hook_is_kept_waiting_and_not_for_ever() {
    let (mut scene, id) = planted();
    scene.terminating(&id, 100);
    let step = heartbeat(&scene, &id, HOOK);
    let at = id.clone();
    check(
        &scene,
        &step,
        &[
            ("only_own_hook", &|it| it.group("spot").hooks.clear()),
            ("only_own_hook", &|it| it.group("spot").hooks_read = false),
            ("only_own_hook", &|it| {
                it.policy().lifecycle_hook = "another".parse().unwrap();
            }),
            ("within_deadline", &|it| it.later(801)),
            ("within_deadline", &|it| it.warned(&at, 121)),
            ("precondition", &|it| it.member(&at).waits_in_hook = false),
        ],
    );
    let foreign = heartbeat(&scene, &id, "ecs-managed-draining-termination-hook");
    breaks(&scene, &foreign, "only_own_hook");
}

#[test]
fn an_instance_goes_when_it_is_empty_or_has_waited() {
    let (mut scene, id) = planted();
    scene.terminating(&id, 100);
    scene.draining(&id, 90);
    scene.empty(&id);
    scene.daemon(&id);
    let at = id.clone();
    let law = "complete_before_continue";
    check(
        &scene,
        &complete(&id, HOOK, true),
        &[
            (law, &|it| {
                it.task("web", &at);
            }),
            (law, &|it| it.task("web", &at).desired_running = false),
            (law, &|it| {
                it.cluster().tasks_read.remove(&arn(&at));
            }),
            (law, &|it| {
                it.container(&at).status = ContainerInstanceStatus::Active;
            }),
            ("precondition", &|it| it.deregister(&at)),
            ("only_own_hook", &|it| it.group("spot").hooks.clear()),
        ],
    );
    // With tasks on it, it has to wait for the end.
    scene.task("web", &id);
    let step = complete(&id, HOOK, false);
    breaks(&scene, &step, law);
    scene.later(799);
    breaks(&scene, &step, law);
    scene.later(1);
    passes(&scene, &step);
}

#[test]
fn an_instance_that_is_not_registered_may_still_register() {
    let (mut scene, id) = planted();
    scene.terminating(&id, 299);
    scene.deregister(&id);
    let step = complete(&id, HOOK, false);
    let law = "complete_before_continue";
    breaks(&scene, &step, law);
    let mut ill = scene.clone();
    ill.member(&id).is_healthy = false;
    passes(&ill, &step);
    let mut known = scene.clone();
    known.departure(&id).draining_since = Some(known.ago(100));
    passes(&known, &step);
    let mut late = scene.clone();
    late.later(1);
    check(
        &late,
        &step,
        &[
            (law, &unread),
            (law, &|it| it.snapshot.is_full = false),
            (law, &|it| it.group("spot").is_proven_ours = false),
        ],
    );
    known.group("spot").is_proven_ours = false;
    passes(&known, &step);
}

#[test]
fn a_plan_writes_once_to_one_thing_and_does_what_it_says() {
    let (mut scene, id) = planted();
    scene.warned(&id, 40);
    let step = drain(&id, warned_at(&scene, 40));
    let twice = found(&scene, vec![step.clone(), step.clone()]);
    assert_eq!(
        twice.iter().map(|it| (it.step, it.law)).collect::<Vec<_>>(),
        [(1, "one_step_per_subject")]
    );
    let back = activate(&scene, &id, CauseKind::SpotInterruption);
    let both = found(&scene, vec![step.clone(), back]);
    assert!(both.iter().any(|it| it.law == "one_step_per_subject"));
    let mut other = step.clone();
    other.subject = about(&"i-2".parse().unwrap());
    breaks(&scene, &other, "precondition");
    let mut foreign = step;
    foreign.subject = DrainSubject::Instances {
        key: DrainKey::Cluster {
            cluster: "demo".parse().unwrap(),
        },
        instances: vec![id.clone()],
    };
    breaks(&scene, &foreign, "opt_in");
    scene.terminating(&id, 100);
    let waits = heartbeat(&scene, &id, HOOK);
    let goes = complete(&id, HOOK, true);
    let both = found(&scene, vec![waits, goes]);
    assert!(both.iter().any(|it| it.law == "one_step_per_subject"));
}
