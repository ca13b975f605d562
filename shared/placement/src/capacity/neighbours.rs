//! Who else decides about the group's size? They are named and not fought.

use model::capacity::Provider;
use model::capacity::hold::Neighbour;

/// Everybody else who sizes the group, or would stand in the way of removing its instances; empty where there is nobody.
pub(crate) fn neighbours(provider: &Provider) -> Vec<Neighbour> {
    let group = &provider.group;
    let mut found = Vec::new();
    if provider.managed_scaling.is_some_and(|it| it.enabled) {
        found.push(Neighbour::ManagedScaling);
    }
    if provider.managed_termination_protection {
        found.push(Neighbour::ManagedTerminationProtection);
    }
    found.extend(
        group
            .scaling_policies
            .iter()
            .map(|name| Neighbour::ScalingPolicy { name: name.clone() }),
    );
    found.extend(
        group
            .scheduled_actions
            .iter()
            .map(|name| Neighbour::ScheduledAction { name: name.clone() }),
    );
    if group.has_warm_pool {
        found.push(Neighbour::WarmPool);
    }
    found.extend(
        provider
            .other_clusters
            .iter()
            .map(|name| Neighbour::OtherCluster {
                name: name.to_string(),
            }),
    );
    found
}
