//! What is remembered of why instances leave.

use jiff::Timestamp;
use model::capacity::{ContainerInstanceStatus, Lifecycle};
use model::drain::{CauseKind, Departure, DepartureCause};
use model::trigger::{MachineState, Notice, NoticeHint};
use model::{InstanceId, Seconds};

use crate::scene::{Scene, key};

/// What is remembered of the instance after the look; nothing where it is not remembered.
fn remembered(scene: &Scene, id: &InstanceId) -> Departure {
    let memories = scene.decide().memories;
    let memory = memories.get(&key("spot")).unwrap();
    memory.departures.get(id).cloned().unwrap_or_default()
}

fn at(scene: &Scene, id: &InstanceId, kind: CauseKind) -> Option<Timestamp> {
    remembered(scene, id).cause(kind).map(DepartureCause::at)
}

fn maintenance(scene: &Scene, code: &str, begins_in_secs: i64, is_over: bool) -> Notice {
    Notice::Maintenance {
        code: code.to_owned(),
        health_event: None,
        starts_at: Some(scene.ago(-begins_in_secs)),
        is_over,
    }
}

/// A dead letter is redriven a day later; meanwhile the instance was started again, and its agent is away for a moment.
#[test]
fn a_stop_of_an_hour_ago_is_no_news() {
    for (secs, is_believed) in [(3_599, true), (3_600, false), (86_400, false)] {
        for state in [MachineState::Stopping, MachineState::Stopped] {
            let (mut scene, ids) = Scene::web(1);
            scene.disconnected(&ids[0], 30);
            scene.said(&ids[0], secs, Notice::StateChanged { state });
            let is_drained = !scene.decide().plan.steps.is_empty();
            assert_eq!(is_drained, is_believed, "{secs}");
            let at = at(&scene, &ids[0], CauseKind::Stopping);
            assert_eq!(at.is_some(), is_believed, "{secs}");
        }
    }
}

/// The same of a warning, for which the silence of an agent speaks only if it began with it, or lasts. Twenty hours late, five minutes late, and in
/// time; the agent away since a while before, since then, and for a moment.
#[test]
fn a_warning_that_is_heard_late_needs_more_than_a_moments_silence() {
    for (warned_secs, silent_secs, is_believed) in [
        (72_000, None, false),
        (72_000, Some(10), false),
        (72_000, Some(299), false),
        (72_000, Some(300), true),
        (72_000, Some(80_000), true),
        (301, None, false),
        (301, Some(1), true),
        (400, Some(99), false),
        (400, Some(100), true),
        (299, None, true),
        (299, Some(10), true),
        (86_520, Some(86_000), false),
    ] {
        let (mut scene, ids) = Scene::web(2);
        scene.container(&ids[0]).agent_connected = false;
        if let Some(secs) = silent_secs {
            scene.disconnected(&ids[0], secs);
        }
        scene.warned(&ids[0], warned_secs);
        let case = format!("warned {warned_secs} s ago, silent for {silent_secs:?}");
        let is_drained = !scene.decide().plan.steps.is_empty();
        assert_eq!(is_drained, is_believed, "{case}");
        let kind = CauseKind::SpotInterruption;
        assert_eq!(at(&scene, &ids[0], kind).is_some(), is_believed, "{case}");
        // What was heard in time is remembered, and needs no more than silence.
        let mut heard = scene.clone();
        heard.hints.notices.clear();
        let warned_at = heard.ago(warned_secs);
        let action = "stop".to_owned();
        heard.departure(&ids[0]).causes =
            vec![DepartureCause::SpotInterruption { warned_at, action }];
        let is_drained = !heard.decide().plan.steps.is_empty();
        assert_eq!(is_drained, warned_secs < 86_520, "{case}");
    }
}

#[test]
fn a_time_that_is_missing_or_to_come_is_now() {
    for of_event in [None, Some(Seconds(3_600))] {
        let (mut scene, ids) = Scene::web(1);
        let notice = Notice::Rebalance;
        let at_event = of_event.map(|it| it.after(scene.now));
        scene.hints.notices.push(NoticeHint {
            at: at_event,
            instance: ids[0].clone(),
            notice,
        });
        assert_eq!(at(&scene, &ids[0], CauseKind::Rebalance), Some(scene.now));
    }
}

