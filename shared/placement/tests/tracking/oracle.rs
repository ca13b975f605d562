//! Which states raise, which lower, and to what: an own reading of the rules, by plain counting over maps of minutes. It shares no code with
//! the rules or the audit, and says for every state what the desired count comes to.

use jiff::Timestamp;
use model::capacity::Consent;
use model::memory::{Recall, Write};
use model::snapshot::{Scheduling, Service, ServiceStatus, Standby};
use model::tracking::{
    Direction, Measures, Part, Reading, Span, TargetName, There, TrackingKey, TrackingMemory,
    TrackingPolicy, Turn,
};
use proptest::prelude::*;

use crate::laws::{audited, results};
use crate::oracle_loads::{Fleets, Says, up};
use crate::planted::somebody_set;
use crate::random::{at_rest, situation};
use crate::scene::{Scene, text};

/// What is remembered, as far as it is about this very service.
fn remembered(scene: &Scene, key: &TrackingKey) -> Option<TrackingMemory> {
    let memory = match scene.memories.get(key) {
        None => TrackingMemory::default(),
        Some(Recall::Known(memory)) => memory.clone(),
        Some(Recall::Unknown) => return None,
    };
    let made = scene.snapshot.fleets[key].primary.created_at;
    let is_another = memory
        .wrote
        .is_some_and(|wrote| made.is_some_and(|it| it.as_second() - wrote.at.as_second() > 30));
    Some(if is_another {
        TrackingMemory::default()
    } else {
        memory
    })
}

/// What somebody else wants at least.
fn foreign_floor(memory: &TrackingMemory, seen: u32, hold: i64, now: i64) -> Option<u32> {
    let wrote = memory.wrote?;
    let lasts = |at: jiff::Timestamp| now - at.as_second() < hold;
    let edit = memory.foreign.filter(|it| lasts(it.noticed_at));
    let was = memory.foreign.is_some_and(|it| it.found == seen);
    let is_own = wrote.to == seen || (wrote.from == seen && !wrote.confirmed);
    match (is_own, edit) {
        (true, Some(it)) if wrote.to == seen && wrote.at < it.noticed_at => None,
        (true, edit) => edit.map(|it| it.found),
        (false, None) if was => None,
        (false, _) => Some(seen),
    }
}

/// What Ballast had asked for before somebody else asked for less; 0 where nobody did.
fn asked_before(memory: &TrackingMemory, seen: u32, hold: i64, now: i64) -> u32 {
    if foreign_floor(memory, seen, hold, now).is_none() {
        return 0;
    }
    let wrote = memory.wrote.map_or(0, |it| it.to);
    let is_own = memory
        .wrote
        .is_some_and(|it| it.to == seen || (it.from == seen && !it.confirmed));
    match memory.foreign {
        Some(edit) if is_own || edit.found == seen => edit.wrote,
        Some(_) | None => wrote,
    }
}

/// Whether Application Auto Scaling said that it does not scale the service, now or the last time that it said anything.
fn is_known_to_be_nobody_elses(scene: &Scene, key: &TrackingKey) -> bool {
    let said = scene.snapshot.fleets[key]
        .primary
        .scaled_by_application_auto_scaling;
    let before = match scene.memories.get(key) {
        Some(Recall::Known(memory)) => memory.scaled_by_application_auto_scaling,
        Some(Recall::Unknown) | None => None,
    };
    said == Some(false) || (said.is_none() && before == Some(false))
}

/// Whether it may be touched at all, and whether what is seen is settled.
fn is_in_hand(scene: &Scene, key: &TrackingKey, policy: &TrackingPolicy) -> bool {
    let primary = &scene.snapshot.fleets[key].primary;
    let is_ours = primary.status == ServiceStatus::Active
        && primary.scheduling == Scheduling::Replica
        && is_known_to_be_nobody_elses(scene, key)
        && !primary.tags.contains_key("ballast:standby-of")
        && policy.consent == Consent::Act
        && !policy.paused;
    let (now, seen) = (scene.now.as_second(), primary.desired_count);
    let wrote = remembered(scene, key).and_then(|it| it.wrote);
    let under_way = |it: Write| it.from == seen && it.to != seen && now - it.at.as_second() < 60;
    let set_to_0 =
        |it: Write| (it.to == 0 && it.from > 0) || (it.from == 0 && it.to > 0 && !it.confirmed);
    let is_off = seen == 0 && !wrote.is_some_and(set_to_0);
    is_ours && !is_off && !wrote.is_some_and(under_way)
}

