//! Container instances: how they register, change and are told about.

use std::collections::{BTreeMap, BTreeSet};

use model::{ClusterName, ServiceKey};
use serde_json::{Value, json};

use super::query::{self, Field, Subject};
use super::resources::Resources;
use crate::config::RangeMs;
use crate::error::ApiError;
use crate::state::{ContainerInstance, ContainerInstanceStatus, Instance, State};
use crate::world::{Happening, World};

/// From the agent's first word to ACTIVE.
const REGISTERING: RangeMs = RangeMs::new(500, 1_500);

/// The version that every agent has here.
const AGENT_VERSION: &str = "1.89.2";

/// What the agent of an instance can do, as far as task definitions ask for it.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-agent-config.html>
const CAPABILITIES: [&str; 6] = [
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.task-iam-role",
    "ecs.capability.container-ordering",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.task-eni",
];

/// What a query can ask an instance.
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a State,
    pub(crate) instance: &'a ContainerInstance,
}

impl query::Facts for Facts<'_> {
    fn values(&self, subject: &Subject) -> Option<Vec<String>> {
        let instance = self.instance;
        match subject {
            Subject::Attribute(name) => instance
                .attributes
                .get(name)
                .map(|value| vec![value.clone().unwrap_or_default()]),
            Subject::Field(Field::AgentConnected) => {
                Some(vec![instance.agent_connected.to_string()])
            }
            Subject::Field(Field::AgentVersion) => Some(vec![AGENT_VERSION.to_owned()]),
            Subject::Field(Field::Ec2InstanceId) => Some(vec![instance.ec2_instance_id.clone()]),
            Subject::Field(Field::RegisteredAt) => Some(vec![instance.registered_at.to_string()]),
            Subject::Field(Field::RunningTasksCount) => {
                Some(vec![instance.counts(self.state).0.to_string()])
            }
            Subject::Field(Field::TaskGroup) => {
                let groups = instance.tasks_in(self.state).map(|it| it.group.clone());
                Some(groups.collect())
            }
        }
    }
}

impl World {
    /// Has the instances of a group register with a cluster, as `ECS_CLUSTER` in their user data does, whether or not a capacity
    /// provider is over the group.
    pub fn join_cluster(&mut self, group: &str, cluster: &ClusterName) {
        self.group_clusters
            .insert(group.to_owned(), cluster.clone());
    }

    /// The provider over a group that a cluster has.
    fn provider_over(&self, group: &str, cluster: &ClusterName) -> Option<String> {
        let associated = &self.state.clusters.get(cluster)?.providers;
        associated
            .iter()
            .find(|name| {
                let provider = self.state.group_providers.get(*name);
                provider.is_some_and(|it| it.group == group)
            })
            .cloned()
    }

    fn cluster_of_group(&self, group: &str) -> Option<ClusterName> {
        let joined = self.group_clusters.get(group).cloned();
        joined.or_else(|| {
            let mut clusters = self.state.clusters.keys();
            clusters
                .find(|it| self.provider_over(group, it).is_some())
                .cloned()
        })
    }

