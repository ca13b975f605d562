//! Task definitions: what a task reserves, where it may be placed, and how long its containers may take to stop.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::wire::{PlacementLine, constraints};
use crate::ecs::{Constraint, Needs};
use crate::error::ApiError;
use crate::state::{NetworkMode, STOP_TIMEOUT_MAX_SECS, State, TaskDefinition};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterTaskDefinition {
    family: String,
    /// As they came: what the world does not model is given back as it was.
    container_definitions: Vec<Value>,
    cpu: Option<String>,
    memory: Option<String>,
    network_mode: Option<String>,
    #[serde(default)]
    requires_compatibilities: Vec<String>,
    #[serde(default)]
    placement_constraints: Vec<PlacementLine>,
    runtime_platform: Option<RuntimePlatform>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuntimePlatform {
    cpu_architecture: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerDefinition {
    stop_timeout: Option<u32>,
    essential: Option<bool>,
    #[serde(default)]
    cpu: u32,
    memory: Option<u32>,
    memory_reservation: Option<u32>,
    #[serde(default)]
    port_mappings: Vec<PortMapping>,
    #[serde(default)]
    resource_requirements: Vec<ResourceRequirement>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortMapping {
    container_port: Option<u16>,
    host_port: Option<u16>,
    protocol: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ResourceRequirement {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeTaskDefinition {
    task_definition: String,
}

/// A size of a whole task: CPU units or MiB, or vCPU or GB with their unit.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>
fn size(text: &str) -> Result<u32, ApiError> {
    let refuse = || ApiError::client(format!("Invalid 'cpu' or 'memory' setting: {text}"));
    let lower = text.trim().to_ascii_lowercase();
    let Some(number) = lower.strip_suffix("vcpu").or(lower.strip_suffix("gb")) else {
        return lower.parse().map_err(|_| refuse());
    };
    // Both units are 1,024 of the smaller one, and may have a fraction.
    let number = number.trim();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u32 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| refuse())?
    };
    let digits = u32::try_from(part.len()).unwrap_or(u32::MAX);
    let (part, scale) = match part {
        "" => (0, 1),
        digits_of if digits <= 3 => (
            digits_of.parse::<u32>().map_err(|_| refuse())?,
            10_u32.pow(digits),
        ),
        _ => return Err(refuse()),
    };
    whole
        .checked_mul(1_024)
        .and_then(|it| it.checked_add(part * 1_024 / scale))
        .ok_or_else(refuse)
}

/// What one task of these containers reserves.
fn needs_of(
    containers: &[ContainerDefinition],
    mode: NetworkMode,
    cpu_units: Option<u32>,
    memory_mib: Option<u32>,
) -> Result<Needs, ApiError> {
    let memory = |it: &ContainerDefinition| it.memory_reservation.or(it.memory);
    if memory_mib.is_none() && containers.iter().any(|it| memory(it).is_none()) {
        return Err(ApiError::client(
            "Invalid setting for container. At least one of 'memory' or 'memoryReservation' must be specified.",
        ));
    }
    let mut needs = Needs {
        cpu_units: cpu_units.unwrap_or_else(|| containers.iter().map(|it| it.cpu).sum()),
        memory_mib: memory_mib.unwrap_or_else(|| containers.iter().filter_map(memory).sum()),
        network_interfaces: u32::from(mode == NetworkMode::Awsvpc),
        ..Needs::default()
    };
    for container in containers {
        for required in &container.resource_requirements {
            if required.kind == "GPU" {
                let wrong = |_| ApiError::client("Invalid value for the GPU resource requirement.");
                needs.gpus += required.value.parse::<u32>().map_err(wrong)?;
            }
        }
        for mapping in &container.port_mappings {
            let port = match mode {
                NetworkMode::Bridge => mapping.host_port,
                NetworkMode::Host => mapping.host_port.or(mapping.container_port),
                NetworkMode::Awsvpc | NetworkMode::None => None,
            };
            // Port 0 is a port that Docker chooses.
            let Some(port) = port.filter(|it| *it > 0) else {
                continue;
            };
            let ports = if mapping.protocol.as_deref() == Some("udp") {
                &mut needs.udp_ports
            } else {
                &mut needs.ports
            };
            ports.insert(port);
        }
    }
    Ok(needs)
}

/// What an instance must be able to do, as far as the world looks at it.
fn required_attributes(
    mode: NetworkMode,
    architecture: Option<&str>,
) -> Vec<(String, Option<String>)> {
    let mut all = vec![(
        "com.amazonaws.ecs.capability.docker-remote-api.1.18".to_owned(),
        None,
    )];
    if mode == NetworkMode::Awsvpc {
        all.push(("ecs.capability.task-eni".to_owned(), None));
    }
    let attribute = architecture.map(|it| if it == "ARM64" { "arm64" } else { "x86_64" });
    if let Some(value) = attribute {
        let name = "ecs.cpu-architecture".to_owned();
        all.push((name, Some(value.to_owned())));
    }
    all
}

/// A container as it is given back: with the defaults that ECS adds.
fn with_defaults(container: &Value) -> Value {
    let mut full = json!({
        "cpu": 0,
        "essential": true,
        "portMappings": [],
        "environment": [],
        "mountPoints": [],
        "volumesFrom": [],
    });
    if let (Some(full), Some(own)) = (full.as_object_mut(), container.as_object()) {
        full.extend(own.clone());
    }
    full
}

impl World {
    pub(super) fn register_task_definition(
        &mut self,
        input: &RegisterTaskDefinition,
    ) -> Result<Value, ApiError> {
        if input.container_definitions.is_empty() {
            return Err(ApiError::client("Container list cannot be empty."));
        }
        let containers: Vec<ContainerDefinition> = input
            .container_definitions
            .iter()
            .map(|it| serde_json::from_value(it.clone()).map_err(ApiError::serialization))
            .collect::<Result<_, _>>()?;
        // The first essential container to go takes the task with it.
        let timeouts = containers
            .iter()
            .filter(|it| it.essential != Some(false))
            .map(|it| it.stop_timeout);
        let stop_timeout = timeouts.min_by_key(|it| it.unwrap_or(crate::STOP_TIMEOUT_DEFAULT_SECS));
        let on_fargate = input
            .requires_compatibilities
            .iter()
            .any(|it| it == "FARGATE");
        let network_mode = match &input.network_mode {
            Some(word) => NetworkMode::parse(word)
                .ok_or_else(|| ApiError::client(format!("{word} is not a network mode.")))?,
            None if on_fargate => NetworkMode::Awsvpc,
            None => NetworkMode::Bridge,
        };
        let cpu_units = input.cpu.as_deref().map(size).transpose()?;
        let memory_mib = input.memory.as_deref().map(size).transpose()?;
        let platform = input.runtime_platform.as_ref();
        let architecture = platform.and_then(|it| it.cpu_architecture.as_deref());
        let members = constraints(&input.placement_constraints)?.into_iter();
        let definition = TaskDefinition {
            family: input.family.clone(),
            revision: 0,
            stop_timeout_secs: stop_timeout.flatten(),
            cpu_units,
            memory_mib,
            network_mode,
            needs: needs_of(&containers, network_mode, cpu_units, memory_mib)?,
            placement_constraints: members
                .filter_map(|it| match it {
                    Constraint::MemberOf(text) => Some(text),
                    Constraint::DistinctInstance => None,
                })
                .collect(),
            requires_attributes: required_attributes(network_mode, architecture),
            requires_compatibilities: input.requires_compatibilities.clone(),
            containers: input
                .container_definitions
                .iter()
                .map(with_defaults)
                .collect(),
        };
        let arn = self.add_task_definition_of(definition)?;
        Ok(json!({ "taskDefinition": self.task_definition_json(&self.state, &arn) }))
    }

    /// Registers the next revision of a family, typed, and gives its ARN: a task of 256 CPU units and 512 MiB in network mode
    /// `awsvpc`, for Fargate and for EC2.
    ///
    /// # Errors
    /// When the family has no name, or the stop timeout is longer than Fargate allows.
    pub fn add_task_definition(
        &mut self,
        family: &str,
        stop_timeout_secs: Option<u32>,
    ) -> Result<String, ApiError> {
        self.add_task_definition_of(TaskDefinition::on_fargate(family, stop_timeout_secs))
    }

    /// Registers the next revision of a family, whatever revision the definition says, and gives its ARN.
    ///
    /// # Errors
    /// When the family has no name, or a stop timeout is longer than Fargate allows and Fargate is asked for.
    pub fn add_task_definition_of(
        &mut self,
        definition: TaskDefinition,
    ) -> Result<String, ApiError> {
        let family = definition.family.as_str();
        if family.is_empty() || family.contains([':', '/', ' ']) {
            return Err(ApiError::client("Invalid family name."));
        }
        let on_fargate = definition
            .requires_compatibilities
            .iter()
            .any(|it| it == "FARGATE");
        // There is no maximum on EC2.
        if on_fargate && definition.longest_stop_timeout_secs() > STOP_TIMEOUT_MAX_SECS {
            return Err(ApiError::client(format!(
                "The stopTimeout must be at most {STOP_TIMEOUT_MAX_SECS} seconds."
            )));
        }
        let revision = self.latest_revision(&self.state, family) + 1;
        let arn = self.arn_of(family, revision);
        let definition = TaskDefinition {
            revision,
            ..definition
        };
        self.state.task_definitions.insert(arn.clone(), definition);
        Ok(arn)
    }

    fn arn_of(&self, family: &str, revision: u32) -> String {
        format!(
            "arn:aws:ecs:{}:{}:task-definition/{family}:{revision}",
            self.config.region, self.config.account
        )
    }

    fn latest_revision(&self, state: &State, family: &str) -> u32 {
        state
            .task_definitions
            .values()
            .filter(|it| it.family == family)
            .map(|it| it.revision)
            .max()
            .unwrap_or(0)
    }

    /// The ARN that a text means: an ARN, `family:revision`, or a family's latest revision.
    pub(super) fn task_definition_arn(&self, state: &State, text: &str) -> String {
        if text.starts_with("arn:") {
            return text.to_owned();
        }
        match text.split_once(':') {
            Some((family, revision)) => self.arn_of(family, revision.parse().unwrap_or(0)),
            None => self.arn_of(text, self.latest_revision(state, text).max(1)),
        }
    }

    /// The ARN of a task definition that is about to be used. One that nobody registered is registered now, with the stop timeout of
    /// [`crate::Stop::stop_timeout_secs`], so that a scenario need not.
    pub(super) fn use_task_definition(&mut self, text: &str) -> String {
        let arn = self.task_definition_arn(&self.state, text);
        if !self.state.task_definitions.contains_key(&arn) {
            let name = arn.rsplit('/').next().unwrap_or(&arn);
            let (family, revision) = name.split_once(':').unwrap_or((name, "1"));
            let stop_timeout = Some(self.config.stop.stop_timeout_secs);
            let definition = TaskDefinition {
                revision: revision.parse().unwrap_or(1),
                ..TaskDefinition::on_fargate(family, stop_timeout)
            };
            self.state.task_definitions.insert(arn.clone(), definition);
        }
        arn
    }

    pub(super) fn describe_task_definition(
        &self,
        state: &State,
        input: &DescribeTaskDefinition,
    ) -> Result<Value, ApiError> {
        let arn = self.task_definition_arn(state, &input.task_definition);
        if !state.task_definitions.contains_key(&arn) {
            return Err(ApiError::client("Unable to describe task definition."));
        }
        Ok(json!({ "taskDefinition": self.task_definition_json(state, &arn), "tags": [] }))
    }

    fn task_definition_json(&self, state: &State, arn: &str) -> Value {
        let Some(definition) = state.task_definitions.get(arn) else {
            return Value::Null;
        };
        let sized = definition.cpu_units.is_some() && definition.memory_mib.is_some();
        let compatibilities = if definition.network_mode == NetworkMode::Awsvpc && sized {
            json!(["EC2", "FARGATE"])
        } else {
            json!(["EC2"])
        };
        let attribute = |(name, value): &(String, Option<String>)| match value {
            Some(value) => json!({ "name": name, "value": value }),
            None => json!({ "name": name }),
        };
        let member = |it: &String| Constraint::MemberOf(it.clone()).to_wire();
        let attributes = definition.requires_attributes.iter().map(attribute);
        let members = definition.placement_constraints.iter().map(member);
        let mut json = json!({
            "taskDefinitionArn": arn,
            "family": definition.family,
            "revision": definition.revision,
            "status": "ACTIVE",
            "networkMode": definition.network_mode.as_str(),
            "requiresCompatibilities": definition.requires_compatibilities,
            "compatibilities": compatibilities,
            "requiresAttributes": attributes.collect::<Vec<_>>(),
            "volumes": [],
            "placementConstraints": members.collect::<Vec<_>>(),
            "containerDefinitions": definition.containers,
        });
        let sizes = [
            ("cpu", definition.cpu_units),
            ("memory", definition.memory_mib),
        ];
        for (name, value) in sizes {
            if let (Some(value), Some(fields)) = (value, json.as_object_mut()) {
                fields.insert(name.to_owned(), json!(value.to_string()));
            }
        }
        json
    }
}

/// The container of definitions that are made typed.
fn app(cpu_units: u32, memory_mib: Option<u32>, port: u16, stop_timeout: Option<u32>) -> Value {
    let mut container = json!({
        "name": "app",
        "image": "public.ecr.aws/nginx/nginx:stable",
        "cpu": cpu_units,
        "portMappings": [{ "containerPort": 80, "hostPort": port, "protocol": "tcp" }],
    });
    if let Some(fields) = container.as_object_mut() {
        if let Some(secs) = stop_timeout {
            fields.insert("stopTimeout".to_owned(), json!(secs));
        }
        if let Some(memory) = memory_mib {
            fields.insert("memory".to_owned(), json!(memory));
        }
    }
    with_defaults(&container)
}

impl TaskDefinition {
    /// A task of 256 CPU units and 512 MiB in network mode `awsvpc`, for Fargate and for EC2.
    #[must_use]
    pub fn on_fargate(family: &str, stop_timeout_secs: Option<u32>) -> Self {
        Self {
            family: family.to_owned(),
            revision: 1,
            stop_timeout_secs,
            cpu_units: Some(256),
            memory_mib: Some(512),
            network_mode: NetworkMode::Awsvpc,
            needs: Needs {
                cpu_units: 256,
                memory_mib: 512,
                network_interfaces: 1,
                ..Needs::default()
            },
            placement_constraints: Vec::new(),
            requires_attributes: required_attributes(NetworkMode::Awsvpc, None),
            requires_compatibilities: vec!["FARGATE".to_owned()],
            containers: vec![app(0, None, 80, stop_timeout_secs)],
        }
    }

    /// A task for EC2 in network mode `bridge` with a port that Docker chooses: it reserves CPU units and MiB, and nothing else.
    #[must_use]
    pub fn on_instances(family: &str, cpu_units: u32, memory_mib: u32) -> Self {
        Self {
            cpu_units: None,
            memory_mib: None,
            network_mode: NetworkMode::Bridge,
            needs: Needs {
                cpu_units,
                memory_mib,
                ..Needs::default()
            },
            requires_attributes: required_attributes(NetworkMode::Bridge, None),
            requires_compatibilities: vec!["EC2".to_owned()],
            containers: vec![app(cpu_units, Some(memory_mib), 0, None)],
            ..Self::on_fargate(family, None)
        }
    }

    /// The same, with ports of the host.
    #[must_use]
    pub fn with_host_ports(mut self, ports: &[u16]) -> Self {
        self.needs.ports = ports.iter().copied().collect::<BTreeSet<u16>>();
        self
    }
}