/// Whether something is not known, or goes on, that keeps it from being lowered.
fn is_restless(scene: &Scene, key: &TrackingKey) -> bool {
    let fleet = &scene.snapshot.fleets[key];
    let primary = &fleet.primary;
    let names = [
        "*".to_owned(),
        key.0.cluster.to_string(),
        key.to_string(),
        format!("{key}-standby"),
    ];
    let mut gaps = scene.snapshot.gaps.iter();
    gaps.any(|it| names.contains(&it.resource))
        || !fleet.gaps.is_empty()
        || primary.scaled_by_application_auto_scaling.is_none()
        || fleet.standby == Some(Standby::Unknown)
        || primary.deployments.len() > 1
        || primary.deployments.iter().any(|it| it.in_progress)
}

/// What each target says; whether one of them leads nowhere.
fn said(fleets: &Fleets<'_>, memory: &Recall<TrackingMemory>) -> (Vec<Says>, bool) {
    let mut unfollowed = false;
    let mut all = Vec::new();
    let is_miscounted = match memory {
        Recall::Unknown => false,
        Recall::Known(memory) => {
            let lasts = memory.miscount.as_ref().is_some_and(|it| {
                it.resolution == fleets.fleet.resolution && fleets.now - it.at.as_second() < 600
            });
            lasts || fleets.counts_too_many(memory)
        }
    };
    for (name, target) in &fleets.policy.targets {
        if is_miscounted && target.measures == Measures::PerTask {
            unfollowed = true;
            continue;
        }
        match fleets.fleet.readings.get(name) {
            Some(Reading::Read { recent, season }) => {
                let of_name = Fleets {
                    of_requests: *name == TargetName::Requests,
                    levels: fleets.levels.clone(),
                    standby_levels: fleets.standby_levels.clone(),
                    ..*fleets
                };
                match of_name.says(target, recent, season) {
                    Says::Load { since, .. } if fleets.was_wrong(target, memory, since) => {
                        unfollowed = true;
                    }
                    says @ (Says::Load { .. } | Says::Unknown) => all.push(says),
                }
            }
            Some(Reading::Unread) | None => all.push(Says::Unknown),
            Some(Reading::Unusable { .. }) => unfollowed = true,
        }
    }
    (all, unfollowed)
}

/// Until when more tasks were counted than ran, by what is remembered.
fn wrong_until(scene: &Scene, key: &TrackingKey) -> Option<i64> {
    match scene.memories.get(key)? {
        Recall::Known(memory) => Some(memory.miscount.as_ref()?.at.as_second() + 600),
        Recall::Unknown => None,
    }
}

/// From when to when looks found no task, with what this one finds.
fn empty(scene: &Scene, key: &TrackingKey) -> Option<(i64, i64)> {
    let fleet = &scene.snapshot.fleets[key];
    let now = scene.now.as_second();
    let before = match scene.memories.get(key) {
        Some(Recall::Known(memory)) => memory.empty,
        Some(Recall::Unknown) => return None,
        None => None,
    };
    let seconds = |it: Span| {
        let until = it.until.map(Timestamp::as_second);
        (it.since.as_second(), until)
    };
    let standby = match &fleet.standby {
        Some(Standby::Present(it)) => it.running_count,
        Some(Standby::Missing) | None => 0,
        Some(Standby::Unknown) if fleet.primary.running_count == 0 => {
            let (since, until) = seconds(before?);
            return Some((since, until.unwrap_or(i64::MAX)));
        }
        Some(Standby::Unknown) => 1,
    };
    let runs = fleet.primary.running_count + standby > 0;
    match (before.map(seconds), runs) {
        (Some((since, None)), true) => Some((since, now)),
        (Some((since, Some(until))), true) => Some((since, until)),
        (Some((since, None)), false) => Some((since, i64::MAX)),
        (Some((_, Some(_))) | None, false) => Some((now, i64::MAX)),
        (None, true) => None,
    }
}

