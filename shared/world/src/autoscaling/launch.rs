//! Launching instances, and what happens where that fails.

use std::collections::BTreeMap;

use model::strategy::Market;

use super::activity::{ActivityEvent, Begun};
use super::pools::{Candidate, Menu, zones_by_need};
use super::texts::{LaunchFailure, message};
use crate::dice::Dice;
use crate::ec2::{InstancePoolKey, vcpus_of};
use crate::pool::later;
use crate::state::{ActivityStatus, Instance, Lifecycle, MachineState, Process};
use crate::world::World;

/// What one look of a group launches.
#[derive(Debug)]
struct Batch {
    group: String,
    menu: Menu,
    order: Vec<String>,
    zones: BTreeMap<String, u32>,
    have: u32,
    wanted: u32,
    full: BTreeMap<(Market, String), LaunchFailure>,
    launched: BTreeMap<InstancePoolKey, u32>,
}

impl World {
    /// Launches what a group lacks, as far as there is room.
    pub(super) fn grow(&mut self, name: &str, have: u32, wanted: u32) {
        let now = self.now;
        let Some(group) = self.state.groups.get(name) else {
            return;
        };
        if group.is_suspended(Process::Launch) || group.deleting {
            return;
        }
        if let Some(after) = group.launch_after.filter(|it| *it > now) {
            self.group_look_at(name, after);
            return;
        }
        let menu = self.menu_of(group);
        let on_demand_have: u32 = self
            .counted(group)
            .filter(|it| it.market != Market::Spot)
            .map(|it| it.weight)
            .sum();
        let on_demand_lacks = menu
            .on_demand_share(wanted)
            .saturating_sub(on_demand_have)
            .min(wanted - have);
        let mut batch = Batch {
            group: name.to_owned(),
            order: group.zones.clone(),
            zones: self.zones_of(group),
            menu,
            have,
            wanted,
            full: BTreeMap::new(),
            launched: BTreeMap::new(),
        };
        let spot_lacks = wanted - have - on_demand_lacks;
        for (market, lacks) in [
            (Market::OnDemand, on_demand_lacks),
            (Market::Spot, spot_lacks),
        ] {
            self.launch_market(&mut batch, market, lacks);
        }
        self.batch_ends(&batch);
    }

    /// Launches instances of a market until so much capacity is there, or no zone has room.
    fn launch_market(&mut self, batch: &mut Batch, market: Market, lacks: u32) {
        let mut left = self.vcpus_left(market);
        let mut done = 0;
        while done < lacks {
            let Some((zone, candidate)) = self.find_room(batch, market, left) else {
                return;
            };
            let cause = self.launch_cause(batch, candidate.weight);
            let into = Lifecycle::Pending;
            self.start_instance(&batch.group, &candidate, &zone, market, into, cause);
            if let Some((left, _)) = &mut left {
                *left = left.saturating_sub(vcpus_of(&candidate.instance_type));
            }
            done += candidate.weight;
            batch.have += candidate.weight;
            *batch.zones.entry(zone.clone()).or_insert(0) += 1;
            let key = InstancePoolKey::new(&candidate.instance_type, &zone, market);
            *batch.launched.entry(key).or_insert(0) += 1;
        }
    }

    /// The zone and the type of the next launch. Zones without room are remembered in the batch.
    fn find_room(
        &self,
        batch: &mut Batch,
        market: Market,
        vcpus_left: Option<(u32, u32)>,
    ) -> Option<(String, Candidate)> {
        for zone in zones_by_need(&batch.order, &batch.zones) {
            let place = (market, zone);
            if batch.full.contains_key(&place) {
                continue;
            }
            match self.choose_pool(&batch.menu, &place.1, market, vcpus_left) {
                Ok(order) => {
                    let candidate = batch.menu.candidates.get(order)?.clone();
                    return Some((place.1, candidate));
                }
                Err(failure) => {
                    batch.full.insert(place, failure);
                }
            }
        }
        None
    }

    fn launch_cause(&self, batch: &Batch, weight: u32) -> String {
        let at = self.at_text();
        let cause = self
            .state
            .groups
            .get(&batch.group)
            .map_or("", |it| it.cause.as_str());
        if cause.is_empty() {
            return format!(
                "At {at} an instance was launched in response to an unhealthy instance needing to be replaced."
            );
        }
        let to = batch.have.saturating_add(weight);
        format!(
            "{cause}  At {at} an instance was started in response to a difference between desired and actual capacity, increasing \
             the capacity from {} to {to}.",
            batch.have
        )
    }

    /// Tells of the zones without room, and plans the next attempt.
    fn batch_ends(&mut self, batch: &Batch) {
        if !batch.launched.is_empty() {
            let parts: Vec<String> = batch
                .launched
                .iter()
                .map(|(key, count)| format!("{count} {key}"))
                .collect();
            self.timeline.note(
                self.now,
                format!("group {} launches {}", batch.group, parts.join(", ")),
            );
        }
        for ((market, zone), failure) in &batch.full {
            self.launch_fails(&batch.group, *market, zone, failure, batch.menu.is_mixed);
        }
        let (first, longest) = (
            self.config.ec2.retry_first_secs,
            self.config.ec2.retry_max_secs,
        );
        let now = self.now;
        let Some(group) = self.state.groups.get_mut(&batch.group) else {
            return;
        };
        if batch.have >= batch.wanted {
            group.launch_failures = 0;
            group.launch_after = None;
            return;
        }
        group.launch_failures = group.launch_failures.saturating_add(1);
        let doublings = (group.launch_failures - 1).min(16);
        let wait = first.saturating_mul(1 << doublings).min(longest.max(first));
        let at = later(now, i64::from(wait) * 1_000);
        group.launch_after = Some(at);
        self.group_look_at(&batch.group, at);
    }

