//! What the owner of an Auto Scaling group wants, read from the group's tags.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::drain::policy::DRAIN_TAGS;
use crate::ids::InstanceType;
use crate::policy::TAG_PREFIX;
use crate::settings::{Setting, SettingFault, whole_number};
use crate::units::Seconds;

/// Opts the group in. The functions' role may only change groups whose tag says `act`.
pub const TAG_CLUSTER_SCALER: Setting = Setting {
    name: "ballast:cluster-scaler",
    allowed: "`act` or `advise`",
    default: "none: the group is not looked after",
    meaning: "Opts the group in: `act` lets Ballast size it, `advise` only computes and records what it would do.",
};
/// The reservation to keep.
pub const TAG_TARGET_CAPACITY_PERCENT: Setting = Setting {
    name: "ballast:target-capacity-percent",
    allowed: "a whole number from 1 to 100",
    default: "the provider's own `targetCapacity`, else 100",
    meaning: "How much of the group the tasks are to use: 80 keeps a fifth of it free.",
};
/// The fewest instances of one scale-out.
pub const TAG_STEP_MIN: Setting = Setting {
    name: "ballast:step-min",
    allowed: "a whole number from 1 to 10000",
    default: "the provider's own `minimumScalingStepSize`, else 1",
    meaning: "The fewest instances by which the group is raised at a time, within its maximum.",
};
/// The most instances of one scale-out.
pub const TAG_STEP_MAX: Setting = Setting {
    name: "ballast:step-max",
    allowed: "a whole number from 1 to 10000",
    default: "the provider's own `maximumScalingStepSize`, else 10000",
    meaning: "The most instances by which the group is raised at a time.",
};
/// How long an instance may take from its launch to its registration.
pub const TAG_WARM_UP_SECS: Setting = Setting {
    name: "ballast:warm-up-secs",
    allowed: "a whole number from 30 to 3600",
    default: "the provider's own `instanceWarmupPeriod` within these bounds, else 300",
    meaning: "How long an instance may take from its launch to its registration in the cluster; until then it counts as launching.",
};
/// How long fewer instances must have been wanted.
pub const TAG_SCALE_IN_DELAY_SECS: Setting = Setting {
    name: "ballast:scale-in-delay-secs",
    allowed: "a whole number from 0 to 86400",
    default: "300",
    meaning: "How long fewer instances must have been wanted, without a break, before one is removed.",
};
/// How old an instance must be.
pub const TAG_MINIMUM_AGE_SECS: Setting = Setting {
    name: "ballast:minimum-age-secs",
    allowed: "a whole number from 0 to 86400",
    default: "300",
    meaning: "How long an instance is kept at least after its registration.",
};
/// Whether instances with tasks may be drained.
pub const TAG_CONSOLIDATE: Setting = Setting {
    name: "ballast:consolidate",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` lets Ballast drain instances whose tasks provably fit elsewhere; without it only empty ones are removed.",
};
/// How much of the group may drain at a time.
pub const TAG_DISRUPTION_PERCENT: Setting = Setting {
    name: "ballast:disruption-percent",
    allowed: "a whole number from 1 to 100",
    default: "10",
    meaning: "How much of the group may drain at a time, rounded up to whole instances, less those that are not healthy.",
};
/// How long a drain may take.
pub const TAG_DRAIN_TIMEOUT_SECS: Setting = Setting {
    name: "ballast:drain-timeout-secs",
    allowed: "a whole number from 60 to 86400",
    default: "900",
    meaning: "How long an instance may drain for scale-in before it is set to ACTIVE again.",
};
/// How long an agent may be disconnected.
pub const TAG_AGENT_GRACE_SECS: Setting = Setting {
    name: "ballast:agent-grace-secs",
    allowed: "a whole number from 60 to 86400",
    default: "300",
    meaning: "How long an instance's agent may be disconnected before the instance counts for nothing.",
};
/// The types that the launch template launches.
pub const TAG_INSTANCE_TYPES: Setting = Setting {
    name: "ballast:instance-types",
    allowed: "instance types, parted by spaces or commas, at most 40",
    default: "the mixed-instances policy's types, else those of the group's instances",
    meaning: "The instance types of a group whose launch template names them, so that they are known while the group is empty.",
};
/// How long a desired capacity that somebody else changed is left alone.
pub const TAG_GROUP_FOREIGN_HOLD_SECS: Setting = Setting {
    name: "ballast:foreign-hold-secs",
    allowed: "a whole number from 60 to 604800",
    default: "3600",
    meaning: "How long a group whose desired capacity somebody else changed is left alone.",
};
/// Stops Ballast for one group.
pub const TAG_GROUP_PAUSED: Setting = Setting {
    name: "ballast:paused",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` stops Ballast from touching this group; it still looks and records.",
};
/// Headroom of a service, on the service.
pub const TAG_HEADROOM_TASKS: Setting = Setting {
    name: "ballast:headroom-tasks",
    allowed: "a whole number from 0 to 1000",
    default: "0",
    meaning: "On a service: how many more of its tasks must find room on EC2 at any time.",
};

