//! An invocation as text, one line for each event, with every field of a trigger.

use std::error::Error;
use std::fmt::Write;

use model::trigger::{
    AlarmChange, AlarmMetric, AlarmState, ContainerInstanceChange, Envelope, GroupActivity,
    Ignored, InstanceNotice, LifecycleAction, Notice, PlacementFailure, ServiceChange, TaskChange,
    Trigger, TriggerKind,
};
use trigger::{Invocation, Item, TriggerError};

/// What reading came to, as lines.
pub(crate) fn invocation(read: &Result<Invocation, TriggerError>) -> String {
    match read {
        Err(failure) => format!("  {}\n", error(failure)),
        Ok(Invocation { items, is_batch }) => {
            let mut lines = String::new();
            if *is_batch {
                writeln!(lines, "  batch of {}", items.len()).unwrap();
            }
            for Item { message, read } in items {
                match message {
                    Some(id) => write!(lines, "  message {}: ", short(id.as_str())).unwrap(),
                    None if *is_batch => lines.push_str("  message -: "),
                    None => lines.push_str("  "),
                }
                let line = match read {
                    Ok(trigger) => self::trigger(trigger),
                    Err(failure) => error(failure),
                };
                writeln!(lines, "{line}").unwrap();
            }
            lines
        }
    }
}

/// The kind of each event, in one word for all.
pub(crate) fn kind(read: &Result<Invocation, TriggerError>) -> &'static str {
    match read {
        Ok(Invocation { is_batch: true, .. }) => "batch",
        // The records of something else than a queue: they fail together.
        Ok(Invocation { items, .. }) if items.iter().any(|item| item.read.is_err()) => "error",
        Ok(Invocation { items, .. }) => items[0]
            .read
            .as_ref()
            .map_or("error", |trigger| trigger.kind.as_str()),
        Err(_) => "error",
    }
}

/// An error with its causes.
pub(crate) fn error(failure: &TriggerError) -> String {
    let mut line = format!("error {}: {failure}", failure.as_str());
    let mut cause = failure.source();
    while let Some(next) = cause {
        write!(line, " <- {next}").unwrap();
        cause = next.source();
    }
    line
}

fn trigger(Trigger { envelope, kind }: &Trigger) -> String {
    let what = match kind {
        TriggerKind::TaskInterrupted(task) | TriggerKind::TaskStopped(task) => self::task(task),
        TriggerKind::PlacementFailed(PlacementFailure {
            service,
            providers,
            reason,
        }) => {
            let names: Vec<_> = providers.iter().map(|name| name.as_str()).collect();
            format!(
                " {service} providers=[{}] reason={reason:?}",
                names.join(" ")
            )
        }
        TriggerKind::ServiceSteady(ServiceChange {
            service,
            event_name,
        })
        | TriggerKind::ServiceChanged(ServiceChange {
            service,
            event_name,
        }) => format!(" {service} {event_name}"),
        TriggerKind::InstanceChanged(change) => instance(change),
        TriggerKind::LaunchSucceeded(activity)
        | TriggerKind::LaunchFailed(activity)
        | TriggerKind::InstanceTerminated(activity) => self::activity(activity),
        TriggerKind::InstanceNoticed(notice) => self::notice(notice),
        TriggerKind::InstanceTerminating(action) => self::action(action),
        TriggerKind::AlarmChanged(change) => alarm(change),
        TriggerKind::Scheduled => String::new(),
        TriggerKind::Ignored(Ignored::ServiceEventWithoutMeaning { event_name }) => {
            format!(" service_event_without_meaning {event_name}")
        }
        TriggerKind::Ignored(
            why @ (Ignored::NotOurs
            | Ignored::TaskNotStopping
            | Ignored::TestNotification
            | Ignored::LaunchLifecycleAction
            | Ignored::NotAScheduledChange
            | Ignored::NamesNoInstance
            | Ignored::Elsewhere),
        ) => format!(" {}", why.as_str()),
    };
    format!("{}{what} | {}", kind.as_str(), self::envelope(envelope))
}

fn task(change: &TaskChange) -> String {
    let TaskChange {
        task,
        cluster,
        service,
        provider,
        version,
        stopping_at,
    } = change;
    format!(
        " {cluster} service={} task={} provider={} version={} stopping_at={}",
        or_dash(service.as_ref()),
        task.as_str()
            .split_once(":task/")
            .map_or("?", |(_, path)| path),
        or_dash(provider.as_ref()),
        or_dash(version.as_ref()),
        or_dash(stopping_at.as_ref()),
    )
}

