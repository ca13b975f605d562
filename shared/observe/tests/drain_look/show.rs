//! A snapshot in words.

use std::fmt::Write;

use model::drain::{DrainCluster, DrainGroup, DrainSnapshot, LookedInstance};
use model::snapshot::Gap;

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap()
}

/// A snapshot, a line for each thing in it.
pub(crate) fn show(snapshot: &DrainSnapshot) -> String {
    let DrainSnapshot {
        taken_at,
        is_full,
        groups,
        clusters,
        passed_over,
        outside,
        searched,
        gaps,
    } = snapshot;
    let extent = if *is_full { "everything" } else { "named" };
    let mut text = format!("{extent} at {taken_at}\n");
    for group in groups.values() {
        show_group(&mut text, snapshot, group);
    }
    for cluster in clusters.values() {
        show_cluster(&mut text, cluster);
    }
    for (id, why) in passed_over {
        writeln!(text, "passed over {id}: {}", json(why)).unwrap();
    }
    for (id, place) in outside {
        writeln!(text, "outside {id}: {}", json(place)).unwrap();
    }
    if !searched.is_empty() {
        writeln!(text, "searched {}", json(searched)).unwrap();
    }
    show_gaps(&mut text, "", gaps);
    text
}

fn show_gaps(text: &mut String, indent: &str, gaps: &[Gap]) {
    for gap in gaps {
        writeln!(text, "{indent}gap {gap}").unwrap();
    }
}

fn show_group(text: &mut String, snapshot: &DrainSnapshot, group: &DrainGroup) {
    let DrainGroup {
        key,
        policy,
        group,
        is_proven_ours,
        hooks,
        hooks_read,
        managed_draining,
        managed_scaling,
        instances,
        in_warm_pool,
        gaps,
    } = group;
    writeln!(text, "{key}").unwrap();
    match policy {
        Ok(policy) => writeln!(text, "  {:?}", policy.consent).unwrap(),
        Err(faults) => writeln!(text, "  {} faults", faults.len()).unwrap(),
    }
    if let Some(group) = group {
        writeln!(
            text,
            "  {} of {} to {}, {}; {}",
            group.desired_capacity,
            group.min_size,
            group.max_size,
            json(&group.types),
            group.market.as_str()
        )
        .unwrap();
        for activity in &group.activities {
            writeln!(text, "  activity {}", json(activity)).unwrap();
        }
    }
    if !is_proven_ours {
        writeln!(text, "  perhaps another installation's").unwrap();
    }
    if *managed_draining {
        writeln!(text, "  managed draining").unwrap();
    }
    if *managed_scaling {
        writeln!(text, "  managed scaling").unwrap();
    }
    if !hooks_read {
        writeln!(text, "  hooks not read").unwrap();
    }
    for hook in hooks.values() {
        writeln!(text, "  hook {}", json(hook)).unwrap();
    }
    for instance in instances.values() {
        show_instance(text, snapshot, instance);
    }
    if !in_warm_pool.is_empty() {
        writeln!(text, "  in its warm pool {}", json(in_warm_pool)).unwrap();
    }
    show_gaps(text, "  ", gaps);
}

fn show_instance(text: &mut String, snapshot: &DrainSnapshot, looked: &LookedInstance) {
    let LookedInstance {
        id,
        instance_type,
        zone,
        member,
        registered,
        tasks_counted,
    } = looked;
    let (instance_type, zone) = (json(instance_type), json(zone));
    write!(text, "  {id} {instance_type} {zone} {}", json(member)).unwrap();
    match registered {
        None => text.push_str(", not registered"),
        Some((cluster, arn)) => write!(text, ", {} in {cluster}", arn.id()).unwrap(),
    }
    match snapshot.tasks(looked) {
        None => text.push_str(", tasks not read"),
        Some(tasks) => write!(text, ", {} tasks", tasks.len()).unwrap(),
    }
    writeln!(text, " of {}", json(tasks_counted)).unwrap();
}

fn show_cluster(text: &mut String, cluster: &DrainCluster) {
    let DrainCluster {
        capacity,
        has_every_instance,
        tasks_read,
        stop_timeouts,
    } = cluster;
    let every = if *has_every_instance {
        "every instance"
    } else {
        "not every instance"
    };
    writeln!(text, "cluster {}: {every}", capacity.cluster).unwrap();
    for (arn, it) in &capacity.instances {
        writeln!(
            text,
            "  {} {} {:?}{}: {} of {} left{}",
            arn.id(),
            json(&it.ec2_instance),
            it.status,
            if it.agent_connected {
                ""
            } else {
                ", disconnected"
            },
            it.remaining,
            it.registered,
            if tasks_read.contains(arn) {
                ""
            } else {
                "; tasks not read"
            },
        )
        .unwrap();
    }
    for task in &capacity.tasks {
        writeln!(
            text,
            "  task {} {} to {} on {}: {}; of {}{}",
            task.arn.id(),
            task.last_status.as_str(),
            if task.desired_running { "run" } else { "stop" },
            task.instance.as_ref().map_or("nothing", |it| it.id()),
            task.needs,
            json(&task.service),
            if task.is_daemon { ", a daemon" } else { "" },
        )
        .unwrap();
    }
    for service in capacity.services.values() {
        writeln!(
            text,
            "  service {}: {} of {} running, {} to {} %",
            service.name,
            service.running_count,
            service.desired_count,
            service.minimum_healthy_percent,
            service.maximum_percent
        )
        .unwrap();
    }
    for (arn, shape) in &capacity.task_definitions {
        writeln!(
            text,
            "  definition {arn}: {}, stops in {}",
            shape.needs,
            json(&stop_timeouts.get(arn))
        )
        .unwrap();
    }
    show_gaps(text, "  ", &capacity.gaps);
}
