//! A plan as operators read it, and whether it accounts for everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::Expect;
use model::capacity::CapacitySubject;
use placement::capacity::CapacityDecision;

use super::scene::Scene;

/// A plan as operators read it: steps, then holds, one a line.
pub(crate) fn text(decision: &CapacityDecision) -> String {
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

/// Every provider and every instance of its group is in exactly one step or hold.
#[track_caller]
pub(crate) fn accounted(scene: &Scene, decision: &CapacityDecision) {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let steps = decision.plan.steps.iter().map(|it| &it.subject);
    let holds = decision.plan.holds.iter().map(|it| &it.subject);
    for subject in steps.chain(holds) {
        match subject {
            CapacitySubject::Provider { provider } => {
                *seen.entry(provider.to_string()).or_default() += 1;
            }
            CapacitySubject::Instances {
                provider,
                instances,
            } => {
                for id in instances {
                    *seen.entry(format!("{provider} {id}")).or_default() += 1;
                }
            }
        }
    }
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for (_, provider) in scene.snapshot.providers() {
        wanted.insert(provider.key.to_string(), 1);
        for id in provider.group.instances.keys() {
            wanted.insert(format!("{} {id}", provider.key), 1);
        }
    }
    for key in scene.snapshot.passed_over.keys() {
        wanted.insert(key.to_string(), 1);
    }
    assert_eq!(seen, wanted, "{}", text(decision));
}
