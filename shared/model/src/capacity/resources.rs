//! What a task needs and an instance has.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Amounts of what a task needs, or of what an instance has.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Resources {
    /// CPU units; 1,024 are one vCPU.
    pub cpu_units: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Elastic network interfaces for tasks with the network mode `awsvpc`; one a task.
    #[serde(default)]
    pub network_interfaces: u32,
}

impl Resources {
    /// Nothing.
    pub const ZERO: Self = Self {
        cpu_units: 0,
        memory_mib: 0,
        gpus: 0,
        network_interfaces: 0,
    };

    /// Whether this much fits into `room`, in every dimension.
    #[must_use]
    pub const fn fits(&self, room: &Self) -> bool {
        self.cpu_units <= room.cpu_units
            && self.memory_mib <= room.memory_mib
            && self.gpus <= room.gpus
            && self.network_interfaces <= room.network_interfaces
    }

    /// The sum, at most the largest number in each dimension.
    #[must_use]
    pub const fn saturating_add(&self, other: &Self) -> Self {
        Self {
            cpu_units: self.cpu_units.saturating_add(other.cpu_units),
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            gpus: self.gpus.saturating_add(other.gpus),
            network_interfaces: self
                .network_interfaces
                .saturating_add(other.network_interfaces),
        }
    }

    /// What is left after `other` was taken, never below nothing in any dimension.
    #[must_use]
    pub const fn saturating_sub(&self, other: &Self) -> Self {
        Self {
            cpu_units: self.cpu_units.saturating_sub(other.cpu_units),
            memory_mib: self.memory_mib.saturating_sub(other.memory_mib),
            gpus: self.gpus.saturating_sub(other.gpus),
            network_interfaces: self
                .network_interfaces
                .saturating_sub(other.network_interfaces),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPU units, {} MiB", self.cpu_units, self.memory_mib)?;
        if self.gpus > 0 {
            write!(f, ", {} GPUs", self.gpus)?;
        }
        if self.network_interfaces > 0 {
            write!(f, ", {} network interfaces", self.network_interfaces)?;
        }
        Ok(())
    }
}

/// A host port's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP; also what a port mapping without a protocol means.
    Tcp,
    /// UDP.
    Udp,
}

/// A port of the instance that a task needs for itself. Port 0 (a dynamic host port) is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostPort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Tcp => write!(f, "{}/tcp", self.port),
            Protocol::Udp => write!(f, "{}/udp", self.port),
        }
    }
}
