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
    let is_missing = |name: &&AlarmName| match alarms.get(*name) {
        Some(Defined::Unusable(UnusableMetric::AlarmNotFound { .. })) => true,
        Some(Defined::Watches(_) | Defined::Unusable(_) | Defined::Unread(_)) | None => false,
    };
    let missing: Vec<AlarmName> = names.iter().filter(is_missing).cloned().collect();
    for batch in missing.chunks(DESCRIBE_ALARMS_MAX) {
        read_log_alarms(look, batch, &mut alarms).await;
    }
    alarms
}

/// What is asked about.
fn about(batch: &[AlarmName]) -> &str {
    match batch {
        [one] => one.as_str(),
        _ => "*",
    }
}

fn watches_no_metric(name: &AlarmName) -> Defined {
    Defined::Unusable(UnusableMetric::AlarmWatchesNoMetric {
        alarm: name.clone(),
    })
}

/// Tells alarms on logs from names that no alarm has. They are asked for in a call of their own, and what fails is no gap: where CloudWatch
/// does not know the type, there is none.
async fn read_log_alarms(look: &mut Look<'_>, batch: &[AlarmName], alarms: &mut Alarms) {
    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let request = look
        .observer
        .cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names))
        .alarm_types(AlarmType::LogAlarm)
        .max_records(DESCRIBE_ALARMS_PAGE)
        .send();
    let bucket = RateBucket::AlarmRead;
    let page = look.call(bucket, DESCRIBE_ALARMS, about(batch), request);
    let page = page.await.ok();
    for alarm in page.iter().flat_map(DescribeAlarmsOutput::log_alarms) {
        let asked = |it: &&AlarmName| Some(it.as_str()) == alarm.alarm_name();
        if let Some(name) = batch.iter().find(asked) {
            alarms.insert(name.clone(), watches_no_metric(name));
        }
    }
}

async fn read_batch(look: &mut Look<'_>, batch: &[AlarmName], alarms: &mut Alarms) {
    let cloudwatch = &look.observer.cloudwatch;
    let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
    let about = about(batch);
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

/// What an alarm watches. One on a PromQL query has neither a metric nor queries
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricAlarm.html>).
fn defined(name: &AlarmName, alarm: &MetricAlarm) -> Defined {
    let is_of_metric = alarm.namespace().is_some() || alarm.metric_name().is_some();
    if alarm.metrics().is_empty() && !is_of_metric {
        return watches_no_metric(name);
    }
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
        queries: queries.iter().map(without_label).collect(),
    })
}

/// The query without what its series is to be called: by its own name a series is told from another of the same query.
fn without_label(query: &MetricDataQuery) -> MetricDataQuery {
    let mut query = query.clone();
    query.label = None;
    query
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
