//! What tasks reserve, and what container instances have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::shapes::InstanceShape;

/// Ports that ECS keeps for SSH, Docker and its agent on every container instance.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PortMapping.html>
const KEPT_PORTS: [u16; 5] = [22, 2_375, 2_376, 51_678, 51_679];

/// What one task reserves on its container instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needs {
    /// CPU units, 1,024 for each vCPU.
    pub cpu_units: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
    /// Network interfaces: one in network mode `awsvpc`.
    pub network_interfaces: u32,
    /// TCP ports of the host.
    pub ports: BTreeSet<u16>,
    /// UDP ports of the host.
    pub udp_ports: BTreeSet<u16>,
}

/// What a container instance has. For what remains, the ports are those that are taken, as ECS has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU units, 1,024 for each vCPU.
    pub cpu_units: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
    /// Network interfaces for tasks of network mode `awsvpc`. The API does not show them.
    pub network_interfaces: u32,
    /// TCP ports that are taken.
    pub ports: BTreeSet<u16>,
    /// UDP ports that are taken.
    pub udp_ports: BTreeSet<u16>,
}

/// What a task lacks on a container instance, in the order in which it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
    /// A host port.
    Ports,
    /// A network interface.
    NetworkInterface,
    /// A GPU.
    Gpu,
    /// The agent is not connected.
    Agent,
    /// An attribute that the task definition requires.
    Attribute,
    /// A `memberOf` constraint is not met.
    MemberOf,
    /// A task of the same group is there, and the constraint is `distinctInstance`.
    DistinctInstance,
}

impl Lack {
    /// The reason, as failures and events give it.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Ports => "RESOURCE:PORTS",
            Self::NetworkInterface => "RESOURCE:ENI",
            Self::Gpu => "RESOURCE:GPU",
            Self::Agent => "AGENT",
            Self::Attribute => "ATTRIBUTE",
            Self::MemberOf => "memberOf constraint unsatisfied.",
            Self::DistinctInstance => "distinctInstance placement constraint unsatisfied.",
        }
    }
}

impl Lack {
    /// Whether the instance is one that the task may go to, and only has no room.
    #[must_use]
    pub const fn is_resource(self) -> bool {
        matches!(
            self,
            Self::Cpu | Self::Memory | Self::Ports | Self::NetworkInterface | Self::Gpu
        )
    }
}

impl Resources {
    /// What an instance of a shape registers.
    #[must_use]
    pub fn of(shape: InstanceShape, trunking: bool) -> Self {
        let trunked = trunking && shape.trunked_network_interfaces > 0;
        Self {
            cpu_units: shape.cpu_units,
            memory_mib: shape.memory_mib,
            gpus: shape.gpus,
            network_interfaces: if trunked {
                shape.trunked_network_interfaces
            } else {
                shape.network_interfaces
            },
            ports: KEPT_PORTS.into_iter().collect(),
            udp_ports: BTreeSet::new(),
        }
    }

    /// What a task lacks here; nothing where it fits.
    #[must_use]
    pub fn lack(&self, needs: &Needs) -> Option<Lack> {
        if needs.cpu_units > self.cpu_units {
            Some(Lack::Cpu)
        } else if needs.memory_mib > self.memory_mib {
            Some(Lack::Memory)
        } else if !needs.ports.is_disjoint(&self.ports)
            || !needs.udp_ports.is_disjoint(&self.udp_ports)
        {
            Some(Lack::Ports)
        } else if needs.network_interfaces > self.network_interfaces {
            Some(Lack::NetworkInterface)
        } else if needs.gpus > self.gpus {
            Some(Lack::Gpu)
        } else {
            None
        }
    }

    /// Takes what a task needs. The caller has asked [`Resources::lack`].
    pub(crate) fn take(&mut self, needs: &Needs) {
        self.cpu_units = self.cpu_units.saturating_sub(needs.cpu_units);
        self.memory_mib = self.memory_mib.saturating_sub(needs.memory_mib);
        self.gpus = self.gpus.saturating_sub(needs.gpus);
        self.network_interfaces = self
            .network_interfaces
            .saturating_sub(needs.network_interfaces);
        self.ports.extend(&needs.ports);
        self.udp_ports.extend(&needs.udp_ports);
    }

    /// Gives back what [`Resources::take`] took.
    pub(crate) fn give_back(&mut self, needs: &Needs) {
        self.cpu_units += needs.cpu_units;
        self.memory_mib += needs.memory_mib;
        self.gpus += needs.gpus;
        self.network_interfaces += needs.network_interfaces;
        self.ports.retain(|it| !needs.ports.contains(it));
        self.udp_ports.retain(|it| !needs.udp_ports.contains(it));
    }

    /// As the API and the events have it.
    pub(crate) fn to_wire(&self) -> Value {
        let number = |name: &str, value: u32| {
            json!({
                "name": name, "type": "INTEGER",
                "doubleValue": 0.0, "longValue": 0, "integerValue": value,
            })
        };
        let set = |name: &str, values: Vec<String>| {
            json!({
                "name": name, "type": "STRINGSET",
                "doubleValue": 0.0, "longValue": 0, "integerValue": 0, "stringSetValue": values,
            })
        };
        let texts = |ports: &BTreeSet<u16>| ports.iter().map(u16::to_string).collect();
        let mut all = vec![
            number("CPU", self.cpu_units),
            number("MEMORY", self.memory_mib),
            set("PORTS", texts(&self.ports)),
            set("PORTS_UDP", texts(&self.udp_ports)),
        ];
        if self.gpus > 0 {
            let ids = (0..self.gpus).map(|it| format!("GPU-{it:08x}")).collect();
            all.push(set("GPU", ids));
        }
        Value::Array(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecs::shapes::shapes;

    fn check(instance_type: &str, cpu_units: u32, memory_mib: u32, fit: usize) {
        let needs = Needs {
            cpu_units,
            memory_mib,
            ..Needs::default()
        };
        let mut free = Resources::of(shapes()[instance_type], false);
        let whole = free.clone();
        let mut placed = 0;
        while free.lack(&needs).is_none() {
            free.take(&needs);
            placed += 1;
        }
        assert_eq!(placed, fit, "{instance_type}");
        for _ in 0..placed {
            free.give_back(&needs);
        }
        assert_eq!(free, whole, "{instance_type}: what was taken comes back");
    }

    #[test]
    fn the_workshops_shapes_hold_three_and_eight_tasks() {
        check("t3.small", 256, 512, 3);
        for large in ["m5.large", "m5a.large", "m3.large", "t3.large", "t2.large"] {
            check(large, 256, 512, 8);
        }
    }

    #[test]
    fn each_lack_has_its_reason() {
        let free = Resources::of(shapes()["m5.large"], false);
        let check = |change: fn(&mut Needs), want: Option<&str>| {
            let mut needs = Needs::default();
            change(&mut needs);
            assert_eq!(free.lack(&needs).map(Lack::reason), want);
        };
        check(|_| {}, None);
        check(|it| it.cpu_units = 2_049, Some("RESOURCE:CPU"));
        check(|it| it.memory_mib = 7_601, Some("RESOURCE:MEMORY"));
        check(|it| it.gpus = 1, Some("RESOURCE:GPU"));
        check(|it| it.network_interfaces = 3, Some("RESOURCE:ENI"));
        check(|it| it.ports = [80, 22].into(), Some("RESOURCE:PORTS"));
        check(|it| it.udp_ports = [22].into(), None);
    }
}
