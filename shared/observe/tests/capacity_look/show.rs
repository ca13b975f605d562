//! A snapshot in words.

use std::fmt::{Display, Write};

use model::capacity::{CapacitySnapshot, ClusterCapacity, Group, Provider};
use model::snapshot::Gap;

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

fn words<T: Display>(of: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = of.into_iter().map(|it| it.to_string()).collect();
    words.join(", ")
}

/// A snapshot, a line for each thing in it.
pub(crate) fn show(snapshot: &CapacitySnapshot) -> String {
    let CapacitySnapshot {
        taken_at,
        clusters,
        passed_over,
        gaps,
    } = snapshot;
    let mut text = format!("at {taken_at}\n");
    for cluster in clusters.values() {
        show_cluster(&mut text, cluster);
    }
    for (key, why) in passed_over {
        writeln!(text, "passed over {key}: {}", json(why)).unwrap();
    }
    show_gaps(&mut text, "", gaps);
    text
}

fn show_gaps(text: &mut String, indent: &str, gaps: &[Gap]) {
    for gap in gaps {
        writeln!(text, "{indent}gap {gap}").unwrap();
    }
}

fn show_cluster(text: &mut String, cluster: &ClusterCapacity) {
    let ClusterCapacity {
        cluster,
        default_strategy,
        providers,
        instances,
        tasks,
        services,
        task_definitions,
        gaps,
    } = cluster;
    writeln!(text, "cluster {cluster}: {}", words(default_strategy)).unwrap();
    for provider in providers.values() {
        show_provider(text, provider);
    }
    for (arn, it) in instances {
        let (instance, provider) = (json(&it.ec2_instance), json(&it.provider));
        writeln!(
            text,
            "  instance {} {instance} of {provider} {:?}: {} of {} left; ports {}; {} in {}{}{}",
            arn.id(),
            it.status,
            it.remaining,
            it.registered,
            words(&it.host_ports),
            json(&it.instance_type),
            json(&it.zone),
            if it.agent_connected {
                ""
            } else {
                ", disconnected"
            },
            if it.is_impaired { ", impaired" } else { "" },
        )
        .unwrap();
    }
    for task in tasks {
        writeln!(
            text,
            "  task {} {} to {} on {}: {}; of {}{}; protected {:?}",
            task.arn.id(),
            task.last_status.as_str(),
            if task.desired_running { "run" } else { "stop" },
            task.instance.as_ref().map_or("nothing", |it| it.id()),
            task.needs,
            json(&task.service),
            if task.is_daemon { ", a daemon" } else { "" },
            task.protected_until,
        )
        .unwrap();
    }
    for service in services.values() {
        writeln!(text, "  service {}", json(service)).unwrap();
    }
    for (arn, shape) in task_definitions {
        writeln!(text, "  definition {arn} {}", json(shape)).unwrap();
    }
    show_gaps(text, "  ", gaps);
}

fn show_provider(text: &mut String, provider: &Provider) {
    let Provider {
        key,
        managed_scaling,
        managed_termination_protection,
        managed_draining,
        other_clusters,
        group,
        policy,
        gaps,
    } = provider;
    writeln!(
        text,
        "  provider {key}: managed scaling {}, termination protection {managed_termination_protection}, draining {managed_draining}; \
         also in [{}]",
        json(managed_scaling),
        words(other_clusters),
    )
    .unwrap();
    match policy {
        Ok(policy) => writeln!(text, "    {:?}", policy.consent).unwrap(),
        Err(faults) => writeln!(text, "    faults {}", words(faults)).unwrap(),
    }
    show_group(text, group);
    show_gaps(text, "    ", gaps);
}

fn show_group(text: &mut String, group: &Group) {
    let Group {
        name,
        min_size,
        max_size,
        desired_capacity,
        desired_capacity_type,
        zones,
        types,
        market,
        instances,
        suspended_processes,
        new_instances_protected,
        scaling_policies,
        scheduled_actions,
        has_warm_pool,
        is_deleting,
        activities,
        tags,
    } = group;
    writeln!(
        text,
        "    group {name}: {desired_capacity} of {min_size} to {max_size} in {}; {} {}; {} tags",
        words(zones),
        json(types),
        market.as_str(),
        tags.len(),
    )
    .unwrap();
    if !desired_capacity_type.counts_instances() {
        writeln!(text, "    counts {}", json(desired_capacity_type)).unwrap();
    }
    let suspended = words(suspended_processes);
    for (name, is_so) in [
        ("new instances protected", *new_instances_protected),
        ("warm pool", *has_warm_pool),
        ("deleting", *is_deleting),
    ] {
        if is_so {
            writeln!(text, "    {name}").unwrap();
        }
    }
    for (name, names) in [
        ("suspended", suspended),
        ("policies", words(scaling_policies)),
        ("scheduled actions", words(scheduled_actions)),
    ] {
        if !names.is_empty() {
            writeln!(text, "    {name} {names}").unwrap();
        }
    }
    for instance in instances.values() {
        writeln!(text, "    {}", json(instance)).unwrap();
    }
    for activity in activities {
        writeln!(text, "    activity {}", json(activity)).unwrap();
    }
}
