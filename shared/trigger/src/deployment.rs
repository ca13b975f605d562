//! `ECS Deployment State Change`: a deployment of a service began, was rolled back, completed or failed.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs_service_deployment_events.html>

use model::trigger::{ServiceChange, TriggerKind};

use crate::error::TriggerError;
use crate::event::Event;
use crate::text::{EVENT_NAME_CHARS_MAX, cut};

/// Reads a deployment's change. Whatever became of the deployment, the service is worth a look; an event without a name of its
/// own goes by its detail-type.
pub(crate) fn state_change(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let service = event.service(&detail)?;
    let event_name = detail
        .text("eventName")
        .unwrap_or(event.envelope.detail_type.as_str());
    Ok(TriggerKind::ServiceChanged(ServiceChange {
        service,
        event_name: cut(event_name, EVENT_NAME_CHARS_MAX),
    }))
}
