//! What a task definition asks of an instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{
    ContainerDefinition, NetworkMode, PortMapping, ResourceRequirement, ResourceType,
    TaskDefinition, TaskDefinitionPlacementConstraint, TaskDefinitionPlacementConstraintType,
    TransportProtocol,
};
use model::capacity::{Constraint, HostPort, Protocol, TaskShape};
use model::snapshot::{Gap, STOP_TIMEOUT_DEFAULT};
use model::{Seconds, TaskDefinitionArn};

use crate::capacity::needs::{self, ContainerNeeds, Overrides, TaskNeeds};
use crate::capacity::{Eyes, Look};
use crate::look::unreadable;
use crate::task_definitions::{self, DESCRIBE_TASK_DEFINITION};

/// A task definition, as far as it concerns instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// What one task asks for without overrides.
    pub(crate) shape: TaskShape,
    /// What that is made of, so that overrides can replace parts of it.
    pub(crate) needs: TaskNeeds,
    /// The longest stop timeout of its containers: so long may a task take to stop.
    pub(crate) stop_timeout: Seconds,
}

/// Task definitions, or why one is not known.
pub(crate) type Definitions = BTreeMap<TaskDefinitionArn, Result<Arc<Definition>, Gap>>;

/// Reads these task definitions, as far as they are not in `definitions`. Every one is there afterwards. A daemon task definition is of
/// another kind and is left out.
pub(crate) async fn read<O: Eyes>(
    look: &mut Look<'_, O>,
    arns: &BTreeSet<TaskDefinitionArn>,
    definitions: &mut Definitions,
) {
    for arn in arns {
        if definitions.contains_key(arn) || is_daemons(arn) || !is_arn(arn) {
            continue;
        }
        let known = match look.observer.definitions().get(arn) {
            Some(known) => Ok(known),
            None => read_one(look, arn).await,
        };
        definitions.insert(arn.clone(), known);
    }
}

/// Whether a task definition is that of an ECS Managed Daemon. Nobody else's task can carry such an ARN.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DaemonTaskDefinition.html>
pub(crate) fn is_daemons(arn: &TaskDefinitionArn) -> bool {
    arn.as_str().contains(":daemon-task-definition/")
}

/// A service without a deployment has the word `none` in place of an ARN.
fn is_arn(arn: &TaskDefinitionArn) -> bool {
    arn.as_str().starts_with("arn:")
}

async fn read_one<O: Eyes>(
    look: &mut Look<'_, O>,
    arn: &TaskDefinitionArn,
) -> Result<Arc<Definition>, Gap> {
    let ecs = look.observer.ecs();
    let answer = task_definitions::describe(look, ecs, arn).await?;
    let definition = definition(&answer)
        .map_err(|fault| unreadable(DESCRIBE_TASK_DEFINITION, arn.as_str(), &fault))?;
    let definition = Arc::new(definition);
    look.observer.definitions().keep(arn, definition.clone());
    Ok(definition)
}

/// Reads a task definition.
///
/// # Errors
/// What of it cannot be understood, in words.
fn definition(answer: &TaskDefinition) -> Result<Definition, String> {
    let is_awsvpc = answer.network_mode() == Some(&NetworkMode::Awsvpc);
    let mut containers = BTreeMap::new();
    for (index, container) in answer.container_definitions().iter().enumerate() {
        // Names are unique; one that is missing must not hide a container.
        let name = container
            .name()
            .map_or_else(|| format!("#{index}"), str::to_owned);
        containers.insert(name, container_needs(container)?);
    }
    let needs = TaskNeeds {
        cpu_units: answer.cpu().map(needs::cpu_units).transpose()?,
        memory_mib: answer.memory().map(needs::memory_mib).transpose()?,
        network_interfaces: u32::from(is_awsvpc),
        containers,
    };
    let required = answer.requires_attributes().iter();
    Ok(Definition {
        shape: TaskShape {
            needs: needs.with(&Overrides::default()),
            host_ports: host_ports(answer)?,
            constraints: answer
                .placement_constraints()
                .iter()
                .map(constraint)
                .collect(),
            required_attributes: required
                .map(|it| (it.name().to_owned(), it.value().map(str::to_owned)))
                .collect(),
        },
        needs,
        stop_timeout: stop_timeout(answer.container_definitions()),
    })
}

