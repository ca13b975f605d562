//! Container instances whose machine is stopped, and those that left and can still be described.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-life-cycle.html>

use jiff::Timestamp;
use model::ClusterName;

use crate::pool::later;
use crate::state::{ContainerInstance, State};
use crate::world::World;

/// For how long one that left can be described, in milliseconds.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-life-cycle.html>
const DESCRIBED_MS: i64 = 3_600_000;

impl World {
    /// The machine is stopped: its tasks end at once and its agent is no longer connected, but it stays registered, and is not
    /// told to drain.
    pub(crate) fn disconnect_stopped_instance(&mut self, ec2_instance_id: &str) {
        let known = self.state.container_instance_of.get(ec2_instance_id);
        let Some(id) = known.cloned() else {
            return;
        };
        self.set_agent_connected(ec2_instance_id, false);
        let instance = self.state.container_instances.get(&id);
        let tasks: Vec<String> = instance
            .map(|it| it.tasks.iter().cloned().collect())
            .unwrap_or_default();
        let reason = format!("Host EC2 (instance {ec2_instance_id}) stopped.");
        for task in tasks {
            self.lose_task(&task, &reason);
        }
        self.drained_further(&id);
    }

    /// A container instance left: it is kept for an hour, and those that left earlier are forgotten.
    pub(super) fn keep_departed(&mut self, id: &str, gone: Option<&ContainerInstance>) {
        let now = self.now;
        self.state
            .departed
            .retain(|_, (at, _)| later(*at, DESCRIBED_MS) > now);
        if let Some(instance) = gone {
            let entry = (now, instance.clone());
            self.state.departed.insert(id.to_owned(), entry);
        }
    }
}

/// The container instance of a cluster that left within the hour before a time, by id or ARN. It is INACTIVE.
pub(crate) fn departed<'a>(
    state: &'a State,
    cluster: &ClusterName,
    text: &str,
    now: Timestamp,
) -> Option<&'a ContainerInstance> {
    let id = text.rsplit('/').next().unwrap_or(text);
    let (at, instance) = state.departed.get(id)?;
    (instance.cluster == *cluster && later(*at, DESCRIBED_MS) > now).then_some(instance)
}
