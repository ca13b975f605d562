//! What the owner of a group, or of a cluster, wants to happen with instances that go away, read from tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capacity::policy::{
    Consent, GROUP_TAGS, TAG_AGENT_GRACE_SECS, TAG_DISRUPTION_PERCENT, TAG_GROUP_PAUSED, truth,
    unknown,
};
use crate::ids::LifecycleHookName;
use crate::settings::{Setting, SettingFault, whole_number};
use crate::units::Seconds;

/// The name of the lifecycle hook that Ballast completes where no tag names another.
pub const LIFECYCLE_HOOK_DEFAULT: &str = "ballast-instance-drain";

/// Opts the group in. The functions' role may only finish lifecycle actions of groups whose tag says `act`.
pub const TAG_INSTANCE_DRAIN: Setting = Setting {
    name: "ballast:instance-drain",
    allowed: "`act` or `advise`",
    default: "none: the group's instances are not looked after",
    meaning: "Opts the group in: `act` lets Ballast drain its instances that go away, `advise` only records what it would do. On a cluster: the same for its container instances that are in no Auto Scaling group.",
};
/// The hook that Ballast completes.
pub const TAG_LIFECYCLE_HOOK: Setting = Setting {
    name: "ballast:lifecycle-hook",
    allowed: "the name of a lifecycle hook, 1 to 255 letters, digits, `-`, `_` and `/`",
    default: "ballast-instance-drain",
    meaning: "The group's terminating lifecycle hook that Ballast, and nobody else, extends and completes.",
};
/// How long an instance may wait for its tasks.
pub const TAG_DEPARTURE_TIMEOUT_SECS: Setting = Setting {
    name: "ballast:departure-timeout-secs",
    allowed: "a whole number from 60 to 172800",
    default: "900",
    meaning: "How long an instance that its group terminates waits for its tasks at most, and how long a drain may take before it counts as stuck.",
};
/// Whether tasks may be stopped.
pub const TAG_STOP_TASKS: Setting = Setting {
    name: "ballast:stop-tasks",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` lets Ballast stop the tasks that nobody else would stop in time for their stop timeout; without it they are cut off with the instance. The role must allow it too: the parameter `InstanceDrainStopTasks`.",
};
/// Whether a rebalance recommendation leads to a drain.
pub const TAG_DRAIN_ON_REBALANCE: Setting = Setting {
    name: "ballast:drain-on-rebalance",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` lets Ballast drain an instance that EC2 recommends to rebalance, where ECS moves all of its tasks, another pool has room for them or an instance is launched for them in time, and the disruption budget allows it.",
};
/// Whether an agent that is lost leads to a drain.
pub const TAG_DRAIN_ON_LOST_AGENT: Setting = Setting {
    name: "ballast:drain-on-lost-agent",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` lets Ballast drain an instance whose agent has been disconnected for longer than `ballast:agent-grace-secs`, where there is room and the disruption budget allows it: ECS then replaces its tasks.",
};
/// How long before maintenance an instance is drained.
pub const TAG_MAINTENANCE_LEAD_SECS: Setting = Setting {
    name: "ballast:maintenance-lead-secs",
    allowed: "a whole number from 0 to 604800",
    default: "1800",
    meaning: "How long before its maintenance an instance is drained: a scheduled change of AWS Health's whose code names `RETIREMENT`, `STOP`, `TERMINAT`, `REBOOT` or `POWER`.",
};
/// Whether the agent drains its instance itself.
pub const TAG_AGENT_DRAINS: Setting = Setting {
    name: "ballast:agent-drains",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` says that the agents are configured with `ECS_ENABLE_SPOT_INSTANCE_DRAINING`, which no API tells: Ballast leaves the drain after a Spot warning to them for 10 s.",
};

/// Every tag that concerns departures alone, in the order of the documentation.
pub const DRAIN_TAGS: [&Setting; 8] = [
    &TAG_INSTANCE_DRAIN,
    &TAG_LIFECYCLE_HOOK,
    &TAG_DEPARTURE_TIMEOUT_SECS,
    &TAG_STOP_TASKS,
    &TAG_DRAIN_ON_REBALANCE,
    &TAG_DRAIN_ON_LOST_AGENT,
    &TAG_MAINTENANCE_LEAD_SECS,
    &TAG_AGENT_DRAINS,
];

