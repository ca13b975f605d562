//! The workshop's chapters on EC2, typed.

use model::capacity::policy::{TAG_CLUSTER_SCALER, TAG_INSTANCE_TYPES};
use model::strategy::Market;
use model::{ClusterName, ServiceKey};

use crate::autoscaling::GroupSpec;
use crate::error::ApiError;
use crate::spec::{ServiceSpec, id, line};
use crate::state::{CapacityProvider, LaunchSpec, ManagedScaling, TaskDefinition};
use crate::world::World;

/// The ten types of the Spot group.
pub const SPOT_TYPES: [&str; 10] = [
    "m5.large",
    "m5d.large",
    "m5a.large",
    "m5ad.large",
    "m5n.large",
    "m5dn.large",
    "m3.large",
    "m4.large",
    "t3.large",
    "t2.large",
];

/// How much of each group is to be in use, in percent.
const TARGET_CAPACITY_PERCENT: u32 = 80;

/// Who scales the two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaledBy {
    /// ECS's managed scaling, with managed draining, as new providers have it.
    Ecs,
    /// Somebody else: managed scaling and managed draining are off, and the groups carry the tags that opt them in.
    Ballast,
}

/// The names of what [`World::add_workshop_ec2`] and [`World::add_workshop_ec2_one_group`] make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkshopEc2 {
    /// `container-demo`.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceKey,
    /// The provider and the group of on-demand `t3.small` instances.
    pub on_demand: &'static str,
    /// The provider and the group of Spot instances of ten types, which the first chapter has not.
    pub spot: &'static str,
}

impl World {
    /// The workshop's second chapter on EC2: the cluster `container-demo`, the groups and providers `EC2` (`t3.small`) and `EC2Spot` (ten
    /// types, Spot), both from 0 to 10 instances with a target of 80 %, the default strategy EC2 1/1 : EC2Spot 0/4, and a service of one
    /// task with 256 CPU units and 512 MiB. The groups begin with the two instances each that the workshop's first table shows; they
    /// boot yet.
    ///
    /// # Errors
    /// Never, unless these names are taken already.
    pub fn add_workshop_ec2(&mut self, scaled_by: ScaledBy) -> Result<WorkshopEc2, ApiError> {
        let names = self.add_workshop_ec2_groups(scaled_by)?;
        self.add_workshop_service(&names)?;
        Ok(names)
    }

    /// The cluster, groups and providers of [`World::add_workshop_ec2`], without its service.
    ///
    /// # Errors
    /// Never, unless these names are taken already.
    pub fn add_workshop_ec2_groups(
        &mut self,
        scaled_by: ScaledBy,
    ) -> Result<WorkshopEc2, ApiError> {
        let names = workshop_names()?;
        self.add_on_demand_group(&names, scaled_by);
        let large = LaunchSpec::spot("ecs-spot-large", &SPOT_TYPES);
        self.add_group(GroupSpec::new(names.spot, large, 0, 2, 10), scaled_by);
        let strategy = vec![line(names.on_demand, 1, 1)?, line(names.spot, 0, 4)?];
        self.create_cluster_of(&names.cluster, &[names.on_demand, names.spot], strategy)?;
        Ok(names)
    }

    /// The workshop's first chapter on EC2: as [`World::add_workshop_ec2`], but with the group and provider `EC2` alone, as the default
    /// strategy too.
    ///
    /// # Errors
    /// Never, unless these names are taken already.
    pub fn add_workshop_ec2_one_group(
        &mut self,
        scaled_by: ScaledBy,
    ) -> Result<WorkshopEc2, ApiError> {
        let names = workshop_names()?;
        self.add_on_demand_group(&names, scaled_by);
        let strategy = vec![line(names.on_demand, 1, 1)?];
        self.create_cluster_of(&names.cluster, &[names.on_demand], strategy)?;
        self.add_workshop_service(&names)?;
        Ok(names)
    }

    fn add_on_demand_group(&mut self, names: &WorkshopEc2, scaled_by: ScaledBy) {
        let (template, instance_type) = ("ecs-t3-small", "t3.small");
        self.declare_launch_template(template, instance_type, Market::OnDemand);
        let small = LaunchSpec::template(template);
        let mut group = GroupSpec::new(names.on_demand, small, 0, 2, 10);
        if scaled_by == ScaledBy::Ballast {
            // The launch template names the type, and nobody can read it while the group is empty.
            group = group.tag(TAG_INSTANCE_TYPES.name, instance_type);
        }
        self.add_group(group, scaled_by);
    }

    /// A group, and a provider of the same name over it.
    fn add_group(&mut self, mut group: GroupSpec, scaled_by: ScaledBy) {
        if scaled_by == ScaledBy::Ballast {
            group = group.tag(TAG_CLUSTER_SCALER.name, "act");
        }
        let name = group.name.clone();
        self.declare_auto_scaling_group(group);
        let scaling = ManagedScaling {
            enabled: scaled_by == ScaledBy::Ecs,
            ..ManagedScaling::at(TARGET_CAPACITY_PERCENT)
        };
        let provider = CapacityProvider {
            managed_scaling: scaling,
            managed_draining: scaled_by == ScaledBy::Ecs,
            ..CapacityProvider::over(&name)
        };
        self.declare_capacity_provider(&name, provider);
    }

    fn add_workshop_service(&mut self, names: &WorkshopEc2) -> Result<(), ApiError> {
        let definition = TaskDefinition::on_instances(names.service.service.as_str(), 256, 512);
        let definition = self.add_task_definition_of(definition)?;
        self.create(ServiceSpec::new(names.service.clone(), &definition, 1))
    }
}

fn workshop_names() -> Result<WorkshopEc2, ApiError> {
    Ok(WorkshopEc2 {
        cluster: id("container-demo")?,
        service: ServiceKey::new(id("container-demo")?, id("ecsdemo-capacityproviders-ec2")?),
        on_demand: "EC2",
        spot: "EC2Spot",
    })
}
