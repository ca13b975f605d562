//! Instances that EC2 takes back: warnings that come, come late or never come, recommendations, and storms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use model::strategy::Market;
use proptest::prelude::*;
use serde_json::{Value, json};
use world::{
    Config, Delivered, GroupSpec, HealthNotice, Hook, HookResult, InstancePoolKey,
    InterruptionAction, LaunchSpec, Lifecycle, MachineState, Operation, RangeMs, SpotSignals,
    Transition, World,
};

use crate::stage::{
    GROUP, SETTLE_SECS, ZONES, call, details, group, in_service, spot, spot_capacity,
};

const WARNING: &str = "EC2 Spot Instance Interruption Warning";
const RECOMMENDATION: &str = "EC2 Instance Rebalance Recommendation";
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// A group of so many Spot instances in service, in a world with these signals.
fn fleet(seed: u64, size: u32, signals: SpotSignals) -> World {
    let mut config = Config::new(seed);
    config.ec2.signals = signals;
    let mut world = World::new(config);
    let launch = LaunchSpec::spot("workers", &["m5.large", "m5a.large"]);
    let spec = GroupSpec::new(GROUP, launch, 0, size, size + 200);
    world.declare_auto_scaling_group(spec);
    world.advance_secs(SETTLE_SECS);
    world.take_due_events();
    world
}

/// The instance, the time in the envelope and the time of arrival of each event of this type.
fn told(events: &[Delivered], detail_type: &str) -> Vec<(String, Timestamp, Timestamp)> {
    let wanted = events
        .iter()
        .filter(|it| it.envelope["detail-type"] == detail_type);
    wanted
        .map(|it| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let time = text(&it.envelope["time"]).parse().unwrap();
            (text(&it.envelope["detail"]["instance-id"]), time, it.at)
        })
        .collect()
}

fn near(found: usize, wanted: usize) {
    assert!(
        found.abs_diff(wanted) <= 40,
        "{found} of 1000, wanted about {wanted}"
    );
}

#[test]
fn three_hundred_of_a_thousand_are_taken_at_one_instant() {
    let mut world = fleet(3, 1_000, SpotSignals::default());
    assert_eq!(in_service(&world).len(), 1_000);
    let at = world.now();
    let taken = world.interrupt_group(GROUP, 300);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), 300);
    // Each is taken once: the next storm chooses among the others.
    let again = world.interrupt_group(GROUP, 1_000);
    assert_eq!(again.len(), 700);
    assert!(again.iter().all(|it| !taken.contains(it)));
    assert_eq!(world.interrupt_instances(&taken), Vec::<String>::new());

    world.advance_secs(5);
    let warned = told(&world.take_due_events(), WARNING);
    assert_eq!(warned.len(), 1_000);
    assert!(warned.iter().all(|(_, time, _)| *time == at));
    world.advance_secs(115);
    for id in &taken {
        assert_eq!(world.state().instances[id].ended_at, Some(at + NOTICE));
    }
    let notes = world.timeline().to_string();
    assert!(
        notes.contains("Spot takes back 300 instances at once: i-"),
        "{notes}"
    );
}

