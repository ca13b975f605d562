//! What the owner of a pair wants, read from the tags of the primary, and what the installation allows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::ServiceName;
use crate::settings::{Setting, SettingFault, whole_number};
use crate::units::Seconds;

/// Opts a service in as a primary and names its standby, in the same cluster.
pub const TAG_STANDBY: Setting = Setting {
    name: "ballast:standby",
    allowed: "the name of another service in the same cluster",
    default: "none: the service is not looked after",
    meaning: "Opts the service in as a primary and names its standby.",
};
/// Opts a service in as a standby and names its primary. The functions' role may only update services that carry it.
pub const TAG_STANDBY_OF: Setting = Setting {
    name: "ballast:standby-of",
    allowed: "the name of the primary, in the same cluster",
    default: "none: the service is never touched",
    meaning: "On the standby: opts it in and names its primary. Without it the standby is never touched.",
};
/// The most tasks that the standby may be given.
pub const TAG_STANDBY_MAX: Setting = Setting {
    name: "ballast:standby-max",
    allowed: "a whole number from 0 to 5000",
    default: "the primary's desired count",
    meaning: "The most tasks that the standby may be given.",
};
/// How long standby tasks must have been unneeded before they are given back.
pub const TAG_HOLD_DOWN_SECS: Setting = Setting {
    name: "ballast:hold-down-secs",
    allowed: "a whole number from 60 to 86400",
    default: "600",
    meaning: "How long standby tasks must have been unneeded, without a break, before they are given back.",
};
/// How long a deficit without evidence of a Spot shortage must persist before it is covered.
pub const TAG_SETTLE_SECS: Setting = Setting {
    name: "ballast:settle-secs",
    allowed: "a whole number from 0 to 3600",
    default: "120",
    meaning: "How long a deficit without evidence of a Spot shortage must persist before it is covered.",
};
/// How long a task may take to start before it counts as missing.
pub const TAG_START_GRACE_SECS: Setting = Setting {
    name: "ballast:start-grace-secs",
    allowed: "a whole number from 10 to 3600",
    default: "180",
    meaning: "How long a task may take to become RUNNING before it counts as missing.",
};
/// The start-up time to count with where it cannot be measured.
pub const TAG_START_UP_SECS: Setting = Setting {
    name: "ballast:start-up-secs",
    allowed: "a whole number from 1 to 600",
    default: "60",
    meaning: "The start-up time to count with: for the pair while none of its own tasks tells it, and for the forecast of a tracked service.",
};
/// Safety margin before the latest responsible moment.
pub const TAG_MARGIN_SECS: Setting = Setting {
    name: "ballast:margin-secs",
    allowed: "a whole number from 0 to 120",
    default: "10",
    meaning: "How much earlier than strictly necessary the standby is raised.",
};
/// How long a standby that somebody else changed is left alone.
pub const TAG_FOREIGN_HOLD_SECS: Setting = Setting {
    name: "ballast:foreign-hold-secs",
    allowed: "a whole number from 60 to 604800",
    default: "3600",
    meaning: "How long a standby whose desired count somebody else changed is left alone, and how long that of a tracked service is not lowered below what they set.",
};
/// Stops Ballast for one pair.
pub const TAG_PAUSED: Setting = Setting {
    name: "ballast:paused",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` stops Ballast from touching this pair, or this tracked service; it still looks and records.",
};

/// Every tag, in the order of the documentation.
pub const TAGS: [&Setting; 10] = [
    &TAG_STANDBY,
    &TAG_STANDBY_OF,
    &TAG_STANDBY_MAX,
    &TAG_HOLD_DOWN_SECS,
    &TAG_SETTLE_SECS,
    &TAG_START_GRACE_SECS,
    &TAG_START_UP_SECS,
    &TAG_MARGIN_SECS,
    &TAG_FOREIGN_HOLD_SECS,
    &TAG_PAUSED,
];

/// What begins every tag of Ballast's; a tag that begins so and is not in [`TAGS`] is a fault.
pub const TAG_PREFIX: &str = "ballast:";

/// The policy of one pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairPolicy {
    /// The standby's name, in the primary's cluster.
    pub standby: ServiceName,
    /// The most tasks that the standby may be given; `None` is the primary's desired count.
    pub standby_max: Option<u32>,
    /// How long standby tasks must have been unneeded before they are given back.
    pub hold_down: Seconds,
    /// How long a deficit without evidence must persist.
    pub settle: Seconds,
    /// How long a task may take to become RUNNING.
    pub start_grace: Seconds,
    /// The start-up time to count with where it cannot be measured.
    pub start_up_default: Seconds,
    /// How much earlier than necessary the standby is raised.
    pub margin: Seconds,
    /// How long a standby that somebody else changed is left alone.
    pub foreign_hold: Seconds,
    /// Whether this pair is only looked at.
    pub paused: bool,
}

impl PairPolicy {
    /// The policy with every default, for this standby.
    #[must_use]
    pub fn with_defaults(standby: ServiceName) -> Self {
        Self {
            standby,
            standby_max: None,
            hold_down: Seconds(600),
            settle: Seconds(120),
            start_grace: Seconds(180),
            start_up_default: Seconds(60),
            margin: Seconds(10),
            foreign_hold: Seconds(3_600),
            paused: false,
        }
    }

    /// Reads the tags of a primary. `None` where the service is not opted in as a primary.
    ///
    /// # Errors
    /// Every fault of every tag of Ballast's, unknown ones included.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Result<Self, Vec<SettingFault>>> {
        let standby_text = tags.get(TAG_STANDBY.name)?;
        let mut faults = Vec::new();
        for (key, value) in tags {
            let known = TAGS
                .iter()
                .chain(&crate::capacity::policy::SERVICE_TAGS)
                .chain(&crate::tracking::policy::TRACKING_TAGS)
                .any(|setting| setting.name == key);
            if key.starts_with(TAG_PREFIX) && !known {
                faults.push(SettingFault {
                    name: key.chars().take(128).collect(),
                    value: value.chars().take(256).collect(),
                    allowed: "no tag of this name".to_owned(),
                });
            }
        }
        let standby = standby_text.parse::<ServiceName>();
        if standby.is_err() {
            faults.push(SettingFault::new(&TAG_STANDBY, standby_text));
        }
        let mut seconds = |setting: &Setting, range, default: Seconds| {
            let text = tags.get(setting.name).map(String::as_str);
            Seconds(whole_number(setting, text, range, default.0, &mut faults))
        };
        let defaults =
            Self::with_defaults(standby.clone().ok().or_else(|| "unusable".parse().ok())?);
        let hold_down = seconds(&TAG_HOLD_DOWN_SECS, 60..=86_400, defaults.hold_down);
        let settle = seconds(&TAG_SETTLE_SECS, 0..=3_600, defaults.settle);
        let start_grace = seconds(&TAG_START_GRACE_SECS, 10..=3_600, defaults.start_grace);
        let start_up_default = seconds(&TAG_START_UP_SECS, 1..=600, defaults.start_up_default);
        let margin = seconds(&TAG_MARGIN_SECS, 0..=120, defaults.margin);
        let foreign_hold = seconds(&TAG_FOREIGN_HOLD_SECS, 60..=604_800, defaults.foreign_hold);
        let standby_max = tags.get(TAG_STANDBY_MAX.name).map(|text| {
            let number = whole_number(&TAG_STANDBY_MAX, Some(text), 0..=5_000, 0, &mut faults);
            u32::try_from(number).unwrap_or(0)
        });
        let paused = match tags.get(TAG_PAUSED.name).map(String::as_str) {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                faults.push(SettingFault::new(&TAG_PAUSED, other));
                true
            }
        };
        let Ok(standby) = standby else {
            return Some(Err(faults));
        };
        if !faults.is_empty() {
            return Some(Err(faults));
        }
        Some(Ok(Self {
            standby,
            standby_max,
            hold_down,
            settle,
            start_grace,
            start_up_default,
            margin,
            foreign_hold,
            paused,
        }))
    }
}

/// Whether a function may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Plan and record; write nothing.
    Observe,
    /// Plan, record and write.
    Act,
}

impl Mode {
    /// The word of the setting.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Act => "act",
        }
    }
}

/// What the installation adds to every decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installation {
    /// How often the schedule looks.
    pub schedule_interval: Seconds,
}

impl Default for Installation {
    fn default() -> Self {
        Self {
            schedule_interval: Seconds(60),
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
        assert_eq!(PairPolicy::from_tags(&tags(&[("team", "web")])), None);
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let policy = PairPolicy::from_tags(&tags(&[("ballast:standby", "web-standby")]))
            .unwrap()
            .unwrap();
        assert_eq!(
            policy,
            PairPolicy::with_defaults("web-standby".parse().unwrap())
        );
        for (setting, value) in [
            (&TAG_HOLD_DOWN_SECS, policy.hold_down),
            (&TAG_SETTLE_SECS, policy.settle),
            (&TAG_START_GRACE_SECS, policy.start_grace),
            (&TAG_START_UP_SECS, policy.start_up_default),
            (&TAG_MARGIN_SECS, policy.margin),
            (&TAG_FOREIGN_HOLD_SECS, policy.foreign_hold),
        ] {
            assert_eq!(setting.default, value.0.to_string(), "{}", setting.name);
        }
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let faults = PairPolicy::from_tags(&tags(&[
            ("ballast:standby", "has space"),
            ("ballast:hold-down-secs", "59"),
            ("ballast:standby-max", "-1"),
            ("ballast:paused", "yes"),
            ("ballast:holddown", "60"),
        ]))
        .unwrap()
        .unwrap_err();
        let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ballast:holddown",
                "ballast:standby",
                "ballast:hold-down-secs",
                "ballast:standby-max",
                "ballast:paused"
            ]
        );
        assert_eq!(
            faults[2].to_string(),
            "`ballast:hold-down-secs` is `59`: a whole number from 60 to 86400 is allowed"
        );
    }
}