/// When looks found fewer tasks, with what this one finds. Those that somebody else took from the primary are there.
fn fewer(scene: &Scene, key: &TrackingKey) -> [Option<(i64, u32)>; 2] {
    let fleet = &scene.snapshot.fleets[key];
    let (primary, standby, written) = match scene.memories.get(key) {
        Some(Recall::Known(memory)) => {
            let found = memory.foreign.map_or(0, |it| it.found);
            let written = memory.wrote.map_or(found, |it| it.to.max(found));
            (memory.there, memory.standby_there, written)
        }
        Some(Recall::Unknown) => return [None; 2],
        None => (None, None, 0),
    };
    let fell = |known: Option<There>, [running, asked, written]: [u32; 3]| {
        let found = running.max(asked).max(written);
        let known = known?;
        if found < known.tasks {
            return Some((scene.now.as_second(), found));
        }
        known.fell.map(|it| (it.at.as_second(), it.tasks))
    };
    let counts = |it: &Service, written| [it.running_count, it.desired_count, written];
    let of_standby = match &fleet.standby {
        Some(Standby::Present(it)) => counts(it, 0),
        Some(Standby::Missing | Standby::Unknown) | None => [u32::MAX; 3],
    };
    [
        fell(primary, counts(&fleet.primary, written)),
        fell(standby, of_standby),
    ]
}

/// From when on how many were asked for, with what this look finds.
fn levels(scene: &Scene, key: &TrackingKey, part: Part) -> Vec<(i64, u32)> {
    let fleet = &scene.snapshot.fleets[key];
    let asked = match (part, &fleet.standby) {
        (Part::Primary, _) => Some(fleet.primary.desired_count),
        (_, Some(Standby::Present(it))) => Some(it.desired_count),
        (_, Some(Standby::Missing | Standby::Unknown) | None) => None,
    };
    let before = match scene.memories.get(key) {
        Some(Recall::Known(memory)) if part == Part::Primary => memory.levels.clone(),
        Some(Recall::Known(memory)) => memory.standby_levels.clone(),
        Some(Recall::Unknown) => return Vec::new(),
        None => Vec::new(),
    };
    let levels = before.iter().map(|it| (it.at.as_second(), it.tasks));
    let mut levels: Vec<_> = levels.collect();
    if let Some(asked) = asked.filter(|it| levels.last().is_none_or(|last| last.1 != *it)) {
        let wrote = match scene.memories.get(key) {
            Some(Recall::Known(memory)) if part == Part::Primary => memory.wrote,
            Some(Recall::Known(_) | Recall::Unknown) | None => None,
        };
        let written = wrote
            .filter(|it| it.to == asked)
            .map(|it| it.at.as_second());
        let is_later = |at: &i64| levels.iter().all(|it| it.0 < *at);
        let at = written.filter(is_later).unwrap_or(scene.now.as_second());
        levels.push((at, asked));
    }
    levels
}

/// How far one step may raise.
fn farthest(memory: Option<&TrackingMemory>, seen: u32, policy: &TrackingPolicy, now: i64) -> u32 {
    let wrote = memory.and_then(|it| it.wrote);
    let is_recent = |it: &Write| it.to == seen && it.from < seen && now - it.at.as_second() < 30;
    let base = wrote.filter(is_recent).map_or(seen, |it| it.from);
    let before = memory.map_or(0, |it| asked_before(it, seen, policy.foreign_hold.0, now));
    let base = base.max(before);
    base + (base * policy.pace.raise_max_percent / 100).max(4)
}

/// What the desired count comes to.
pub(crate) fn wanted(scene: &Scene, key: &TrackingKey) -> u32 {
    let fleet = &scene.snapshot.fleets[key];
    let seen = fleet.primary.desired_count;
    let policy = match &fleet.policy {
        Ok(policy) if is_in_hand(scene, key, policy) => policy,
        Ok(_) | Err(_) => return seen,
    };
    let now = scene.now.as_second();
    let memory = remembered(scene, key);
    let fleets = Fleets {
        fleet,
        policy,
        now,
        counted_wrong_until: wrong_until(scene, key),
        empty: empty(scene, key),
        fewer: fewer(scene, key),
        of_requests: false,
        levels: levels(scene, key, Part::Primary),
        standby_levels: levels(scene, key, Part::Standby),
    };
    let turn = memory.as_ref().and_then(|it| it.turn);
    let (least, most) = fleets.bounds();
    let never_seen = Recall::Known(TrackingMemory::default());
    let (all, unfollowed) = said(&fleets, scene.memories.get(key).unwrap_or(&never_seen));
    let hold = policy.foreign_hold.0;
    let was_lowered = memory.as_ref().is_some_and(|it| {
        let floor = foreign_floor(it, seen, hold, now);
        floor.is_some_and(|floor| floor < asked_before(it, seen, hold, now))
    });
    let rises = rises(&all, seen, turn, policy, was_lowered);
    let farthest = farthest(memory.as_ref(), seen, policy, now);
    if seen < least {
        return rises.unwrap_or(0).min(farthest).min(most).max(least);
    }
    if let Some(needed) = rises
        && seen <= most
    {
        let is_stuck = memory.is_some_and(|it| fleets.has_nowhere_to_place(&it));
        let to = needed.min(farthest).min(most);
        return if is_stuck { seen } else { to.max(seen) };
    }
    let Some(memory) = memory.filter(|_| !is_restless(scene, key)) else {
        return seen;
    };
    let floor = foreign_floor(&memory, seen, policy.foreign_hold.0, now);
    let falls = falls(&all, seen, turn, policy, now).filter(|_| !unfollowed);
    let mut run = fleet.primary.running_count;
    let mut pending = fleets.coming(&fleet.primary, memory.pending);
    if let Some(Standby::Present(it)) = &fleet.standby {
        run += it.running_count;
        pending += fleets.coming(it, memory.standby_pending);
    }
    let to = falls.map(|it| it.max(least).max(floor.unwrap_or(0)));
    let to = to.filter(|it| *it < seen && *it <= run && pending == 0);
    match to {
        Some(to) if seen <= most || to <= most => to,
        _ if seen > most && floor.is_none_or(|it| it <= most) => most,
        _ => seen,
    }
}