    /// An instance's agent is up: it registers.
    pub(crate) fn register_container_instance(&mut self, instance_id: &str) {
        let Some(instance) = self.state.instances.get(instance_id).cloned() else {
            return;
        };
        let Some(cluster) = self.cluster_of_group(&instance.group) else {
            return;
        };
        let Some(shape) = self.config.shapes.get(&instance.instance_type).copied() else {
            let kind = &instance.instance_type;
            self.timeline.note(
                self.now,
                format!("{instance_id} cannot register: the world knows no type `{kind}`"),
            );
            return;
        };
        let trunking = self.config.awsvpc_trunking;
        let resources = Resources::of(shape, trunking);
        let id = self.dice.hex(32, "container instance", instance_id, 0);
        let trunked = trunking && shape.trunked_network_interfaces > 0;
        let attributes = attributes_of(&instance, shape.architecture, trunked);
        let made = ContainerInstance {
            arn: format!(
                "arn:aws:ecs:{}:{}:container-instance/{cluster}/{id}",
                self.config.region, self.config.account
            ),
            provider: self.provider_over(&instance.group, &cluster),
            cluster,
            ec2_instance_id: instance.id,
            instance_type: instance.instance_type,
            zone: instance.zone,
            status: ContainerInstanceStatus::Registering,
            agent_connected: true,
            healthy: true,
            registered: resources.clone(),
            remaining: resources,
            attributes,
            tags: BTreeMap::new(),
            tasks: BTreeSet::new(),
            registered_at: self.now,
            version: 0,
            draining_since: None,
            agent_changes: 0,
        };
        self.state
            .container_instance_of
            .insert(instance_id.to_owned(), id.clone());
        self.state.container_instances.insert(id.clone(), made);
        self.container_instance_changed(&id);
        let wait = self.dice.millis(REGISTERING, "registering", &id, 0);
        self.plan_agent_flap(&id, 0);
        self.plan_in(wait, Happening::InstanceRegistered { id });
    }

    /// A registering instance becomes ACTIVE: daemons first, then whoever waits.
    pub(crate) fn instance_registered(&mut self, id: &str) {
        let Some(instance) = self.state.container_instances.get_mut(id) else {
            return;
        };
        if instance.status != ContainerInstanceStatus::Registering {
            return;
        }
        instance.status = ContainerInstanceStatus::Active;
        let text = format!(
            "{} ({}, {}) is registered with {}",
            instance.ec2_instance_id, instance.instance_type, instance.zone, instance.cluster
        );
        let (cluster, machine) = (instance.cluster.clone(), instance.ec2_instance_id.clone());
        self.timeline.note(self.now, text);
        self.container_instance_changed(id);
        self.ecs_agent_asks(&machine);
        self.look_at_daemons(&cluster);
        self.protect_instance(id);
        self.seats_soon(&cluster);
    }

    /// A cluster's providers changed: its instances belong to the ones that it has now.
    pub(crate) fn reassign_instances(&mut self, cluster: &ClusterName) {
        let members: Vec<(String, String)> = self
            .state
            .container_instances
            .iter()
            .filter(|(_, it)| it.cluster == *cluster)
            .map(|(id, it)| (id.clone(), it.ec2_instance_id.clone()))
            .collect();
        for (id, machine) in members {
            let group = self
                .state
                .instances
                .get(&machine)
                .map(|it| it.group.clone());
            let provider = group.and_then(|it| self.provider_over(&it, cluster));
            if let Some(instance) = self.state.container_instances.get_mut(&id) {
                instance.provider = provider;
            }
        }
    }

    /// Says whether an instance's health checks are OK or IMPAIRED. Returns whether there is such a container instance.
    pub fn set_instance_health(&mut self, ec2_instance_id: &str, healthy: bool) -> bool {
        let id = self.state.container_instance_of.get(ec2_instance_id);
        let instance = id.and_then(|it| self.state.container_instances.get_mut(it));
        instance.is_some_and(|it| {
            it.healthy = healthy;
            true
        })
    }

    /// After every change of a container instance: its version grows, and an event goes out.
    pub(crate) fn container_instance_changed(&mut self, id: &str) {
        let Some(instance) = self.state.container_instances.get_mut(id) else {
            return;
        };
        instance.version += 1;
        if self.config.delivery.silent {
            return;
        }
        let Some(instance) = self.state.container_instances.get(id) else {
            return;
        };
        let detail = json!({
            "agentConnected": instance.agent_connected,
            "attributes": attributes_json(instance),
            "clusterArn": self.cluster_arn(&instance.cluster),
            "containerInstanceArn": instance.arn,
            "ec2InstanceId": instance.ec2_instance_id,
            "registeredResources": instance.registered.to_wire(),
            "remainingResources": instance.remaining.to_wire(),
            "status": instance.status.as_str(),
            "version": instance.version,
            "versionInfo": version_info(),
            "registeredAt": crate::events::iso(instance.registered_at),
            "updatedAt": crate::events::iso(self.now),
        });
        let arn = instance.arn.clone();
        self.send_event(
            "aws.ecs",
            "ECS Container Instance State Change",
            &[arn],
            detail,
        );
    }

