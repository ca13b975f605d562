//! What instances of a type register with ECS.
//!
//! CPU units are 1,024 for each vCPU. Memory is what the agent registers, not what the type's page says: the operating system and the
//! agent keep some of it. Types that are not in the table cannot register; [`crate::Config::shapes`] takes more.

use std::collections::BTreeMap;

/// What an instance of a type registers, and how many network interfaces it can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceShape {
    /// CPU units: 1,024 for each vCPU.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>
    pub cpu_units: u32,
    /// Memory that tasks can reserve, in MiB.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html>
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
    /// Tasks of network mode `awsvpc` without trunking: the type's network interfaces less the instance's own.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html>
    pub network_interfaces: u32,
    /// Tasks of network mode `awsvpc` with trunking; 0 where the type has none.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/eni-trunking-supported-instance-types.html>
    pub trunked_network_interfaces: u32,
    /// `x86_64` or `arm64`, as the attribute `ecs.cpu-architecture` has it.
    pub architecture: &'static str,
}

impl InstanceShape {
    const fn new(cpu_units: u32, memory_mib: u32, network_interfaces: u32, trunked: u32) -> Self {
        Self {
            cpu_units,
            memory_mib,
            gpus: 0,
            network_interfaces,
            trunked_network_interfaces: trunked,
            architecture: "x86_64",
        }
    }

    const fn arm(self) -> Self {
        Self {
            architecture: "arm64",
            ..self
        }
    }

    const fn with_gpus(self, gpus: u32) -> Self {
        Self { gpus, ..self }
    }
}

/// The types that are used here, by name.
#[must_use]
pub fn shapes() -> BTreeMap<String, InstanceShape> {
    let large = InstanceShape::new(2_048, 7_600, 2, 10);
    let large_untrunked = InstanceShape::new(2_048, 7_600, 2, 0);
    [
        ("t3.micro", InstanceShape::new(2_048, 916, 1, 0)),
        ("t3.small", InstanceShape::new(2_048, 1_900, 2, 0)),
        ("t3.medium", InstanceShape::new(2_048, 3_796, 2, 0)),
        ("t3.large", large_untrunked),
        ("t2.large", large_untrunked),
        ("m3.large", large_untrunked),
        ("m4.large", InstanceShape::new(2_048, 7_600, 1, 0)),
        ("m5.large", large),
        ("m5d.large", large),
        ("m5a.large", large),
        ("m5ad.large", large),
        ("m5n.large", large),
        ("m5dn.large", large),
        ("m6i.large", large),
        ("m6g.large", large.arm()),
        ("c5.large", InstanceShape::new(2_048, 3_750, 2, 10)),
        ("r5.large", InstanceShape::new(2_048, 15_450, 2, 10)),
        ("m5.xlarge", InstanceShape::new(4_096, 15_450, 3, 20)),
        ("m5.2xlarge", InstanceShape::new(8_192, 31_150, 3, 40)),
        ("m5.4xlarge", InstanceShape::new(16_384, 62_500, 7, 60)),
        (
            "g4dn.xlarge",
            InstanceShape::new(4_096, 15_450, 2, 39).with_gpus(1),
        ),
        (
            "g4dn.12xlarge",
            InstanceShape::new(49_152, 188_800, 7, 54).with_gpus(4),
        ),
    ]
    .into_iter()
    .map(|(name, shape)| (name.to_owned(), shape))
    .collect()
}
