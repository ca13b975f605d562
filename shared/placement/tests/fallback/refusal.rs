//! Pairs that are not touched, services that are in none, and services over EC2 instances, which are like any other.

use expect_test::expect;
use model::plan::HoldReason;
use model::snapshot::{
    Controller, PassedOver, PrimaryFault, Scheduling, Service, ServiceStatus, Standby,
};
use model::strategy::Market;

use crate::scene::{Scene, check, gap, key, share};

/// Seven are missing for a good reason, so that only a refusal keeps the standby at 0.
fn short() -> Scene {
    Scene::desired(10).ready(3).taken(7, 60)
}

fn tag(service: &mut Service, name: &str, value: &str) {
    service.tags.insert(name.to_owned(), value.to_owned());
}

#[test]
fn paused() {
    check(
        short().tag("ballast:paused", "true"),
        expect![[r#"
        hold `container-demo/web` paused: `ballast:paused` is `true`
        remembered: nothing
    "#]],
    );
    check(
        short().tag("ballast:paused", "false"),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn every_fault_of_the_settings_is_named() {
    let scene = short().tag("ballast:hold-down-secs", "soon");
    check(
        scene.tag("ballast:standby-maximum", "3"),
        expect![[r#"
        hold `container-demo/web` settings_unusable: `ballast:standby-maximum` is `3`: no tag of this name is allowed; `ballast:hold-down-secs` is `soon`: a whole number from 60 to 86400 is allowed
        remembered: nothing
    "#]],
    );
}

#[test]
fn the_primary_is_not_active() {
    for status in [ServiceStatus::Draining, ServiceStatus::Inactive] {
        let scene = short().primary(|primary| primary.status = status.clone());
        let reason = scene.decide().plan.holds.remove(0).reason;
        let status = status.as_str().to_owned();
        assert_eq!(reason, HoldReason::PrimaryNotActive { status });
    }
    let scene = short().primary(|it| it.status = ServiceStatus::Other("MOVING".to_owned()));
    check(
        scene,
        expect![[r#"
        hold `container-demo/web` primary_not_active: the primary is MOVING
        remembered: nothing
    "#]],
    );
}

#[test]
fn daemons_have_no_desired_count() {
    let daemon = |it: &mut Service| it.scheduling = Scheduling::Daemon;
    check(
        short().primary(daemon),
        expect![[r#"
        hold `container-demo/web` daemon: the primary is a DAEMON service, which has no desired count
        remembered: nothing
    "#]],
    );
    check(
        short().on_standby(daemon),
        expect![[r#"
        hold `container-demo/web` daemon: the standby is a DAEMON service, which has no desired count
        remembered: nothing
    "#]],
    );
}

#[test]
fn only_ecs_itself_may_deploy() {
    let code_deploy = |it: &mut Service| it.controller = Controller::CodeDeploy;
    let external = |it: &mut Service| it.controller = Controller::External;
    let other = |it: &mut Service| it.controller = Controller::Other("NEW".to_owned());
    check(
        short().primary(code_deploy),
        expect![[r#"
        hold `container-demo/web` foreign_controller: the primary is deployed by CODE_DEPLOY, not by ECS
        remembered: nothing
    "#]],
    );
    check(
        short().primary(external),
        expect![[r#"
        hold `container-demo/web` foreign_controller: the primary is deployed by EXTERNAL, not by ECS
        remembered: nothing
    "#]],
    );
    check(
        short().on_standby(external),
        expect![[r#"
        hold `container-demo/web` foreign_controller: the standby is deployed by EXTERNAL, not by ECS
        remembered: nothing
    "#]],
    );
    check(
        short().on_standby(other),
        expect![[r#"
        hold `container-demo/web` foreign_controller: the standby is deployed by NEW, not by ECS
        remembered: nothing
    "#]],
    );
}

#[test]
fn the_standby_is_missing_or_unread() {
    check(
        short().standby_is(Standby::Missing),
        expect![[r#"
        hold `container-demo/web` standby_missing: there is no service `web-standby` in the cluster
        remembered: nothing
    "#]],
    );
    let unread = short().standby_is(Standby::Unknown);
    check(
        unread.pair_gap("ecs:DescribeServices", "container-demo/web-standby"),
        expect![[r#"
            hold `container-demo/web` standby_unread: the standby could not be read: `ecs:DescribeServices` for `container-demo/web-standby`: throttled (ThrottlingException: Rate exceeded)
            remembered: nothing
        "#]],
    );
}

#[test]
fn the_standby_is_not_active() {
    check(
        short().on_standby(|it| it.status = ServiceStatus::Inactive),
        expect![[r#"
            hold `container-demo/web` standby_not_active: the standby is INACTIVE
            remembered: nothing
        "#]],
    );
    check(
        short().on_standby(|it| it.status = ServiceStatus::Draining),
        expect![[r#"
            hold `container-demo/web` standby_not_active: the standby is DRAINING
            remembered: nothing
        "#]],
    );
}

#[test]
fn the_standby_must_name_its_primary() {
    check(
        short().on_standby(|it| it.tags.clear()),
        expect![[r#"
        hold `container-demo/web` standby_not_tagged: the standby does not carry the tag `ballast:standby-of`
        remembered: nothing
    "#]],
    );
    check(
        short().on_standby(|it| tag(it, "ballast:standby-of", "api")),
        expect![[r#"
            hold `container-demo/web` standby_not_tagged: the standby's tag `ballast:standby-of` names `api`, not this primary
            remembered: nothing
        "#]],
    );
    check(
        short().on_standby(|it| tag(it, "ballast:standby-of", &"x".repeat(300))),
        expect![[r#"
            hold `container-demo/web` standby_not_tagged: the standby's tag `ballast:standby-of` names `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, not this primary
            remembered: nothing
        "#]],
    );
}

#[test]
fn the_standby_may_not_be_a_primary() {
    check(
        short().on_standby(|it| tag(it, "ballast:standby", "third")),
        expect![[r#"
            hold `container-demo/web` standby_is_primary: the standby is itself a primary
            remembered: nothing
        "#]],
    );
    check(
        short().tag("ballast:standby", "web"),
        expect![[r#"
        hold `container-demo/web` standby_is_primary: the standby is itself a primary
        remembered: nothing
    "#]],
    );
}

/// However many primaries name it, the standby is the one's that its own tag names.
#[test]
fn a_standby_belongs_to_the_primary_that_it_names() {
    let mut scene = short();
    let mut other = scene.pair.clone();
    other.primary.key = key("container-demo/api");
    scene.others.push(other);
    check(
        scene.clone(),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
            hold `container-demo/api` standby_not_tagged: the standby's tag `ballast:standby-of` names `web`, not this primary
            remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
        "#]],
    );
    // A primary of the same name in another cluster has another standby.
    scene.others[0].primary.key = key("other/web");
    let plan = scene.decide().plan;
    let of_web = plan
        .steps
        .iter()
        .find(|it| it.subject == key("container-demo/web"));
    assert!(of_web.is_some(), "{plan}");
}

#[test]
fn the_standby_may_not_be_on_spot() {
    let on_spot = |it: &mut Service| it.capacity.push(share("FARGATE_SPOT=0/1", Market::Spot));
    check(
        short().on_standby(on_spot),
        expect![[r#"
        hold `container-demo/web` standby_on_spot: the standby may place tasks on Spot itself, by `FARGATE_SPOT`
        remembered: nothing
    "#]],
    );
    let by_base = |it: &mut Service| it.capacity.push(share("cheap=1/0", Market::Spot));
    check(
        short().on_standby(by_base),
        expect![[r#"
        hold `container-demo/web` standby_on_spot: the standby may place tasks on Spot itself, by `cheap`
        remembered: nothing
    "#]],
    );
    let never = |it: &mut Service| it.capacity.push(share("FARGATE_SPOT=0/0", Market::Spot));
    check(
        short().on_standby(never),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn both_run_the_same_task_definition() {
    let other = "arn:aws:ecs:us-west-2:111122223333:task-definition/web:8";
    check(
        short().on_standby(|it| it.task_definition = other.parse().unwrap()),
        expect![[r#"
            hold `container-demo/web` task_definition_differs: the primary runs `arn:aws:ecs:us-west-2:111122223333:task-definition/web:7`, the standby `arn:aws:ecs:us-west-2:111122223333:task-definition/web:8`
            remembered: nothing
        "#]],
    );
}

#[test]
fn application_auto_scaling_may_not_scale_the_standby() {
    let scaled = |answer| move |it: &mut Service| it.scaled_by_application_auto_scaling = answer;
    check(
        short().on_standby(scaled(Some(true))),
        expect![[r#"
        hold `container-demo/web` standby_scaled_by_application_auto_scaling: Application Auto Scaling scales the standby
        remembered: nothing
    "#]],
    );
    check(
        short().on_standby(scaled(None)),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
    check(
        short().primary(scaled(Some(true))),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 7, because Spot took 7 tasks that are still missing (desired 10, ready 3, starting 0, leaving 0, deficit 7; standby 0, of which ready 0)
        remembered: watched now to now; missing 7 at now; needed 7 at now; may write 0 to 7 at now
    "#]],
    );
}

#[test]
fn a_refusal_keeps_what_is_remembered() {
    let scene = short().wrote(0, 5, 900).watched(900, 60).needed(5, 60);
    check(
        scene.tag("ballast:paused", "true"),
        expect![[r#"
        hold `container-demo/web` paused: `ballast:paused` is `true`
        remembered: watched -900 s to -60 s; needed 5 at -60 s; wrote 0 to 5 at -900 s
    "#]],
    );
}

#[test]
fn services_that_are_in_no_pair_are_accounted_for() {
    let mut scene = Scene::desired(2).ready(2);
    let standby_without = |fault| PassedOver::StandbyWithoutPrimary {
        primary: "shop".to_owned(),
        fault,
    };
    let another = PrimaryFault::NamesAnother {
        standby: "shop-spare".to_owned(),
    };
    for (service, why) in [
        ("a", PassedOver::NotOptedIn),
        ("b", PassedOver::NotFound),
        (
            "c",
            PassedOver::Unread {
                gap: gap("ecs:DescribeServices", "container-demo/c"),
            },
        ),
        ("d", standby_without(PrimaryFault::UnusableName)),
        ("e", standby_without(PrimaryFault::NotFound)),
        ("f", standby_without(PrimaryFault::NotOptedIn)),
        ("g", standby_without(another)),
    ] {
        scene
            .passed_over
            .insert(key(&format!("container-demo/{service}")), why);
    }
    check(
        scene,
        expect![[r#"
        hold `container-demo/a` not_opted_in: the service carries none of Ballast's tags
        hold `container-demo/b` not_found: there is no such service
        hold `container-demo/c` unread: `ecs:DescribeServices` for `container-demo/c`: throttled (ThrottlingException: Rate exceeded)
        hold `container-demo/d` standby_without_primary: the tag `ballast:standby-of` names `shop`, which is no service's name
        hold `container-demo/e` standby_without_primary: the tag `ballast:standby-of` names `shop`, which does not exist
        hold `container-demo/f` standby_without_primary: the tag `ballast:standby-of` names `shop`, which does not carry the tag `ballast:standby`
        hold `container-demo/g` standby_without_primary: the tag `ballast:standby-of` names `shop`, whose tag `ballast:standby` names `shop-spare`
        hold `container-demo/web` at_rest: nothing is missing and nothing is lent (desired 2, ready 2, starting 0, leaving 0, deficit 0; standby 0, of which ready 0)
        remembered: nothing
    "#]],
    );
}

/// A service over Auto Scaling groups: Spot instances first, its standby on the group of on-demand instances.
#[test]
fn services_over_ec2_are_like_any_other() {
    let scene = || {
        Scene::desired(6)
            .primary(|it| it.capacity = vec![share("ec2-spot=0/1", Market::Spot)])
            .on_standby(|it| it.capacity = vec![share("ec2-on-demand=0/1", Market::OnDemand)])
    };
    check(
        scene().ready(4).taken(2, 60),
        expect![[r#"
        step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because Spot took 2 tasks that are still missing (desired 6, ready 4, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
        remembered: watched now to now; missing 2 at now; needed 2 at now; may write 0 to 2 at now
    "#]],
    );
    check(
        scene().ready_started_in(4, 15).interrupted(2, 10),
        expect![[r#"
            hold `container-demo/web` waiting_for_deadline until 2026-03-01T12:00:25Z: interrupted tasks serve until 2026-03-01T12:01:50Z and a task starts in 15 s: raising now gains nothing (desired 6, ready 4, starting 0, leaving 2, deficit 2; standby 0, of which ready 0)
            remembered: watched now to now; missing 2 at now; needed 2 at now
        "#]],
    );
    let unavailable = "Capacity is unavailable at this time";
    check(
        scene()
            .ready(4)
            .reported("container-demo/web", &["ec2-spot"], unavailable, Some(3)),
        expect![[r#"
            step `container-demo/web` cover: set the desired count of `container-demo/web-standby` from 0 to 2, because ECS found no Spot capacity at 2026-03-01T11:59:57Z (desired 6, ready 4, starting 0, leaving 0, deficit 2; standby 0, of which ready 0)
            remembered: watched now to now; missing 2 at now; needed 2 at now; may write 0 to 2 at now; Spot short at -3 s
        "#]],
    );
    let given_back = scene().ready(6).standby(2).watched(700, 60).needed(2, 610);
    check(
        given_back.needed(0, 60),
        expect![[r#"
        step `container-demo/web` give_back: set the desired count of `container-demo/web-standby` from 2 to 0, because for 600 s no more than 0 standby tasks were needed (desired 6, ready 6, starting 0, leaving 0, deficit 0; standby 2, of which ready 2)
        remembered: watched -610 s to now; needed 0 at now; may write 2 to 0 at now
    "#]],
    );
    check(
        scene()
            .ready(4)
            .taken(2, 60)
            .on_standby(|it| it.capacity[0].market = Market::Spot),
        expect![[r#"
            hold `container-demo/web` standby_on_spot: the standby may place tasks on Spot itself, by `ec2-on-demand`
            remembered: nothing
        "#]],
    );
}

/// The largest raise first, ties by name; giving back last.
#[test]
fn a_plan_is_ordered_by_urgency() {
    let mut scene = short();
    let names = [("b", 2), ("a", 2), ("c", 9)];
    for (name, missing) in names {
        let mut other = Scene::desired(10)
            .ready(10 - missing)
            .taken(missing, 60)
            .pair;
        other.primary.key = key(&format!("container-demo/{name}"));
        let standby_name = format!("{name}-standby");
        let Standby::Present(standby) = &mut other.standby else {
            panic!("the scene has no standby");
        };
        standby.key = key(&format!("container-demo/{standby_name}"));
        tag(standby, "ballast:standby-of", name);
        tag(&mut other.primary, "ballast:standby", &standby_name);
        other.policy = model::policy::PairPolicy::from_tags(&other.primary.tags).unwrap();
        scene.others.push(other);
    }
    let plan = scene.decide().plan;
    let order: Vec<String> = plan
        .steps
        .iter()
        .map(|it| it.subject.service.to_string())
        .collect();
    assert_eq!(order, ["c", "web", "a", "b"]);
}
