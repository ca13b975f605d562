//! Task definitions, as far as placing and stopping depend on them.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>

use serde_json::Value;

use super::group::words;
use crate::ecs::Needs;

/// From SIGTERM to SIGKILL where a container does not say, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
pub const STOP_TIMEOUT_DEFAULT_SECS: u32 = 30;
/// The longest time from SIGTERM to SIGKILL on Fargate, in seconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
pub const STOP_TIMEOUT_MAX_SECS: u32 = 120;

words! {
    /// How a task's containers reach the network.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-networking.html>
    NetworkMode {
        /// A network interface of its own.
        Awsvpc = "awsvpc",
        /// Docker's bridge.
        Bridge = "bridge",
        /// The host's network.
        Host = "host",
        /// None.
        None = "none",
    }
}

/// A task definition. Its stop timeout is that of the essential container that stops first: the task serves no longer than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDefinition {
    /// The family's name.
    pub family: String,
    /// The revision, from 1.
    pub revision: u32,
    /// From SIGTERM to SIGKILL, in seconds; `None` is AWS's default of 30.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html>
    pub stop_timeout_secs: Option<u32>,
    /// CPU units of the whole task, where it says.
    pub cpu_units: Option<u32>,
    /// Memory of the whole task, where it says, in MiB.
    pub memory_mib: Option<u32>,
    /// How its containers reach the network.
    pub network_mode: NetworkMode,
    /// What one task reserves on a container instance.
    pub needs: Needs,
    /// The `memberOf` constraints, as they are written.
    pub placement_constraints: Vec<String>,
    /// The attributes that a container instance must have, some with a value.
    pub requires_attributes: Vec<(String, Option<String>)>,
    /// `EC2` and `FARGATE`, or one of them, as it was asked for.
    pub requires_compatibilities: Vec<String>,
    /// The containers, as they were registered, with the defaults that ECS adds.
    pub containers: Vec<Value>,
}

impl TaskDefinition {
    /// From SIGTERM to SIGKILL, in seconds.
    #[must_use]
    pub fn stop_timeout_secs(&self) -> u32 {
        self.stop_timeout_secs.unwrap_or(STOP_TIMEOUT_DEFAULT_SECS)
    }

    /// The longest time from SIGTERM to SIGKILL of any of its containers, in seconds: by then all of them have ended.
    #[must_use]
    pub fn longest_stop_timeout_secs(&self) -> u32 {
        let timeout_of = |it: &Value| {
            let own = it.get("stopTimeout").and_then(Value::as_u64);
            own.map_or(STOP_TIMEOUT_DEFAULT_SECS, |it| {
                u32::try_from(it).unwrap_or(u32::MAX)
            })
        };
        let longest = self.containers.iter().map(timeout_of).max();
        longest.unwrap_or_else(|| self.stop_timeout_secs())
    }

    /// The same, with a stop timeout for each of its containers, in seconds.
    #[must_use]
    pub fn with_stop_timeout_secs(mut self, secs: u32) -> Self {
        self.stop_timeout_secs = Some(secs);
        let fields = self.containers.iter_mut().filter_map(Value::as_object_mut);
        for container in fields {
            container.insert("stopTimeout".to_owned(), secs.into());
        }
        self
    }
}