/// The most that any target asks for, above what is asked for.
fn rises(
    all: &[Says],
    seen: u32,
    turn: Option<Turn>,
    policy: &TrackingPolicy,
    was_lowered: bool,
) -> Option<u32> {
    let was_in = turn.is_some_and(|it| it.direction == Direction::In);
    let tolerance = u128::from(policy.pace.tolerance_percent);
    let asks = all.iter().filter_map(|it| match it {
        Says::Unknown => None,
        Says::Load {
            expected,
            soon,
            least,
            ..
        } => {
            let expected = if was_lowered { soon } else { expected };
            let needed = up(*expected, 1_000).max(*least);
            let overcomes = expected * 100 > u128::from(seen) * 1_000 * (100 + tolerance);
            let counts = !was_in || overcomes || u128::from(seen) < *least;
            let needed = u32::try_from(needed).unwrap_or(u32::MAX);
            (needed > seen && counts).then_some(needed)
        }
    });
    asks.max()
}

/// What all targets let it fall to.
fn falls(
    all: &[Says],
    seen: u32,
    turn: Option<Turn>,
    policy: &TrackingPolicy,
    now: i64,
) -> Option<u32> {
    let tolerance = u128::from(policy.pace.tolerance_percent);
    let was_in = turn.is_some_and(|it| it.direction == Direction::In);
    let mut to = 0;
    for it in all {
        let Says::Load {
            greatest: Some(load),
            least,
            ..
        } = it
        else {
            return None;
        };
        let goal = up(up(load * (100 + tolerance), 100), 1_000).max(*least);
        let is_far = goal * 100 * 1_000 <= u128::from(seen) * 1_000 * (100 - tolerance);
        if goal >= u128::from(seen) || !(was_in || is_far) {
            return None;
        }
        to = to.max(u32::try_from(goal).unwrap());
    }
    let kept = policy.pace.turn_hold.0;
    let is_kept =
        turn.is_some_and(|it| it.direction == Direction::Out && now - it.at.as_second() < kept);
    (!is_kept).then_some(to)
}

fn agrees(scene: &Scene) -> Result<(), TestCaseError> {
    for (key, count) in results(scene) {
        prop_assert_eq!(
            count,
            wanted(scene, &key),
            "{} in\n{}",
            key,
            text(&scene.decide())
        );
    }
    Ok(())
}

proptest! {
    /// Both ways: what must happen happens, and nothing else does.
    #[test]
    fn it_is_what_the_oracle_says(scene in situation()) {
        agrees(&scene)?;
    }

    #[test]
    fn at_rest_the_load_alone_decides(scene in at_rest()) {
        agrees(&scene)?;
    }

    /// A maximum around what somebody else set, which Ballast raised since.
    #[test]
    fn a_maximum_leaves_what_somebody_set(
        scene in at_rest(),
        set in 1..30_u32,
        more in prop::sample::select(vec![-1_i32, 0, 1, 10]),
    ) {
        let mut scene = scene;
        let desired = scene.primary().desired_count;
        scene.wrote(set, desired, 600, true);
        somebody_set(&mut scene, set, 1_200);
        scene.bounds(0, set.saturating_add_signed(more));
        agrees(&scene)?;
        let found = audited(&scene, &scene.decide().plan);
        prop_assert!(found.is_empty(), "{:?} in\n{}", found, text(&scene.decide()));
    }
}
