//! A trigger as one line for people.

use model::trigger::{
    AlarmChange, ContainerInstanceChange, GroupActivity, InstanceNotice, LifecycleAction, Notice,
    Trigger, TriggerKind,
};

/// One line: what happened, to what, and when.
pub(crate) fn describe(trigger: &Trigger) -> String {
    let what = match &trigger.kind {
        TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => {
            let on = task
                .provider
                .as_ref()
                .map(|it| format!(" on {it}"))
                .unwrap_or_default();
            let of = task.service.as_ref().map_or_else(
                || " (service not known)".to_owned(),
                |it| format!(" of `{it}`"),
            );
            format!("task `{}`{of}{on}", task.task.id())
        }
        TriggerKind::PlacementFailed(failure) => {
            let providers: Vec<&str> = failure.providers.iter().map(|it| it.as_str()).collect();
            let on = if providers.is_empty() {
                String::new()
            } else {
                format!(" on {}", providers.join(", "))
            };
            let reason = match failure.reason.as_str() {
                "" => "no reason given",
                reason => reason,
            };
            format!("`{}`: {reason}{on}", failure.service)
        }
        TriggerKind::ServiceSteady(change) | TriggerKind::ServiceChanged(change) => {
            format!("`{}`: {}", change.service, change.event_name)
        }
        TriggerKind::InstanceChanged(change) => instance(change),
        TriggerKind::LaunchSucceeded(activity)
        | TriggerKind::LaunchFailed(activity)
        | TriggerKind::InstanceTerminated(activity) => group_activity(activity),
        TriggerKind::InstanceNoticed(notice) => instance_notice(notice),
        TriggerKind::InstanceTerminating(action) => lifecycle_action(action),
        TriggerKind::AlarmChanged(alarm) => alarm_change(alarm),
        TriggerKind::Scheduled => "the schedule".to_owned(),
        TriggerKind::Ignored(why) => {
            let what = match trigger.envelope.detail_type.as_str() {
                "" => "an event without detail-type",
                detail_type => detail_type,
            };
            format!("{what} from {}: {}", trigger.envelope.source, why.as_str())
        }
    };
    let at = trigger
        .envelope
        .time
        .map(|time| format!(" at {time}"))
        .unwrap_or_default();
    format!("{} {}{at}", trigger.kind.as_str(), what.trim_end())
}

fn instance(change: &ContainerInstanceChange) -> String {
    let of = change
        .ec2_instance
        .as_ref()
        .map(|id| format!(" ({id})"))
        .unwrap_or_default();
    let agent = match change.agent_connected {
        Some(false) => ", agent not connected",
        Some(true) | None => "",
    };
    let status = match change.status.as_str() {
        "" => "status not given",
        status => status,
    };
    format!(
        "`{}`{of} in `{}`: {status}{agent}",
        change.container_instance.id(),
        change.cluster
    )
}

fn group_activity(activity: &GroupActivity) -> String {
    let instance = activity
        .instance
        .as_ref()
        .map(|id| format!(" {id}"))
        .unwrap_or_default();
    let zone = activity
        .zone
        .as_ref()
        .map(|zone| format!(" in {zone}"))
        .unwrap_or_default();
    let message = match activity.status_message.as_str() {
        "" => String::new(),
        message => format!(": {message}"),
    };
    format!("`{}`{instance}{zone}{message}", activity.group)
}

fn instance_notice(notice: &InstanceNotice) -> String {
    let instances: Vec<&str> = notice.instances.iter().map(|it| it.as_str()).collect();
    let said = match &notice.notice {
        Notice::SpotInterruption { action }
        | Notice::CapacityReservationInterruption { action } => action.clone(),
        Notice::Rebalance => String::new(),
        Notice::StateChanged { state } => state.as_str().to_owned(),
        Notice::Maintenance {
            code,
            starts_at,
            is_over,
        } => {
            let from = starts_at
                .map(|it| format!(" from {it}"))
                .unwrap_or_default();
            let over = if *is_over { ", over" } else { "" };
            format!("{code}{from}{over}")
        }
    };
    let said = match said.as_str() {
        "" => String::new(),
        said => format!(" ({said})"),
    };
    format!("{}: {}{said}", instances.join(", "), notice.notice.as_str())
}

fn lifecycle_action(action: &LifecycleAction) -> String {
    let to = action
        .destination
        .as_ref()
        .map(|it| format!(", to {it}"))
        .unwrap_or_default();
    format!(
        "{} of `{}` waits in hook `{}`{to}",
        action.instance, action.group, action.hook
    )
}

fn alarm_change(alarm: &AlarmChange) -> String {
    let before = alarm
        .previous
        .map(|state| format!(", was {}", state.as_str()))
        .unwrap_or_default();
    format!("`{}`: {}{before}", alarm.alarm, alarm.state.as_str())
}
