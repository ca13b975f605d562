//! A plan about one provider's instances, short enough to be compared as a whole.

use model::capacity::{
    CapacityAction, CapacityHold, CapacityHoldReason, CapacityPlan, CapacityStepReason,
    CapacitySubject,
};
use model::ids::InstanceId;

/// The number of an instance: see `fleet::id`.
fn number(id: &InstanceId) -> u32 {
    u32::from_str_radix(id.as_str().trim_start_matches("i-"), 16).unwrap()
}

fn numbers(hold: &CapacityHold) -> Option<String> {
    match &hold.subject {
        CapacitySubject::Provider { .. } => None,
        CapacitySubject::Instances { instances, .. } => {
            let numbers = instances.iter().map(|it| number(it).to_string());
            Some(numbers.collect::<Vec<_>>().join(" "))
        }
    }
}

/// The steps in their order, the instances' holds in theirs, and the provider's hold last; one line each.
pub(crate) fn picture(plan: &CapacityPlan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let action = match &step.action {
            CapacityAction::SetDesiredCapacity { from, to, .. } => {
                format!("desired {from} to {to}")
            }
            CapacityAction::Drain { instance, .. } => format!("drain {}", number(instance)),
            CapacityAction::Activate { instance, .. } => format!("activate {}", number(instance)),
            CapacityAction::Terminate { instance, .. } => {
                format!("terminate {}", number(instance))
            }
        };
        let budget = match &step.reason {
            CapacityStepReason::ScaleIn { budget_left, .. } => format!(", budget {budget_left}"),
            CapacityStepReason::ScaleOut { .. }
            | CapacityStepReason::Learn { .. }
            | CapacityStepReason::NeededAgain { .. }
            | CapacityStepReason::DrainTimedOut { .. }
            | CapacityStepReason::MayNotEnd { .. }
            | CapacityStepReason::Drained { .. } => String::new(),
        };
        format!("{action}: {}{budget}", step.reason.as_str())
    });
    let of_instances = plan.holds.iter().filter_map(|hold| {
        let numbers = numbers(hold)?;
        Some(format!("{numbers}: {}", hold.reason.as_str()))
    });
    let of_provider = plan.holds.iter().filter(|hold| numbers(hold).is_none());
    let of_provider = of_provider.map(|hold| {
        if let CapacityHoldReason::ScaleInVetoed { vetoes } = &hold.reason {
            let vetoes: Vec<String> = vetoes.iter().map(ToString::to_string).collect();
            format!("vetoed: {}", vetoes.join("; "))
        } else {
            hold.reason.as_str().to_owned()
        }
    });
    steps.chain(of_instances).chain(of_provider).collect()
}
