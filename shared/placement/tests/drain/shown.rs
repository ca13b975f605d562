//! A plan as operators read it, and whether it accounts for everything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::Expect;
use model::InstanceId;
use model::capacity::ContainerInstanceStatus;
use model::drain::{DrainHoldReason, DrainKey, DrainStepReason, DrainSubject};
use model::memory::Recall;
use placement::drain::DrainDecision;

use super::scene::Scene;

/// A plan as operators read it: steps, then holds, one a line.
pub(crate) fn text(decision: &DrainDecision) -> String {
    let mut text = String::new();
    for step in &decision.plan.steps {
        writeln!(text, "{step}").unwrap();
    }
    for hold in &decision.plan.holds {
        writeln!(text, "{hold}").unwrap();
    }
    text
}

/// Compares the plan with what is expected of it, and checks that everything in scope is accounted for once.
#[track_caller]
pub(crate) fn check(scene: &Scene, expected: &Expect) {
    let decision = scene.decide();
    accounted(scene, &decision);
    expected.assert_eq(&text(&decision));
}

/// Every group, every instance that was looked at or named and every wait in a hook is in exactly one step or hold. Tasks that are stopped
/// are counted with their instance.
#[track_caller]
pub(crate) fn accounted(scene: &Scene, decision: &DrainDecision) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut count = |name: String| *seen.entry(name).or_default() += 1;
    let steps = decision.plan.steps.iter().map(|it| &it.subject);
    let holds = decision.plan.holds.iter().map(|it| &it.subject);
    for subject in steps.chain(holds) {
        match subject {
            DrainSubject::Group { key } => count(key.to_string()),
            DrainSubject::Instances { key, instances } => {
                assert!(instances.is_sorted(), "{subject}");
                for id in instances {
                    count(format!("{key} {id}"));
                }
            }
            DrainSubject::LifecycleAction { key, instance, .. } => {
                count(format!("{key} {instance} waits"));
            }
            DrainSubject::Task { .. } => {}
        }
    }
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for (key, group) in &scene.snapshot.groups {
        wanted.insert(key.to_string(), 1);
        for (id, instance) in &group.instances {
            wanted.insert(format!("{key} {id}"), 1);
            if instance.member.as_ref().is_some_and(|it| it.waits_in_hook) {
                wanted.insert(format!("{key} {id} waits"), 1);
            }
        }
    }
    for (key, id) in left(scene) {
        wanted.insert(format!("{key} {id}"), 1);
    }
    for instance in scene.snapshot.passed_over.keys() {
        let key = DrainKey::Instance {
            instance: instance.clone(),
        };
        wanted.insert(format!("{key} {instance}"), 1);
    }
    assert_eq!(seen, wanted, "{}", text(decision));
}

/// The instances that Ballast drained in a group that they have left for nothing that was looked at: a cluster shows them DRAINING.
fn left(scene: &Scene) -> BTreeSet<(&DrainKey, &InstanceId)> {
    let snapshot = &scene.snapshot;
    let containers = snapshot
        .clusters
        .values()
        .flat_map(|it| it.capacity.instances.values());
    let draining = containers.filter(|it| it.status == ContainerInstanceStatus::Draining);
    let mut left = BTreeSet::new();
    for id in draining.filter_map(|it| it.ec2_instance.as_ref()) {
        let mut groups = snapshot.groups.values();
        if !snapshot.is_full || groups.any(|it| it.instances.contains_key(id)) {
            continue;
        }
        let remembered = snapshot.groups.keys().filter(|key| {
            let Some(Recall::Known(memory)) = scene.memories.get(*key) else {
                return false;
            };
            let departure = memory.departures.get(id);
            departure.is_some_and(|it| it.own_drain.is_some())
        });
        left.extend(remembered.map(|key| (key, id)));
    }
    left
}

/// The files whose expectations show plans.
const SHOWN: [&str; 10] = [
    include_str!("actions.rs"),
    include_str!("choices.rs"),
    include_str!("elsewhere.rs"),
    include_str!("failures.rs"),
    include_str!("groups.rs"),
    include_str!("ladder.rs"),
    include_str!("reversals.rs"),
    include_str!("rooms.rs"),
    include_str!("stops.rs"),
    include_str!("stuck.rs"),
];

#[test]
fn every_reason_is_shown_as_an_operator_reads_it() {
    let is_shown = |kind: &str, name: &str| {
        let lines = SHOWN.iter().flat_map(|it| it.lines());
        let begins = format!("{kind} `");
        let names = format!(" {name}: ");
        let mut lines = lines.map(str::trim_start);
        lines.any(|it| it.starts_with(&begins) && it.contains(&names))
    };
    for name in DrainStepReason::NAMES {
        assert!(is_shown("step", name), "{name}");
    }
    for name in DrainHoldReason::NAMES {
        assert!(is_shown("hold", name), "{name}");
    }
}