/// Every tag of a group, in the order of the documentation.
pub const GROUP_TAGS: [&Setting; 14] = [
    &TAG_CLUSTER_SCALER,
    &TAG_TARGET_CAPACITY_PERCENT,
    &TAG_STEP_MIN,
    &TAG_STEP_MAX,
    &TAG_WARM_UP_SECS,
    &TAG_SCALE_IN_DELAY_SECS,
    &TAG_MINIMUM_AGE_SECS,
    &TAG_CONSOLIDATE,
    &TAG_DISRUPTION_PERCENT,
    &TAG_DRAIN_TIMEOUT_SECS,
    &TAG_AGENT_GRACE_SECS,
    &TAG_INSTANCE_TYPES,
    &TAG_GROUP_FOREIGN_HOLD_SECS,
    &TAG_GROUP_PAUSED,
];

/// Every tag of a service that concerns EC2 capacity.
pub const SERVICE_TAGS: [&Setting; 1] = [&TAG_HEADROOM_TASKS];

/// The most instance types that a tag may name.
const TYPES_MAX: usize = 40;

/// The shortest and the longest warm-up, in seconds.
pub const WARM_UP_BOUNDS: RangeInclusive<i64> = 30..=3_600;

/// Whether Ballast may change the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It may.
    Act,
    /// It computes and records only.
    Advise,
}

/// The policy of one group. What is `None` follows the provider's own setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPolicy {
    /// Whether Ballast may change the group.
    pub consent: Consent,
    /// The reservation to keep, in percent.
    pub target_capacity_percent: Option<u32>,
    /// The fewest instances of one scale-out.
    pub step_min: Option<u32>,
    /// The most instances of one scale-out.
    pub step_max: Option<u32>,
    /// How long an instance may take to register.
    #[serde(rename = "warm_up_secs")]
    pub warm_up: Option<Seconds>,
    /// How long fewer instances must have been wanted.
    #[serde(rename = "scale_in_delay_secs")]
    pub scale_in_delay: Seconds,
    /// How old an instance must be.
    #[serde(rename = "minimum_age_secs")]
    pub minimum_age: Seconds,
    /// Whether instances with tasks may be drained.
    pub consolidate: bool,
    /// How much of the group may drain at a time, in percent.
    pub disruption_percent: u32,
    /// How long a drain may take.
    #[serde(rename = "drain_timeout_secs")]
    pub drain_timeout: Seconds,
    /// How long an agent may be disconnected.
    #[serde(rename = "agent_grace_secs")]
    pub agent_grace: Seconds,
    /// The types that the launch template launches; empty where the tag is not set.
    pub instance_types: Vec<InstanceType>,
    /// How long a foreign change is left alone.
    #[serde(rename = "foreign_hold_secs")]
    pub foreign_hold: Seconds,
    /// Whether this group is only looked at.
    pub paused: bool,
}

impl GroupPolicy {
    /// The policy with every default.
    #[must_use]
    pub const fn with_defaults(consent: Consent) -> Self {
        Self {
            consent,
            target_capacity_percent: None,
            step_min: None,
            step_max: None,
            warm_up: None,
            scale_in_delay: Seconds(300),
            minimum_age: Seconds(300),
            consolidate: false,
            disruption_percent: 10,
            drain_timeout: Seconds(900),
            agent_grace: Seconds(300),
            instance_types: Vec::new(),
            foreign_hold: Seconds(3_600),
            paused: false,
        }
    }