fn instance(change: &ContainerInstanceChange) -> String {
    let ContainerInstanceChange {
        cluster,
        container_instance,
        ec2_instance,
        status,
        agent_connected,
        version,
    } = change;
    format!(
        " {cluster} container_instance={} ec2={} status={status:?} agent_connected={} version={}",
        container_instance
            .as_str()
            .split_once(":container-instance/")
            .map_or("?", |(_, path)| path),
        or_dash(ec2_instance.as_ref()),
        or_dash(agent_connected.as_ref()),
        or_dash(version.as_ref()),
    )
}

fn activity(activity: &GroupActivity) -> String {
    let GroupActivity {
        group,
        instance,
        zone,
        status_message,
        cause,
        activity,
        at,
    } = activity;
    format!(
        " group=\"{group}\" instance={} zone={} activity={} at={} status_message={status_message:?} cause={cause:?}",
        or_dash(instance.as_ref()),
        or_dash(zone.as_ref()),
        activity.as_ref().map_or("-", |id| short(id.as_str())),
        or_dash(at.as_ref()),
    )
}

fn notice(noticed: &InstanceNotice) -> String {
    let InstanceNotice {
        instances,
        resolved,
        notice,
    } = noticed;
    let names: Vec<_> = instances.iter().map(|id| id.as_str()).collect();
    let resolved: Vec<_> = resolved.iter().map(|id| id.as_str()).collect();
    let resolved = match resolved.as_slice() {
        [] => String::new(),
        ids => format!(" resolved={}", ids.join(",")),
    };
    let said = match notice {
        Notice::SpotInterruption { action }
        | Notice::CapacityReservationInterruption { action } => format!(" action={action:?}"),
        Notice::Rebalance => String::new(),
        Notice::StateChanged { state } => format!(" state={}", state.as_str()),
        Notice::Maintenance {
            code,
            health_event,
            starts_at,
            is_over,
        } => format!(
            " code={code:?} health_event={} starts_at={}{}",
            or_dash(health_event.as_ref()),
            or_dash(starts_at.as_ref()),
            if *is_over { " over" } else { "" },
        ),
    };
    format!(" {} {}{said}{resolved}", names.join(","), notice.as_str())
}

fn action(action: &LifecycleAction) -> String {
    let LifecycleAction {
        group,
        hook,
        instance,
        token,
        origin,
        destination,
    } = action;
    format!(
        " {instance} group=\"{group}\" hook={hook} token={} origin={} destination={}",
        token.as_deref().map_or("-", short),
        or_dash(origin.as_ref()),
        or_dash(destination.as_ref()),
    )
}

fn alarm(change: &AlarmChange) -> String {
    let AlarmChange {
        alarm,
        state,
        previous,
        metrics,
        cluster,
        provider,
        group,
        services,
        is_composite,
    } = change;
    let services: Vec<_> = services.iter().map(ToString::to_string).collect();
    let metrics: Vec<_> = metrics.iter().map(metric).collect();
    format!(
        " \"{alarm}\" {} was={}{} cluster={} provider={} group={} service={} metrics=[{}]",
        state.as_str(),
        previous.map_or("-", AlarmState::as_str),
        if *is_composite { " composite" } else { "" },
        or_dash(cluster.as_ref()),
        or_dash(provider.as_ref()),
        or_dash(group.as_ref()),
        if services.is_empty() {
            "-".to_owned()
        } else {
            services.join(",")
        },
        metrics.join(" "),
    )
}

fn metric(metric: &AlarmMetric) -> String {
    let AlarmMetric {
        namespace,
        name,
        dimensions,
    } = metric;
    let pairs: Vec<_> = dimensions
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{namespace}/{name}{{{}}}", pairs.join(","))
}

fn envelope(envelope: &Envelope) -> String {
    let Envelope {
        source,
        detail_type,
        id,
        account,
        region,
        time,
    } = envelope;
    format!(
        "{source} {detail_type:?} id={} {} {} {}",
        id.as_ref().map_or("-", |id| short(id.as_str())),
        or_dash(account.as_ref()),
        or_dash(region.as_ref()),
        or_dash(time.as_ref()),
    )
}

fn or_dash<T: ToString>(value: Option<&T>) -> String {
    value.map_or_else(|| "-".to_owned(), T::to_string)
}

/// The first part of a UUID.
fn short(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}
