//! What is asked of CloudWatch about a fleet.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use model::snapshot::{Scheduling, ServiceStatus, Standby};
use model::tracking::policy::is_standby;
use model::tracking::{
    Fleet, Measures, Part, Reading, Target, TargetName, TrackingKey, TrackingPolicy, UnusableMetric,
};
use model::{AlarmName, Seconds, ServiceKey};

use crate::tracking::Tracked;
use crate::tracking::alarms::{Alarms, Defined, Watch};
use crate::tracking::limits::{LONG_PERIODS, MINUTE, RECENT_MARGIN, RECENT_MAX};
use crate::tracking::season;
use crate::tracking::values::Scale;

/// What the answer of a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Values of a target's metric.
    Value(TargetName, Part),
    /// How many tasks ran.
    Tasks(Part),
}

impl Slot {
    /// What of the fleet it is about.
    pub(crate) const fn part(self) -> Part {
        match self {
            Self::Value(_, part) | Self::Tasks(part) => part,
        }
    }
}

/// A series that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// Whose it is.
    pub(crate) key: TrackingKey,
    /// What it is.
    pub(crate) slot: Slot,
    /// The queries: one metric, or everything that an expression is made of.
    pub(crate) queries: Vec<MetricDataQuery>,
    /// The id of the query that gives the series.
    pub(crate) returned: String,
    /// The length of its periods.
    pub(crate) period: Seconds,
    /// The length of the longest periods that it is about: its own; of a count of tasks, those of the values that are for each task.
    pub(crate) of_periods: Seconds,
    /// What the values are multiplied with.
    pub(crate) scale: Scale,
    /// How far back it goes.
    pub(crate) span: Seconds,
    /// How far ahead it goes; zero where it goes up to now.
    pub(crate) ahead: Seconds,
    /// The alarm whose definition it is.
    pub(crate) alarm: Option<AlarmName>,
}

/// Whether the fleet is tracked, as far as the answers of ECS tell: of others no metric is read.
pub(crate) fn policy_in_force(fleet: &Fleet) -> Option<&TrackingPolicy> {
    let primary = &fleet.primary;
    let policy = fleet.policy.as_ref().ok().filter(|it| !it.paused)?;
    let is_live = primary.status == ServiceStatus::Active;
    let is_replica = match primary.scheduling {
        Scheduling::Replica => true,
        Scheduling::Daemon => false,
    };
    (is_live && is_replica && !is_standby(&primary.tags)).then_some(policy)
}

/// Adds what is to be asked about a fleet. A target that leads to no question has its reading afterwards.
pub(crate) fn ask_about(
    key: &TrackingKey,
    tracked: &mut Tracked,
    alarms: &Alarms,
    questions: &mut Vec<Question>,
) {
    let Some(policy) = policy_in_force(&tracked.fleet).cloned() else {
        return;
    };
    let about = About {
        key,
        parts: parts(&tracked.fleet),
        resolution: policy.metric_resolution,
        span: span(&policy),
    };
    let mut values: Vec<Question> = Vec::new();
    let mut of_periods: Option<Seconds> = None;
    for (name, target) in &policy.targets {
        let asked = match name {
            TargetName::Cpu => Ok(about.of_service(*name, CPU)),
            TargetName::Memory => Ok(about.of_service(*name, MEMORY)),
            TargetName::Requests => about.requests(tracked),
            TargetName::Alarm => about.alarm(target, tracked, alarms),
        };
        match asked {
            Ok(asked) => {
                let longest = asked.iter().map(|it| it.period).max();
                match target.measures {
                    Measures::PerTask => of_periods = of_periods.max(longest),
                    Measures::Total => {}
                }
                values.extend(asked);
            }
            Err(reading) => _ = tracked.fleet.readings.insert(*name, reading),
        }
    }
    if let Some(of_periods) = of_periods {
        let of_parts = about.parts.iter();
        questions.extend(of_parts.map(|part| about.tasks(part, of_periods)));
    }
    questions.extend(values);
}

/// The metric's name.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
const CPU: &str = "CPUUtilization";
/// The metric's name.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/available-metrics.html>
const MEMORY: &str = "MemoryUtilization";
/// The requests that each target of a target group received. Its `Sum` is the average of the targets: the only statistic that means
/// something.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
const REQUESTS: &str = "RequestCountPerTarget";
/// The id of the one query of a question that is one metric.
const ONE: &str = "m";