    /// Reads the tags of a group. `None` where the group is not opted in.
    ///
    /// # Errors
    /// Every fault of every tag of Ballast's, unknown ones included.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Result<Self, Vec<SettingFault>>> {
        let consent_text = tags.get(TAG_CLUSTER_SCALER.name)?;
        let mut faults = unknown(tags, &[&GROUP_TAGS, &DRAIN_TAGS]);
        let consent = match consent_text.as_str() {
            "act" => Consent::Act,
            "advise" => Consent::Advise,
            other => {
                faults.push(SettingFault::new(&TAG_CLUSTER_SCALER, other));
                Consent::Advise
            }
        };
        let defaults = Self::with_defaults(consent);
        let mut seconds = |setting: &Setting, range, default: Seconds| {
            let text = tags.get(setting.name).map(String::as_str);
            Seconds(whole_number(setting, text, range, default.0, &mut faults))
        };
        let scale_in_delay = seconds(
            &TAG_SCALE_IN_DELAY_SECS,
            0..=86_400,
            defaults.scale_in_delay,
        );
        let minimum_age = seconds(&TAG_MINIMUM_AGE_SECS, 0..=86_400, defaults.minimum_age);
        let drain_timeout = seconds(&TAG_DRAIN_TIMEOUT_SECS, 60..=86_400, defaults.drain_timeout);
        let agent_grace = seconds(&TAG_AGENT_GRACE_SECS, 60..=86_400, defaults.agent_grace);
        let foreign_hold = seconds(
            &TAG_GROUP_FOREIGN_HOLD_SECS,
            60..=604_800,
            defaults.foreign_hold,
        );
        let mut number = |setting: &Setting, range| {
            let text = tags.get(setting.name)?;
            u32::try_from(whole_number(setting, Some(text), range, 0, &mut faults)).ok()
        };
        let target_capacity_percent = number(&TAG_TARGET_CAPACITY_PERCENT, 1..=100);
        let warm_up = number(&TAG_WARM_UP_SECS, WARM_UP_BOUNDS).map(|it| Seconds(i64::from(it)));
        let step_min = number(&TAG_STEP_MIN, 1..=10_000);
        let step_max = number(&TAG_STEP_MAX, 1..=10_000);
        let disruption_percent = number(&TAG_DISRUPTION_PERCENT, 1..=100);
        if let (Some(least), Some(most)) = (step_min, step_max)
            && least > most
        {
            faults.push(SettingFault {
                name: TAG_STEP_MIN.name.to_owned(),
                value: least.to_string(),
                allowed: format!("at most `{}`, which is {most},", TAG_STEP_MAX.name),
            });
        }
        let consolidate = truth(&TAG_CONSOLIDATE, tags, false, &mut faults);
        let paused = truth(&TAG_GROUP_PAUSED, tags, true, &mut faults);
        let instance_types = types(tags, &mut faults);
        if !faults.is_empty() {
            return Some(Err(faults));
        }
        Some(Ok(Self {
            consent,
            target_capacity_percent,
            step_min,
            step_max,
            warm_up,
            scale_in_delay,
            minimum_age,
            consolidate,
            disruption_percent: disruption_percent.unwrap_or(defaults.disruption_percent),
            drain_timeout,
            agent_grace,
            instance_types,
            foreign_hold,
            paused,
        }))
    }
}

/// The headroom that a service's tag asks for; 0 without the tag.
///
/// # Errors
/// The tag's fault.
pub fn headroom_tasks(tags: &BTreeMap<String, String>) -> Result<u32, Vec<SettingFault>> {
    let mut faults = Vec::new();
    let text = tags.get(TAG_HEADROOM_TASKS.name).map(String::as_str);
    let tasks = whole_number(&TAG_HEADROOM_TASKS, text, 0..=1_000, 0, &mut faults);
    if faults.is_empty() {
        Ok(u32::try_from(tasks).unwrap_or(0))
    } else {
        Err(faults)
    }
}

/// The tags of Ballast's that are in none of these tables.
pub(crate) fn unknown(
    tags: &BTreeMap<String, String>,
    tables: &[&[&Setting]],
) -> Vec<SettingFault> {
    let is_known = |key: &str| tables.iter().any(|it| it.iter().any(|it| it.name == key));
    tags.iter()
        .filter(|(key, _)| key.starts_with(TAG_PREFIX) && !is_known(key))
        .map(|(key, value)| SettingFault {
            name: key.chars().take(128).collect(),
            value: value.chars().take(256).collect(),
            allowed: "no tag of this name".to_owned(),
        })
        .collect()
}

