//! What the owner of a service wants tracked, read from the tags of the service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capacity::policy::{Consent, SERVICE_TAGS, truth, unknown};
use crate::ids::AlarmName;
use crate::policy::{TAG_FOREIGN_HOLD_SECS, TAG_PAUSED, TAG_STANDBY_OF, TAG_START_UP_SECS, TAGS};
use crate::settings::{Setting, SettingFault, whole_number};
use crate::tracking::bounds::{Bounds, ScheduledBounds};
pub use crate::tracking::tags::*;
use crate::tracking::target::{Measures, Target, TargetName};
use crate::units::Seconds;

/// The most tasks that a service may have.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
pub const TASKS_MAX: u32 = 5_000;

/// The longest scale-in window. CloudWatch keeps values of less than a minute for three hours
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>); half an hour of them is left for values that
/// come late and for what is looked at beside the window.
pub const SCALE_IN_WINDOW_SECS_MAX: i64 = 9_000;

/// How far back a forecast may look for its peak. The peaks of earlier days are looked for over as long before and after the same time of
/// day, so that an hour makes two of each.
pub const FORECAST_PEAK_SECS_MAX: i64 = 3_600;

/// The longest time that a task may take from the decision to serving: a forecast is for no later.
pub const START_UP_SECS_MAX: i64 = 600;

/// A forecast looks at so many days back.
pub const FORECAST_DAYS: i64 = 3;

/// It compares the load of so many minutes before and after the start of a task; of as many as its peak is looked for in, where that is
/// more.
pub const FORECAST_MINUTES: i64 = 5;

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
    /// How long a task that runs may take until it serves its share of the load: so long it is capacity, and no load.
    #[serde(rename = "warm_up_secs")]
    pub warm_up: Seconds,
    /// Whether the forecast may raise.
    pub forecast: bool,
    /// How far back the forecast looks for the largest load, which it starts from; 0: it starts from the newest.
    #[serde(default, rename = "forecast_peak_secs")]
    pub forecast_peak: Seconds,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tolerance_percent: 12,
            scale_in_window: Seconds(300),
            turn_hold: Seconds(300),
            raise_max_percent: 100,
            start_up: Seconds(60),
            warm_up: Seconds(60),
            forecast: false,
            forecast_peak: Seconds::ZERO,
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
        reachable(&targets, &pace, tags, &mut faults);
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

/// A metric that ends at 100 % must be able to go beyond the band about its target: else a service that is busy all through, and was lowered
/// last, would never be raised again.
fn reachable(
    targets: &BTreeMap<TargetName, Target>,
    pace: &Pace,
    tags: &BTreeMap<String, String>,
    faults: &mut Vec<SettingFault>,
) {
    let of_metrics = [
        (TargetName::Cpu, &TAG_TARGET_CPU_PERCENT),
        (TargetName::Memory, &TAG_TARGET_MEMORY_PERCENT),
    ];
    for (name, setting) in of_metrics {
        let Some(target) = targets.get(&name) else {
            continue;
        };
        let band = i64::from(pace.tolerance_percent) + 100;
        if target.value_milli * band >= 100_000 * 100 {
            let text = tags.get(setting.name).map_or("", String::as_str);
            let most = (100_000 * 100 - 1) / band;
            faults.push(SettingFault {
                allowed: format!(
                    "with `{}` at {} no more than {}.{:03}, so that 100 % lies beyond the tolerance,",
                    TAG_TOLERANCE_PERCENT.name,
                    pace.tolerance_percent,
                    most / 1_000,
                    most % 1_000
                ),
                ..SettingFault::new(setting, text)
            });
        }
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
        // What is missing beside an alarm is named below.
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
    for setting in [&TAG_TARGET_VALUE, &TAG_TARGET_MEASURES] {
        if !tags.contains_key(setting.name) {
            faults.push(missing(setting, setting.allowed));
        }
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
        60..=SCALE_IN_WINDOW_SECS_MAX,
        defaults.scale_in_window.0,
    );
    let turn_hold = number(&TAG_TURN_HOLD_SECS, 0..=86_400, defaults.turn_hold.0);
    let raise_max_percent = number(
        &TAG_RAISE_MAX_PERCENT,
        10..=1_000,
        defaults.raise_max_percent.into(),
    );
    let start_up = number(
        &TAG_START_UP_SECS,
        1..=START_UP_SECS_MAX,
        defaults.start_up.0,
    );
    let warm_up = number(&TAG_WARM_UP_SECS, 0..=600, defaults.warm_up.0);
    let forecast_peak = number(
        &TAG_FORECAST_PEAK_SECS,
        0..=FORECAST_PEAK_SECS_MAX,
        defaults.forecast_peak.0,
    );
    let forecast = truth(&TAG_FORECAST, tags, defaults.forecast, faults);
    if let Some(text) = tags.get(TAG_FORECAST_PEAK_SECS.name)
        && !forecast
    {
        faults.push(SettingFault {
            allowed: "nothing without `ballast:forecast` = `true`".to_owned(),
            ..SettingFault::new(&TAG_FORECAST_PEAK_SECS, text)
        });
    }
    Pace {
        tolerance_percent: u32::try_from(tolerance_percent).unwrap_or(defaults.tolerance_percent),
        scale_in_window: Seconds(scale_in_window),
        turn_hold: Seconds(turn_hold),
        raise_max_percent: u32::try_from(raise_max_percent).unwrap_or(defaults.raise_max_percent),
        start_up: Seconds(start_up),
        warm_up: Seconds(warm_up),
        forecast,
        forecast_peak: Seconds(forecast_peak),
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
mod tests;
