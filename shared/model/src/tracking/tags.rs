//! The tags of tracked services, as the documentation lists them.

use crate::policy::{TAG_FOREIGN_HOLD_SECS, TAG_PAUSED, TAG_START_UP_SECS};
use crate::settings::Setting;

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
/// What the alarm's metric stands for. It has no default: the length of a queue that is taken for each task's would be multiplied by the
/// tasks, and the service would climb to its maximum.
pub const TAG_TARGET_MEASURES: Setting = Setting {
    name: "ballast:target-measures",
    allowed: "`per-task` or `total`",
    default: "none: needed with `ballast:target-alarm`",
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
    meaning: "The greatest desired count. A greater one is lowered to it, whatever the load; to one below what somebody else set, only after `ballast:foreign-hold-secs`.",
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
    allowed: "a whole number from 60 to 9000",
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
/// How long a task that runs may not serve its share yet.
pub const TAG_WARM_UP_SECS: Setting = Setting {
    name: "ballast:warm-up-secs",
    allowed: "a whole number from 0 to 600",
    default: "60",
    meaning: "How long a RUNNING task may take until it serves its share: until then it counts as capacity, and what it would serve as no load to raise for.",
};
/// Whether a forecast is asked for.
pub const TAG_FORECAST: Setting = Setting {
    name: "ballast:forecast",
    allowed: "`true` or `false`",
    default: "false",
    meaning: "`true` raises the desired count ahead of what the same time of earlier days lets expect; it never lowers it.",
};
/// How far back the forecast looks for the peak that it starts from.
pub const TAG_FORECAST_PEAK_SECS: Setting = Setting {
    name: "ballast:forecast-peak-secs",
    allowed: "a whole number from 0 to 3600, with `ballast:forecast` = `true`",
    default: "0",
    meaning: "The forecast starts from the largest load of the last so many seconds, and lets it grow as the peaks of earlier days did; at 0 from the newest load. A peak is kept for so long, also that of a deployment whose tasks are busy while they boot; what it is worth is in [measurements.md](measurements.md#target-tracking).",
};

/// Every tag that concerns target tracking alone, in the order of the documentation.
pub const TRACKING_TAGS: [&Setting; 19] = [
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
    &TAG_WARM_UP_SECS,
    &TAG_FORECAST,
    &TAG_FORECAST_PEAK_SECS,
];

/// The tags of a service that this function shares with spot-fallback.
pub const SHARED_TAGS: [&Setting; 3] = [&TAG_START_UP_SECS, &TAG_FOREIGN_HOLD_SECS, &TAG_PAUSED];
