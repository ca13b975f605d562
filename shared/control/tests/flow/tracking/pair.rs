//! A Spot shortage under load: spot-fallback covers, service-scaler counts what it covers, and the two never fight.

use control::Pairs;
use model::policy::Mode;
use world::World;

use super::stage::{Scene, Stage};
use crate::stage::{acted, invoked, schedule};

/// What was asked for in each minute, of the primary and of the standby.
pub(super) type Minutes = Vec<(u32, u32)>;

/// So many minutes of both functions, each on its schedule.
pub(super) async fn both(stage: &Stage, minutes: u32, seen: &mut Minutes) -> Vec<String> {
    let mut acts = Vec::new();
    for _ in 0..minutes {
        stage.advance_secs(60);
        let fallback = stage.controller_of::<Pairs>(Mode::Act);
        let handled = fallback.handle(&schedule(), &invoked()).await;
        assert_eq!(handled.failure, None, "{:#?}", handled.record);
        acts.extend(acted(&handled));
        let handled = stage.sweep().await;
        assert_eq!(handled.failure, None, "{:#?}", handled.record);
        acts.extend(acted(&handled));
        seen.push(stage.desired());
    }
    acts
}

/// How often a count changes its direction.
fn turns(counts: impl Iterator<Item = u32>) -> usize {
    let counts: Vec<u32> = counts.collect();
    let steps = counts
        .windows(2)
        .map(|it| i64::from(it[1]) - i64::from(it[0]));
    let directions: Vec<bool> = steps.filter(|it| *it != 0).map(|it| it > 0).collect();
    directions.windows(2).filter(|it| it[0] != it[1]).count()
}

pub(super) fn dry_out(world: &mut World) {
    let now = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
}

pub(super) fn refill(world: &mut World) {
    let now = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", now, 1_000);
}

/// Ten minutes at rest, 25 without Spot capacity, and 40 with it again, under a load for six tasks. The standby's tasks are busy while they
/// start, which may take a seventh.
#[tokio::test]
async fn a_shortage_under_a_steady_load_moves_the_standby_alone() {
    let stage = Scene::steady(6).open().await;
    let mut seen = Minutes::new();
    both(&stage, 10, &mut seen).await;
    assert!(seen.iter().all(|it| *it == (6, 0)), "{seen:?}");
    stage.face.with_world(dry_out);
    both(&stage, 25, &mut seen).await;
    // Every task that the load needs runs on demand, and counts: the primary is not lowered for lack of tasks of its own.
    let (primary, standby) = *seen.last().unwrap();
    assert_eq!(primary, standby, "{seen:?}");
    stage.face.with_world(refill);
    both(&stage, 40, &mut seen).await;
    assert_eq!(seen.last().unwrap().1, 0, "{seen:?}");
    assert!(seen.iter().all(|it| (6..=7).contains(&it.0)), "{seen:?}");
    assert!(turns(seen.iter().map(|it| it.0)) <= 1, "{seen:?}");
    assert!(turns(seen.iter().map(|it| it.1)) <= 1, "{seen:?}");
    // Each service has one writer.
    let writes = stage.writes();
    assert!(writes.values().sum::<u64>() <= 8, "{writes:?} {seen:?}");
}

/// The load doubles in the midst of the shortage: the primary asks for twelve, the standby covers them, and when Spot is back the primary
/// has all of them.
#[tokio::test]
async fn a_load_that_doubles_in_a_shortage_is_served_on_demand() {
    let stage = Scene::default().open().await;
    let mut seen = Minutes::new();
    stage.face.with_world(dry_out);
    both(&stage, 35, &mut seen).await;
    let (primary, standby) = *seen.last().unwrap();
    assert!(
        primary == standby && (12..=13).contains(&primary),
        "{seen:?}"
    );
    let over_limit = stage.over_limit_requests();
    stage.face.with_world(refill);
    both(&stage, 60, &mut seen).await;
    let (primary, standby) = *seen.last().unwrap();
    assert!(standby == 0 && (12..=14).contains(&primary), "{seen:?}");
    assert!(turns(seen.iter().map(|it| it.0)) <= 1, "{seen:?}");
    assert_eq!(stage.over_limit_requests(), over_limit, "{seen:?}");
}

/// Two shortages of a quarter of an hour, half an hour apart. Half an hour after the second nothing goes to and fro any more.
#[tokio::test]
async fn after_two_shortages_an_hour_is_quiet() {
    let stage = Scene::steady(6).open().await;
    let mut seen = Minutes::new();
    for _ in 0..2 {
        stage.face.with_world(dry_out);
        both(&stage, 15, &mut seen).await;
        stage.face.with_world(refill);
        both(&stage, 30, &mut seen).await;
    }
    assert!(seen.iter().all(|it| (6..=8).contains(&it.0)), "{seen:?}");
    assert!(turns(seen.iter().map(|it| it.0)) <= 2, "{seen:?}");
    assert_eq!(both(&stage, 60, &mut seen).await, [""; 0], "{seen:?}");
    let (primary, standby) = *seen.last().unwrap();
    assert!((6..=7).contains(&primary) && standby == 0, "{seen:?}");
}
