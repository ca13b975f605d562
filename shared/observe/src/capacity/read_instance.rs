//! What DescribeContainerInstances answers, as the model's container instance.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{self as ecs, InstanceHealthCheckState};
use calls::one_line;
use model::capacity::{ContainerInstance, ContainerInstanceStatus, HostPort, Protocol, Resources};
use model::instance_type::{self, Trunking};
use model::{CapacityProviderName, IdError, InstanceType};

use crate::read_task::time;

/// The built-in attributes that tell an instance's type and zone.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
const INSTANCE_TYPE: &str = "ecs.instance-type";
const AVAILABILITY_ZONE: &str = "ecs.availability-zone";
/// The attribute of an instance with a trunk interface.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html>
const TRUNK: &str = "ecs.awsvpc-trunk-id";

/// What an EC2 instance's id begins with. An external instance has an id of Systems Manager's.
const EC2_PREFIX: &str = "i-";

/// Reads a container instance. The network interfaces that its tasks use are not in the answer and are taken off later.
///
/// # Errors
/// What the answer lacks, in words.
pub(crate) fn instance(answer: &ecs::ContainerInstance) -> Result<ContainerInstance, String> {
    let text = |error: IdError| error.to_string();
    let attributes: BTreeMap<String, Option<String>> = answer
        .attributes()
        .iter()
        .map(|it| (it.name().to_owned(), it.value().map(str::to_owned)))
        .collect();
    let attribute = |name| attributes.get(name).and_then(Option::as_deref);
    let instance_type = attribute(INSTANCE_TYPE).map(str::parse).transpose();
    let instance_type = instance_type.map_err(text)?;
    let zone = attribute(AVAILABILITY_ZONE).map(str::parse).transpose();
    let interfaces = interfaces(instance_type.as_ref(), attributes.contains_key(TRUNK));
    let ec2_instance = answer
        .ec2_instance_id()
        .filter(|id| id.starts_with(EC2_PREFIX))
        .map(str::parse)
        .transpose();
    let provider = answer
        .capacity_provider_name()
        .map(CapacityProviderName::from_arn_or_name)
        .transpose();
    Ok(ContainerInstance {
        arn: answer
            .container_instance_arn()
            .unwrap_or_default()
            .parse()
            .map_err(text)?,
        ec2_instance: ec2_instance.map_err(text)?,
        provider: provider.map_err(text)?,
        status: status(answer.status()),
        agent_connected: answer.agent_connected(),
        agent_version: answer
            .version_info()
            .and_then(|it| it.agent_version())
            .map(one_line),
        registered_at: time(answer.registered_at()),
        registered: resources(answer.registered_resources(), interfaces)?,
        remaining: resources(answer.remaining_resources(), interfaces)?,
        host_ports: host_ports(answer.remaining_resources())?,
        zone: zone.map_err(text)?,
        instance_type,
        attributes,
        is_impaired: answer.health_status().and_then(|it| it.overall_status())
            == Some(&InstanceHealthCheckState::Impaired),
    })
}

/// How many interfaces of their own tasks may have on an instance of this type; none where the type is not known.
fn interfaces(instance_type: Option<&InstanceType>, has_trunk: bool) -> u32 {
    let trunking = if has_trunk {
        Trunking::Enabled
    } else {
        Trunking::Disabled
    };
    instance_type
        .and_then(instance_type::lookup)
        .map_or(0, |facts| facts.awsvpc_tasks(trunking))
}

pub(crate) fn status(text: Option<&str>) -> ContainerInstanceStatus {
    match text {
        Some("REGISTERING") => ContainerInstanceStatus::Registering,
        Some("ACTIVE") => ContainerInstanceStatus::Active,
        Some("DRAINING") => ContainerInstanceStatus::Draining,
        Some("DEREGISTERING") => ContainerInstanceStatus::Deregistering,
        Some("REGISTRATION_FAILED") => ContainerInstanceStatus::RegistrationFailed,
        Some("INACTIVE") => ContainerInstanceStatus::Inactive,
        _ => ContainerInstanceStatus::Unknown,
    }
}

/// Reads a list of resources. An instance that is still registering may have none yet.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Resource.html>
fn resources(answer: &[ecs::Resource], network_interfaces: u32) -> Result<Resources, String> {
    let of = |name: &str| answer.iter().find(|it| it.name() == Some(name));
    let integer = |name: &str| {
        of(name).map_or(Ok(0), |it| {
            // More can be given away than there is, when an instance registers anew with less.
            let number = it.integer_value().max(0);
            crate::read_service::count(name, number)
        })
    };
    let gpus = of("GPU").map_or(0, |it| it.string_set_value().len());
    Ok(Resources {
        cpu_units: integer("CPU")?,
        memory_mib: integer("MEMORY")?,
        gpus: u32::try_from(gpus).map_err(|_| format!("`GPU` has {gpus} lines"))?,
        network_interfaces,
    })
}

