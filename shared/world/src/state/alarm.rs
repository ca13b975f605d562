//! CloudWatch alarms as they can be read.

use jiff::Timestamp;

use super::group::words;
use super::metric::{MetricKey, MetricQuery, MetricStat, QuerySource, Stat};

words! {
    /// When a datapoint breaches an alarm's threshold.
    Comparison {
        /// At or above it.
        GreaterThanOrEqual = "GreaterThanOrEqualToThreshold",
        /// Above it.
        GreaterThan = "GreaterThanThreshold",
        /// Below it.
        LessThan = "LessThanThreshold",
        /// At or below it.
        LessThanOrEqual = "LessThanOrEqualToThreshold",
    }
}

words! {
    /// What a period without data is.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>
    MissingData {
        /// Bad.
        Breaching = "breaching",
        /// Good.
        NotBreaching = "notBreaching",
        /// The state stays.
        Ignore = "ignore",
        /// Nothing; without any data the alarm has insufficient data.
        Missing = "missing",
    }
}

words! {
    /// The state of an alarm.
    AlarmState {
        /// All is well.
        Ok = "OK",
        /// The threshold is breached.
        Alarm = "ALARM",
        /// Nobody knows.
        InsufficientData = "INSUFFICIENT_DATA",
    }
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// One metric.
    Metric(MetricStat),
    /// The one query of these whose `return_data` is set; all metrics have the same period.
    Math(Vec<MetricQuery>),
}

impl Watched {
    /// One metric's statistic, by the minute or by several.
    #[must_use]
    pub fn metric(metric: MetricKey, stat: Stat, period_secs: u32) -> Self {
        Self::Metric(MetricStat {
            metric,
            stat,
            period_secs,
        })
    }

    /// The length of a period, in seconds; of expressions without metrics a minute.
    #[must_use]
    pub fn period_secs(&self) -> u32 {
        match self {
            Self::Metric(it) => it.period_secs,
            Self::Math(queries) => queries
                .iter()
                .find_map(|it| match &it.source {
                    QuerySource::Metric(it) => Some(it.period_secs),
                    QuerySource::Expression(_) => None,
                })
                .unwrap_or(60),
        }
        .max(1)
    }
}

/// An alarm on a metric or an expression, with a fixed threshold.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// A text for people.
    pub description: Option<String>,
    /// What it looks at.
    pub watched: Watched,
    /// How many periods it looks at (N).
    pub evaluation_periods: u32,
    /// How many of them must breach (M).
    pub datapoints_to_alarm: u32,
    /// The threshold, in thousandths.
    pub threshold_milli: i64,
    /// When a datapoint breaches it.
    pub comparison: Comparison,
    /// What a period without data is.
    pub missing_data: MissingData,
    /// What happens in each state.
    pub actions: AlarmActions,
    /// Where it is, and why.
    pub status: AlarmStatus,
}

/// A composite alarm: its state follows from those of other alarms.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_CompositeAlarm.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompositeAlarm {
    /// Its name; it shares the names with the alarms on metrics.
    pub name: String,
    /// A text for people.
    pub description: Option<String>,
    /// Such as `ALARM(hot) AND NOT ALARM("deploying")`.
    pub rule: String,
    /// What happens in each state.
    pub actions: AlarmActions,
    /// Where it is, and why.
    pub status: AlarmStatus,
}

/// What an alarm does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmActions {
    /// Whether they happen.
    pub enabled: bool,
    /// The ARNs of what happens in ALARM.
    pub alarm: Vec<String>,
    /// The ARNs of what happens in OK.
    pub ok: Vec<String>,
    /// The ARNs of what happens in INSUFFICIENT_DATA.
    pub insufficient_data: Vec<String>,
}

impl Default for AlarmActions {
    fn default() -> Self {
        Self {
            enabled: true,
            alarm: Vec::new(),
            ok: Vec::new(),
            insufficient_data: Vec::new(),
        }
    }
}

impl AlarmActions {
    /// The same ARN in every state.
    #[must_use]
    pub fn always(arn: &str) -> Self {
        Self {
            alarm: vec![arn.to_owned()],
            ok: vec![arn.to_owned()],
            insufficient_data: vec![arn.to_owned()],
            ..Self::default()
        }
    }

    /// Those of a state, if they happen.
    #[must_use]
    pub fn of(&self, state: AlarmState) -> &[String] {
        if !self.enabled {
            return &[];
        }
        match state {
            AlarmState::Ok => &self.ok,
            AlarmState::Alarm => &self.alarm,
            AlarmState::InsufficientData => &self.insufficient_data,
        }
    }
}

/// Where an alarm is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmStatus {
    /// Where it is.
    pub state: AlarmState,
    /// Why.
    pub reason: String,
    /// Why, for machines: a JSON text.
    pub reason_data: Option<String>,
    /// Since when.
    pub updated_at: Timestamp,
    /// When the alarm was last written.
    pub configured_at: Timestamp,
    /// How many states and configurations it ever had.
    pub(crate) changes: u64,
}

impl AlarmStatus {
    /// A new alarm's: it has insufficient data.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self {
            state: AlarmState::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            updated_at: at,
            configured_at: at,
            changes: 0,
        }
    }
}

impl Alarm {
    /// An alarm on the newest period, in the state that a new one has. Change its public fields for the rest.
    #[must_use]
    pub fn new(name: &str, watched: Watched, comparison: Comparison, threshold_milli: i64) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            watched,
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            threshold_milli,
            comparison,
            missing_data: MissingData::Missing,
            actions: AlarmActions::default(),
            status: AlarmStatus::new(Timestamp::UNIX_EPOCH),
        }
    }

    /// The same, that takes so many of so many periods.
    #[must_use]
    pub const fn takes(mut self, datapoints_to_alarm: u32, evaluation_periods: u32) -> Self {
        self.datapoints_to_alarm = datapoints_to_alarm;
        self.evaluation_periods = evaluation_periods;
        self
    }

    /// The same, with other actions.
    #[must_use]
    pub fn acts(mut self, actions: AlarmActions) -> Self {
        self.actions = actions;
        self
    }
}

impl CompositeAlarm {
    /// A composite alarm in the state that a new one has.
    #[must_use]
    pub fn new(name: &str, rule: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: None,
            rule: rule.to_owned(),
            actions: AlarmActions::default(),
            status: AlarmStatus::new(Timestamp::UNIX_EPOCH),
        }
    }
}