/// A queue that repeats an event without a time does not keep its cause alive.
#[test]
fn an_event_without_a_time_renews_nothing() {
    let untimed = |scene: &mut Scene, notice: Notice| {
        for at in [None, Some(Seconds(900).after(scene.now))] {
            scene.hints.notices.push(NoticeHint {
                at,
                instance: "i-1".parse().unwrap(),
                notice: notice.clone(),
            });
        }
    };
    let action = "terminate".to_owned();
    for (notice, kind, over_secs) in [
        (
            Notice::SpotInterruption { action },
            CauseKind::SpotInterruption,
            300,
        ),
        (Notice::Rebalance, CauseKind::Rebalance, 3_600),
    ] {
        let (mut scene, ids) = Scene::web(1);
        let first = scene.now;
        untimed(&mut scene, notice.clone());
        assert_eq!(at(&scene, &ids[0], kind), Some(first));
        scene.act();
        scene.later(over_secs - 1);
        untimed(&mut scene, notice.clone());
        assert_eq!(at(&scene, &ids[0], kind), Some(first), "{}", kind.as_str());
        scene.later(1);
        assert_eq!(at(&scene, &ids[0], kind), Some(scene.now), "it was over");
        scene.said(&ids[0], 7, notice);
        assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(7)));
    }
}

#[test]
fn the_latest_warning_counts_in_whatever_order_they_come() {
    for order in [[100, 20], [20, 100]] {
        let (mut scene, ids) = Scene::web(1);
        for secs in order {
            scene.warned(&ids[0], secs);
        }
        let kind = CauseKind::SpotInterruption;
        assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(20)));
        scene.act();
        scene.warned(&ids[0], 100);
        assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(20)));
    }
}

#[test]
fn each_kind_once_the_most_urgent_first() {
    let (mut scene, ids) = Scene::web(1);
    scene.said(&ids[0], 50, Notice::Rebalance);
    let notice = maintenance(&scene, "AWS_EC2_INSTANCE_STOP_SCHEDULED", 9_000, false);
    scene.said(&ids[0], 40, notice);
    scene.terminating(&ids[0], 30);
    scene.warned(&ids[0], 20);
    scene.warned(&ids[0], 20);
    let causes = remembered(&scene, &ids[0]).causes;
    let kinds: Vec<&str> = causes.iter().map(|it| it.kind().as_str()).collect();
    assert_eq!(
        kinds,
        [
            "spot_interruption",
            "terminating",
            "maintenance",
            "rebalance"
        ]
    );
}

#[test]
fn stopping_is_believed_while_the_agent_is_gone() {
    let stop = |scene: &mut Scene, id: &InstanceId, secs, state| {
        scene.said(id, secs, Notice::StateChanged { state });
    };
    let kind = CauseKind::Stopping;
    let (mut scene, ids) = Scene::web(1);
    stop(&mut scene, &ids[0], 30, MachineState::Stopping);
    assert_eq!(at(&scene, &ids[0], kind), None, "the agent is connected");
    scene.container(&ids[0]).agent_connected = false;
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(30)));
    stop(&mut scene, &ids[0], 31, MachineState::Running);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(30)));
    stop(&mut scene, &ids[0], 29, MachineState::Running);
    assert_eq!(at(&scene, &ids[0], kind), None);
}

#[test]
fn what_is_said_to_have_ended_is_remembered_for_nothing() {
    let (mut scene, ids) = Scene::web(1);
    scene.warned(&ids[0], 30);
    scene.container(&ids[0]).agent_connected = false;
    let state = MachineState::Terminated;
    scene.said(&ids[0], 3, Notice::StateChanged { state });
    assert!(remembered(&scene, &ids[0]).causes.is_empty());
    assert!(scene.decide().plan.steps.is_empty());
}

#[test]
fn maintenance_counts_if_it_takes_the_instance_away() {
    for (code, counts) in [
        ("AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", true),
        ("AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED", true),
        ("AWS_EC2_INSTANCE_STOP_SCHEDULED", true),
        ("AWS_EC2_INSTANCE_TERMINATION_SCHEDULED", true),
        ("AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED", true),
        ("AWS_EC2_INSTANCE_POWER_MAINTENANCE_SCHEDULED", true),
        ("AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED", false),
        ("", false),
    ] {
        let (mut scene, ids) = Scene::web(1);
        let notice = maintenance(&scene, code, 9_000, false);
        scene.said(&ids[0], 5, notice);
        let known = at(&scene, &ids[0], CauseKind::Maintenance).is_some();
        assert_eq!(known, counts, "{code}");
    }
}

