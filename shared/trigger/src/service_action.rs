//! `ECS Service Action`: what the service scheduler says about a service.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_events.html>

use model::CapacityProviderName;
use model::trigger::{Ignored, PlacementFailure, ServiceChange, TriggerKind};
use serde_json::Value;

use crate::arn;
use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{EVENT_NAME_CHARS_MAX, REASON_CHARS_MAX, cut};

/// The most providers of a placement failure that are read: the most that a strategy can hold.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
pub const PROVIDERS_MAX: usize = 20;

/// What a service event is to us.
enum Meaning {
    Steady,
    PlacementFailed,
    Changed,
    None,
}

/// Names that AWS adds later mean nothing until they have a line here.
fn meaning(event_name: &str) -> Meaning {
    match event_name {
        "SERVICE_STEADY_STATE" => Meaning::Steady,
        "SERVICE_TASK_PLACEMENT_FAILURE" => Meaning::PlacementFailed,
        "CAPACITY_PROVIDER_STEADY_STATE"
        | "ECS_OPERATION_THROTTLED"
        | "SERVICE_DAEMON_PLACEMENT_CONSTRAINT_VIOLATED"
        | "SERVICE_DESIRED_COUNT_UPDATED"
        | "SERVICE_TASK_START_IMPAIRED" => Meaning::Changed,
        name if name.starts_with("SERVICE_REBALANCING_") => Meaning::Changed,
        // Task sets, service discovery, a task definition that cannot be started: no change of the counts that we look at.
        _ => Meaning::None,
    }
}

/// Reads a service event. Its name comes first: an event without meaning may be as odd as it likes.
pub(crate) fn action(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let Some(event_name) = detail.text("eventName") else {
        let problem = Problem::with(detail.fields.get("eventName"), "a text");
        return Err(event.unusable("detail.eventName", problem));
    };
    let change = || -> Result<ServiceChange, TriggerError> {
        Ok(ServiceChange {
            service: event.service(&detail)?,
            event_name: cut(event_name, EVENT_NAME_CHARS_MAX),
        })
    };
    Ok(match meaning(event_name) {
        Meaning::Steady => TriggerKind::ServiceSteady(change()?),
        Meaning::Changed => TriggerKind::ServiceChanged(change()?),
        Meaning::PlacementFailed => TriggerKind::PlacementFailed(PlacementFailure {
            service: event.service(&detail)?,
            providers: providers(&detail),
            reason: cut(detail.text("reason").unwrap_or_default(), REASON_CHARS_MAX),
        }),
        Meaning::None => TriggerKind::Ignored(Ignored::ServiceEventWithoutMeaning {
            event_name: cut(event_name, EVENT_NAME_CHARS_MAX),
        }),
    })
}

/// The providers that the event names. One that cannot be read is left out: the failure stands without it.
fn providers(detail: &Detail<'_>) -> Vec<CapacityProviderName> {
    detail
        .fields
        .get("capacityProviderArns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(PROVIDERS_MAX)
        .filter_map(Value::as_str)
        .filter_map(arn::provider)
        .collect()
}