/// The services of a fleet that may run tasks.
fn parts(fleet: &Fleet) -> Vec<(Part, ServiceKey)> {
    let mut parts = vec![(Part::Primary, fleet.primary.key.clone())];
    match &fleet.standby {
        Some(Standby::Present(standby)) => parts.push((Part::Standby, standby.key.clone())),
        Some(Standby::Missing | Standby::Unknown) | None => {}
    }
    parts
}

/// How far back the decision goes, and a margin.
fn span(policy: &TrackingPolicy) -> Seconds {
    let back = policy.pace.scale_in_window.max(season::peak(policy)).0;
    Seconds(back.saturating_add(RECENT_MARGIN.0).min(RECENT_MAX.0))
}

/// What is asked about.
struct About<'a> {
    key: &'a TrackingKey,
    parts: Vec<(Part, ServiceKey)>,
    resolution: Seconds,
    span: Seconds,
}

impl About<'_> {
    /// A metric of ECS, of each service.
    fn of_service(&self, target: TargetName, name: &'static str) -> Vec<Question> {
        let of_part = |(part, service): &(Part, ServiceKey)| {
            let slot = Slot::Value(target, *part);
            let metric = stat_of_service(name, service);
            self.metric(slot, self.resolution, metric, "Average")
        };
        self.parts.iter().map(of_part).collect()
    }

    /// How many tasks of a service ran: ECS publishes one sample of each RUNNING task in each period.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/viewing-cloudwatch-metrics.html>
    ///
    /// They are counted throughout every period that is read of the values: where they are not, nothing is known of a value, and of one in
    /// part they would be the mean of its last minutes.
    fn tasks(&self, (part, service): &(Part, ServiceKey), of_periods: Seconds) -> Question {
        let metric = stat_of_service(CPU, service);
        let question = self.metric(Slot::Tasks(*part), self.resolution, metric, "SampleCount");
        let longer = question.longer_by(of_periods);
        Question {
            of_periods,
            span: Seconds(self.span_of(of_periods).0.saturating_add(longer.0)),
            ..question
        }
    }

    /// How far back values with such periods are read.
    fn span_of(&self, period: Seconds) -> Seconds {
        Seconds(period.0.saturating_mul(LONG_PERIODS)).max(self.span)
    }

    fn requests(&self, tracked: &Tracked) -> Result<Vec<Question>, Reading> {
        let mut groups = tracked.target_groups.iter();
        let (Some(group), None) = (groups.next(), groups.next()) else {
            let count = u32::try_from(tracked.target_groups.len()).unwrap_or(u32::MAX);
            let why = UnusableMetric::TargetGroups { count };
            return Err(Reading::Unusable { why });
        };
        let metric = metric("AWS/ApplicationELB", REQUESTS, &[("TargetGroup", group)]);
        let slot = Slot::Value(TargetName::Requests, Part::Fleet);
        Ok(vec![self.metric(slot, MINUTE, metric, "Sum")])
    }

    fn alarm(
        &self,
        target: &Target,
        tracked: &mut Tracked,
        alarms: &Alarms,
    ) -> Result<Vec<Question>, Reading> {
        let unusable = |why| Err(Reading::Unusable { why });
        let Some((name, defined)) = target
            .alarm
            .as_ref()
            .and_then(|name| Some((name, alarms.get(name)?)))
        else {
            return Err(Reading::Unread);
        };
        let watch = match defined {
            Defined::Watches(watch) => watch,
            Defined::Unusable(why) => return unusable(why.clone()),
            Defined::Unread(gap) => {
                tracked.note(gap);
                return Err(Reading::Unread);
            }
        };
        let is_ours = |it: &&ServiceKey| self.parts.iter().any(|(_, part)| part == *it);
        // A standby that was not read may be the one that is meant.
        let is_sure = match &tracked.fleet.standby {
            None | Some(Standby::Present(_) | Standby::Missing) => true,
            Some(Standby::Unknown) => false,
        };
        if let Some(service) = watch.services.iter().find(|it| !is_ours(it))
            && is_sure
        {
            return unusable(UnusableMetric::AlarmOfAnotherService {
                alarm: name.clone(),
                service: service.clone(),
            });
        }
        Ok(vec![self.watched(name, watch)])
    }

    fn watched(&self, name: &AlarmName, watch: &Watch) -> Question {
        Question {
            key: self.key.clone(),
            slot: Slot::Value(TargetName::Alarm, Part::Fleet),
            queries: watch.queries.clone(),
            returned: watch.returned.clone(),
            period: watch.period,
            of_periods: watch.period,
            scale: Scale::ONE,
            span: self.span_of(watch.period),
            ahead: Seconds::ZERO,
            alarm: Some(name.clone()),
        }
    }

    fn metric(&self, slot: Slot, period: Seconds, metric: Metric, stat: &str) -> Question {
        Question {
            key: self.key.clone(),
            slot,
            queries: vec![query(ONE, stat_of(metric, period, stat))],
            returned: ONE.to_owned(),
            period,
            of_periods: period,
            scale: Scale::ONE,
            span: self.span,
            ahead: Seconds::ZERO,
            alarm: None,
        }
    }
}

