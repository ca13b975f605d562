//! What holds in every world, whatever is done to it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where its scenario is not what it says"
)]

use std::collections::BTreeMap;

use model::ServiceKey;
use model::snapshot::{Health, TaskStatus};
use model::strategy::{FARGATE, Market, StrategyItem};
use proptest::prelude::*;
use serde_json::{Value, json};
use world::{Config, Operation, World, line, split};

/// Something that is done to the world.
#[derive(Debug, Clone)]
enum Deed {
    Wait(u32),
    Capacity(u32),
    Desired(u32),
    Standby(u32),
    Deploy(u8),
    StopOne(usize),
    Interrupt(usize),
    Sicken(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (1_u32..200).prop_map(Deed::Wait),
        (0_u32..40).prop_map(Deed::Capacity),
        (0_u32..30).prop_map(Deed::Desired),
        (0_u32..15).prop_map(Deed::Standby),
        (1_u8..5).prop_map(Deed::Deploy),
        (0_usize..20).prop_map(Deed::StopOne),
        (0_usize..20).prop_map(Deed::Interrupt),
        (0_usize..20).prop_map(Deed::Sicken),
    ]
}

fn nth_task(world: &World, web: &ServiceKey, index: usize) -> Option<String> {
    let live: Vec<String> = world.live_tasks(web).into_iter().collect();
    live.get(index % live.len().max(1)).cloned()
}

fn act(world: &mut World, web: &ServiceKey, standby: &ServiceKey, deed: &Deed) {
    match deed {
        Deed::Wait(secs) => world.advance_secs(*secs),
        Deed::Capacity(capacity) => {
            world.set_capacity_everywhere("FARGATE_SPOT", world.now(), *capacity);
        }
        Deed::Desired(count) => world.set_desired_count(web, *count).unwrap(),
        Deed::Standby(count) => world.set_desired_count(standby, *count).unwrap(),
        Deed::Deploy(revision) => {
            let input = json!({
                "cluster": "container-demo", "service": "web", "taskDefinition": format!("web:{revision}"),
            });
            // Many deployments in a row may be throttled, as in AWS.
            let _answer = world.call(Operation::UpdateService, input);
        }
        Deed::StopOne(index) => {
            if let Some(task) = nth_task(world, web, *index) {
                let input = json!({ "cluster": "container-demo", "task": task });
                world.call(Operation::StopTask, input).unwrap();
            }
        }
        Deed::Interrupt(index) => {
            if let Some(task) = nth_task(world, web, *index) {
                let _was_spot = world.interrupt(&task);
            }
        }
        Deed::Sicken(index) => {
            if let Some(task) = nth_task(world, web, *index) {
                assert!(world.set_health(&task, Health::Unhealthy));
            }
        }
    }
}

/// What must hold at every moment.
fn holds(world: &World, keys: &[&ServiceKey], versions: &mut BTreeMap<String, (u64, TaskStatus)>) {
    for (key, pool) in world.pools() {
        let capacity = pool
            .capacity
            .map_or(usize::MAX, |it| usize::try_from(it).unwrap());
        if world.market_of(&key.provider) == Market::Spot {
            assert!(
                pool.kept.len() <= capacity,
                "{key}: {} of {capacity}",
                pool.kept.len()
            );
        }
        for id in &pool.reclaimed {
            let task = &world.state().tasks[id];
            let told = task.stopping_at.unwrap();
            assert!(
                world.now().duration_since(told).as_secs() <= 150
                    || task.stop_code != Some("SpotInterruption"),
                "{key}: task {id} outlives its notice"
            );
        }
    }
    for (id, task) in &world.state().tasks {
        let before = versions.insert(id.clone(), (task.version, task.last_status));
        if let Some((version, status)) = before {
            assert!(task.version >= version, "task {id}: versions go back");
            assert!(
                task.version > version || task.last_status == status,
                "task {id}: changed without a new version"
            );
            assert!(
                task.last_status >= status,
                "task {id} goes back from {status:?} to {:?}",
                task.last_status
            );
        }
    }
    for key in keys {
        books_agree(world, key);
    }
}

/// The counts that ECS gives are those of the tasks, and the account is that of the tasks.
fn books_agree(world: &World, key: &ServiceKey) {
    let observed = world.observed(key).unwrap().unwrap();
    let count = |wanted: &[TaskStatus]| {
        let number = observed
            .tasks
            .iter()
            .filter(|it| wanted.contains(&it.last_status))
            .count();
        u32::try_from(number).unwrap()
    };
    assert_eq!(observed.running_count, count(&[TaskStatus::Running]));
    assert_eq!(
        observed.pending_count,
        count(&[
            TaskStatus::Provisioning,
            TaskStatus::Pending,
            TaskStatus::Activating
        ])
    );
    let serving = |key: &ServiceKey| {
        world
            .tasks_of(key)
            .into_iter()
            .filter(|it| it.serves())
            .count()
    };
    let mut pair = serving(key);
    if key.service.as_str() == "web" {
        pair += serving(&"container-demo/web-standby".parse().unwrap());
    }
    let account = world.account(key).unwrap();
    assert_eq!(usize::try_from(account.serving).unwrap(), pair);
    assert!(account.serving_min <= account.serving);
}