    /// A container instance as the API has it.
    pub(crate) fn container_instance_json(
        &self,
        state: &State,
        instance: &ContainerInstance,
        time: fn(jiff::Timestamp) -> Value,
    ) -> Value {
        let (running, pending) = instance.counts(state);
        let mut json = json!({
            "containerInstanceArn": instance.arn,
            "ec2InstanceId": instance.ec2_instance_id,
            "version": instance.version,
            "versionInfo": version_info(),
            "remainingResources": instance.remaining.to_wire(),
            "registeredResources": instance.registered.to_wire(),
            "status": instance.status.as_str(),
            "agentConnected": instance.agent_connected,
            "runningTasksCount": running,
            "pendingTasksCount": pending,
            "attributes": attributes_json(instance),
            "registeredAt": time(instance.registered_at),
            "attachments": [],
            "tags": [],
        });
        if let (Some(provider), Some(fields)) = (&instance.provider, json.as_object_mut()) {
            fields.insert("capacityProviderName".to_owned(), json!(provider));
        }
        json
    }

    /// The container instance that a text names, by id or ARN, in a cluster.
    pub(crate) fn container_instance_named<'a>(
        &self,
        state: &'a State,
        cluster: &ClusterName,
        text: &str,
    ) -> Option<&'a ContainerInstance> {
        let id = text.rsplit('/').next().unwrap_or(text);
        let found = state.container_instances.get(id);
        found.filter(|it| it.cluster == *cluster)
    }

    /// The services that have tasks on an instance.
    pub(crate) fn services_on(&self, id: &str) -> BTreeSet<ServiceKey> {
        let instance = self.state.container_instances.get(id);
        instance
            .into_iter()
            .flat_map(|it| it.tasks_in(&self.state))
            .filter_map(|it| it.service.clone())
            .collect()
    }

    /// Sets an attribute of a container instance, typed.
    ///
    /// # Errors
    /// `TargetNotFoundException` where the EC2 instance has none.
    pub fn put_attribute(
        &mut self,
        ec2_instance_id: &str,
        name: &str,
        value: Option<&str>,
    ) -> Result<(), ApiError> {
        let id = self.state.container_instance_of.get(ec2_instance_id);
        let instance = id
            .and_then(|it| self.state.container_instances.get_mut(it))
            .ok_or_else(ApiError::target_not_found)?;
        instance
            .attributes
            .insert(name.to_owned(), value.map(str::to_owned));
        Ok(())
    }
}

fn attributes_of(
    instance: &Instance,
    architecture: &str,
    trunked: bool,
) -> BTreeMap<String, Option<String>> {
    let mut attributes: BTreeMap<String, Option<String>> = CAPABILITIES
        .iter()
        .map(|it| ((*it).to_owned(), None))
        .collect();
    let mut put = |name: &str, value: &str| {
        attributes.insert(name.to_owned(), Some(value.to_owned()));
    };
    put("ecs.ami-id", "ami-0123456789abcdef0");
    put("ecs.availability-zone", &instance.zone);
    put("ecs.cpu-architecture", architecture);
    put("ecs.instance-type", &instance.instance_type);
    put("ecs.os-family", "LINUX");
    put("ecs.os-type", "linux");
    if trunked {
        let trunk = instance.id.replacen("i-", "eni-", 1);
        put("ecs.awsvpc-trunk-id", &trunk);
    }
    attributes
}

fn attributes_json(instance: &ContainerInstance) -> Value {
    let one = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => json!({ "name": name, "value": value }),
        None => json!({ "name": name }),
    };
    instance.attributes.iter().map(one).collect()
}

fn version_info() -> Value {
    json!({
        "agentVersion": AGENT_VERSION,
        "agentHash": "*e6fc5b1e",
        "dockerVersion": "DockerVersion: 25.0.8",
    })
}
