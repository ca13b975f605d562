//! What is known of an instance that does not exist yet.

use std::collections::{BTreeMap, BTreeSet};

use model::instance_type::CpuArchitecture;
use model::{AvailabilityZone, InstanceType};

use super::evaluate::{Facts, Unlisted};

/// The value of `ecs.os-type` on Linux.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
pub const OS_TYPE_LINUX: &str = "linux";

const AVAILABILITY_ZONE: &str = "ecs.availability-zone";
const CPU_ARCHITECTURE: &str = "ecs.cpu-architecture";
const INSTANCE_TYPE: &str = "ecs.instance-type";
const OS_TYPE: &str = "ecs.os-type";

/// Attributes that say nothing of another instance, even if all that exist agree.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
const OF_ONE_INSTANCE: [&str; 5] = [
    AVAILABILITY_ZONE,
    "ecs.awsvpc-trunk-id",
    CPU_ARCHITECTURE,
    INSTANCE_TYPE,
    "ecs.subnet-id",
];

/// What the instances of a group tell about the next one.
///
/// Assumed: a new instance gets what all present ones share, for it comes from the group's launch template. What only some have, or
/// have with different values, is not known of it. What none has, it will not have either. Of a group without instances nothing is
/// known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupAttributes {
    shared: BTreeMap<String, Option<String>>,
    varying: BTreeSet<String>,
    has_instances: bool,
}

impl GroupAttributes {
    /// From the attributes of the instances that the group has now.
    pub fn of<'a>(
        instances: impl IntoIterator<Item = &'a BTreeMap<String, Option<String>>>,
    ) -> Self {
        let mut instances = instances.into_iter();
        let Some(first) = instances.next() else {
            return Self::default();
        };
        let mut shared = first.clone();
        let mut varying: BTreeSet<String> =
            OF_ONE_INSTANCE.into_iter().map(str::to_owned).collect();
        for attributes in instances {
            let differs =
                |name: &String, value: &Option<String>| attributes.get(name) != Some(value);
            varying.extend(
                shared
                    .extract_if(.., |name, value| differs(name, value))
                    .map(|(name, _)| name),
            );
            varying.extend(
                attributes
                    .keys()
                    .filter(|name| !shared.contains_key(*name))
                    .cloned(),
            );
        }
        shared.retain(|name, _| !varying.contains(name));
        Self {
            shared,
            varying,
            has_instances: true,
        }
    }

    /// A new instance of this type in this zone. `os_type` is used where no instance tells it; [`OS_TYPE_LINUX`] is the usual one.
    #[must_use]
    pub fn next_instance(
        &self,
        instance_type: &InstanceType,
        zone: &AvailabilityZone,
        architecture: Option<CpuArchitecture>,
        os_type: &str,
    ) -> FutureInstance {
        let mut attributes = self.shared.clone();
        let mut set =
            |name: &str, value: &str| attributes.insert(name.to_owned(), Some(value.to_owned()));
        set(INSTANCE_TYPE, instance_type.as_str());
        set(AVAILABILITY_ZONE, zone.as_str());
        if let Some(architecture) = architecture {
            set(CPU_ARCHITECTURE, architecture.as_str());
        }
        if !self.varying.contains(OS_TYPE) {
            attributes
                .entry(OS_TYPE.to_owned())
                .or_insert_with(|| Some(os_type.to_owned()));
        }
        FutureInstance {
            attributes,
            varying: self.varying.clone(),
            has_siblings: self.has_instances,
        }
    }
}

/// An instance that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FutureInstance {
    attributes: BTreeMap<String, Option<String>>,
    varying: BTreeSet<String>,
    has_siblings: bool,
}

impl FutureInstance {
    /// What is known of it. Its agent is connected: an instance takes tasks only then.
    #[must_use]
    pub const fn facts(&self) -> Facts<'_> {
        Facts {
            attributes: &self.attributes,
            unlisted: if self.has_siblings {
                Unlisted::AbsentExcept(&self.varying)
            } else {
                Unlisted::Unknown
            },
            ec2_instance_id: None,
            agent_connected: Some(true),
            agent_version: None,
            registered_at: None,
            running_tasks_count: None,
        }
    }
}