/// The tags of a group that this function shares with cluster-scaler.
pub const SHARED_TAGS: [&Setting; 3] = [
    &TAG_DISRUPTION_PERCENT,
    &TAG_AGENT_GRACE_SECS,
    &TAG_GROUP_PAUSED,
];

/// The policy of one group, or of a cluster's instances in no group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a tag of its own, independent of the others"
)]
pub struct DrainPolicy {
    /// Whether Ballast may act.
    pub consent: Consent,
    /// The hook that Ballast completes.
    pub lifecycle_hook: LifecycleHookName,
    /// How long an instance that its group terminates waits for its tasks at most.
    #[serde(rename = "departure_timeout_secs")]
    pub departure_timeout: Seconds,
    /// Whether tasks may be stopped.
    pub stop_tasks: bool,
    /// Whether a rebalance recommendation leads to a drain.
    pub drain_on_rebalance: bool,
    /// Whether an agent that is lost leads to a drain.
    pub drain_on_lost_agent: bool,
    /// How long before maintenance an instance is drained.
    #[serde(rename = "maintenance_lead_secs")]
    pub maintenance_lead: Seconds,
    /// Whether the agents drain their instances after a Spot warning.
    pub agent_drains: bool,
    /// How much of the group may drain by choice at a time, in percent.
    pub disruption_percent: u32,
    /// How long an agent may be disconnected.
    #[serde(rename = "agent_grace_secs")]
    pub agent_grace: Seconds,
    /// Whether the group is only looked at.
    pub paused: bool,
}

impl DrainPolicy {
    /// The policy with every default.
    ///
    /// # Panics
    /// Never: the default hook's name is a name.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test holds that the constant is a name"
    )]
    pub fn with_defaults(consent: Consent) -> Self {
        Self {
            consent,
            lifecycle_hook: LIFECYCLE_HOOK_DEFAULT
                .parse()
                .expect("the default hook's name is a name"),
            departure_timeout: Seconds(900),
            stop_tasks: false,
            drain_on_rebalance: false,
            drain_on_lost_agent: false,
            maintenance_lead: Seconds(1_800),
            agent_drains: false,
            disruption_percent: 10,
            agent_grace: Seconds(300),
            paused: false,
        }
    }

    /// Reads the tags of a group or of a cluster. `None` where it is not opted in.
    ///
    /// # Errors
    /// Every fault of every tag that concerns departures, and of tags of Ballast's that nothing can have.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Result<Self, Vec<SettingFault>>> {
        let consent_text = tags.get(TAG_INSTANCE_DRAIN.name)?;
        let mut faults = unknown(tags, &[&GROUP_TAGS, &DRAIN_TAGS]);
        let consent = match consent_text.as_str() {
            "act" => Consent::Act,
            "advise" => Consent::Advise,
            other => {
                faults.push(SettingFault::new(&TAG_INSTANCE_DRAIN, other));
                Consent::Advise
            }
        };
        let defaults = Self::with_defaults(consent);
        let mut number = |setting: &Setting, range, default: i64| {
            let text = tags.get(setting.name).map(String::as_str);
            whole_number(setting, text, range, default, &mut faults)
        };
        let departure_timeout = number(
            &TAG_DEPARTURE_TIMEOUT_SECS,
            60..=172_800,
            defaults.departure_timeout.0,
        );
        let maintenance_lead = number(
            &TAG_MAINTENANCE_LEAD_SECS,
            0..=604_800,
            defaults.maintenance_lead.0,
        );
        let agent_grace = number(&TAG_AGENT_GRACE_SECS, 60..=86_400, defaults.agent_grace.0);
        let disruption_percent = number(
            &TAG_DISRUPTION_PERCENT,
            1..=100,
            i64::from(defaults.disruption_percent),
        );
        let stop_tasks = truth(&TAG_STOP_TASKS, tags, false, &mut faults);
        let drain_on_rebalance = truth(&TAG_DRAIN_ON_REBALANCE, tags, false, &mut faults);
        let drain_on_lost_agent = truth(&TAG_DRAIN_ON_LOST_AGENT, tags, false, &mut faults);
        let agent_drains = truth(&TAG_AGENT_DRAINS, tags, false, &mut faults);
        let paused = truth(&TAG_GROUP_PAUSED, tags, true, &mut faults);
        let lifecycle_hook = match tags.get(TAG_LIFECYCLE_HOOK.name) {
            None => defaults.lifecycle_hook,
            Some(text) => hook_name(text).unwrap_or_else(|| {
                faults.push(SettingFault::new(&TAG_LIFECYCLE_HOOK, text));
                defaults.lifecycle_hook
            }),
        };
        if !faults.is_empty() {
            return Some(Err(faults));
        }
        Some(Ok(Self {
            consent,
            lifecycle_hook,
            departure_timeout: Seconds(departure_timeout),
            stop_tasks,
            drain_on_rebalance,
            drain_on_lost_agent,
            maintenance_lead: Seconds(maintenance_lead),
            agent_drains,
            disruption_percent: u32::try_from(disruption_percent)
                .unwrap_or(defaults.disruption_percent),
            agent_grace: Seconds(agent_grace),
            paused,
        }))
    }
}

