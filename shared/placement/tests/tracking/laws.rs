//! The laws, over random states.

use std::collections::BTreeMap;

use model::Seconds;
use model::capacity::Consent;
use model::memory::{Level, Recall};
use model::outcome::OutcomeResult;
use model::snapshot::{Service, Standby};
use model::tracking::{
    Fleet, Part, Reading, Series, TargetName, TrackingHoldReason, TrackingKey, TrackingMemory,
    TrackingPlan, TrackingStepReason,
};
use placement::audit::Violation;
use placement::tracking::TrackingDecision;
use placement::tracking::audit::audit;
use proptest::prelude::*;

use crate::altered::{carried_out, growing, late_counts, less, with_target};
use crate::random::{at_rest, situation};
use crate::scene::{Scene, deployment, gap, text};

pub(crate) fn audited(scene: &Scene, plan: &TrackingPlan) -> Vec<Violation> {
    audit(plan, &scene.snapshot, &scene.memories, scene.now)
}

/// Every fleet, and every service that was passed over, is the subject of exactly one step or one hold.
pub(crate) fn accounted(scene: &Scene, decision: &TrackingDecision) {
    let mut said: BTreeMap<String, u32> = BTreeMap::new();
    let plan = &decision.plan;
    let steps = plan.steps.iter().map(|it| it.subject.to_string());
    for subject in steps.chain(plan.holds.iter().map(|it| it.subject.to_string())) {
        *said.entry(subject).or_default() += 1;
    }
    let fleets = scene.snapshot.fleets.keys().map(ToString::to_string);
    let others = scene.snapshot.passed_over.keys().map(ToString::to_string);
    let wanted: BTreeMap<String, u32> = fleets.chain(others).map(|it| (it, 1)).collect();
    assert_eq!(said, wanted, "{}", text(decision));
}

/// What each service's desired count comes to.
pub(crate) fn results(scene: &Scene) -> BTreeMap<TrackingKey, u32> {
    let mut results: BTreeMap<TrackingKey, u32> = BTreeMap::new();
    for (key, fleet) in &scene.snapshot.fleets {
        results.insert(key.clone(), fleet.primary.desired_count);
    }
    for step in scene.decide().plan.steps {
        let (_, to) = step.counts();
        results.insert(step.subject, to);
    }
    results
}

/// No service comes to fewer tasks in `more` than in `scene`.
#[track_caller]
fn never_fewer(scene: &Scene, more: &Scene) -> Result<(), TestCaseError> {
    let after = results(more);
    for (key, count) in results(scene) {
        let plans = (text(&scene.decide()), text(&more.decide()));
        prop_assert!(
            after[&key] >= count,
            "{}\n{}then\n{}",
            key,
            plans.0,
            plans.1
        );
    }
    Ok(())
}

fn standby(service: &Option<Standby>) -> Option<&Service> {
    match service {
        Some(Standby::Present(service)) => Some(service),
        Some(Standby::Missing | Standby::Unknown) | None => None,
    }
}

/// Whether a step may be followed by another at once. What the maximum takes may be tasks on their way: without those, the load alone may
/// take more. Of raises that follow each other within half a minute, each is measured from where the one before it began.
fn may_be_followed(scene: &Scene, key: &TrackingKey) -> bool {
    let plan = scene.decide().plan;
    let Some(step) = plan.steps.iter().find(|it| it.subject == *key) else {
        return false;
    };
    let fleet = &scene.snapshot.fleets[key];
    let wrote = match scene.memories.get(key) {
        Some(Recall::Known(memory)) => memory.wrote,
        Some(Recall::Unknown) | None => None,
    };
    let desired = fleet.primary.desired_count;
    let was_raised = wrote.is_some_and(|it| {
        it.from < it.to && it.to == desired && scene.now.as_second() - it.at.as_second() < 30
    });
    match &step.reason {
        TrackingStepReason::AboveMaximum { .. } => fleet.primary.pending_count > 0,
        TrackingStepReason::ScaleOut { .. } | TrackingStepReason::BelowMinimum { .. } => was_raised,
        TrackingStepReason::ScaleIn { .. } => false,
    }
}

