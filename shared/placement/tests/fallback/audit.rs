//! The second opinion catches each way in which a plan may be wrong, and nothing else.

use std::collections::BTreeSet;

use model::plan::{Action, Counts, Evidence, Step, StepReason};
use model::snapshot::{Controller, Health, Scheduling, Service, ServiceStatus, Standby};
use model::strategy::Market;
use placement::audit::LAWS;

use crate::scene::{Scene, ago, deployment, key, share};

fn step_of(subject: &str, service: &str, from: u32, to: u32) -> Step {
    Step {
        subject: key(subject),
        action: Action::SetDesiredCount {
            service: key(service),
            from,
            to,
        },
        reason: StepReason::Cover {
            counts: Counts::default(),
            evidence: Evidence::SpotShortage {
                reported_at: ago(0),
            },
        },
    }
}

fn step(from: u32, to: u32) -> Step {
    step_of("container-demo/web", "container-demo/web-standby", from, to)
}

/// Three of ten are missing: a raise from 0 to 3 is right.
fn short() -> Scene {
    Scene::desired(10).ready(7)
}

/// Five standby tasks have not been needed for the hold-down: any give-back is right.
fn unneeded() -> Scene {
    let scene = Scene::desired(10).ready(10).standby(5).wrote(0, 5, 900);
    scene.watched(600, 180).needed(5, 600).needed(0, 180)
}

fn laws(scene: &Scene, steps: Vec<Step>) -> Vec<&'static str> {
    let found = scene.audit(steps);
    assert!(found.iter().all(|it| LAWS.contains(&it.law)));
    let laws: BTreeSet<&str> = found.iter().map(|it| it.law).collect();
    laws.into_iter().collect()
}

fn raises(scene: &Scene) -> Vec<&'static str> {
    laws(scene, vec![step(0, 3)])
}

fn gives_back(scene: &Scene) -> Vec<&'static str> {
    laws(scene, vec![step(5, 0)])
}

#[test]
fn right_plans_pass() {
    let none: [&str; 0] = [];
    assert_eq!(raises(&short()), none);
    assert_eq!(raises(&short().ledger_unknown()), none);
    assert_eq!(raises(&short().pair_gap("ecs:ListTasks", "*")), none);
    assert_eq!(gives_back(&unneeded()), none);
    assert_eq!(laws(&unneeded(), vec![step(5, 4)]), none);
    assert_eq!(laws(&unneeded(), Vec::new()), none);
}

#[test]
fn nothing_is_touched_without_opt_in() {
    let primary = |change: fn(&mut Service)| raises(&short().primary(change));
    let standby = |change: fn(&mut Service)| raises(&short().on_standby(change));
    let wrong = ["opt_in"];
    assert_eq!(primary(|it| it.tags.clear()), wrong);
    assert_eq!(standby(|it| it.tags.clear()), wrong);
    assert_eq!(
        primary(|it| _ = it
            .tags
            .insert("ballast:paused".to_owned(), "yes".to_owned())),
        wrong
    );
    assert_eq!(primary(|it| it.status = ServiceStatus::Draining), wrong);
    assert_eq!(standby(|it| it.status = ServiceStatus::Inactive), wrong);
    assert_eq!(primary(|it| it.scheduling = Scheduling::Daemon), wrong);
    assert_eq!(standby(|it| it.scheduling = Scheduling::Daemon), wrong);
    assert_eq!(primary(|it| it.controller = Controller::CodeDeploy), wrong);
    assert_eq!(standby(|it| it.controller = Controller::External), wrong);
    assert_eq!(
        standby(|it| it.scaled_by_application_auto_scaling = Some(true)),
        wrong
    );
    let other = "arn:aws:ecs:us-west-2:111122223333:task-definition/web:8";
    let changed = short().on_standby(|it| it.task_definition = other.parse().unwrap());
    assert_eq!(raises(&changed), wrong);
    assert_eq!(raises(&short().standby_is(Standby::Missing)), wrong);
    assert_eq!(raises(&short().standby_is(Standby::Unknown)), wrong);
}

#[test]
fn only_the_pairs_own_standby_is_touched() {
    let wrong = ["opt_in"];
    let standby = "container-demo/web-standby";
    let to = |subject: &str, service: &str| laws(&short(), vec![step_of(subject, service, 0, 3)]);
    assert_eq!(to("container-demo/api", standby), wrong);
    assert_eq!(to("container-demo/web", "container-demo/web"), wrong);
    assert_eq!(to("container-demo/web", "container-demo/other"), wrong);
    assert_eq!(to("container-demo/web", "elsewhere/web-standby"), wrong);
    // What was read is not what the tag names, although the step goes where the tag points.
    for read in ["container-demo/other", "elsewhere/web-standby"] {
        let scene = short().on_standby(|it| it.key = key(read));
        assert_eq!(raises(&scene), wrong, "{read}");
        let elsewhere = step_of("container-demo/web", read, 0, 3);
        assert_eq!(laws(&scene, vec![elsewhere]), wrong, "{read}");
    }
    // A primary that names itself.
    let mut own = short().tag("ballast:standby", "web");
    own.pair
        .primary
        .tags
        .insert("ballast:standby-of".to_owned(), "web".to_owned());
    let itself = own.pair.primary.clone();
    let own = own.standby_is(Standby::Present(Box::new(itself)));
    let raised = step_of("container-demo/web", "container-demo/web", 10, 3);
    assert!(laws(&own, vec![raised]).contains(&"opt_in"));
}