    /// A zone has no room: an activity that failed, and its event.
    fn launch_fails(
        &mut self,
        group: &str,
        market: Market,
        zone: &str,
        failure: &LaunchFailure,
        is_mixed: bool,
    ) {
        let text = message(failure, market, zone, is_mixed);
        let at = self.at_text();
        let own = self
            .state
            .groups
            .get(group)
            .map_or("", |it| it.cause.as_str());
        let gap = if own.is_empty() { "" } else { "  " };
        let cause = format!(
            "{own}{gap}At {at} an instance was started in response to a difference between desired and actual capacity."
        );
        let id = self.begin_activity(
            group,
            Begun {
                description: format!("Launching a new EC2 instance.  Status Reason: {text}"),
                cause,
                zone: Some(zone.to_owned()),
                instance: None,
            },
        );
        self.timeline.note(
            self.now,
            format!("group {group} launches nothing in {zone}: {text}"),
        );
        self.set_activity(group, &id, ActivityStatus::Failed, Some(text));
        self.send_activity(group, &id, ActivityEvent::LaunchFailed);
    }

    /// Launches one instance of a market in the first of these zones that has room, to balance the zones. Whether there was one is the answer.
    pub(super) fn launch_to_balance(
        &mut self,
        name: &str,
        zones: &[String],
        market: Market,
        cause: String,
    ) -> bool {
        let Some(group) = self.state.groups.get(name) else {
            return false;
        };
        let menu = self.menu_of(group);
        let left = self.vcpus_left(market);
        let found = zones.iter().find_map(|zone| {
            let order = self.choose_pool(&menu, zone, market, left).ok()?;
            Some((zone.clone(), menu.candidates.get(order)?.clone()))
        });
        let Some((zone, candidate)) = found else {
            return false;
        };
        let into = Lifecycle::Pending;
        let id = self.start_instance(name, &candidate, &zone, market, into, cause);
        if let Some(group) = self.state.groups.get_mut(name) {
            group.rebalancing = Some(id);
        }
        self.timeline.note(
            self.now,
            format!("group {name} launches one instance in {zone}, to balance its zones"),
        );
        true
    }

    /// Makes an instance in a pool that has room, for the group itself or for its warm pool, and gives its id.
    pub(super) fn start_instance(
        &mut self,
        name: &str,
        candidate: &Candidate,
        zone: &str,
        market: Market,
        into: Lifecycle,
        cause: String,
    ) -> String {
        let dice: Dice = self.dice;
        let Some(group) = self.state.groups.get_mut(name) else {
            return String::new();
        };
        group.instances_made += 1;
        let id = format!("i-{}", dice.hex(17, "instance", name, group.instances_made));
        let (members, to) = match &mut group.warm_pool {
            Some(pool) if into.is_warmed() => (&mut pool.instances, " into warm pool"),
            Some(_) | None => (&mut group.instances, ""),
        };
        members.insert(id.clone());
        let instance = Instance {
            id: id.clone(),
            group: name.to_owned(),
            instance_type: candidate.instance_type.clone(),
            zone: zone.to_owned(),
            market,
            template: group.launch.template.clone(),
            lifecycle_state: into,
            state: MachineState::Pending,
            healthy: true,
            protected_from_scale_in: group.new_instances_protected_from_scale_in,
            weight: candidate.weight,
            weighted: candidate.weighted,
            launched_at: self.now,
            running_at: None,
            booted_at: None,
            in_service_at: None,
            ended_at: None,
            stopped_at: None,
            interrupted_at: None,
            rebalance_recommended_at: None,
            tags: group
                .tags
                .iter()
                .filter(|(_, tag)| tag.propagate_at_launch)
                .map(|(key, tag)| (key.clone(), tag.value.clone()))
                .collect(),
            waits: Vec::new(),
            activity: String::new(),
            reclaim: None,
            starts: 0,
            step: 0,
        };
        self.state.instances.insert(id.clone(), instance);
        let activity = self.begin_activity(
            name,
            Begun {
                description: format!("Launching a new EC2 instance{to}: {id}"),
                cause,
                zone: Some(zone.to_owned()),
                instance: Some(id.clone()),
            },
        );
        if let Some(instance) = self.state.instances.get_mut(&id) {
            instance.activity = activity;
        }
        self.instance_launched(&id);
        id
    }

    /// The machine runs: hooks first, then service.
    pub(crate) fn instance_runs(&mut self, id: &str) {
        if self.begin_waits(id, crate::state::Transition::Launching) {
            return;
        }
        self.instance_in_service(id);
    }

    /// An instance comes into service.
    pub(super) fn instance_in_service(&mut self, id: &str) {
        let now = self.now;
        let Some(instance) = self
            .state
            .instances
            .get_mut(id)
            .filter(|it| it.lifecycle_state.is_pending())
        else {
            return;
        };
        instance.lifecycle_state = Lifecycle::InService;
        instance.in_service_at = Some(now);
        let (group, activity) = (instance.group.clone(), instance.activity.clone());
        self.set_activity(&group, &activity, ActivityStatus::Successful, None);
        self.send_activity(&group, &activity, ActivityEvent::Launched);
        self.group_look_soon(&group);
    }
}