/// A hook's name is what Auto Scaling allows.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
fn hook_name(text: &str) -> Option<LifecycleHookName> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    let is_name = (1..=255).contains(&text.len()) && text.chars().all(is_allowed);
    is_name.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn without_the_tag_there_is_no_policy() {
        let others = tags(&[("ballast:cluster-scaler", "act")]);
        assert_eq!(DrainPolicy::from_tags(&others), None);
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let policy = DrainPolicy::from_tags(&tags(&[("ballast:instance-drain", "act")]))
            .unwrap()
            .unwrap();
        assert_eq!(policy, DrainPolicy::with_defaults(Consent::Act));
        let number = |setting: &Setting, value: i64| {
            assert_eq!(setting.default, value.to_string(), "{}", setting.name);
        };
        number(&TAG_DEPARTURE_TIMEOUT_SECS, policy.departure_timeout.0);
        number(&TAG_MAINTENANCE_LEAD_SECS, policy.maintenance_lead.0);
        number(&TAG_AGENT_GRACE_SECS, policy.agent_grace.0);
        number(&TAG_DISRUPTION_PERCENT, policy.disruption_percent.into());
        assert_eq!(TAG_LIFECYCLE_HOOK.default, policy.lifecycle_hook.as_str());
    }

    #[test]
    fn tags_of_cluster_scaler_are_no_fault_and_those_of_nobody_are() {
        let read = DrainPolicy::from_tags(&tags(&[
            ("ballast:instance-drain", "act"),
            ("ballast:cluster-scaler", "act"),
            ("ballast:step-max", "3"),
        ]));
        assert_eq!(read, Some(Ok(DrainPolicy::with_defaults(Consent::Act))));
        let faults = DrainPolicy::from_tags(&tags(&[
            ("ballast:instance-drain", "yes"),
            ("ballast:standby", "web-standby"),
            ("ballast:stop-tasks", "maybe"),
            ("ballast:lifecycle-hook", "a b"),
            ("ballast:departure-timeout-secs", "5"),
        ]))
        .unwrap()
        .unwrap_err();
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "`ballast:standby` is `web-standby`: no tag of this name is allowed",
                "`ballast:instance-drain` is `yes`: `act` or `advise` is allowed",
                "`ballast:departure-timeout-secs` is `5`: a whole number from 60 to 172800 is allowed",
                "`ballast:stop-tasks` is `maybe`: `true` or `false` is allowed",
                "`ballast:lifecycle-hook` is `a b`: the name of a lifecycle hook, 1 to 255 letters, digits, `-`, `_` and `/` is allowed",
            ]
        );
    }
}
