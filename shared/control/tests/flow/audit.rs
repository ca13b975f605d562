//! A planner that is wrong is stopped by the audit.

use std::collections::BTreeMap;

use model::memory::Recall;
use model::outcome::OutcomeResult;
use model::plan::Action;
use model::policy::{Installation, Mode};
use model::snapshot::Snapshot;
use model::trigger::Hints;
use model::{ServiceKey, Timestamp};
use placement::Decision;

use crate::stage::{interruption, invoked};
use crate::workshop::in_drought;

/// Plans as the real planner does, but ten times as much.
fn greedy(
    snapshot: &Snapshot,
    installation: &Installation,
    memories: &BTreeMap<ServiceKey, Recall>,
    hints: &Hints,
    now: Timestamp,
) -> Decision {
    let mut decision = placement::decide(snapshot, installation, memories, hints, now);
    for step in &mut decision.plan.steps {
        let Action::SetDesiredCount { to, .. } = &mut step.action;
        *to *= 10;
    }
    decision
}

#[tokio::test]
async fn a_step_that_breaks_a_law_is_recorded_and_not_taken() {
    let stage = in_drought().await;
    let mut controller = stage.controller(Mode::Act);
    controller.decide = greedy;
    let handled = controller.handle(&interruption(), &invoked()).await;

    let failure = handled.failure.unwrap();
    assert_eq!(failure.as_str(), "AuditRefused");
    let OutcomeResult::Refused { detail } = &handled.record.outcomes[0].result else {
        panic!("{:?}", handled.record.outcomes);
    };
    assert!(
        detail.starts_with("audit: law `within_cap`: 70 tasks"),
        "{detail}"
    );
    assert_eq!(handled.record.plan.steps.len(), 1);
    assert_eq!(stage.updates(), 0);
    assert_eq!(handled.record.ledger.confirmed, 0);

    // What was not done is not remembered as done: the right planner starts from a clean page.
    let handled = stage.handle(Mode::Act, &interruption()).await;
    assert_eq!(handled.failure, None);
    assert_eq!(stage.desired(&stage.cast.standby), 7);
}
