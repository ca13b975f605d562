//! What one task takes of an instance.
//!
//! Assumed, as ECS documents it: a task's own `cpu` and `memory` take the place of its containers'; a container reserves its
//! `memoryReservation`, and without one its `memory`; an override takes the place of what it overrides.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_definition_parameters.html>

use std::collections::BTreeMap;

use aws_sdk_ecs::types as ecs;
use model::capacity::Resources;
use model::instance_type::CPU_UNITS_PER_VCPU;

use crate::capacity::definition::gpus;

/// MiB of one GB, as ECS counts.
const MIB_PER_GB: u32 = 1_024;

/// What a task definition reserves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TaskNeeds {
    /// For the whole task.
    pub(crate) cpu_units: Option<u32>,
    /// For the whole task.
    pub(crate) memory_mib: Option<u32>,
    /// One with the network mode `awsvpc`.
    pub(crate) network_interfaces: u32,
    /// For each container, by its name.
    pub(crate) containers: BTreeMap<String, ContainerNeeds>,
}

/// What a container reserves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ContainerNeeds {
    pub(crate) cpu_units: u32,
    pub(crate) memory_mib: Option<u32>,
    pub(crate) memory_reservation_mib: Option<u32>,
    pub(crate) gpus: u32,
}

/// What a task was given in place of its definition's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    cpu_units: Option<u32>,
    memory_mib: Option<u32>,
    containers: BTreeMap<String, ContainerOverride>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ContainerOverride {
    cpu_units: Option<u32>,
    memory_mib: Option<u32>,
    memory_reservation_mib: Option<u32>,
    gpus: Option<u32>,
}

impl TaskNeeds {
    /// What a task with these overrides takes.
    pub(crate) fn with(&self, overrides: &Overrides) -> Resources {
        let none = ContainerOverride::default();
        let (mut cpu_units, mut memory_mib, mut gpus) = (0_u32, 0_u32, 0_u32);
        for (name, container) in &self.containers {
            let over = overrides.containers.get(name).unwrap_or(&none);
            let memory = over
                .memory_reservation_mib
                .or(container.memory_reservation_mib)
                .or(over.memory_mib)
                .or(container.memory_mib);
            cpu_units = cpu_units.saturating_add(over.cpu_units.unwrap_or(container.cpu_units));
            memory_mib = memory_mib.saturating_add(memory.unwrap_or(0));
            gpus = gpus.saturating_add(over.gpus.unwrap_or(container.gpus));
        }
        Resources {
            cpu_units: overrides.cpu_units.or(self.cpu_units).unwrap_or(cpu_units),
            memory_mib: overrides
                .memory_mib
                .or(self.memory_mib)
                .unwrap_or(memory_mib),
            gpus,
            network_interfaces: self.network_interfaces,
        }
    }
}

/// Reads a task's overrides.
///
/// # Errors
/// A number that is none, in words.
pub(crate) fn overrides(answer: Option<&ecs::TaskOverride>) -> Result<Overrides, String> {
    let Some(answer) = answer else {
        return Ok(Overrides::default());
    };
    let number = |name, number: Option<i32>| {
        number
            .map(|number| crate::read_service::count(name, number))
            .transpose()
    };
    let mut containers = BTreeMap::new();
    for container in answer.container_overrides() {
        let requirements = container.resource_requirements();
        let over = ContainerOverride {
            cpu_units: number("cpu", container.cpu())?,
            memory_mib: number("memory", container.memory())?,
            memory_reservation_mib: number("memoryReservation", container.memory_reservation())?,
            gpus: if requirements.is_empty() {
                None
            } else {
                Some(gpus(requirements)?)
            },
        };
        // Most overrides are of commands and environments.
        if let Some(name) = container.name()
            && over != ContainerOverride::default()
        {
            containers.insert(name.to_owned(), over);
        }
    }
    Ok(Overrides {
        cpu_units: answer.cpu().map(cpu_units).transpose()?,
        memory_mib: answer.memory().map(memory_mib).transpose()?,
        containers,
    })
}