/// A strategy with at most one base and at least one weight.
fn strategy() -> impl Strategy<Value = Vec<StrategyItem>> {
    let weights = prop::collection::vec(0_u32..8, 1..5);
    (weights, 0_usize..5, 0_u32..6, 1_u32..8).prop_map(|(weights, at, base, weight)| {
        let mut items: Vec<StrategyItem> = weights
            .into_iter()
            .enumerate()
            .map(|(index, weight)| line(&format!("p{index}"), 0, weight).unwrap())
            .collect();
        let at = at % items.len();
        items[at].base = base;
        items[0].weight = weight;
        items
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_world_keeps_its_books(seed in 0_u64..1_000, deeds in prop::collection::vec(deed(), 1..25)) {
        let mut world = World::new(Config::new(seed));
        let (web, standby) = world.add_workshop().unwrap();
        let mut versions = BTreeMap::new();
        for deed in &deeds {
            act(&mut world, &web, &standby, deed);
            holds(&world, &[&web, &standby], &mut versions);
            world.advance_secs(7);
            holds(&world, &[&web, &standby], &mut versions);
        }
    }

    #[test]
    fn with_capacity_every_service_gets_what_it_wants(seed in 0_u64..1_000, deeds in prop::collection::vec(deed(), 1..15)) {
        let mut world = World::new(Config::new(seed));
        let (web, standby) = world.add_workshop().unwrap();
        for deed in &deeds {
            act(&mut world, &web, &standby, deed);
        }
        world.set_capacity_everywhere("FARGATE_SPOT", world.now(), 10_000);
        world.advance_secs(3_600);
        for key in [&web, &standby] {
            let service = world.service(key).unwrap();
            let running = world.tasks_of(key).into_iter().filter(|it| it.is_live() && it.serves()).count();
            prop_assert_eq!(running, usize::try_from(service.desired_count).unwrap(), "{}", key);
            prop_assert_eq!(service.deployments.len(), 1);
        }
        // The base of the strategy is kept.
        let desired = world.service(&web).unwrap().desired_count;
        let on_demand = world.tasks_of(&web).into_iter().filter(|it| it.is_live() && it.market == Market::OnDemand).count();
        prop_assert!(on_demand >= 1 || desired == 0);
        // And the standby never ran on anything but what its strategy says.
        prop_assert!(world.tasks_of(&standby).into_iter().all(|it| it.provider.as_deref() == Some(FARGATE)));
    }

    #[test]
    fn the_same_deeds_give_the_same_world(seed in 0_u64..1_000, deeds in prop::collection::vec(deed(), 1..10)) {
        let play = || {
            let mut world = World::new(Config::new(seed));
            let (web, standby) = world.add_workshop().unwrap();
            for deed in &deeds {
                act(&mut world, &web, &standby, deed);
            }
            let events: Vec<Value> = world.take_due_events().into_iter().map(|it| it.envelope).collect();
            (world.timeline().to_string(), events, world.snapshot(&[]).unwrap())
        };
        prop_assert_eq!(play(), play());
    }

    /// The exact shares are fractions over the sum of weights; the oracle multiplies both sides by it.
    #[test]
    fn splits_are_whole_keep_the_base_and_the_quota(items in strategy(), desired in 0_u32..200) {
        let counts = split(&items, desired);
        prop_assert_eq!(counts.iter().sum::<u32>(), desired);
        let base: u32 = items.iter().map(|it| it.base).sum();
        let weights: u32 = items.iter().map(|it| it.weight).sum();
        let above = desired.saturating_sub(base);
        for (item, count) in items.iter().zip(&counts) {
            prop_assert!(*count >= item.base.min(desired));
            let own = i64::from(count.saturating_sub(item.base)) * i64::from(weights);
            let exact = i64::from(item.weight) * i64::from(above);
            // Greedy by (count + 1) / weight is d'Hondt's rule: never below the rounded down share, and above it by less than
            // one task for each other line.
            prop_assert!(own > exact - i64::from(weights), "{items:?} of {desired}: {counts:?}");
            prop_assert!(own < exact + i64::from(weights) * i64::try_from(items.len()).unwrap(), "{items:?} of {desired}: {counts:?}");
        }
        let one_more = split(&items, desired + 1);
        prop_assert!(counts.iter().zip(&one_more).all(|(before, after)| before <= after));
    }
}
