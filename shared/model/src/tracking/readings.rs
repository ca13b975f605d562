//! What CloudWatch answered about a target's metric.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AlarmName, ServiceKey};
use crate::plan::Role;
use crate::tracking::target::TargetName;
use crate::units::Seconds;

/// A value is new enough for so long after its period has ended, and for [`FRESH_PERIODS`] periods at least. CloudWatch has most values
/// within three minutes; the number is ours.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/viewing-cloudwatch-metrics.html>
pub const FRESH_FOR: Seconds = Seconds(300);

/// A value of a long period is new enough for so many periods.
pub const FRESH_PERIODS: i64 = 3;

/// For how long after the end of its period a value is new enough to be followed, by the length of the period: what is decided goes by
/// it, and so does how far back the days before are read.
#[must_use]
pub const fn fresh_for(period: Seconds) -> Seconds {
    let periods = period.0.saturating_mul(FRESH_PERIODS);
    if FRESH_FOR.0 < periods {
        Seconds(periods)
    } else {
        FRESH_FOR
    }
}

/// The value of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When the period began.
    pub at: Timestamp,
    /// The value, in thousandths of the metric's unit, rounded to the nearest.
    pub value_milli: i64,
}

/// What a part of a series is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The tracked service alone.
    Primary,
    /// Its standby alone.
    Standby,
    /// Both.
    Fleet,
}

impl From<Role> for Part {
    fn from(role: Role) -> Self {
        match role {
            Role::Primary => Self::Primary,
            Role::Standby => Self::Standby,
        }
    }
}

/// One metric over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// What it is about.
    pub part: Part,
    /// The length of each period.
    #[serde(rename = "period_secs")]
    pub period: Seconds,
    /// The values, oldest first, each period once. A period without a value is absent.
    pub points: Vec<Point>,
    /// How many values were left out because they are no number, infinite or too large to count with.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unusable: u32,
    /// Whether CloudWatch said that it gave all values of the time asked for.
    pub is_complete: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What is known of a target's metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reading", rename_all = "snake_case")]
pub enum Reading {
    /// CloudWatch answered. A metric that does not exist has no points: CloudWatch does not tell one from the other.
    Read {
        /// The latest hours: one series of the fleet, or one of each service of it.
        recent: Vec<Series>,
        /// The days before, in longer periods, where a forecast is asked for; else empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        season: Vec<Series>,
    },
    /// Its definition leads to no metric of this service.
    Unusable {
        /// Why.
        why: UnusableMetric,
    },
    /// CloudWatch did not answer; a gap of the fleet says why.
    Unread,
}

/// Why a target leads to no metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum UnusableMetric {
    /// There is no alarm of that name.
    AlarmNotFound {
        /// The name.
        alarm: AlarmName,
    },
    /// The alarm is made of other alarms and watches no metric.
    AlarmIsComposite {
        /// The name.
        alarm: AlarmName,
    },
    /// The alarm watches no metric of CloudWatch, as one on logs or on a PromQL query does not.
    AlarmWatchesNoMetric {
        /// The name.
        alarm: AlarmName,
    },
    /// The alarm returns several series, as one on anomaly detection or with `GROUP BY` does, so that none is the one to track.
    AlarmHasSeveralSeries {
        /// The name.
        alarm: AlarmName,
    },
    /// The alarm watches another service.
    AlarmOfAnotherService {
        /// The name.
        alarm: AlarmName,
        /// The service that its dimensions name.
        service: ServiceKey,
    },
    /// CloudWatch refuses the alarm's query.
    QueryRefused {
        /// The name.
        alarm: AlarmName,
        /// CloudWatch's own words, cut at 256 characters, without control characters.
        detail: String,
    },
    /// CloudWatch counts more tasks than can have run, so that no metric of each task tells a load.
    TaskCounts {
        /// The service whose tasks were counted.
        service: ServiceKey,
        /// How many were, throughout the last settled periods.
        counted: u32,
        /// How many can have run.
        at_most: u32,
    },
    /// The service has no target group, or several, so that its requests cannot be counted.
    TargetGroups {
        /// How many it has.
        count: u32,
    },
}

impl fmt::Display for UnusableMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlarmNotFound { alarm } => write!(f, "there is no alarm `{alarm}`"),
            Self::AlarmIsComposite { alarm } => write!(
                f,
                "the alarm `{alarm}` is made of other alarms and watches no metric"
            ),
            Self::AlarmWatchesNoMetric { alarm } => write!(
                f,
                "the alarm `{alarm}` is on logs or on a PromQL query and watches no metric"
            ),
            Self::AlarmHasSeveralSeries { alarm } => {
                write!(
                    f,
                    "the alarm `{alarm}` returns several series; one is needed"
                )
            }
            Self::AlarmOfAnotherService { alarm, service } => {
                write!(f, "the alarm `{alarm}` watches the service `{service}`")
            }
            Self::QueryRefused { alarm, detail } => write!(
                f,
                "CloudWatch refuses the query of the alarm `{alarm}`: {detail}"
            ),
            Self::TaskCounts {
                service,
                counted,
                at_most,
            } => write!(
                f,
                "CloudWatch counts {counted} tasks of `{service}`, of which no more than {at_most} can have run: \
                 does `ballast:metric-resolution-secs` say how often ECS publishes?"
            ),
            Self::TargetGroups { count } => write!(
                f,
                "the service has {count} target groups; requests are counted with exactly one"
            ),
        }
    }
}

/// A target that cannot be followed now, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfollowed {
    /// The target.
    pub target: TargetName,
    /// Why.
    #[serde(flatten)]
    pub why: UnusableMetric,
}
