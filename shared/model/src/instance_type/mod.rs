//! What AWS publishes about EC2 instance types: how large an instance is before one of its type was ever seen.
//!
//! Guaranteed: [`lookup`] reads a table that is part of the program, allocates nothing and calls nobody.
//!
//! Assumed: what a type registers with ECS ([`InstanceTypeFacts::registered_memory_mib`]) is inferred from what instances are known to
//! register. A container instance that exists tells its own numbers, and they take precedence.
//!
//! Assumed: AWS's page on trunking has no row for the younger types. Their task limit is derived from the branch interfaces that AWS
//! publishes for the same trunk (<https://github.com/aws/amazon-vpc-resource-controller-k8s>): branch interfaces + interfaces - 2, at
//! most 120. That agrees with the rows of the page. Types and families that the page refuses by name have no limit here.
//!
//! Absent: macOS types, which run no container instance; fractions of a GPU and accelerators other than NVIDIA's, which ECS does not
//! schedule; and the trunking limit of types for which no branch interfaces are published: they count as without trunking. A type that
//! is younger than the table is not in it: whoever asks says so in its plan.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::capacity::resources::Resources;
use crate::ids::InstanceType;

/// The table: a head of comments, a line with the columns' names, and a line for each type, sorted by name in byte order.
const TABLE: &str = include_str!("instance_types.csv");

/// How many CPU units ECS counts for a vCPU.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>
pub const CPU_UNITS_PER_VCPU: u32 = 1_024;

/// How much of a type's nominal memory an instance registers with ECS, in percent. The rest is the kernel's and the platform's
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html>). AWS publishes no number: a `t3.small`
/// registers about 1,900 of 2,048 MiB and an `m5.large` about 7,600 of 8,192.
pub const REGISTERED_MEMORY_PERCENT: u32 = 93;

/// The processor architecture of an instance type, in the words of the attribute `ecs.cpu-architecture`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuArchitecture {
    /// AWS Graviton.
    Arm64,
    /// Intel and AMD, 64 bits.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl CpuArchitecture {
    /// The value of `ecs.cpu-architecture`.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-constraints.html>
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }
}

impl fmt::Display for CpuArchitecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether instances get a trunk interface: the account setting `awsvpcTrunking` of the role that registers them.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trunking {
    /// `awsvpcTrunking` is on.
    Enabled,
    /// It is off, or it is not known.
    Disabled,
}

/// What AWS publishes about an instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceTypeFacts {
    /// vCPUs.
    pub vcpus: u32,
    /// The nominal memory.
    pub memory_mib: u32,
    /// NVIDIA GPUs, whole ones.
    pub gpus: u32,
    /// The most network interfaces, the primary one included.
    pub network_interfaces: u32,
    /// How many tasks with an interface of their own an instance runs where trunking is on; none where the type does not support it.
    pub trunking_task_limit: Option<u32>,
    /// The processor's architecture.
    pub architecture: CpuArchitecture,
}

impl InstanceTypeFacts {
    /// The CPU units that an instance registers with ECS.
    #[must_use]
    pub const fn cpu_units(&self) -> u32 {
        self.vcpus.saturating_mul(CPU_UNITS_PER_VCPU)
    }

    /// The memory that an instance is expected to register with ECS: [`REGISTERED_MEMORY_PERCENT`] of the nominal memory, rounded
    /// down.
    #[must_use]
    pub const fn registered_memory_mib(&self) -> u32 {
        // The product needs more than 32 bits; whole hundreds and the rest apart do not.
        let (hundreds, rest) = (self.memory_mib / 100, self.memory_mib % 100);
        hundreds * REGISTERED_MEMORY_PERCENT + rest * REGISTERED_MEMORY_PERCENT / 100
    }

    /// What an instance is expected to register with ECS, with the interfaces that are left for tasks.
    #[must_use]
    pub const fn registers(&self, trunking: Trunking) -> Resources {
        Resources {
            cpu_units: self.cpu_units(),
            memory_mib: self.registered_memory_mib(),
            gpus: self.gpus,
            network_interfaces: self.awsvpc_tasks(trunking),
        }
    }

    /// How many tasks of the network mode `awsvpc` an instance runs: its interfaces without the primary one, or the trunk's limit.
    #[must_use]
    pub const fn awsvpc_tasks(&self, trunking: Trunking) -> u32 {
        let own = self.network_interfaces.saturating_sub(1);
        match trunking {
            Trunking::Disabled => own,
            Trunking::Enabled => match self.trunking_task_limit {
                Some(limit) => limit,
                None => own,
            },
        }
    }
}

/// What AWS publishes about a type. None: the type is not in the table.
#[must_use]
pub fn lookup(instance_type: &InstanceType) -> Option<InstanceTypeFacts> {
    lookup_name(instance_type.as_str())
}

/// Every type of the table with its facts, sorted by name in byte order.
pub fn all() -> impl Iterator<Item = (&'static str, InstanceTypeFacts)> {
    rows()
        .lines()
        .filter_map(|line| Some((name_of(line), facts_of(line)?)))
}

/// A binary search over the text: each probe goes to the middle and back to the beginning of the line there.
fn lookup_name(name: &str) -> Option<InstanceTypeFacts> {
    let mut rest = rows();
    while !rest.is_empty() {
        let middle = rest.as_bytes().get(..rest.len() / 2)?;
        let begin = middle
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let (before, from) = rest.split_at_checked(begin)?;
        let (line, after) = from.split_once('\n').unwrap_or((from, ""));
        match name.cmp(name_of(line)) {
            Ordering::Less => rest = before,
            Ordering::Equal => return facts_of(line),
            Ordering::Greater => rest = after,
        }
    }
    None
}

/// The lines of the types, without the head.
fn rows() -> &'static str {
    TABLE
        .split_once("\ninstance_type,")
        .and_then(|(_, columns_and_rows)| columns_and_rows.split_once('\n'))
        .map_or("", |(_, rows)| rows)
}

fn name_of(line: &str) -> &str {
    line.split_once(',').map_or(line, |(name, _)| name)
}

fn facts_of(line: &str) -> Option<InstanceTypeFacts> {
    let mut fields = line.split(',').skip(1);
    let vcpus = fields.next()?.parse().ok()?;
    let memory_mib = fields.next()?.parse().ok()?;
    let gpus = optional(fields.next()?)?.unwrap_or(0);
    let network_interfaces = fields.next()?.parse().ok()?;
    let trunking_task_limit = optional(fields.next()?)?;
    let architecture = match fields.next()? {
        "" => CpuArchitecture::X86_64,
        "arm64" => CpuArchitecture::Arm64,
        _ => return None,
    };
    Some(InstanceTypeFacts {
        vcpus,
        memory_mib,
        gpus,
        network_interfaces,
        trunking_task_limit,
        architecture,
    })
}

/// A number that may be absent; none at all if it is there and no number.
fn optional(field: &str) -> Option<Option<u32>> {
    if field.is_empty() {
        return Some(None);
    }
    field.parse().ok().map(Some)
}