#[test]
fn a_storm_can_be_planned_and_is_drawn_from_the_seed() {
    let storm = |seed: u64| {
        let mut world = fleet(seed, 20, SpotSignals::default());
        let at = world.now() + SignedDuration::from_secs(60);
        world.interrupt_group_at(GROUP, at, 5);
        world.advance_secs(70);
        let mut ids: Vec<String> = told(&world.take_due_events(), WARNING)
            .into_iter()
            .map(|(id, time, _)| {
                assert_eq!(time, at);
                id
            })
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(storm(1), storm(1));
    assert_eq!(storm(1).len(), 5);
    assert_ne!(storm(1), storm(2));
    assert!(spot(0, 1).interrupt_group("nobody", 3).is_empty());
}

#[test]
fn a_lost_warning_is_never_heard_and_a_late_one_tells_the_true_time() {
    let lossy = SpotSignals {
        warnings_lost_per_mille: 200,
        warnings_late_per_mille: 250,
        warning_lateness: RangeMs::new(30_000, 90_000),
        ..SpotSignals::default()
    };
    let mut world = fleet(3, 1_000, lossy);
    let at = world.now();
    let taken = world.interrupt_group(GROUP, 1_000);
    world.advance_secs(300);
    let warned = told(&world.take_due_events(), WARNING);
    let warned: Vec<_> = warned
        .into_iter()
        .filter(|(id, ..)| taken.contains(id))
        .collect();
    near(1_000 - warned.len(), 200);
    let late: Vec<SignedDuration> = warned
        .iter()
        .map(|(_, time, arrived)| arrived.duration_since(*time))
        .filter(|it| it.as_secs() >= 30)
        .collect();
    // Of the eight hundred that are not lost.
    near(late.len(), 200);
    assert!(late.iter().all(|it| it.as_secs() <= 91));
    assert!(warned.iter().all(|(_, time, _)| *time == at));
    // Whatever was said, Spot takes them in time.
    for id in &taken {
        assert_eq!(world.state().instances[id].ended_at, Some(at + NOTICE));
    }
}

#[test]
fn a_recommendation_comes_first_where_that_is_asked_for() {
    let hinted = SpotSignals {
        recommendations_per_mille: 1_000,
        recommendation_before: RangeMs::new(60_000, 60_000),
        ..SpotSignals::default()
    };
    let mut world = fleet(5, 3, hinted);
    let id = in_service(&world)[0].clone();
    let at = world.now();
    assert!(world.interrupt_instance(&id));
    assert!(!world.interrupt_instance(&id));
    world.advance_secs(30);
    let events = world.take_due_events();
    assert_eq!(told(&events, RECOMMENDATION)[0].0, id);
    assert_eq!(told(&events, WARNING), []);
    assert_eq!(world.state().instances[&id].interrupted_at, None);
    world.advance_secs(40);
    let warned = told(&world.take_due_events(), WARNING);
    let warned_at = at + SignedDuration::from_secs(60);
    assert_eq!((&warned[0].0, warned[0].1), (&id, warned_at));
    world.advance_secs(120);
    let instance = &world.state().instances[&id];
    assert_eq!(instance.ended_at, Some(warned_at + NOTICE));
    assert_eq!(instance.rebalance_recommended_at, Some(at));
}

#[test]
fn a_recommendation_may_mean_nothing() {
    let mut world = fleet(5, 3, SpotSignals::default());
    let id = in_service(&world)[0].clone();
    assert!(world.recommend_rebalance(&id));
    world.advance_secs(3_600);
    assert_eq!(told(&world.take_due_events(), RECOMMENDATION).len(), 1);
    // Without Capacity Rebalancing the group does nothing.
    assert_eq!(in_service(&world).len(), 3);
    assert!(in_service(&world).contains(&id));
    assert!(!world.recommend_rebalance("i-00000000000000000"));

    let mut nervous = Config::new(5);
    nervous.ec2.signals.false_recommendations_per_mille = 300;
    let mut world = World::new(nervous);
    let launch = LaunchSpec::spot("workers", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new(GROUP, launch, 0, 1_000, 1_000));
    world.advance_secs(4_000);
    let told = told(&world.take_due_events(), RECOMMENDATION);
    near(told.len(), 300);
    assert_eq!(in_service(&world).len(), 1_000);
}

#[test]
fn what_spot_does_with_an_instance_is_said() {
    for (action, word, after, state) in [
        (
            InterruptionAction::Terminate,
            "terminate",
            120,
            MachineState::ShuttingDown,
        ),
        (
            InterruptionAction::Stop,
            "stop",
            120,
            MachineState::Stopping,
        ),
        (
            InterruptionAction::Hibernate,
            "hibernate",
            0,
            MachineState::Stopping,
        ),
    ] {
        let mut world = fleet(5, 1, SpotSignals::default());
        let id = in_service(&world)[0].clone();
        world.detach_instance(&id, true).unwrap();
        assert!(world.interrupt_instance_by(&id, action));
        world.advance_secs(after);
        assert_eq!(world.state().instances[&id].state, state, "{word}");
        world.advance_secs(5);
        let said = details(&world.take_due_events(), WARNING);
        assert_eq!(said[0]["instance-action"], word);
    }
}

#[test]
fn a_capacity_reservation_takes_back_what_is_on_demand() {
    let mut world = World::new(Config::new(5));
    let launch = LaunchSpec::on_demand("workers", &["m5.large"]);
    world.declare_auto_scaling_group(GroupSpec::new(GROUP, launch, 0, 1, 2));
    world.advance_secs(SETTLE_SECS);
    world.take_due_events();
    let id = in_service(&world)[0].clone();
    let at = world.now();
    assert!(!world.interrupt_instance(&id));
    assert!(world.interrupt_reserved_instance(&id));
    assert!(!world.interrupt_reserved_instance(&id));
    world.advance_secs(5);
    let events = world.take_due_events();
    let kind = "EC2 Capacity Reservation Instance Interruption Warning";
    assert_eq!(told(&events, kind)[0].0, id);
    assert_eq!(details(&events, kind)[0]["instance-action"], "terminate");
    world.advance_secs(115);
    assert_eq!(world.state().instances[&id].ended_at, Some(at + NOTICE));
    world.advance_secs(SETTLE_SECS);
    let now = in_service(&world);
    assert_eq!(now.len(), 1);
    assert_ne!(now[0], id);
}

#[test]
fn a_retirement_is_announced_and_happens() {
    let mut world = fleet(5, 2, SpotSignals::default());
    let id = in_service(&world)[0].clone();
    let at: Timestamp = "2026-03-02T11:00:00Z".parse().unwrap();
    world.retire_instances(&[&id], at);
    world.advance_secs(5);
    let events = world.take_due_events();
    let event = events
        .iter()
        .find(|it| it.envelope["detail-type"] == "AWS Health Event")
        .unwrap();
    assert_eq!(event.envelope["source"], "aws.health");
    assert_eq!(event.envelope["resources"][0], id.as_str());
    let detail = &event.envelope["detail"];
    assert_eq!(detail["service"], "EC2");
    assert_eq!(detail["eventTypeCategory"], "scheduledChange");
    assert_eq!(
        detail["eventTypeCode"],
        "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED"
    );
    assert_eq!(detail["statusCode"], "upcoming");
    assert_eq!(detail["startTime"], "Mon, 02 Mar 2026 11:00:00 GMT");
    assert_eq!(detail["affectedEntities"][0]["entityValue"], id.as_str());

    world.advance_to(at);
    assert_eq!(world.state().instances[&id].state, MachineState::Stopping);
    world.send_health_event(&HealthNotice::retirement(&[&id], at).closed());
    world.advance_secs(5);
    let closed = details(&world.take_due_events(), "AWS Health Event");
    assert_eq!(closed[0]["statusCode"], "closed");
    assert_eq!(closed[0]["eventArn"], detail["eventArn"]);
}

/// A group of three with Capacity Rebalancing that is at its maximum.
fn rebalancing() -> World {
    let mut world = spot(3, 3);
    world.set_capacity_rebalance(GROUP, true);
    world.advance_secs(SETTLE_SECS);
    world
}

#[test]
fn capacity_rebalancing_replaces_before_it_terminates() {
    let mut world = rebalancing();
    let before = in_service(&world);
    let old = before[1].clone();
    assert!(world.recommend_rebalance(&old));
    world.advance_secs(5);
    // Beyond its maximum, for as long as it takes.
    assert_eq!(world.group_capacity(GROUP), 4);
    let mut least = usize::MAX;
    for _ in 0..SETTLE_SECS {
        world.advance_secs(1);
        least = least.min(in_service(&world).len());
    }
    assert_eq!(least, 3);
    let after = in_service(&world);
    assert_eq!(after.len(), 3);
    assert!(!after.contains(&old));
    let kept = before.iter().filter(|it| after.contains(it)).count();
    assert_eq!(kept, 2);
    assert_eq!(group(&world).desired_capacity, 3);
    let causes: Vec<&str> = group(&world)
        .activities
        .iter()
        .take(2)
        .map(|it| it.cause.as_str())
        .collect();
    assert!(
        causes
            .iter()
            .all(|it| it.ends_with("in response to an EC2 instance rebalance recommendation.")),
        "{causes:?}"
    );
}

#[test]
fn capacity_rebalancing_waits_for_room() {
    let mut world = rebalancing();
    let old = in_service(&world)[0].clone();
    for kind in ["m5.large", "m5a.large"] {
        let used = ZONES.map(|zone| {
            let pool = InstancePoolKey::new(kind, zone, Market::Spot);
            let kept = world.instance_pools().get(&pool).map(|it| it.kept.len());
            u32::try_from(kept.unwrap_or(0)).unwrap()
        });
        spot_capacity(&mut world, kind, used);
    }
    assert!(world.recommend_rebalance(&old));
    world.advance_secs(SETTLE_SECS);
    assert!(in_service(&world).contains(&old));
    assert_eq!(world.group_capacity(GROUP), 3);
    spot_capacity(&mut world, "m5.large", [5, 5, 5]);
    world.advance_secs(SETTLE_SECS);
    let now = in_service(&world);
    assert_eq!(now.len(), 3);
    assert!(!now.contains(&old));
}

#[test]
fn capacity_rebalancing_leaves_what_is_protected() {
    let mut world = rebalancing();
    let old = in_service(&world)[0].clone();
    let protect = |world: &mut World, protected: bool| {
        let input = json!({
            "AutoScalingGroupName": GROUP, "InstanceIds": [old], "ProtectedFromScaleIn": protected,
        });
        call(world, Operation::SetInstanceProtection, input);
    };
    protect(&mut world, true);
    world.recommend_rebalance(&old);
    world.advance_secs(SETTLE_SECS);
    assert!(in_service(&world).contains(&old));
    assert_eq!(world.group_capacity(GROUP), 3);
    protect(&mut world, false);
    world.advance_secs(SETTLE_SECS);
    assert!(!in_service(&world).contains(&old));
    assert_eq!(in_service(&world).len(), 3);
}

#[test]
fn capacity_rebalancing_does_not_wait_after_a_warning() {
    let mut world = rebalancing();
    let hook = Hook::new(Transition::Terminating);
    world.put_lifecycle_hook(GROUP, "drain", hook).unwrap();
    let id = in_service(&world)[0].clone();
    let at = world.now();
    world.interrupt_instance(&id);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::TerminatingWait
    );
    world.advance_secs(60);
    assert_eq!(in_service(&world).len(), 3);
    // The hook does not delay Spot, and its wait outlives the machine.
    world.advance_secs(SETTLE_SECS);
    let instance = &world.state().instances[&id];
    assert_eq!(instance.ended_at, Some(at + NOTICE));
    assert_eq!(instance.state, MachineState::Terminated);
    assert_eq!(instance.lifecycle_state, Lifecycle::TerminatingWait);
    world
        .complete_lifecycle_action(GROUP, "drain", Some(&id), None, HookResult::Continue)
        .unwrap();
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
    assert_eq!(group(&world).instances.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is said, and with whatever fate: who is taken goes two minutes after the moment at which it is warned, once, and
    /// the group is whole again.
    #[test]
    fn spot_takes_what_it_takes_in_time(
        seed in any::<u64>(),
        lost in 0_u32..=1_000,
        late in 0_u32..=1_000,
        recommended in 0_u32..=1_000,
        rebalances in any::<bool>(),
        storms in prop::collection::vec((0_u32..200, 0_usize..6), 1..4),
    ) {
        let signals = SpotSignals {
            warnings_lost_per_mille: lost,
            warnings_late_per_mille: late,
            recommendations_per_mille: recommended,
            recommendation_before: RangeMs::new(0, 60_000),
            ..SpotSignals::default()
        };
        let mut world = fleet(seed, 8, signals);
        world.set_capacity_rebalance(GROUP, rebalances);
        let mut taken: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (wait, count) in storms {
            world.advance_secs(wait);
            let now = world.now();
            for id in world.interrupt_group(GROUP, count) {
                prop_assert!(taken.insert(id, now).is_none());
            }
        }
        world.advance_secs(900);
        let events = world.take_due_events();
        let warned: BTreeMap<String, Timestamp> = told(&events, WARNING)
            .into_iter()
            .map(|(id, time, _)| (id, time))
            .collect();
        let hinted: BTreeSet<String> = told(&events, RECOMMENDATION)
            .into_iter()
            .map(|(id, ..)| id)
            .collect();
        for (id, at) in &taken {
            let instance = &world.state().instances[id];
            let ended = instance.ended_at.unwrap();
            // Capacity Rebalancing may have ended it before.
            let lead = SignedDuration::from_secs(if hinted.contains(id) { 60 } else { 0 });
            prop_assert!(ended <= *at + lead + NOTICE);
            if !rebalances {
                prop_assert!(ended >= *at + NOTICE);
                if let Some(time) = warned.get(id) {
                    let after = ended.duration_since(*time + NOTICE);
                    prop_assert!((0..1).contains(&after.as_secs()), "{after:?}");
                }
            }
        }
        prop_assert!(warned.keys().all(|id| taken.contains_key(id)));
        prop_assert!(lost > 0 || rebalances || warned.len() == taken.len());
        prop_assert_eq!(in_service(&world).len(), 8);
    }
}