/// The longest stop timeout: ECS stops a task's containers together, or one after the other where one depends on another.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html#container_definition_timeout>
fn stop_timeout(containers: &[ContainerDefinition]) -> Seconds {
    let of_each = containers.iter().map(|container| {
        let secs = container.stop_timeout().map(i64::from);
        secs.map_or(STOP_TIMEOUT_DEFAULT, Seconds)
    });
    of_each.max().unwrap_or(STOP_TIMEOUT_DEFAULT)
}

fn container_needs(container: &ContainerDefinition) -> Result<ContainerNeeds, String> {
    let number = |name, number: Option<i32>| {
        number
            .map(|number| crate::read_service::count(name, number))
            .transpose()
    };
    Ok(ContainerNeeds {
        cpu_units: crate::read_service::count("cpu", container.cpu())?,
        memory_mib: number("memory", container.memory())?,
        memory_reservation_mib: number("memoryReservation", container.memory_reservation())?,
        gpus: gpus(container.resource_requirements())?,
    })
}

/// How many GPUs these requirements ask for.
///
/// # Errors
/// A number that is none.
pub(crate) fn gpus(requirements: &[ResourceRequirement]) -> Result<u32, String> {
    let of_gpus = requirements
        .iter()
        .filter(|it| *it.r#type() == ResourceType::Gpu);
    let mut gpus: u32 = 0;
    for requirement in of_gpus {
        let number: u32 = requirement
            .value()
            .trim()
            .parse()
            .map_err(|_| format!("`GPU` is {:?}", requirement.value()))?;
        gpus = gpus.saturating_add(number);
    }
    Ok(gpus)
}

/// The host ports that one task takes. In the mode `host` a container's port is the instance's; in the mode `bridge` it is only where
/// one is named; `awsvpc` and `none` take none.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html>
fn host_ports(answer: &TaskDefinition) -> Result<BTreeSet<HostPort>, String> {
    let of_container: fn(&PortMapping) -> Option<i32> = match answer.network_mode() {
        Some(NetworkMode::Awsvpc | NetworkMode::None) => |_| None,
        Some(NetworkMode::Host) => |it| it.host_port().or(it.container_port()),
        // `bridge` is the default, and what Windows calls `default` maps ports alike.
        _ => PortMapping::host_port,
    };
    let mappings = answer
        .container_definitions()
        .iter()
        .flat_map(|it| it.port_mappings());
    let mut ports = BTreeSet::new();
    for mapping in mappings {
        // Port 0 is a dynamic one.
        let Some(port) = of_container(mapping).filter(|port| *port != 0) else {
            continue;
        };
        let port = u16::try_from(port).map_err(|_| format!("`hostPort` is {port}"))?;
        let protocol = match mapping.protocol() {
            Some(TransportProtocol::Udp) => Protocol::Udp,
            _ => Protocol::Tcp,
        };
        ports.insert(HostPort { protocol, port });
    }
    Ok(ports)
}

fn constraint(answer: &TaskDefinitionPlacementConstraint) -> Constraint {
    match answer.r#type() {
        Some(TaskDefinitionPlacementConstraintType::MemberOf) => Constraint::MemberOf {
            expression: answer.expression().unwrap_or_default().to_owned(),
        },
        other => Constraint::Other {
            name: other.map_or("none", |it| it.as_str()).to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use model::capacity::Resources;

    use super::*;

    fn container(name: &str) -> aws_sdk_ecs::types::builders::ContainerDefinitionBuilder {
        ContainerDefinition::builder()
            .name(name)
            .cpu(256)
            .memory(512)
    }

    fn check(answer: TaskDefinition, want: Resources) {
        let definition = definition(&answer).unwrap();
        assert_eq!(definition.shape.needs, want, "{answer:?}");
    }

    #[test]
    fn what_the_task_reserves_takes_the_place_of_what_its_containers_do() {
        let of_containers = || {
            TaskDefinition::builder()
                .container_definitions(container("app").build())
                .container_definitions(container("side").memory_reservation(100).build())
        };
        let resources = |cpu_units, memory_mib| Resources {
            cpu_units,
            memory_mib,
            ..Resources::ZERO
        };
        check(of_containers().build(), resources(512, 612));
        check(of_containers().cpu("1024").build(), resources(1_024, 612));
        check(of_containers().memory("700").build(), resources(512, 700));
        let awsvpc = of_containers().network_mode(NetworkMode::Awsvpc).build();
        check(
            awsvpc,
            Resources {
                network_interfaces: 1,
                ..resources(512, 612)
            },
        );
        let gpu = ResourceRequirement::builder()
            .r#type(ResourceType::Gpu)
            .value("2")
            .build()
            .unwrap();
        let with_gpus = TaskDefinition::builder()
            .container_definitions(container("app").resource_requirements(gpu).build())
            .build();
        check(
            with_gpus,
            Resources {
                gpus: 2,
                ..resources(256, 512)
            },
        );
    }

    fn ports(mode: Option<NetworkMode>, host: Option<i32>) -> Vec<String> {
        let mapping = PortMapping::builder()
            .container_port(80)
            .set_host_port(host)
            .build();
        let udp = PortMapping::builder()
            .container_port(53)
            .host_port(53)
            .protocol(TransportProtocol::Udp)
            .build();
        let app = container("app").port_mappings(mapping).port_mappings(udp);
        let answer = TaskDefinition::builder()
            .set_network_mode(mode)
            .container_definitions(app.build())
            .build();
        let definition = definition(&answer).unwrap();
        let ports = definition.shape.host_ports.iter();
        ports.map(ToString::to_string).collect()
    }

    #[test]
    fn a_host_port_is_taken_as_the_network_mode_says() {
        assert_eq!(ports(None, None), ["53/udp"]);
        assert_eq!(ports(None, Some(0)), ["53/udp"]);
        assert_eq!(ports(None, Some(8_080)), ["8080/tcp", "53/udp"]);
        assert_eq!(ports(Some(NetworkMode::Host), None), ["80/tcp", "53/udp"]);
        assert!(ports(Some(NetworkMode::Awsvpc), Some(80)).is_empty());
        assert!(ports(Some(NetworkMode::None), Some(80)).is_empty());
    }

    #[test]
    fn numbers_that_are_none_are_said() {
        for (answer, want) in [
            (TaskDefinition::builder().cpu("much"), "`cpu` is \"much\""),
            (
                TaskDefinition::builder()
                    .container_definitions(container("app").memory(-1).build()),
                "`memory` is -1",
            ),
        ] {
            assert_eq!(definition(&answer.build()), Err(want.to_owned()));
        }
    }

    #[test]
    fn the_longest_stop_timeout_counts() {
        let of = |secs: Option<i32>| container("app").set_stop_timeout(secs).build();
        for (containers, want) in [
            (vec![], 30),
            (vec![of(None)], 30),
            (vec![of(Some(2))], 2),
            (vec![of(Some(2)), of(None)], 30),
            (vec![of(Some(120)), of(None)], 120),
        ] {
            assert_eq!(stop_timeout(&containers), Seconds(want), "{containers:?}");
        }
    }

    #[test]
    fn a_daemon_task_definition_is_known_by_its_arn() {
        let arn = |kind: &str| {
            format!("arn:aws:ecs:us-west-2:111122223333:{kind}/agent:1")
                .parse()
                .unwrap()
        };
        assert!(is_daemons(&arn("daemon-task-definition")));
        assert!(!is_daemons(&arn("task-definition")));
    }
}
