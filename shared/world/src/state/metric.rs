//! CloudWatch metrics: what they are known by, their datapoints, and what is asked of them.
//!
//! Values are integers in thousandths: the world is the same on every machine, and adds up exactly.

use std::collections::BTreeMap;
use std::fmt;

use super::group::words;

/// What a metric is known by.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricKey {
    /// Such as `AWS/ECS/ManagedScaling`.
    pub namespace: String,
    /// Such as `CapacityProviderReservation`.
    pub name: String,
    /// The dimensions, by name.
    pub dimensions: BTreeMap<String, String>,
}

impl MetricKey {
    /// Joins them.
    #[must_use]
    pub fn new(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

/// The datapoints of one time, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datapoint {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum_milli: i64,
    /// The smallest.
    pub min_milli: i64,
    /// The largest.
    pub max_milli: i64,
}

words! {
    /// How datapoints are put together.
    Statistic {
        /// The mean.
        Average = "Average",
        /// The sum.
        Sum = "Sum",
        /// The smallest.
        Minimum = "Minimum",
        /// The largest.
        Maximum = "Maximum",
        /// How many.
        SampleCount = "SampleCount",
    }
}

/// A statistic or a percentile.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stat {
    /// One of the five statistics.
    Of(Statistic),
    /// A percentile, in thousandths of a percent.
    Percentile {
        /// Such as 99 500 for `p99.5`.
        milli_percent: u32,
    },
}

impl Stat {
    /// The statistic that a word such as `Average` or `p99.5` means.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        if let Some(statistic) = Statistic::parse(word) {
            return Some(Self::Of(statistic));
        }
        let (whole, fraction) = word
            .strip_prefix('p')?
            .split_once('.')
            .unwrap_or((word.get(1..)?, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 3 {
            return None;
        }
        let milli_percent = format!("{whole}{fraction:0<3}").parse().ok()?;
        (milli_percent <= 100_000).then_some(Self::Percentile { milli_percent })
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(statistic) => f.write_str(statistic.as_str()),
            Self::Percentile { milli_percent } => {
                let (whole, rest) = (milli_percent / 1_000, milli_percent % 1_000);
                if rest == 0 {
                    return write!(f, "p{whole}");
                }
                write!(f, "p{whole}.{}", format!("{rest:03}").trim_end_matches('0'))
            }
        }
    }
}

impl From<Statistic> for Stat {
    fn from(statistic: Statistic) -> Self {
        Self::Of(statistic)
    }
}

/// What is asked of one metric.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricStat {
    /// The metric.
    pub metric: MetricKey,
    /// How a period's datapoints are put together.
    pub stat: Stat,
    /// The length of a period, in seconds: 1, 5, 10, 20, 30 or a multiple of 60.
    pub period_secs: u32,
}

/// Where the values of a query are from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuerySource {
    /// A metric.
    Metric(MetricStat),
    /// A metric math expression over other queries.
    Expression(String),
}

/// One query, of GetMetricData or of an alarm.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricQuery {
    /// What expressions call it: letters, digits and underscores, the first one a lowercase letter.
    pub id: String,
    /// Where its values are from.
    pub source: QuerySource,
    /// What people call it.
    pub label: Option<String>,
    /// Whether its values are part of the answer; in an alarm, whether it is what the alarm watches.
    pub return_data: bool,
}

impl MetricQuery {
    /// A metric that expressions use, and that is not part of the answer.
    #[must_use]
    pub fn metric(id: &str, metric: MetricKey, stat: Stat, period_secs: u32) -> Self {
        Self {
            id: id.to_owned(),
            source: QuerySource::Metric(MetricStat {
                metric,
                stat,
                period_secs,
            }),
            label: None,
            return_data: false,
        }
    }

    /// An expression that is the answer.
    #[must_use]
    pub fn expression(id: &str, expression: &str) -> Self {
        Self {
            id: id.to_owned(),
            source: QuerySource::Expression(expression.to_owned()),
            label: None,
            return_data: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_written_as_they_are_read() {
        for word in [
            "Average",
            "SampleCount",
            "p50",
            "p99.9",
            "p0",
            "p100",
            "p0.125",
        ] {
            assert_eq!(Stat::parse(word).unwrap().to_string(), word);
        }
        assert_eq!(Stat::parse("p95.50").unwrap().to_string(), "p95.5");
        for word in [
            "", "p", "p101", "p1.", "p.5", "px", "Median", "p1.2345", "q50",
        ] {
            assert_eq!(Stat::parse(word), None, "{word}");
        }
    }
}
