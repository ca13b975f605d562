//! What the owner of a service wants tracked, read from the tags of the service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capacity::policy::{Consent, SERVICE_TAGS, truth, unknown};
use crate::ids::AlarmName;
use crate::policy::{TAG_FOREIGN_HOLD_SECS, TAG_PAUSED, TAG_STANDBY_OF, TAG_START_UP_SECS, TAGS};
use crate::settings::{Setting, SettingFault, whole_number};
use crate::tracking::bounds::{Bounds, ScheduledBounds};
use crate::tracking::target::{Measures, Target, TargetName};
use crate::units::Seconds;

/// The most tasks that a service may have.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
pub const TASKS_MAX: u32 = 5_000;

/// Opts the service in. The function's role may only update services that carry it with `act`.
pub const TAG_SERVICE_SCALER: Setting = Setting {
    name: "ballast:service-scaler",
    allowed: "`act` or `advise`",
    default: "none: the service's desired count is never touched by service-scaler",
    meaning: "Opts the service in: `act` lets Ballast set its desired count so that its metrics keep their targets, `advise` only records what it would do.",
};
/// The target of `CPUUtilization`.
pub const TAG_TARGET_CPU_PERCENT: Setting = Setting {
    name: "ballast:target-cpu-percent",
    allowed: "a number from 1 to 100, with up to three decimals",
    default: "none: the CPU is not tracked",
    meaning: "Tracks `AWS/ECS` `CPUUtilization` of the service and its standby together, in percent of what their tasks reserve.",
};
/// The target of `MemoryUtilization`.
pub const TAG_TARGET_MEMORY_PERCENT: Setting = Setting {
    name: "ballast:target-memory-percent",
    allowed: "a number from 1 to 100, with up to three decimals",
    default: "none: the memory is not tracked",
    meaning: "Tracks `AWS/ECS` `MemoryUtilization` of the service and its standby together, in percent of what their tasks reserve.",
};
/// The target of requests for each task.
pub const TAG_TARGET_REQUESTS: Setting = Setting {
    name: "ballast:target-requests-per-task-minute",
    allowed: "a number above 0, with up to three decimals",
    default: "none: requests are not tracked",
    meaning: "Tracks `AWS/ApplicationELB` `RequestCountPerTarget` of the service's one target group: so many requests for each task and minute.",
};
/// The alarm that says which metric is tracked.
pub const TAG_TARGET_ALARM: Setting = Setting {
    name: "ballast:target-alarm",
    allowed: "the name of a CloudWatch alarm on a metric or a metric math expression",
    default: "none",
    meaning: "Tracks the metric, or the metric math expression, that this alarm watches, with its statistic and its period; its threshold is not read.",
};
/// The target of the alarm's metric.
pub const TAG_TARGET_VALUE: Setting = Setting {
    name: "ballast:target-value",
    allowed: "a number above 0, with up to three decimals",
    default: "none: needed with `ballast:target-alarm`",
    meaning: "The value of the alarm's metric that each task is to have.",
};
/// What the alarm's metric stands for.
pub const TAG_TARGET_MEASURES: Setting = Setting {
    name: "ballast:target-measures",
    allowed: "`per-task` or `total`",
    default: "per-task",
    meaning: "Whether the alarm's metric stands for each task on average, so that it falls with more tasks, or for the whole fleet, such as the length of a queue.",
};
/// How often ECS publishes the service's metrics. ECS tells it of a revision of the service only, not of the service.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MetricConfiguration.html>
pub const TAG_METRIC_RESOLUTION_SECS: Setting = Setting {
    name: "ballast:metric-resolution-secs",
    allowed: "`20` or `60`",
    default: "60",
    meaning: "How often ECS publishes `CPUUtilization` and `MemoryUtilization` of the service and its standby: what the services' `monitoring` says as `resolutionSeconds`.",
};
/// The least tasks.
pub const TAG_MIN_TASKS: Setting = Setting {
    name: "ballast:min-tasks",
    allowed: "a whole number from 0 to 5000",
    default: "1",
    meaning: "The least desired count.",
};
/// The most tasks.
pub const TAG_MAX_TASKS: Setting = Setting {
    name: "ballast:max-tasks",
    allowed: "a whole number from 1 to 5000, at least `ballast:min-tasks`",
    default: "none: needed",
    meaning: "The greatest desired count.",
};
/// Bounds by the time of the week.
pub const TAG_SCHEDULED_BOUNDS: Setting = Setting {
    name: "ballast:scheduled-bounds",
    allowed: "windows such as `mon-fri 07:00-20:00 min=10 max=60`, up to 16, with ` / ` between them",
    default: "none",
    meaning: "Other bounds in windows of the week; of several that hold at a time the largest minimum and the largest maximum count.",
};
/// The time zone of the windows.
pub const TAG_TIME_ZONE: Setting = Setting {
    name: "ballast:time-zone",
    allowed: "a name of the IANA time zone database, such as `Europe/Berlin`",
    default: "UTC",
    meaning: "The clock of `ballast:scheduled-bounds`. The forecast's days are 24 hours each.",
};
/// The band about the target in which the direction does not change.
pub const TAG_TOLERANCE_PERCENT: Setting = Setting {
    name: "ballast:tolerance-percent",
    allowed: "a whole number from 0 to 50",
    default: "12",
    meaning: "A scale-in stops short of what was needed by so many percent, and a change of direction must overcome as much; going on in the same direction need not.",
};
/// The window over which fewer must have been enough.
pub const TAG_SCALE_IN_WINDOW_SECS: Setting = Setting {
    name: "ballast:scale-in-window-secs",
    allowed: "a whole number from 60 to 10800",
    default: "300",
    meaning: "The desired count is lowered to the most that was needed within so long, and the tolerance above it.",
};
/// How long a direction is kept.
pub const TAG_TURN_HOLD_SECS: Setting = Setting {
    name: "ballast:turn-hold-secs",
    allowed: "a whole number from 0 to 86400",
    default: "300",
    meaning: "How long after a scale-out the desired count is not lowered.",
};
/// How far one step raises.
pub const TAG_RAISE_MAX_PERCENT: Setting = Setting {
    name: "ballast:raise-max-percent",
    allowed: "a whole number from 10 to 1000",
    default: "100",
    meaning: "How far one step raises the desired count at most, in percent of it; four tasks are always allowed.",
};
/// Whether a forecast is asked for.
pub const TAG_FORECAST: Setting = Setting {
    name: "ballast:forecast",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` raises the desired count ahead of what the same time of earlier days lets expect; it never lowers it.",
};

/// Every tag that concerns target tracking alone, in the order of the documentation.
pub const TRACKING_TAGS: [&Setting; 17] = [
    &TAG_SERVICE_SCALER,
    &TAG_TARGET_CPU_PERCENT,
    &TAG_TARGET_MEMORY_PERCENT,
    &TAG_TARGET_REQUESTS,
    &TAG_TARGET_ALARM,
    &TAG_TARGET_VALUE,
    &TAG_TARGET_MEASURES,
    &TAG_METRIC_RESOLUTION_SECS,
    &TAG_MIN_TASKS,
    &TAG_MAX_TASKS,
    &TAG_SCHEDULED_BOUNDS,
    &TAG_TIME_ZONE,
    &TAG_TOLERANCE_PERCENT,
    &TAG_SCALE_IN_WINDOW_SECS,
    &TAG_TURN_HOLD_SECS,
    &TAG_RAISE_MAX_PERCENT,
    &TAG_FORECAST,
];

/// The tags of a service that this function shares with spot-fallback.
pub const SHARED_TAGS: [&Setting; 3] = [&TAG_START_UP_SECS, &TAG_FOREIGN_HOLD_SECS, &TAG_PAUSED];

/// How fast the desired count follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// By how much a scale-in stops short, and how much a change of direction must overcome, in percent.
    pub tolerance_percent: u32,
    /// The window over which fewer must have been enough.
    #[serde(rename = "scale_in_window_secs")]
    pub scale_in_window: Seconds,
    /// How long after a scale-out the desired count is not lowered.
    #[serde(rename = "turn_hold_secs")]
    pub turn_hold: Seconds,
    /// How far one step raises at most, in percent of the desired count.
    pub raise_max_percent: u32,
    /// How long a task takes from the decision to serving.
    #[serde(rename = "start_up_secs")]
    pub start_up: Seconds,
    /// Whether the forecast may raise.
    pub forecast: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tolerance_percent: 12,
            scale_in_window: Seconds(300),
            turn_hold: Seconds(300),
            raise_max_percent: 100,
            start_up: Seconds(60),
            forecast: false,
        }
    }
}

/// The policy of one tracked service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingPolicy {
    /// Whether Ballast may act.
    pub consent: Consent,
    /// What is tracked; never empty.
    pub targets: BTreeMap<TargetName, Target>,
    /// How often ECS publishes the metrics of the service and its standby: 20 or 60 seconds.
    #[serde(rename = "metric_resolution_secs")]
    pub metric_resolution: Seconds,
    /// The bounds outside of the windows.
    pub bounds: Bounds,
    /// The windows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<ScheduledBounds>,
    /// The name of the time zone of the windows.
    pub time_zone: String,
    /// How fast the desired count follows.
    pub pace: Pace,
    /// How long a desired count that somebody else set is not lowered.
    #[serde(rename = "foreign_hold_secs")]
    pub foreign_hold: Seconds,
    /// Whether the service is only looked at.
    pub paused: bool,
}

impl TrackingPolicy {
    /// Reads the tags of a service. `None` where it is not opted in.
    ///
    /// # Errors
    /// Every fault of every tag that concerns target tracking, and of tags of Ballast's that no service can have.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Result<Self, Vec<SettingFault>>> {
        let consent_text = tags.get(TAG_SERVICE_SCALER.name)?;
        let mut faults = unknown(tags, &[&TAGS, &SERVICE_TAGS, &TRACKING_TAGS]);
        let consent = match consent_text.as_str() {
            "act" => Consent::Act,
            "advise" => Consent::Advise,
            other => {
                faults.push(SettingFault::new(&TAG_SERVICE_SCALER, other));
                Consent::Advise
            }
        };
        let targets = targets(tags, &mut faults);
        let metric_resolution = metric_resolution(tags, &mut faults);
        let bounds = bounds(tags, &mut faults);
        let windows = windows(tags, bounds, &mut faults);
        let time_zone = time_zone(tags, &mut faults);
        let pace = pace(tags, &mut faults);
        let mut seconds = |setting: &Setting, range, default| {
            let text = tags.get(setting.name).map(String::as_str);
            Seconds(whole_number(setting, text, range, default, &mut faults))
        };
        let foreign_hold = seconds(&TAG_FOREIGN_HOLD_SECS, 60..=604_800, 3_600);
        let paused = truth(&TAG_PAUSED, tags, true, &mut faults);
        if !faults.is_empty() {
            return Some(Err(faults));
        }
        Some(Ok(Self {
            consent,
            targets,
            metric_resolution,
            bounds,
            windows,
            time_zone,
            pace,
            foreign_hold,
            paused,
        }))
    }
}

/// Whether the tags make the service somebody's standby.
#[must_use]
pub fn is_standby(tags: &BTreeMap<String, String>) -> bool {
    tags.contains_key(TAG_STANDBY_OF.name)
}

fn missing(setting: &Setting, allowed: &str) -> SettingFault {
    SettingFault {
        name: setting.name.to_owned(),
        value: String::new(),
        allowed: allowed.to_owned(),
    }
}

fn targets(
    tags: &BTreeMap<String, String>,
    faults: &mut Vec<SettingFault>,
) -> BTreeMap<TargetName, Target> {
    let mut targets = BTreeMap::new();
    let mut value = |setting: &Setting, most_milli: i64| {
        let text = tags.get(setting.name)?;
        let value = decimal_milli(text).filter(|it| (1..=most_milli).contains(it));
        if value.is_none() {
            faults.push(SettingFault::new(setting, text));
        }
        value
    };
    let percent = |it: Option<i64>| it.filter(|value| *value >= 1_000);
    let cpu = value(&TAG_TARGET_CPU_PERCENT, 100_000);
    let memory = value(&TAG_TARGET_MEMORY_PERCENT, 100_000);
    let requests = value(&TAG_TARGET_REQUESTS, VALUE_MAX_MILLI);
    let of_alarm = value(&TAG_TARGET_VALUE, VALUE_MAX_MILLI);
    for (setting, value) in [
        (&TAG_TARGET_CPU_PERCENT, cpu),
        (&TAG_TARGET_MEMORY_PERCENT, memory),
    ] {
        if value.is_some() && percent(value).is_none() {
            let text = tags.get(setting.name).map_or("", String::as_str);
            faults.push(SettingFault::new(setting, text));
        }
    }
    let plain = |value_milli, measures| Target {
        value_milli,
        measures,
        alarm: None,
    };
    let of_metrics = [
        (TargetName::Cpu, cpu, Measures::PerTask),
        (TargetName::Memory, memory, Measures::PerTask),
        (TargetName::Requests, requests, Measures::PerTask),
    ];
    for (name, value, measures) in of_metrics {
        if let Some(value) = value {
            targets.insert(name, plain(value, measures));
        }
    }
    if let Some(target) = alarm_target(tags, of_alarm, faults) {
        targets.insert(TargetName::Alarm, target);
    }
    let asks_for_one = [
        &TAG_TARGET_CPU_PERCENT,
        &TAG_TARGET_MEMORY_PERCENT,
        &TAG_TARGET_REQUESTS,
        &TAG_TARGET_ALARM,
    ]
    .iter()
    .any(|it| tags.contains_key(it.name));
    if !asks_for_one {
        let allowed = format!(
            "at least one of `{}`, `{}`, `{}` and `{}`",
            TAG_TARGET_CPU_PERCENT.name,
            TAG_TARGET_MEMORY_PERCENT.name,
            TAG_TARGET_REQUESTS.name,
            TAG_TARGET_ALARM.name
        );
        faults.push(missing(&TAG_TARGET_CPU_PERCENT, &allowed));
    }
    targets
}

/// The largest target, in thousandths: far above what a task can do, and small enough to count with.
const VALUE_MAX_MILLI: i64 = 1_000_000_000_000;

fn alarm_target(
    tags: &BTreeMap<String, String>,
    value_milli: Option<i64>,
    faults: &mut Vec<SettingFault>,
) -> Option<Target> {
    let measures = match tags.get(TAG_TARGET_MEASURES.name).map(String::as_str) {
        None | Some("per-task") => Measures::PerTask,
        Some("total") => Measures::Total,
        Some(other) => {
            faults.push(SettingFault::new(&TAG_TARGET_MEASURES, other));
            Measures::PerTask
        }
    };
    let Some(text) = tags.get(TAG_TARGET_ALARM.name) else {
        for setting in [&TAG_TARGET_VALUE, &TAG_TARGET_MEASURES] {
            if let Some(text) = tags.get(setting.name) {
                faults.push(SettingFault {
                    allowed: "nothing without `ballast:target-alarm`".to_owned(),
                    ..SettingFault::new(setting, text)
                });
            }
        }
        return None;
    };
    let alarm = text.parse::<AlarmName>().ok();
    if alarm.is_none() {
        faults.push(SettingFault::new(&TAG_TARGET_ALARM, text));
    }
    if !tags.contains_key(TAG_TARGET_VALUE.name) {
        faults.push(missing(&TAG_TARGET_VALUE, TAG_TARGET_VALUE.allowed));
    }
    Some(Target {
        value_milli: value_milli?,
        measures,
        alarm: Some(alarm?),
    })
}

fn metric_resolution(tags: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) -> Seconds {
    match tags
        .get(TAG_METRIC_RESOLUTION_SECS.name)
        .map(String::as_str)
    {
        None | Some("60") => Seconds(60),
        Some("20") => Seconds(20),
        Some(other) => {
            faults.push(SettingFault::new(&TAG_METRIC_RESOLUTION_SECS, other));
            Seconds(60)
        }
    }
}

fn bounds(tags: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) -> Bounds {
    let mut number = |setting: &Setting, least: i64, default: i64| {
        let text = tags.get(setting.name).map(String::as_str);
        let range = least..=i64::from(TASKS_MAX);
        let number = whole_number(setting, text, range, default, faults);
        u32::try_from(number).unwrap_or(TASKS_MAX)
    };
    let bounds = Bounds {
        min_tasks: number(&TAG_MIN_TASKS, 0, 1),
        max_tasks: number(&TAG_MAX_TASKS, 1, i64::from(TASKS_MAX)),
    };
    match tags.get(TAG_MAX_TASKS.name) {
        None => faults.push(missing(&TAG_MAX_TASKS, TAG_MAX_TASKS.allowed)),
        Some(text) if bounds.min_tasks > bounds.max_tasks => {
            faults.push(SettingFault::new(&TAG_MAX_TASKS, text));
        }
        Some(_) => {}
    }
    bounds
}

fn windows(
    tags: &BTreeMap<String, String>,
    bounds: Bounds,
    faults: &mut Vec<SettingFault>,
) -> Vec<ScheduledBounds> {
    let Some(text) = tags.get(TAG_SCHEDULED_BOUNDS.name) else {
        return Vec::new();
    };
    let Some(windows) = ScheduledBounds::parse_all(text) else {
        faults.push(SettingFault::new(&TAG_SCHEDULED_BOUNDS, text));
        return Vec::new();
    };
    let is_upside_down = |it: &ScheduledBounds| {
        it.min_tasks.unwrap_or(bounds.min_tasks) > it.max_tasks.unwrap_or(bounds.max_tasks)
    };
    if windows.iter().any(is_upside_down) {
        faults.push(SettingFault {
            allowed: "a minimum that is not above the maximum, in each window with what it leaves to `ballast:min-tasks` and \
                      `ballast:max-tasks`,"
                .to_owned(),
            ..SettingFault::new(&TAG_SCHEDULED_BOUNDS, text)
        });
    }
    windows
}

fn time_zone(tags: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) -> String {
    let Some(text) = tags.get(TAG_TIME_ZONE.name) else {
        return "UTC".to_owned();
    };
    if jiff::tz::TimeZone::get(text).is_err() {
        faults.push(SettingFault::new(&TAG_TIME_ZONE, text));
    }
    text.clone()
}

fn pace(tags: &BTreeMap<String, String>, faults: &mut Vec<SettingFault>) -> Pace {
    let defaults = Pace::default();
    let mut number = |setting: &Setting, range, default: i64| {
        let text = tags.get(setting.name).map(String::as_str);
        whole_number(setting, text, range, default, faults)
    };
    let tolerance_percent = number(
        &TAG_TOLERANCE_PERCENT,
        0..=50,
        defaults.tolerance_percent.into(),
    );
    let scale_in_window = number(
        &TAG_SCALE_IN_WINDOW_SECS,
        60..=10_800,
        defaults.scale_in_window.0,
    );
    let turn_hold = number(&TAG_TURN_HOLD_SECS, 0..=86_400, defaults.turn_hold.0);
    let raise_max_percent = number(
        &TAG_RAISE_MAX_PERCENT,
        10..=1_000,
        defaults.raise_max_percent.into(),
    );
    let start_up = number(&TAG_START_UP_SECS, 1..=600, defaults.start_up.0);
    let forecast = truth(&TAG_FORECAST, tags, defaults.forecast, faults);
    Pace {
        tolerance_percent: u32::try_from(tolerance_percent).unwrap_or(defaults.tolerance_percent),
        scale_in_window: Seconds(scale_in_window),
        turn_hold: Seconds(turn_hold),
        raise_max_percent: u32::try_from(raise_max_percent).unwrap_or(defaults.raise_max_percent),
        start_up: Seconds(start_up),
        forecast,
    }
}

/// A decimal number with up to three places, in thousandths. `None` for everything else, signs and exponents included.
fn decimal_milli(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || places.len() > 3 {
        return None;
    }
    if !is_digits(whole) || !is_digits(places) || text.ends_with('.') {
        return None;
    }
    let thousandths: i64 = format!("{places:0<3}").parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(thousandths)
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

    #[track_caller]
    fn faults(pairs: &[(&str, &str)], want: &[&str]) {
        let faults = TrackingPolicy::from_tags(&tags(pairs))
            .unwrap()
            .unwrap_err();
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    #[test]
    fn without_the_tag_there_is_no_policy() {
        let others = tags(&[
            ("ballast:standby", "web-standby"),
            ("ballast:max-tasks", "3"),
        ]);
        assert_eq!(TrackingPolicy::from_tags(&others), None);
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let policy = TrackingPolicy::from_tags(&tags(&[
            ("ballast:service-scaler", "act"),
            ("ballast:target-cpu-percent", "62.5"),
            ("ballast:max-tasks", "40"),
            ("ballast:standby", "web-standby"),
        ]))
        .unwrap()
        .unwrap();
        assert_eq!(policy.targets[&TargetName::Cpu].value_milli, 62_500);
        assert_eq!(policy.targets.len(), 1);
        assert_eq!((policy.bounds.min_tasks, policy.bounds.max_tasks), (1, 40));
        assert_eq!(policy.pace, Pace::default());
        let pace = policy.pace;
        for (setting, value) in [
            (&TAG_TOLERANCE_PERCENT, i64::from(pace.tolerance_percent)),
            (&TAG_SCALE_IN_WINDOW_SECS, pace.scale_in_window.0),
            (&TAG_TURN_HOLD_SECS, pace.turn_hold.0),
            (&TAG_RAISE_MAX_PERCENT, i64::from(pace.raise_max_percent)),
            (&TAG_START_UP_SECS, pace.start_up.0),
            (&TAG_FOREIGN_HOLD_SECS, policy.foreign_hold.0),
            (&TAG_MIN_TASKS, i64::from(policy.bounds.min_tasks)),
            (&TAG_METRIC_RESOLUTION_SECS, policy.metric_resolution.0),
        ] {
            assert_eq!(setting.default, value.to_string(), "{}", setting.name);
        }
        assert_eq!(TAG_FORECAST.default, pace.forecast.to_string());
        assert_eq!(TAG_TIME_ZONE.default, policy.time_zone);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        faults(
            &[
                ("ballast:service-scaler", "yes"),
                ("ballast:target-cpu-percent", "0"),
                ("ballast:target-memory-percent", "0.5"),
                ("ballast:target-alarm", "backlog"),
                ("ballast:metric-resolution-secs", "30"),
                ("ballast:min-tasks", "9"),
                ("ballast:max-tasks", "8"),
                ("ballast:time-zone", "Mars/Olympus"),
                ("ballast:holddown", "60"),
            ],
            &[
                "`ballast:holddown` is `60`: no tag of this name is allowed",
                "`ballast:service-scaler` is `yes`: `act` or `advise` is allowed",
                "`ballast:target-cpu-percent` is `0`: a number from 1 to 100, with up to three decimals is allowed",
                "`ballast:target-memory-percent` is `0.5`: a number from 1 to 100, with up to three decimals is allowed",
                "`ballast:target-value` is ``: a number above 0, with up to three decimals is allowed",
                "`ballast:metric-resolution-secs` is `30`: `20` or `60` is allowed",
                "`ballast:max-tasks` is `8`: a whole number from 1 to 5000, at least `ballast:min-tasks` is allowed",
                "`ballast:time-zone` is `Mars/Olympus`: a name of the IANA time zone database, such as `Europe/Berlin` is allowed",
            ],
        );
    }

    #[test]
    fn a_service_that_asks_for_nothing_is_told_what_it_can_ask_for() {
        faults(
            &[("ballast:service-scaler", "act")],
            &[
                "`ballast:target-cpu-percent` is ``: at least one of `ballast:target-cpu-percent`, `ballast:target-memory-percent`, \
                 `ballast:target-requests-per-task-minute` and `ballast:target-alarm` is allowed",
                "`ballast:max-tasks` is ``: a whole number from 1 to 5000, at least `ballast:min-tasks` is allowed",
            ],
        );
    }

    #[test]
    fn a_windows_minimum_is_not_above_the_maximum_that_it_leaves() {
        faults(
            &[
                ("ballast:service-scaler", "act"),
                ("ballast:target-cpu-percent", "60"),
                ("ballast:max-tasks", "8"),
                ("ballast:scheduled-bounds", "daily 08:00-10:00 min=9"),
                ("ballast:target-value", "5"),
            ],
            &[
                "`ballast:target-value` is `5`: nothing without `ballast:target-alarm` is allowed",
                "`ballast:scheduled-bounds` is `daily 08:00-10:00 min=9`: a minimum that is not above the maximum, in each window with \
                 what it leaves to `ballast:min-tasks` and `ballast:max-tasks`, is allowed",
            ],
        );
    }

    #[test]
    fn decimals_are_thousandths() {
        for (text, want) in [
            ("0.5", Some(500)),
            ("12", Some(12_000)),
            ("1.234", Some(1_234)),
            ("1.", None),
            (".5", None),
            ("-1", None),
            ("1e3", None),
            ("NaN", None),
            ("1.2345", None),
        ] {
            assert_eq!(decimal_milli(text), want, "{text}");
        }
    }
}
