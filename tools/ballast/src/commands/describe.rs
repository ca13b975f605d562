//! A trigger as one line for people.

use std::collections::BTreeSet;

use model::InstanceId;
use model::trigger::{
    AlarmChange, ContainerInstanceChange, GroupActivity, InstanceNotice, LifecycleAction, Notice,
    Trigger, TriggerKind,
};

/// The most instances of one event that a line names.
const INSTANCES_SHOWN_MAX: usize = 10;

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
    let resolved = if notice.resolved.is_empty() {
        String::new()
    } else {
        format!(", over for {}", some_of(&notice.resolved))
    };
    let said = match &notice.notice {
        Notice::SpotInterruption { action }
        | Notice::CapacityReservationInterruption { action } => action.clone(),
        Notice::Rebalance => String::new(),
        Notice::StateChanged { state } => state.as_str().to_owned(),
        Notice::Maintenance {
            code,
            starts_at,
            is_over,
            ..
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
    format!(
        "{}: {}{said}{resolved}",
        some_of(&notice.instances),
        notice.notice.as_str()
    )
}

/// The first of some instances, and how many more there are.
fn some_of(instances: &BTreeSet<InstanceId>) -> String {
    let shown: Vec<&str> = instances
        .iter()
        .take(INSTANCES_SHOWN_MAX)
        .map(|it| it.as_str())
        .collect();
    let more = match instances.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// The line of each of these samples.
    fn check(names: &[&str], want: &Expect) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        let mut lines = String::new();
        for name in names {
            let bytes = std::fs::read(format!("{folder}/{name}.json")).unwrap();
            for item in trigger::parse_bytes(&bytes).unwrap().items {
                lines.push_str(&describe(&item.read.unwrap()));
                lines.push('\n');
            }
        }
        want.assert_eq(&lines);
    }

    #[test]
    fn notices_about_instances() {
        check(
            &[
                "aws.ec2--ec2-spot-instance-interruption-warning--terminate",
                "aws.ec2--ec2-spot-instance-interruption-warning--without-action",
                "aws.ec2--ec2-capacity-reservation-instance-interruption-warning--terminate",
                "aws.ec2--ec2-instance-rebalance-recommendation--without-time",
                "aws.ec2--ec2-instance-state-change-notification--stopped",
                "aws.health--aws-health-event--several-entities",
                "aws.health--aws-health-event--one-entity-resolved",
                "aws.health--aws-health-event--closed",
                "aws.health--aws-health-event--odd-fields",
                "aws.health--aws-health-event--copy-in-a-second-region",
            ],
            &expect![[r#"
                instance_noticed i-4740ae6347b0172c0: spot_interruption (terminate) at 2026-03-14T09:26:53Z
                instance_noticed i-00cd29f18d9ec8f8c: spot_interruption at 2026-03-14T09:26:53Z
                instance_noticed i-00e4c2dcda4d564a6: capacity_reservation_interruption (terminate) at 2026-03-14T09:26:53Z
                instance_noticed i-06fbe1f22480cecd1: rebalance
                instance_noticed i-0a14d54a95f18406c: state_changed (stopped) at 2026-03-14T09:26:53Z
                instance_noticed i-003eca7a4146f661d, i-0d1ed5a6a44f25630, i-f3a8506b: maintenance (AWS_EC2_INSTANCE_STOP_SCHEDULED from 2026-03-28T15:10:09Z) at 2026-03-14T09:26:53Z
                instance_noticed i-0d5e3f08ea0256d0d, i-0f7dd90dd950775f3: maintenance (AWS_EC2_INSTANCE_STOP_SCHEDULED from 2026-03-28T15:10:09Z), over for i-0cbed95926c1b7998 at 2026-03-14T09:26:53Z
                instance_noticed i-03779cf6e2fc951a9, i-0e1dfd315c3886e1e: maintenance (AWS_EC2_INSTANCE_STOP_SCHEDULED from 2026-03-28T15:10:09Z, over) at 2026-03-14T09:26:53Z
                instance_noticed i-025ae612846397686: maintenance at 2026-03-14T09:26:53Z
                ignored AWS Health Event from aws.health: elsewhere at 2026-03-14T09:26:53Z
            "#]],
        );
    }

    #[test]
    fn lifecycle_actions() {
        check(
            &[
                "aws.autoscaling--ec2-instance-terminate-lifecycle-action--wait",
                "aws.autoscaling--ec2-instance-terminate-lifecycle-action--only-needed-fields",
                "unknown--unknown--lifecycle-notification-terminating",
                "unknown--unknown--lifecycle-notification-test",
            ],
            &expect![[r#"
                instance_terminating i-0ffefe18b61121c77 of `container-demo-EC2Spot` waits in hook `drain`, to EC2 at 2026-03-14T09:26:53Z
                instance_terminating i-013f68a60eb3d0672 of `container-demo-EC2Spot` waits in hook `drain` at 2026-03-14T09:26:53Z
                instance_terminating i-0899bbdf5dec4f0b7 of `container-demo-EC2Spot` waits in hook `drain`, to EC2 at 2026-03-14T09:26:53.49Z
                ignored autoscaling:TEST_NOTIFICATION from aws.autoscaling: test_notification at 2026-03-14T09:26:53.49Z
            "#]],
        );
    }
}