/// The ports that are taken: *remaining* lists those that are not free.
fn host_ports(remaining: &[ecs::Resource]) -> Result<BTreeSet<HostPort>, String> {
    let mut ports = BTreeSet::new();
    for (name, protocol) in [("PORTS", Protocol::Tcp), ("PORTS_UDP", Protocol::Udp)] {
        let taken = remaining
            .iter()
            .filter(|it| it.name() == Some(name))
            .flat_map(ecs::Resource::string_set_value);
        for port in taken {
            let port = port
                .parse()
                .map_err(|_| format!("`{name}` holds {port:?}"))?;
            ports.insert(HostPort { protocol, port });
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(name: &str, value: i32) -> ecs::Resource {
        let resource = ecs::Resource::builder().name(name).r#type("INTEGER");
        resource.integer_value(value).build()
    }

    fn set(name: &str, values: &[&str]) -> ecs::Resource {
        let values = values.iter().map(|it| (*it).to_owned()).collect();
        let resource = ecs::Resource::builder().name(name).r#type("STRINGSET");
        resource.set_string_set_value(Some(values)).build()
    }

    fn attribute(name: &str, value: Option<&str>) -> ecs::Attribute {
        let attribute = ecs::Attribute::builder().name(name);
        let attribute = attribute.set_value(value.map(str::to_owned));
        attribute.build().unwrap()
    }

    fn answer() -> ecs::builders::ContainerInstanceBuilder {
        ecs::ContainerInstance::builder()
            .container_instance_arn("arn:aws:ecs:us-west-2:111122223333:container-instance/demo/1")
            .ec2_instance_id("i-1")
            .status("ACTIVE")
            .agent_connected(true)
            .version_info(ecs::VersionInfo::builder().agent_version("1.82.0").build())
            .attributes(attribute("ecs.instance-type", Some("m5.large")))
            .attributes(attribute("ecs.availability-zone", Some("us-west-2a")))
            .attributes(attribute("ecs.capability.task-eni", None))
            .registered_resources(integer("CPU", 2_048))
            .registered_resources(integer("MEMORY", 7_680))
            .registered_resources(set("GPU", &["gpu-1", "gpu-2"]))
            .remaining_resources(integer("CPU", 1_024))
            .remaining_resources(integer("MEMORY", -5))
            .remaining_resources(set("GPU", &["gpu-2"]))
            .remaining_resources(set("PORTS", &["22", "8080"]))
            .remaining_resources(set("PORTS_UDP", &["53"]))
    }

    #[test]
    fn an_instance_is_read() {
        let read = instance(&answer().build()).unwrap();
        let resources = |cpu_units, memory_mib, gpus, network_interfaces| Resources {
            cpu_units,
            memory_mib,
            gpus,
            network_interfaces,
        };
        assert_eq!(read.registered, resources(2_048, 7_680, 2, 2));
        assert_eq!(read.remaining, resources(1_024, 0, 1, 2));
        let ports: Vec<String> = read.host_ports.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["22/tcp", "8080/tcp", "53/udp"]);
        assert_eq!(read.attributes.get("ecs.capability.task-eni"), Some(&None));
        assert_eq!(read.zone, Some("us-west-2a".parse().unwrap()));
        assert_eq!(read.status, ContainerInstanceStatus::Active);
        assert_eq!(read.agent_version.as_deref(), Some("1.82.0"));
        assert!(!read.is_impaired);
    }

    #[test]
    fn a_trunk_gives_more_interfaces_and_an_unknown_type_none() {
        let trunk = answer().attributes(attribute(TRUNK, Some("eni-1"))).build();
        assert_eq!(instance(&trunk).unwrap().registered.network_interfaces, 10);
        let unknown = ecs::ContainerInstance::builder()
            .container_instance_arn("a")
            .attributes(attribute("ecs.instance-type", Some("z99.huge")))
            .build();
        let read = instance(&unknown).unwrap();
        assert_eq!(read.registered.network_interfaces, 0);
        assert_eq!(read.agent_version, None);
    }

    #[test]
    fn odd_answers_are_read_as_far_as_they_go() {
        let external = answer().ec2_instance_id("mi-1").status("DREAMING").build();
        let read = instance(&external).unwrap();
        assert_eq!(read.ec2_instance, None);
        assert_eq!(read.status, ContainerInstanceStatus::Unknown);

        let nameless = ecs::ContainerInstance::builder().build();
        let fault = instance(&nameless).unwrap_err();
        assert_eq!(fault, "a container instance ARN is empty");
        let ports = answer().remaining_resources(set("PORTS", &["many"]));
        let fault = instance(&ports.build()).unwrap_err();
        assert_eq!(fault, "`PORTS` holds \"many\"");
    }
}
