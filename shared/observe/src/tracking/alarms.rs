//! What the alarms watch that tags name.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{AlarmType, Dimension, Metric, MetricAlarm, MetricDataQuery};
use calls::RateBucket;
use model::snapshot::Gap;
use model::tracking::{TargetName, UnusableMetric};
use model::{AlarmName, Seconds, ServiceKey};

use crate::look::unreadable;
use crate::tracking::limits::{DESCRIBE_ALARMS_MAX, DESCRIBE_ALARMS_PAGE, MINUTE};
use crate::tracking::question::{policy_in_force, query, stat_of};
use crate::tracking::{Look, Seen};

const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";
/// The id of an alarm's one metric.
const ONE: &str = "m";

/// Alarms by name. Every one that was asked for is in it.
pub(crate) type Alarms = BTreeMap<AlarmName, Defined>;

/// How an alarm is defined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Defined {
    /// It watches one series.
    Watches(Watch),
    /// It does not.
    Unusable(UnusableMetric),
    /// It could not be read.
    Unread(Gap),
}

/// The series that an alarm watches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Watch {
    /// Its queries, as the alarm has them.
    pub(crate) queries: Vec<MetricDataQuery>,
    /// The id of the one that the alarm compares with its threshold.
    pub(crate) returned: String,
    /// The length of its periods.
    pub(crate) period: Seconds,
    /// The services that its metrics' dimensions name.
    pub(crate) services: BTreeSet<ServiceKey>,
}

/// Reads the alarms that the tags of fleets name.
pub(crate) async fn read(look: &mut Look<'_>, seen: &Seen) -> Alarms {
    let named = seen.tracked.values().filter_map(|tracked| {
        let policy = policy_in_force(&tracked.fleet)?;
        policy.targets.get(&TargetName::Alarm)?.alarm.clone()
    });
    let names: BTreeSet<AlarmName> = named.collect();
    let names: Vec<AlarmName> = names.into_iter().collect();
    let mut alarms = Alarms::new();
    for batch in names.chunks(DESCRIBE_ALARMS_MAX) {
        read_batch(look, batch, &mut alarms).await;
    }
    alarms
}

async fn read_batch(look: &mut Look<'_>, batch: &[AlarmName], alarms: &mut Alarms) {
    let cloudwatch = &look.observer.cloudwatch;
    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let about = match batch {
        [one] => one.as_str(),
        _ => "*",
    };
    let send = |token| {
        cloudwatch
            .describe_alarms()
            .set_alarm_names(Some(names.clone()))
            // Without them only alarms on metrics are answered.
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(DESCRIBE_ALARMS_PAGE)
            .set_next_token(token)
            .send()
    };
    let take = |page: DescribeAlarmsOutput| {
        let asked = |name: Option<&str>| batch.iter().find(|it| Some(it.as_str()) == name);
        for alarm in page.metric_alarms() {
            if let Some(name) = asked(alarm.alarm_name()) {
                alarms.insert(name.clone(), defined(name, alarm));
            }
        }
        for alarm in page.composite_alarms() {
            if let Some(name) = asked(alarm.alarm_name()) {
                let why = UnusableMetric::AlarmIsComposite {
                    alarm: name.clone(),
                };
                alarms.insert(name.clone(), Defined::Unusable(why));
            }
        }
        page.next_token
    };
    let bucket = RateBucket::AlarmRead;
    let read = look.pages(bucket, DESCRIBE_ALARMS, about, send, take).await;
    let rest = read.err();
    for name in batch {
        alarms.entry(name.clone()).or_insert_with(|| match &rest {
            Some(gap) => Defined::Unread(gap.clone()),
            None => Defined::Unusable(UnusableMetric::AlarmNotFound {
                alarm: name.clone(),
            }),
        });
    }
}

/// What an alarm watches.
fn defined(name: &AlarmName, alarm: &MetricAlarm) -> Defined {
    let watched = if alarm.metrics().is_empty() {
        single(alarm).map(Some)
    } else {
        Ok(expression(alarm))
    };
    match watched {
        Ok(Some(watch)) => Defined::Watches(watch),
        Ok(None) => Defined::Unusable(UnusableMetric::AlarmHasSeveralSeries {
            alarm: name.clone(),
        }),
        Err(lacks) => {
            let fault = format!("the alarm has no {lacks}");
            Defined::Unread(unreadable(DESCRIBE_ALARMS, name.as_str(), &fault))
        }
    }
}

/// An alarm on one metric; or what it lacks.
fn single(alarm: &MetricAlarm) -> Result<Watch, &'static str> {
    let metric = Metric::builder()
        .namespace(alarm.namespace().ok_or("namespace")?)
        .metric_name(alarm.metric_name().ok_or("metric name")?)
        .set_dimensions(Some(alarm.dimensions().to_vec()))
        .build();
    let statistic = alarm.statistic().map(|it| it.as_str());
    let statistic = statistic.or_else(|| alarm.extended_statistic());
    let period = alarm.period().filter(|it| *it > 0).ok_or("period")?;
    let period = Seconds(i64::from(period));
    let services = service_of(alarm.dimensions());
    let mut stat = stat_of(metric, period, statistic.ok_or("statistic")?);
    stat.unit = alarm.unit().cloned();
    Ok(Watch {
        queries: vec![query(ONE, stat)],
        returned: ONE.to_owned(),
        period,
        services: services.into_iter().collect(),
    })
}

/// An alarm on several queries. `None`: not exactly one of them is the one that is watched; one that detects anomalies is compared with a
/// band, which is a series as well.
fn expression(alarm: &MetricAlarm) -> Option<Watch> {
    if alarm.threshold_metric_id().is_some() {
        return None;
    }
    let queries = alarm.metrics();
    // What is not said is returned.
    // <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html>
    let mut returned = queries.iter().filter(|it| it.return_data().unwrap_or(true));
    let (Some(watched), None) = (returned.next(), returned.next()) else {
        return None;
    };
    let stats = || queries.iter().filter_map(MetricDataQuery::metric_stat);
    let of_stat = |query: &MetricDataQuery| query.metric_stat().and_then(|it| it.period());
    // An expression without a period of its own has the longest of what it is made of.
    let period = of_stat(watched)
        .or_else(|| watched.period())
        .or_else(|| stats().filter_map(|it| it.period()).max())
        .map(i64::from)
        .filter(|it| *it > 0);
    let metrics = stats().filter_map(|it| it.metric());
    Some(Watch {
        returned: watched.id()?.to_owned(),
        period: period.map_or(MINUTE, Seconds),
        services: metrics
            .filter_map(|it| service_of(it.dimensions()))
            .collect(),
        queries: queries.to_vec(),
    })
}

/// The service that the dimensions of a metric name, as those of ECS's metrics do.
fn service_of(dimensions: &[Dimension]) -> Option<ServiceKey> {
    let value = |name: &str| {
        let dimension = dimensions.iter().find(|it| it.name() == Some(name));
        dimension.and_then(Dimension::value)
    };
    let (cluster, service) = (value("ClusterName")?, value("ServiceName")?);
    Some(ServiceKey::new(
        cluster.parse().ok()?,
        service.parse().ok()?,
    ))
}
