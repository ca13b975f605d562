//! How events travel: duplicates, delays, losses and changed orders, as often as was asked for.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use jiff::Timestamp;
use serde_json::{Value, json};
use world::{Config, Delivered, Delivery, RangeMs, World};

/// A thousand events of a source, a second apart, and what arrives.
fn thousand(source: &str, delivery: Delivery) -> Vec<Delivered> {
    let mut config = Config::new(9);
    config.delivery = delivery;
    let mut world = World::new(config);
    for number in 0..1_000 {
        world.send_event(source, "Test", &[], json!({ "number": number }));
        world.advance_secs(1);
    }
    world.advance_secs(3_600);
    world.take_due_events()
}

fn numbers(arrived: &[Delivered]) -> Vec<u64> {
    arrived
        .iter()
        .filter_map(|it| {
            it.envelope
                .pointer("/detail/number")
                .and_then(Value::as_u64)
        })
        .collect()
}

fn near(found: usize, per_mille: usize) {
    assert!(
        found.abs_diff(per_mille) <= 40,
        "{found} of 1000, wanted about {per_mille}"
    );
}

#[test]
fn by_default_every_event_comes_once_and_in_time() {
    let arrived = thousand("aws.ecs", Delivery::default());
    let mut seen = numbers(&arrived);
    assert_eq!(seen.len(), 1_000);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1_000);
    assert!(arrived.is_sorted_by_key(|it| it.at));
}

#[test]
fn duplicates_are_the_same_event_with_the_same_id() {
    let rules = Delivery {
        duplicate_per_mille: 200,
        ..Delivery::default()
    };
    let arrived = thousand("aws.ecs", rules);
    let mut by_id: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for event in &arrived {
        let id = event.envelope.get("id").unwrap().to_string();
        by_id.entry(id).or_default().push(&event.envelope);
    }
    assert_eq!(by_id.len(), 1_000);
    near(by_id.values().filter(|it| it.len() == 2).count(), 200);
    assert!(
        by_id
            .values()
            .all(|it| it.iter().all(|copy| Some(copy) == it.first()))
    );
}

#[test]
fn only_best_effort_sources_lose_events() {
    let rules = Delivery {
        lost_per_mille: 300,
        ..Delivery::default()
    };
    near(thousand("aws.ec2", rules).len(), 700);
    assert_eq!(thousand("aws.ecs", rules).len(), 1_000);
    let forced = Delivery {
        lose_guaranteed: true,
        ..rules
    };
    near(thousand("aws.ecs", forced).len(), 700);
}

#[test]
fn late_events_are_late_and_swapped_ones_change_places() {
    let punctual = Delivery {
        delay: RangeMs::new(0, 0),
        ..Delivery::default()
    };
    let arrived = thousand("aws.ecs", punctual);
    assert!(numbers(&arrived).is_sorted());

    let late = Delivery {
        late_per_mille: 100,
        late: RangeMs::new(60_000, 120_000),
        ..punctual
    };
    let arrived = thousand("aws.ecs", late);
    let lateness = |it: &Delivered| {
        let sent: Timestamp = it
            .envelope
            .get("time")
            .unwrap()
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        it.at.duration_since(sent).as_secs()
    };
    near(arrived.iter().filter(|it| lateness(it) >= 60).count(), 100);
    assert!(arrived.iter().all(|it| lateness(it) <= 120));

    let swapped = Delivery {
        delay: RangeMs::new(2_000, 2_000),
        swap_per_mille: 100,
        ..punctual
    };
    let order = numbers(&thousand("aws.ecs", swapped));
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 1_000);
    near(
        order
            .iter()
            .zip(order.iter().skip(1))
            .filter(|(one, next)| one > next)
            .count(),
        100,
    );
}

#[test]
fn a_silent_world_sends_nothing() {
    let silent = Delivery {
        silent: true,
        ..Delivery::default()
    };
    assert_eq!(thousand("aws.ecs", silent), []);
}

#[test]
fn an_envelope_is_complete() {
    let mut world = World::new(Config::new(1));
    world.add_workshop().unwrap();
    world.advance_secs(600);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for event in world.take_due_events() {
        let fields: Vec<&String> = event.envelope.as_object().unwrap().keys().collect();
        assert_eq!(fields.len(), 9);
        assert_eq!(event.envelope.get("version"), Some(&json!("0")));
        let text = event.envelope.to_string();
        assert!(!text.to_lowercase().contains("ballast"), "{text}");
        let detail = event.envelope.get("detail").unwrap();
        let kind = detail
            .get("eventName")
            .or(detail.get("lastStatus"))
            .unwrap();
        *kinds.entry(kind.as_str().unwrap().to_owned()).or_default() += 1;
    }
    expect![[r#"
        {
            "ACTIVATING": 10,
            "PENDING": 10,
            "PROVISIONING": 10,
            "RUNNING": 10,
            "SERVICE_DEPLOYMENT_COMPLETED": 2,
            "SERVICE_DEPLOYMENT_IN_PROGRESS": 2,
            "SERVICE_STEADY_STATE": 2,
        }
    "#]]
    .assert_debug_eq(&kinds);
}