/// What a task takes by its own description, where its definition is not known: the task's sizes, else its containers'.
pub(crate) fn of_answer(answer: &ecs::Task) -> Resources {
    let size = |text: Option<&str>, read: fn(&str) -> Result<u32, String>| {
        text.and_then(|text| read(text).ok())
    };
    let (mut cpu, mut memory, mut gpus) = (0_u32, 0_u32, 0_u32);
    for container in answer.containers() {
        let reserved = container.memory_reservation().or(container.memory());
        cpu = cpu.saturating_add(size(container.cpu(), cpu_units).unwrap_or(0));
        memory = memory.saturating_add(size(reserved, memory_mib).unwrap_or(0));
        gpus = gpus.saturating_add(u32::try_from(container.gpu_ids().len()).unwrap_or(u32::MAX));
    }
    // A task with the network mode `awsvpc` has its interface attached.
    let interfaces = answer.attachments().iter().filter(|it| {
        it.r#type()
            .is_some_and(|kind| kind == "ElasticNetworkInterface" || kind == "eni")
    });
    Resources {
        cpu_units: size(answer.cpu(), cpu_units).unwrap_or(cpu),
        memory_mib: size(answer.memory(), memory_mib).unwrap_or(memory),
        gpus,
        network_interfaces: u32::from(interfaces.count() > 0),
    }
}

/// Reads a task's CPU: units, or vCPUs such as `.5 vCPU`.
///
/// # Errors
/// A text that is neither.
pub(crate) fn cpu_units(text: &str) -> Result<u32, String> {
    amount(text, "vcpu", CPU_UNITS_PER_VCPU).ok_or_else(|| format!("`cpu` is {text:?}"))
}

/// Reads a task's memory: MiB, or GB such as `1 GB`.
///
/// # Errors
/// A text that is neither.
pub(crate) fn memory_mib(text: &str) -> Result<u32, String> {
    amount(text, "gb", MIB_PER_GB).ok_or_else(|| format!("`memory` is {text:?}"))
}

/// A whole number, or one with decimals and a unit that counts as `of_unit`.
fn amount(text: &str, unit: &str, of_unit: u32) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return text.parse().ok();
    };
    let number = number.trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| -> Option<u64> {
        if text.is_empty() {
            Some(0)
        } else {
            text.parse().ok()
        }
    };
    // More decimals than these are less than one unit.
    let fraction = fraction.get(..fraction.len().min(6))?;
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let parts = digits(whole)?
        .checked_mul(scale)?
        .checked_add(digits(fraction)?)?
        .checked_mul(u64::from(of_unit))?;
    u32::try_from(parts.checked_div(scale)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_and_without_units() {
        for (text, want) in [
            ("256", Some(256)),
            (" 1 vCPU", Some(1_024)),
            (".5 vcpu", Some(512)),
            ("0.25vCPU", Some(256)),
            ("16 VCPU", Some(16_384)),
            ("vCPU", None),
            ("-1", None),
            ("1.5", None),
            ("1e3 vCPU", None),
            ("99999999999 vCPU", None),
            ("", None),
        ] {
            assert_eq!(cpu_units(text).ok(), want, "{text:?}");
        }
        assert_eq!(memory_mib("512"), Ok(512));
        assert_eq!(memory_mib("2.5 GB"), Ok(2_560));
        assert_eq!(memory_mib("2Gi"), Err("`memory` is \"2Gi\"".to_owned()));
    }

    #[test]
    fn overrides_take_the_place_of_what_they_override() {
        let container = |memory_reservation_mib| ContainerNeeds {
            cpu_units: 256,
            memory_mib: Some(512),
            memory_reservation_mib,
            gpus: 1,
        };
        let needs = TaskNeeds {
            cpu_units: None,
            memory_mib: None,
            network_interfaces: 1,
            containers: BTreeMap::from([
                ("app".to_owned(), container(None)),
                ("side".to_owned(), container(Some(128))),
            ]),
        };
        let of_app = |over| Overrides {
            containers: BTreeMap::from([("app".to_owned(), over)]),
            ..Overrides::default()
        };
        let none = ContainerOverride::default;
        for (overrides, want) in [
            (Overrides::default(), (512, 640, 2)),
            (
                of_app(ContainerOverride {
                    cpu_units: Some(0),
                    ..none()
                }),
                (256, 640, 2),
            ),
            (
                of_app(ContainerOverride {
                    memory_mib: Some(1_024),
                    ..none()
                }),
                (512, 1_152, 2),
            ),
            (
                of_app(ContainerOverride {
                    memory_reservation_mib: Some(64),
                    gpus: Some(4),
                    ..none()
                }),
                (512, 192, 5),
            ),
            (
                Overrides {
                    cpu_units: Some(2_048),
                    memory_mib: Some(4_096),
                    ..Overrides::default()
                },
                (2_048, 4_096, 2),
            ),
        ] {
            let (cpu_units, memory_mib, gpus) = want;
            let want = Resources {
                cpu_units,
                memory_mib,
                gpus,
                network_interfaces: 1,
            };
            assert_eq!(needs.with(&overrides), want, "{overrides:?}");
        }
    }
}