type Memories = BTreeMap<TrackingKey, Recall<TrackingMemory>>;

/// What is remembered after a look.
fn remembered(decision: &TrackingDecision) -> Memories {
    let all = decision.memories.iter();
    all.map(|(key, memory)| (key.clone(), Recall::Known(memory.clone())))
        .collect()
}

/// When tasks became fewer last, by what is remembered.
fn fell(memories: &Memories, key: &TrackingKey) -> Vec<Option<Level>> {
    match memories.get(key) {
        Some(Recall::Known(memory)) => {
            let both = [memory.there, memory.standby_there];
            both.map(|it| it.and_then(|it| it.fell)).into()
        }
        Some(Recall::Unknown) | None => Vec::new(),
    }
}

/// Whether more tasks were asked for before than run or are asked for, of the primary or of the standby.
fn asked_for_more(scene: &Scene, key: &TrackingKey, fleet: &Fleet) -> bool {
    let Some(Recall::Known(memory)) = scene.memories.get(key) else {
        return false;
    };
    let more = |levels: &[Level], service: &Service| {
        let there = service.desired_count.max(service.running_count);
        levels.iter().any(|it| it.tasks > there)
    };
    let of_standby = match &fleet.standby {
        Some(Standby::Present(standby)) => more(&memory.standby_levels, standby),
        Some(Standby::Missing | Standby::Unknown) | None => false,
    };
    of_standby || more(&memory.levels, &fleet.primary)
}

/// The same with a forecast from the peak of so many seconds, or without one.
fn forecasting(scene: &Scene, peak: Option<i64>) -> Scene {
    let mut scene = scene.clone();
    for fleet in scene.snapshot.fleets.values_mut() {
        if let Ok(policy) = &mut fleet.policy {
            policy.pace.forecast = peak.is_some();
            policy.pace.forecast_peak = Seconds(peak.unwrap_or(0));
        }
    }
    scene
}