impl Question {
    /// Whether its series is made of others.
    pub(crate) fn is_expression(&self) -> bool {
        let mut queries = self.queries.iter();
        queries.any(|it| it.id() == Some(self.returned.as_str()) && it.expression().is_some())
    }

    /// Whether CloudWatch puts values where there are none.
    pub(crate) fn is_filled(&self) -> bool {
        let mut expressions = self.queries.iter().filter_map(|it| it.expression());
        expressions.any(|it| {
            let dense: String = it.split_whitespace().collect();
            dense.to_ascii_uppercase().contains("FILL(")
        })
    }

    /// By how much it must go farther than values with such periods do: their calls begin and end with whole periods of theirs.
    fn longer_by(&self, of_periods: Seconds) -> Seconds {
        let own_secs = self.period.0.max(MINUTE.0);
        Seconds(of_periods.0.saturating_sub(own_secs).max(0))
    }

    /// The same of earlier days, for a forecast that looks so far back for its peak. CloudWatch keeps periods of less than a minute for hours
    /// only.
    pub(crate) fn of_earlier_days(&self, peak: Seconds) -> Self {
        let mut question = self.clone();
        let longer = self.longer_by(self.of_periods).0;
        question.span = Seconds(
            season::before(peak, self.of_periods)
                .0
                .saturating_add(longer),
        );
        question.ahead = Seconds(season::ahead(peak).0.saturating_add(longer));
        question.period = Seconds(self.period.0.max(MINUTE.0));
        for query in &mut question.queries {
            if let Some(stat) = &mut query.metric_stat {
                stat.period = stat.period.map(|it| it.max(60));
            }
            query.period = query.period.map(|it| it.max(60));
        }
        // Counts of shorter periods add up to those of longer ones.
        question.scale = match self.slot {
            Slot::Tasks(_) => Scale::of_times(question.period, self.period),
            Slot::Value(..) => self.scale,
        };
        question
    }
}

fn stat_of_service(name: &str, service: &ServiceKey) -> Metric {
    let cluster = ("ClusterName", service.cluster.as_str());
    metric(
        "AWS/ECS",
        name,
        &[cluster, ("ServiceName", service.service.as_str())],
    )
}

fn metric(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimension =
        |(name, value): &(&str, &str)| Dimension::builder().name(*name).value(*value).build();
    Metric::builder()
        .namespace(namespace)
        .metric_name(name)
        .set_dimensions(Some(dimensions.iter().map(dimension).collect()))
        .build()
}

/// A statistic of a metric.
pub(crate) fn stat_of(metric: Metric, period: Seconds, stat: &str) -> MetricStat {
    let period = i32::try_from(period.0).unwrap_or(i32::MAX);
    MetricStat::builder()
        .metric(metric)
        .period(period)
        .stat(stat)
        .build()
}

/// The query of a question that is one metric.
pub(crate) fn query(id: &str, stat: MetricStat) -> MetricDataQuery {
    MetricDataQuery::builder()
        .id(id)
        .metric_stat(stat)
        .return_data(true)
        .build()
}