/// Reads `true` or `false`; `false` without the tag, `on_fault` where the value is neither.
pub(crate) fn truth(
    setting: &Setting,
    tags: &BTreeMap<String, String>,
    on_fault: bool,
    faults: &mut Vec<SettingFault>,
) -> bool {
    match tags.get(setting.name).map(String::as_str) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            faults.push(SettingFault::new(setting, other));
            on_fault
        }
    }
}

fn types(tags: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) -> Vec<InstanceType> {
    let Some(text) = tags.get(TAG_INSTANCE_TYPES.name) else {
        return Vec::new();
    };
    let names: Result<Vec<InstanceType>, _> = text
        .split([',', ' '])
        .filter(|it| !it.is_empty())
        .map(str::parse)
        .collect();
    match names {
        Ok(names) if (1..=TYPES_MAX).contains(&names.len()) => names,
        Ok(_) | Err(_) => {
            faults.push(SettingFault::new(&TAG_INSTANCE_TYPES, text));
            Vec::new()
        }
    }
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
        assert_eq!(
            GroupPolicy::from_tags(&tags(&[("ballast:paused", "true")])),
            None
        );
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let policy = GroupPolicy::from_tags(&tags(&[("ballast:cluster-scaler", "act")]))
            .unwrap()
            .unwrap();
        assert_eq!(policy, GroupPolicy::with_defaults(Consent::Act));
        for (setting, value) in [
            (&TAG_SCALE_IN_DELAY_SECS, policy.scale_in_delay),
            (&TAG_MINIMUM_AGE_SECS, policy.minimum_age),
            (&TAG_DRAIN_TIMEOUT_SECS, policy.drain_timeout),
            (&TAG_AGENT_GRACE_SECS, policy.agent_grace),
            (&TAG_GROUP_FOREIGN_HOLD_SECS, policy.foreign_hold),
        ] {
            assert_eq!(setting.default, value.0.to_string(), "{}", setting.name);
        }
        assert_eq!(
            TAG_DISRUPTION_PERCENT.default,
            policy.disruption_percent.to_string()
        );
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let faults = GroupPolicy::from_tags(&tags(&[
            ("ballast:cluster-scaler", "yes"),
            ("ballast:target-capacity-percent", "0"),
            ("ballast:step-min", "9"),
            ("ballast:step-max", "3"),
            ("ballast:standby", "web-standby"),
            ("ballast:consolidate", "maybe"),
            ("ballast:instance-types", " , "),
        ]))
        .unwrap()
        .unwrap_err();
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "`ballast:standby` is `web-standby`: no tag of this name is allowed",
                "`ballast:cluster-scaler` is `yes`: `act` or `advise` is allowed",
                "`ballast:target-capacity-percent` is `0`: a whole number from 1 to 100 is allowed",
                "`ballast:step-min` is `9`: at most `ballast:step-max`, which is 3, is allowed",
                "`ballast:consolidate` is `maybe`: `true` or `false` is allowed",
                "`ballast:instance-types` is ` , `: instance types, parted by spaces or commas, at most 40 is allowed",
            ]
        );
    }

    #[test]
    fn types_are_parted_by_spaces_or_commas() {
        let policy = GroupPolicy::from_tags(&tags(&[
            ("ballast:cluster-scaler", "advise"),
            ("ballast:instance-types", "t3.small, m5.large"),
        ]))
        .unwrap()
        .unwrap();
        let names: Vec<&str> = policy
            .instance_types
            .iter()
            .map(InstanceType::as_str)
            .collect();
        assert_eq!(names, ["t3.small", "m5.large"]);
    }

    #[test]
    fn headroom_is_none_without_its_tag() {
        assert_eq!(headroom_tasks(&tags(&[])), Ok(0));
        assert_eq!(
            headroom_tasks(&tags(&[("ballast:headroom-tasks", "3")])),
            Ok(3)
        );
        assert!(headroom_tasks(&tags(&[("ballast:headroom-tasks", "-1")])).is_err());
    }
}