proptest! {
    #[test]
    fn everything_in_scope_is_accounted_for(scene in situation()) {
        accounted(&scene, &scene.decide());
    }

    #[test]
    fn the_audit_finds_nothing(scene in situation()) {
        let decision = scene.decide();
        let found = audited(&scene, &decision.plan);
        prop_assert!(found.is_empty(), "{:?} in\n{}", found, text(&decision));
    }

    /// Each service is decided about by itself.
    #[test]
    fn the_same_inputs_give_the_same_plan(scene in situation()) {
        let decision = scene.decide();
        prop_assert_eq!(&decision, &scene.decide());
        for key in scene.snapshot.fleets.keys() {
            let mut alone = scene.clone();
            alone.snapshot.fleets.retain(|it, _| it == key);
            let alone = alone.decide();
            let of_key = decision.plan.steps.iter().find(|it| it.subject == *key);
            prop_assert_eq!(of_key, alone.plan.steps.first());
            prop_assert_eq!(decision.memories.get(key), alone.memories.get(key));
        }
    }

    /// Law 8: a step is about the tracked service itself, which asked for it, and never about a standby.
    #[test]
    fn nothing_happens_without_opt_in_nor_to_a_standby(scene in situation()) {
        for step in scene.decide().plan.steps {
            let fleet = &scene.snapshot.fleets[&step.subject];
            let model::plan::Action::SetDesiredCount { service, .. } = &step.action;
            prop_assert_eq!(service, &step.subject.0);
            prop_assert!(!fleet.primary.tags.contains_key("ballast:standby-of"));
            let standbys = scene.snapshot.fleets.values().filter_map(|it| standby(&it.standby));
            prop_assert!(standbys.into_iter().all(|it| it.key != *service));
            let policy = fleet.policy.as_ref().unwrap();
            prop_assert!(policy.consent == Consent::Act && !policy.paused);
        }
    }

    /// Law 3: what was done, and shows, leaves nothing to do, at once and while tasks start.
    #[test]
    fn a_plan_that_worked_leaves_nothing_to_do(scene in situation()) {
        let mut after = carried_out(&scene, &OutcomeResult::Done, true);
        after.memories.retain(|_, it| !matches!(it, Recall::Unknown));
        let unknown = |key: &TrackingKey| matches!(scene.memories.get(key), Some(Recall::Unknown));
        let again = after.decide();
        for step in &again.plan.steps {
            // Where what somebody had added is undone, the look after that finds that tasks became fewer.
            let became_fewer = fell(&after.memories, &step.subject) != fell(&remembered(&again), &step.subject);
            let is_excused = became_fewer || unknown(&step.subject) || may_be_followed(&scene, &step.subject);
            prop_assert!(is_excused, "{}then\n{}", text(&scene.decide()), text(&again));
        }
    }

    /// A write that does not show yet is not written again, nor taken for somebody else's.
    #[test]
    fn a_write_that_does_not_show_yet_is_waited_for(scene in situation()) {
        let results = [OutcomeResult::Done, OutcomeResult::AlreadySo];
        for result in results {
            let after = carried_out(&scene, &result, false);
            let again = after.decide();
            for step in scene.decide().plan.steps {
                if scene.memories.get(&step.subject) == Some(&Recall::Unknown) {
                    continue;
                }
                let hold = again.plan.holds.iter().find(|it| it.subject == step.subject);
                let is_waiting = hold.is_some_and(|it| {
                    matches!(it.reason, TrackingHoldReason::OwnWriteNotVisible { .. })
                });
                prop_assert!(is_waiting, "{}then\n{}", text(&scene.decide()), text(&again));
            }
        }
    }

    /// Law 5: with less known, no service is lowered further, nor lowered at all if it was not before.
    #[test]
    fn less_information_never_lowers(
        scene in situation(),
        which in 0..14_usize,
        picks in prop::collection::vec(any::<usize>(), 1..40),
    ) {
        let less = less(&scene, which, &picks);
        let known = results(&scene);
        for (key, count) in results(&less) {
            let desired = scene.snapshot.fleets[&key].primary.desired_count;
            let plans = (text(&scene.decide()), text(&less.decide()));
            prop_assert!(count >= known[&key].min(desired), "{}then\n{}", plans.0, plans.1);
        }
    }

    /// Law 5: a count that is not there yet does not lower either, with a forecast by days that grow the same a minute earlier, or without.
    #[test]
    fn a_count_that_is_late_never_lowers(
        scene in situation(),
        peak in prop::sample::select(vec![None, Some(0_i64), Some(300), Some(1_800)]),
        percent in prop::sample::select(vec![100_i64, 150]),
    ) {
        let (known, less) = late_counts(&growing(&forecasting(&scene, peak), percent));
        let (plan, after) = (results(&known), results(&less));
        for hold in &known.decide().plan.holds {
            // More are counted than can have run: without the newest count that is not seen yet.
            if matches!(hold.reason, TrackingHoldReason::Unfollowed { .. }) {
                return Ok(());
            }
        }
        for (key, count) in after {
            let desired = known.snapshot.fleets[&key].primary.desired_count;
            let plans = (text(&known.decide()), text(&less.decide()));
            prop_assert!(count >= plan[&key].min(desired), "{}then\n{}", plans.0, plans.1);
        }
    }

    /// Law 5: nothing that is not known, and nothing that goes on, keeps a load from getting what it needs.
    #[test]
    fn a_raise_needs_no_rest(scene in situation(), which in 0..5_usize) {
        let mut busy = scene.clone();
        for (key, fleet) in &mut busy.snapshot.fleets {
            match which {
                0 => fleet.primary.deployments = vec![deployment(1, true, true)],
                1 => {
                    fleet.primary.pending_count += 1;
                    // It has been so from now on.
                    if let Some(Recall::Known(memory)) = busy.memories.get_mut(key) {
                        memory.pending = None;
                    }
                }
                2 => fleet.gaps.push(gap("cloudwatch:GetMetricData")),
                3 if fleet.primary.scaled_by_application_auto_scaling == Some(false) => {
                    fleet.primary.scaled_by_application_auto_scaling = None;
                    // It said so a minute ago.
                    if let Some(Recall::Known(memory)) = busy.memories.get_mut(key) {
                        memory.scaled_by_application_auto_scaling = Some(false);
                    }
                }
                _ => {}
            }
        }
        if which == 4 {
            let all = scene.snapshot.fleets.iter().filter(|(_, it)| it.primary.desired_count > 0);
            // Of requests no more count than were asked for, which the ledger alone tells.
            let all = all.filter(|(key, fleet)| !asked_for_more(&scene, key, fleet));
            busy.memories.extend(all.map(|(key, _)| (key.clone(), Recall::Unknown)));
        }
        let after = results(&busy);
        for step in scene.decide().plan.steps {
            let (from, to) = step.counts();
            let advised = busy.decide().plan.holds.into_iter().any(|it| {
                it.subject == step.subject
                    && matches!(it.reason, TrackingHoldReason::AdviceOnly { .. })
            });
            // From where somebody else took tasks away is not known then, and a step goes as far as from what is found.
            let percent = busy.snapshot.fleets[&step.subject].policy.as_ref().unwrap().pace.raise_max_percent;
            let farthest = if which == 4 { from + (from * percent / 100).max(4) } else { to };
            if to > from && from > 0 && !advised {
                prop_assert!(after[&step.subject] >= to.min(farthest), "{}\n{}", step, text(&busy.decide()));
            }
        }
    }

    /// Out if any, in only if all: one target more never leads to fewer tasks.
    #[test]
    fn a_target_more_never_leads_to_fewer(
        scene in situation(),
        tasks in prop::sample::select(vec![0_i64, 1, 3, 5, 9, 10, 12, 30, 200]),
        name in prop::sample::select(vec![TargetName::Cpu, TargetName::Alarm, TargetName::Requests]),
    ) {
        never_fewer(&scene, &with_target(&scene, name, tasks))?;
    }

    /// A load that was higher, now or at any time, never leads to fewer tasks.
    #[test]
    fn more_load_never_leads_to_fewer(
        scene in situation(),
        percent in 100..300_i64,
        picks in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut more = scene.clone();
        let fleets = more.snapshot.fleets.values_mut();
        for reading in fleets.flat_map(|it| it.readings.values_mut()) {
            let Reading::Read { recent, .. } = reading else { continue };
            for it in recent {
                let count = it.points.len();
                for (index, point) in it.points.iter_mut().enumerate() {
                    if picks.is_empty() || picks.iter().any(|pick| pick % count == index) {
                        point.value_milli = point.value_milli.saturating_mul(percent) / 100 + 1;
                    }
                }
            }
        }
        never_fewer(&scene, &more)?;
    }

    /// The forecast may only raise, and keep from lowering, wherever it starts from.
    #[test]
    fn a_forecast_never_leads_to_fewer(
        scene in situation(),
        peak in prop::sample::select(vec![0_i64, 60, 300, 1_800, 3_600]),
    ) {
        never_fewer(&forecasting(&scene, None), &forecasting(&scene, Some(peak)))?;
    }

    /// Where no day tells, an older peak may only raise, and keep from lowering.
    #[test]
    fn an_older_peak_alone_never_leads_to_fewer(
        scene in situation(),
        peaks in prop::sample::select(vec![(0_i64, 60_i64), (60, 300), (300, 1_800), (0, 3_600)]),
    ) {
        let mut scene = scene;
        let fleets = scene.snapshot.fleets.values_mut();
        for reading in fleets.flat_map(|it| it.readings.values_mut()) {
            if let Reading::Read { season, .. } = reading {
                season.clear();
            }
        }
        never_fewer(&forecasting(&scene, Some(peaks.0)), &forecasting(&scene, Some(peaks.1)))?;
    }

    /// What counts as no load while it warms up keeps from raising, and never lowers.
    #[test]
    fn a_warm_up_only_keeps_from_raising(
        scene in situation(),
        warm_up in prop::sample::select(vec![20_i64, 60, 120, 600]),
    ) {
        let (mut with, mut without) = (scene.clone(), scene);
        for (scene, warm_up) in [(&mut with, warm_up), (&mut without, 0)] {
            for fleet in scene.snapshot.fleets.values_mut() {
                if let Ok(policy) = &mut fleet.policy {
                    policy.pace.warm_up = Seconds(warm_up);
                }
            }
        }
        never_fewer(&with, &without)?;
        let after = results(&with);
        for (key, count) in results(&without) {
            let desired = with.snapshot.fleets[&key].primary.desired_count;
            if count <= desired {
                prop_assert_eq!(after[&key], count, "{}then\n{}", text(&without.decide()), text(&with.decide()));
            }
        }
    }

    /// Who only gives advice, or is paused, changes nothing.
    #[test]
    fn advice_changes_nothing(scene in situation(), paused in any::<bool>()) {
        let mut scene = scene;
        for fleet in scene.snapshot.fleets.values_mut() {
            if let Ok(policy) = &mut fleet.policy {
                policy.paused = paused;
                policy.consent = Consent::Advise;
            }
        }
        prop_assert!(scene.decide().plan.steps.is_empty());
    }

    /// The pair is one fleet: which of the two services runs a task changes nothing.
    #[test]
    fn who_of_the_pair_serves_changes_nothing(scene in at_rest(), moved in 1..50_u32) {
        let mut scene = scene;
        let fleet = scene.fleet();
        if standby(&fleet.standby).is_none() {
            let mut other = fleet.primary.clone();
            other.key = "demo/web-standby".parse().unwrap();
            other.running_count = 0;
            fleet.standby = Some(Standby::Present(Box::new(other)));
        }
        let desired = fleet.primary.desired_count;
        let Some(Standby::Present(it)) = &mut fleet.standby else { return Ok(()) };
        it.running_count = 0;
        // Both show the same value, and each as many tasks as it runs, at all times.
        let primary = fleet.readings.values().find_map(|it| match it {
            Reading::Read { recent, .. } => recent.iter().find(|it| it.part == Part::Primary),
            Reading::Unusable { .. } | Reading::Unread => None,
        });
        let Some(primary) = primary.cloned() else { return Ok(()) };
        let split = |scene: &Scene, on_standby: u32| {
            let mut scene = scene.clone();
            let fleet = scene.fleet();
            fleet.primary.running_count = desired - on_standby;
            fleet.task_counts.clear();
            for (part, count) in [(Part::Primary, desired - on_standby), (Part::Standby, on_standby)] {
                let mut counts = primary.clone();
                counts.part = part;
                for point in &mut counts.points {
                    point.value_milli = i64::from(count) * 1_000;
                }
                fleet.task_counts.push(counts);
            }
            if let Some(Standby::Present(it)) = &mut fleet.standby {
                // As many as are asked for: no more count for requests.
                it.desired_count = on_standby;
                it.running_count = on_standby;
            }
            for reading in fleet.readings.values_mut() {
                let Reading::Read { recent, season } = reading else { continue };
                season.clear();
                let Some(of_primary) = recent.iter().find(|it| it.part == Part::Primary).cloned() else { continue };
                recent.retain(|it| it.part != Part::Standby);
                if on_standby > 0 {
                    recent.push(Series { part: Part::Standby, ..of_primary });
                }
                if on_standby == desired {
                    recent.retain(|it| it.part != Part::Primary);
                }
            }
            scene
        };
        let (one, other) = (split(&scene, 0), split(&scene, moved.min(desired)));
        prop_assert_eq!(results(&one), results(&other), "{}then\n{}", text(&one.decide()), text(&other.decide()));
    }
}