#[test]
fn maintenance_is_moved_and_called_off_by_its_own_code() {
    let (stop, reboot) = ("AWS_EC2_INSTANCE_STOP_SCHEDULED", "AWS_EC2_SYSTEM_REBOOT");
    let kind = CauseKind::Maintenance;
    let (mut scene, ids) = Scene::web(1);
    let say = |scene: &mut Scene, secs, code: &str, begins_in_secs, is_over| {
        let notice = maintenance(scene, code, begins_in_secs, is_over);
        scene.said(&ids[0], secs, notice);
        scene.act();
    };
    say(&mut scene, 60, stop, 9_000, false);
    say(&mut scene, 50, stop, 20_000, false);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-20_000)), "moved");
    say(&mut scene, 40, reboot, 30_000, false);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-20_000)));
    say(&mut scene, 30, reboot, 10_000, false);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-10_000)));
    say(&mut scene, 20, stop, 20_000, true);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-10_000)));
    say(&mut scene, 10, reboot, 10_000, true);
    assert_eq!(at(&scene, &ids[0], kind), None);
}

/// AWS Health's events come in any order, and over the ledger.
/// Of a reboot and a retirement the retirement is not lost when the reboot is over, or called off.
#[test]
fn maintenance_of_another_code_is_drained_for_in_its_turn() {
    let reboot = "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED";
    let retirement = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";
    let announced = || {
        let (mut scene, ids) = Scene::web(1);
        for (code, begins_in_secs) in [(retirement, 90_000), (reboot, 1_000)] {
            let notice = maintenance(&scene, code, begins_in_secs, false);
            scene.said(&ids[0], 5, notice);
        }
        scene.act();
        (scene, ids[0].clone())
    };
    let planned = |scene: &Scene, id: &InstanceId| {
        let at = at(scene, id, CauseKind::Maintenance);
        at.map(|it| Seconds::between(scene.now, it).0)
    };
    let (mut over, id) = announced();
    assert_eq!(planned(&over, &id), Some(1_000));
    over.later(4_599);
    assert_eq!(planned(&over, &id), Some(-3_599), "it goes on");
    over.later(1);
    assert_eq!(planned(&over, &id), Some(85_400));
    let step = over.decide().plan.steps.remove(0);
    assert_eq!(step.reason.as_str(), "cause_gone");
    over.act();
    over.later(83_601);
    assert_eq!(over.decide().plan.steps.len(), 1, "half an hour before it");
    let (mut called_off, id) = announced();
    let notice = maintenance(&called_off, reboot, 1_000, true);
    called_off.said(&id, 0, notice);
    called_off.act();
    assert_eq!(planned(&called_off, &id), Some(90_000));
    // Of two that are over none is left.
    let (mut late, id) = announced();
    late.later(4_600);
    late.memory().departures.clear();
    for (code, begun_secs) in [(retirement, 3_600), (reboot, 3_700)] {
        let notice = maintenance(&late, code, -begun_secs, false);
        late.said(&id, 5, notice);
    }
    assert_eq!(planned(&late, &id), None);
    // What begins while the other is under way is drained for as well.
    let (mut both, id) = announced();
    let notice = maintenance(&both, retirement, 2_000, false);
    both.said(&id, 0, notice);
    both.act();
    both.later(1_001);
    assert_eq!(planned(&both, &id), Some(999));
    both.container(&id).status = ContainerInstanceStatus::Active;
    let nothing = maintenance(&both, "", 0, true);
    both.said(&id, 0, nothing);
    assert_eq!(planned(&both, &id), None, "a word about all");
    // That word comes again after one about another kind.
    both.act();
    both.later(1);
    let notice = maintenance(&both, reboot, 9_000, false);
    both.said(&id, 0, notice);
    both.act();
    let again = maintenance(&both, "", 0, true);
    both.said(&id, 1, again);
    assert_eq!(planned(&both, &id), Some(9_000));
}