#[test]
fn another_writers_count_is_left_alone() {
    let wrong = ["one_writer"];
    let none: [&str; 0] = [];
    assert_eq!(raises(&short().wrote(0, 5, 900)), wrong);
    assert_eq!(raises(&short().wrote(2, 5, 900)), wrong);
    assert_eq!(raises(&short().wrote_unconfirmed(2, 5, 900)), wrong);
    assert_eq!(raises(&short().wrote_unconfirmed(0, 5, 900)), none);
    assert_eq!(
        raises(&short().wrote(0, 5, 9_000).foreign(0, 5, 3_599)),
        wrong
    );
    assert_eq!(
        raises(&short().wrote(0, 5, 9_000).foreign(1, 5, 3_600)),
        wrong
    );
    assert_eq!(
        raises(&short().wrote(0, 5, 9_000).foreign(0, 5, 3_600)),
        none
    );
}

#[test]
fn a_step_starts_from_what_was_seen_and_changes_it() {
    assert_eq!(laws(&short(), vec![step(1, 3)]), ["precondition"]);
    assert!(laws(&short(), vec![step(0, 0)]).contains(&"precondition"));
}

#[test]
fn spot_capacity_is_not_raised() {
    let wrong = ["on_demand_only"];
    for line in ["FARGATE_SPOT=0/1", "FARGATE_SPOT=1/0"] {
        let scene = short().on_standby(|it| it.capacity.push(share(line, Market::Spot)));
        assert_eq!(raises(&scene), wrong, "{line}");
    }
}

#[test]
fn a_raise_is_within_the_cap_and_what_is_missing() {
    assert_eq!(
        raises(&short().tag("ballast:standby-max", "2")),
        ["within_cap"]
    );
    assert_eq!(laws(&short(), vec![step(0, 4)]), ["no_more_than_missing"]);
    let both = ["no_more_than_missing", "within_cap"];
    assert_eq!(laws(&short(), vec![step(0, 11)]), both);
    let unusable = short().tag("ballast:standby-max", "many");
    assert_eq!(raises(&unusable), ["within_cap"]);
    // Tasks that fail their health checks, still start or are told to stop do not serve.
    let none: [&str; 0] = [];
    assert_eq!(
        raises(
            &Scene::desired(10)
                .ready(7)
                .unhealthy(1)
                .starting(1, 5)
                .interrupted(1, 5)
        ),
        none
    );
}

#[test]
fn a_give_back_needs_a_complete_look_without_a_deployment() {
    let wrong = ["complete_before_giving_back"];
    let none: [&str; 0] = [];
    assert_eq!(
        gives_back(&unneeded().pair_gap("ecs:ListTasks", "anything")),
        wrong
    );
    for resource in [
        "*",
        "container-demo",
        "container-demo/web",
        "container-demo/web-standby",
    ] {
        assert_eq!(
            gives_back(&unneeded().shared_gap("ecs:ListServices", resource)),
            wrong,
            "{resource}"
        );
    }
    assert_eq!(
        gives_back(&unneeded().shared_gap("ecs:ListServices", "other")),
        none
    );
    let second = |it: &mut Service| it.deployments.push(deployment("2", false));
    let rolling = |it: &mut Service| it.deployments[0].in_progress = true;
    let unread = |it: &mut Service| it.all_to_run_read = false;
    assert_eq!(gives_back(&unneeded().primary(unread)), wrong);
    assert_eq!(gives_back(&unneeded().on_standby(unread)), wrong);
    assert_eq!(gives_back(&unneeded().primary(second)), wrong);
    assert_eq!(gives_back(&unneeded().primary(rolling)), wrong);
    assert_eq!(gives_back(&unneeded().on_standby(second)), wrong);
    assert_eq!(gives_back(&unneeded().on_standby(rolling)), wrong);
}

#[test]
fn a_give_back_needs_the_whole_hold_down() {
    let wrong = ["unneeded_for_the_hold_down"];
    assert_eq!(gives_back(&unneeded().ledger_unknown()), wrong);
    let bare = || Scene::desired(10).ready(10).standby(5);
    assert_eq!(gives_back(&bare()), wrong);
    assert_eq!(gives_back(&bare().watched(599, 60)), wrong);
    assert_eq!(gives_back(&bare().watched(600, 60).needed(1, 599)), wrong);
    assert_eq!(gives_back(&bare().watched(600, 181)), wrong);
    let to_one = laws(&bare().watched(600, 60).needed(1, 599), vec![step(5, 1)]);
    assert!(to_one.is_empty(), "{to_one:?}");
}

#[test]
fn a_give_back_leaves_the_ready_tasks_that_are_needed() {
    let wrong = ["no_ready_task_lost"];
    let scene = |ready| {
        let scene = Scene::desired(10).ready(ready).standby(5);
        scene.watched(900, 60).needed(0, 60)
    };
    assert_eq!(gives_back(&scene(9)), wrong);
    assert_eq!(laws(&scene(9), vec![step(5, 1)]), Vec::<&str>::new());
    assert_eq!(laws(&scene(5), vec![step(5, 4)]), wrong);
    // More tasks than were asked for do not stay.
    let more = scene(9).on_standby(|it| crate::scene::add(it, 2, |_| {}));
    assert_eq!(gives_back(&more), wrong);
    let sick = scene(9).on_standby(|it| it.tasks[0].health = Health::Unhealthy);
    assert_eq!(laws(&sick, vec![step(5, 1)]), wrong);
}

#[test]
fn a_service_is_written_once() {
    let twice = laws(&short(), vec![step(0, 2), step(0, 3)]);
    assert_eq!(twice, ["one_step_per_service"]);
}

#[test]
fn every_step_is_judged_by_its_own_index() {
    let found = short().audit(vec![step(0, 3), step_of("a/b", "a/c", 0, 1)]);
    let indices: Vec<usize> = found.iter().map(|it| it.step).collect();
    assert_eq!(indices, [1]);
}
