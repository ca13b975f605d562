//! Groups made by tests and the lab, typed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use model::strategy::Market;

use crate::state::{Group, GroupTag, LaunchSpec, LaunchTemplate};
use crate::world::World;

/// What a group is made from, typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: String,
    /// What it launches.
    pub launch: LaunchSpec,
    /// The least capacity.
    pub min_size: u32,
    /// The most capacity.
    pub max_size: u32,
    /// The capacity that it is to have.
    pub desired_capacity: u32,
    /// Its zones; none means all of the world's.
    pub zones: Vec<String>,
    /// Whether new instances are protected from scale-in.
    pub new_instances_protected_from_scale_in: bool,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl GroupSpec {
    /// A group in all zones, without tags and protection.
    #[must_use]
    pub fn new(name: &str, launch: LaunchSpec, min_size: u32, desired: u32, max_size: u32) -> Self {
        Self {
            name: name.to_owned(),
            launch,
            min_size,
            max_size,
            desired_capacity: desired,
            zones: Vec::new(),
            new_instances_protected_from_scale_in: false,
            tags: BTreeMap::new(),
        }
    }

    /// The same, with one more tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The same, with new instances protected from scale-in.
    #[must_use]
    pub const fn protected(mut self) -> Self {
        self.new_instances_protected_from_scale_in = true;
        self
    }
}

impl World {
    /// Makes a launch template, or a new version of it.
    pub fn declare_launch_template(&mut self, name: &str, instance_type: &str, market: Market) {
        let id = format!("lt-{}", self.dice.hex(17, "launch template", name, 0));
        let before = self.state.launch_templates.get(name);
        let spot_instance_draining = before.and_then(|it| it.spot_instance_draining);
        self.state.launch_templates.insert(
            name.to_owned(),
            LaunchTemplate {
                id,
                instance_type: instance_type.to_owned(),
                market,
                spot_instance_draining,
            },
        );
    }

    /// Says whether the ECS agents of a launch template's instances drain them when Spot warns. It holds for the instances that
    /// are there as well. Returns whether there is such a template.
    pub fn set_spot_instance_draining(&mut self, template: &str, drains: bool) -> bool {
        let known = self.state.launch_templates.get_mut(template);
        known.is_some_and(|it| {
            it.spot_instance_draining = Some(drains);
            true
        })
    }

    /// Makes an Auto Scaling group. A launch template that is not there yet is made, of the first type of the group.
    ///
    /// A group of that name is replaced, without a word to its instances.
    pub fn declare_auto_scaling_group(&mut self, spec: GroupSpec) {
        if !self
            .state
            .launch_templates
            .contains_key(&spec.launch.template)
        {
            let first = spec
                .launch
                .mixed
                .as_ref()
                .and_then(|it| it.overrides.first())
                .map_or("m5.large", |it| it.instance_type.as_str())
                .to_owned();
            self.declare_launch_template(&spec.launch.template, &first, Market::OnDemand);
        }
        let zones = if spec.zones.is_empty() {
            self.config.zones.iter().map(ToString::to_string).collect()
        } else {
            spec.zones
        };
        let tag = |value| GroupTag {
            value,
            propagate_at_launch: true,
        };
        let group = Group {
            name: spec.name.clone(),
            created_at: self.now,
            min_size: spec.min_size,
            max_size: spec.max_size,
            desired_capacity: spec.desired_capacity,
            zones,
            launch: spec.launch,
            default_cooldown_secs: 300,
            default_instance_warmup_secs: None,
            health_check_grace_period_secs: 0,
            new_instances_protected_from_scale_in: spec.new_instances_protected_from_scale_in,
            capacity_rebalance: false,
            termination_policies: vec!["Default".to_owned()],
            suspended_processes: BTreeMap::new(),
            hooks: BTreeMap::new(),
            policies: BTreeMap::new(),
            scheduled_actions: BTreeMap::new(),
            tags: spec
                .tags
                .into_iter()
                .map(|(key, value)| (key, tag(value)))
                .collect(),
            instances: BTreeSet::new(),
            warm_pool: None,
            activities: VecDeque::new(),
            deleting: false,
            scaled_at: None,
            activities_made: 0,
            instances_made: 0,
            launch_failures: 0,
            launch_after: None,
            look_at: None,
            rebalancing: None,
            replacing: BTreeMap::new(),
            cause: format!(
                "At {} a user request created an AutoScalingGroup changing the desired capacity from 0 to {}.",
                crate::events::iso_secs(self.now),
                spec.desired_capacity
            ),
        };
        self.state.groups.insert(spec.name.clone(), group);
        self.group_look_soon(&spec.name);
    }
}