#[test]
fn what_was_said_of_maintenance_before_the_last_word_changes_nothing() {
    let (stop, reboot) = ("AWS_EC2_INSTANCE_STOP_SCHEDULED", "AWS_EC2_SYSTEM_REBOOT");
    let kind = CauseKind::Maintenance;
    let (mut scene, ids) = Scene::web(1);
    let say = |scene: &mut Scene, secs, code: &str, begins_in_secs, is_over| {
        let notice = maintenance(scene, code, begins_in_secs, is_over);
        scene.said(&ids[0], secs, notice);
        scene.act();
    };
    say(&mut scene, 60, stop, 9_000, true);
    say(&mut scene, 61, stop, 9_000, false);
    assert_eq!(at(&scene, &ids[0], kind), None, "it was over before");
    say(&mut scene, 70, reboot, 8_000, false);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-8_000)));
    say(&mut scene, 40, reboot, 20_000, false);
    say(&mut scene, 50, reboot, 8_000, false);
    say(&mut scene, 50, reboot, 8_000, true);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(-20_000)), "moved");
    say(&mut scene, 40, reboot, 20_000, true);
    assert_eq!(at(&scene, &ids[0], kind), None);
    scene.later(86_400);
    assert_eq!(remembered(&scene, &ids[0]), Departure::default());
}

/// ECS takes the agent for connected for a while longer, and no event repeats what EC2 said.
#[test]
fn a_stop_that_is_said_before_the_agent_goes() {
    let said = |secs| {
        let (mut scene, ids) = Scene::web(2);
        let state = MachineState::Stopped;
        scene.said(&ids[0], secs, Notice::StateChanged { state });
        scene.act();
        assert_eq!(at(&scene, &ids[0], CauseKind::Stopping), None);
        (scene, ids)
    };
    let (mut scene, ids) = said(10);
    scene.later(109);
    scene.container(&ids[0]).agent_connected = false;
    let mut runs = scene.clone();
    let state = MachineState::Running;
    runs.said(&ids[0], 5, Notice::StateChanged { state });
    assert_eq!(remembered(&runs, &ids[0]).causes, []);
    assert_eq!(
        at(&scene, &ids[0], CauseKind::Stopping),
        Some(scene.ago(119))
    );
    assert!(scene.act().contains("leaving"));
    let (mut scene, ids) = said(10);
    scene.later(110);
    scene.container(&ids[0]).agent_connected = false;
    assert_eq!(
        at(&scene, &ids[0], CauseKind::Stopping),
        None,
        "too long ago"
    );
}

#[test]
fn since_when_a_group_terminates_comes_from_its_activity_first() {
    let kind = CauseKind::Terminating;
    let (mut scene, ids) = Scene::web(1);
    scene.terminating(&ids[0], 100);
    scene.member(&ids[0]).terminating_since = None;
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.now), "nothing tells");
    scene.said_to_wait(&ids[0], 40);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(40)), "an event");
    scene.act();
    scene.said_to_wait(&ids[0], 20);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(40)), "the ledger");
    scene.terminating(&ids[0], 60);
    assert_eq!(at(&scene, &ids[0], kind), Some(scene.ago(60)));
    scene.member(&ids[0]).lifecycle = Lifecycle::InService;
    scene.member(&ids[0]).waits_in_hook = false;
    scene.departure(&ids[0]).own_drain = None;
    assert_eq!(at(&scene, &ids[0], kind), None);
}

/// An event that the group's state does not bear out is a reason to look, and no more.
#[test]
fn an_event_alone_makes_nothing_terminating() {
    let (mut scene, ids) = Scene::web(1);
    scene.said_to_wait(&ids[0], 5);
    assert!(scene.decide().plan.steps.is_empty());
    assert_eq!(remembered(&scene, &ids[0]), Departure::default());
}

#[test]
fn the_agent_is_lost_after_its_grace_and_found_at_once() {
    let (mut scene, ids) = Scene::web(1);
    scene.container(&ids[0]).agent_connected = false;
    scene.act();
    scene.later(299);
    assert_eq!(at(&scene, &ids[0], CauseKind::AgentLost), None);
    scene.later(1);
    let since = Some(scene.ago(300));
    assert_eq!(at(&scene, &ids[0], CauseKind::AgentLost), since);
    scene.act();
    scene.container(&ids[0]).agent_connected = true;
    assert_eq!(remembered(&scene, &ids[0]), Departure::default());
}
