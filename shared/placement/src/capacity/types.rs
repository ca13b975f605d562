//! What an instance of a type offers, before one was launched.
//!
//! In this order: what an instance of the provider registered, now or when one was last seen; what one of another provider of the
//! cluster registers; AWS's table of types ([`model::instance_type`]). A type of which none of these speaks is not known.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use model::InstanceType;
use model::capacity::{
    ContainerInstance, Group, GroupPolicy, GroupTypes, LearnedType, ProviderMemory, Resources,
};
use model::instance_type::{self, CpuArchitecture, Trunking};

use super::case::Member;
use super::index::Index;
use crate::query::GroupAttributes;

/// How many types are remembered.
pub const LEARNED_MAX: usize = 64;

/// Of how many instances the attributes are compared. The next instance has what they share.
const COMPARED_MAX: usize = 100;

/// Attributes that the agent sets by what it is able to do. They are many, and are not remembered.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
const CAPABILITIES: [&str; 2] = ["com.amazonaws.ecs.capability.", "ecs.capability."];

/// Whether the attribute tells what an agent is able to do.
pub(crate) fn is_capability(attribute: &str) -> bool {
    CAPABILITIES
        .iter()
        .any(|prefix| attribute.starts_with(prefix))
}

/// A type that the group may launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypeOffer {
    pub(crate) instance_type: InstanceType,
    /// Everything that it registers; `None`: it is not known.
    pub(crate) registers: Option<Resources>,
    pub(crate) architecture: Option<CpuArchitecture>,
}

/// What the group may launch, and what is known of it.
pub(crate) struct Types {
    /// In the order of their names.
    pub(crate) offers: Vec<TypeOffer>,
    /// What the next instance will have as attributes.
    pub(crate) attributes: GroupAttributes,
    /// Whether there is an instance whose attributes were seen.
    pub(crate) has_siblings: bool,
    learned: BTreeMap<InstanceType, Resources>,
}

impl Types {
    /// What an instance of the type registers.
    pub(crate) fn registers(&self, instance_type: &InstanceType) -> Option<Resources> {
        self.learned
            .get(instance_type)
            .copied()
            .or_else(|| from_table(instance_type))
    }

    /// The names of all of them, for texts.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self
            .offers
            .iter()
            .map(|offer| offer.instance_type.as_str())
            .collect();
        if names.is_empty() {
            "the launch template names it".to_owned()
        } else {
            names.join(", ")
        }
    }
}

/// Notes what the instances of the provider register.
pub(crate) fn learn(memory: &mut ProviderMemory, members: &[Member<'_>], now: Timestamp) {
    for (instance_type, container) in newest(members.iter().filter_map(|it| it.container)) {
        let attributes = container
            .attributes
            .iter()
            .filter(|(name, _)| !is_capability(name));
        memory.types.insert(
            instance_type.clone(),
            LearnedType {
                registered: container.registered,
                attributes: attributes
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                seen_at: now,
            },
        );
    }
    while memory.types.len() > LEARNED_MAX {
        let oldest = memory
            .types
            .iter()
            .min_by_key(|(name, learned)| (learned.seen_at, *name))
            .map(|(name, _)| name.clone());
        let Some(oldest) = oldest else { break };
        memory.types.remove(&oldest);
    }
}

/// Of each type the container instance that registered last; ties by its ARN.
fn newest<'a>(
    containers: impl Iterator<Item = &'a ContainerInstance>,
) -> BTreeMap<&'a InstanceType, &'a ContainerInstance> {
    let mut newest: BTreeMap<&InstanceType, &ContainerInstance> = BTreeMap::new();
    for container in containers {
        let Some(instance_type) = &container.instance_type else {
            continue;
        };
        let held = newest.entry(instance_type).or_insert(container);
        if (container.registered_at, &container.arn) > (held.registered_at, &held.arn) {
            *held = container;
        }
    }
    newest
}

/// What the group may launch.
pub(crate) fn of_group(
    group: &Group,
    policy: &GroupPolicy,
    members: &[Member<'_>],
    index: &Index<'_>,
    memory: &ProviderMemory,
) -> Types {
    let mut learned: BTreeMap<InstanceType, Resources> = BTreeMap::new();
    for (instance_type, container) in newest(index.cluster.instances.values()) {
        learned.insert(instance_type.clone(), container.registered);
    }
    for (instance_type, it) in &memory.types {
        learned.insert(instance_type.clone(), it.registered);
    }
    let mut seen = members
        .iter()
        .filter_map(|member| member.container)
        .map(|container| &container.attributes)
        .take(COMPARED_MAX)
        .peekable();
    let has_siblings = seen.peek().is_some();
    let attributes = if has_siblings {
        GroupAttributes::of(seen)
    } else {
        GroupAttributes::of(memory.types.values().map(|it| &it.attributes))
    };
    let offers = names(group, policy, members, memory)
        .into_iter()
        .map(|instance_type| TypeOffer {
            registers: learned
                .get(&instance_type)
                .copied()
                .or_else(|| from_table(&instance_type)),
            architecture: instance_type::lookup(&instance_type).map(|facts| facts.architecture),
            instance_type,
        })
        .collect();
    Types {
        offers,
        attributes,
        has_siblings,
        learned,
    }
}

/// The types that the group may launch, so far as their names are known.
fn names(
    group: &Group,
    policy: &GroupPolicy,
    members: &[Member<'_>],
    memory: &ProviderMemory,
) -> BTreeSet<InstanceType> {
    if let GroupTypes::Listed { choices } = &group.types
        && !choices.is_empty()
    {
        return choices.iter().map(|it| it.instance_type.clone()).collect();
    }
    if !policy.instance_types.is_empty() {
        return policy.instance_types.iter().cloned().collect();
    }
    let of_instances: BTreeSet<InstanceType> = members
        .iter()
        .filter_map(|member| {
            let registered = member.container.and_then(|it| it.instance_type.as_ref());
            member.instance.instance_type.as_ref().or(registered)
        })
        .cloned()
        .collect();
    if of_instances.is_empty() {
        // The last that were seen.
        memory.types.keys().cloned().collect()
    } else {
        of_instances
    }
}

/// Without trunking: whether it is on is the setting of a role that Ballast does not know.
fn from_table(instance_type: &InstanceType) -> Option<Resources> {
    instance_type::lookup(instance_type).map(|facts| facts.registers(Trunking::Disabled))
}
