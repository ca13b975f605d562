//! How the metrics of AWS's own services are published: after a while, and not always as they should be.

use jiff::Timestamp;
use model::ServiceKey;

use super::tick::{LOOK_EVERY_SECS, Requests, ServiceSamples};
use super::{ECS_NAMESPACE, ELB_NAMESPACE, Fleet};
use crate::state::{Datapoint, MetricKey, Sample};
use crate::world::{Happening, World};

/// A datapoint on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) key: MetricKey,
    pub(crate) at_secs: i64,
    pub(crate) is_high_resolution: bool,
    pub(crate) sample: Sample,
}

/// The metric of a service.
pub(super) fn service_metric(service: &ServiceKey, name: &str) -> MetricKey {
    let dimensions = [
        ("ClusterName", service.cluster.as_str()),
        ("ServiceName", service.service.as_str()),
    ];
    MetricKey::new(ECS_NAMESPACE, name, &dimensions)
}

/// What the metrics of a load balancer call a target group: the last part of its ARN.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html>
fn group_dimension(arn: &str) -> String {
    let name = arn.split_once(":targetgroup/").map(|it| it.1);
    name.map_or_else(|| arn.to_owned(), |it| format!("targetgroup/{it}"))
}

/// The metrics of a fleet's requests: `RequestCountPerTarget` by target group, and by load balancer too, and `RequestCount` by both.
pub(super) fn request_metrics(fleet: &Fleet, requests: Requests) -> Vec<(MetricKey, Sample)> {
    let Some(group) = fleet.target_group.as_deref().map(group_dimension) else {
        return Vec::new();
    };
    let key =
        |name: &str, dimensions: &[(&str, &str)]| MetricKey::new(ELB_NAMESPACE, name, dimensions);
    let by_group = ("TargetGroup", group.as_str());
    let each = "RequestCountPerTarget";
    let per_target = Sample::of(requests.per_target_milli, 1);
    let mut metrics = vec![(key(each, &[by_group]), per_target.clone())];
    if let Some(balancer) = fleet.load_balancer.as_deref() {
        let by_both = [by_group, ("LoadBalancer", balancer)];
        metrics.push((key(each, &by_both), per_target));
        metrics.push((key("RequestCount", &by_both), requests.counted()));
    }
    metrics
}

impl Requests {
    /// Each request is a sample of one; none is one of zero.
    fn counted(self) -> Sample {
        if self.received == 0 {
            return Sample::of(0, 1);
        }
        let sum = self.received.saturating_mul(1_000);
        Sample::of_set(Datapoint {
            count: self.received,
            sum_milli: i64::try_from(sum).unwrap_or(i64::MAX),
            min_milli: 1_000,
            max_milli: 1_000,
        })
    }
}

impl World {
    /// Publishes a service's metrics of a time, those of them that have this resolution.
    pub(super) fn publish_service(
        &mut self,
        service: &ServiceKey,
        begins: Timestamp,
        resolution_secs: i64,
        samples: ServiceSamples,
    ) {
        for (name, sample) in [
            ("CPUUtilization", samples.cpu),
            ("MemoryUtilization", samples.memory),
        ] {
            let known = self.state.services.get(service);
            let wanted = known.map_or(60, |it| it.resolution_secs(name));
            if i64::from(wanted) != resolution_secs {
                continue;
            }
            if let Some(sample) = sample {
                self.publish(Publication {
                    key: service_metric(service, name),
                    at_secs: begins.as_second(),
                    is_high_resolution: resolution_secs == LOOK_EVERY_SECS,
                    sample,
                });
            }
        }
    }

    pub(super) fn publish_requests(
        &mut self,
        fleet: &Fleet,
        begins: Timestamp,
        requests: Requests,
    ) {
        for (key, sample) in request_metrics(fleet, requests) {
            self.publish(Publication {
                key,
                at_secs: begins.as_second(),
                is_high_resolution: false,
                sample,
            });
        }
    }

    /// Sends a datapoint on its way.
    pub(super) fn publish(&mut self, publication: Publication) {
        let (rules, dice) = (self.config.publishing, self.dice);
        let subject = format!("{}/{:?}", publication.key.name, publication.key.dimensions);
        let number = publication.at_secs.unsigned_abs();
        let subject = subject.as_str();
        if dice.happens(rules.gap_per_mille, "metric gap", subject, number) {
            return;
        }
        let range = if publication.is_high_resolution {
            rules.high_resolution_delay
        } else {
            rules.delay
        };
        let mut delay = dice.millis(range, "metric delay", subject, number);
        if dice.happens(rules.late_per_mille, "metric late", subject, number) {
            delay += dice.millis(rules.late, "metric lateness", subject, number);
        }
        let twice = dice.happens(rules.duplicate_per_mille, "metric twice", subject, number);
        if twice {
            let copy = Box::new(publication.clone());
            self.plan_in(delay, Happening::Published(copy));
        }
        self.plan_in(delay, Happening::Published(Box::new(publication)));
    }

    pub(crate) fn published(&mut self, publication: &Publication) {
        self.put_sample(
            &publication.key,
            publication.at_secs,
            publication.is_high_resolution,
            &publication.sample,
        );
    }
}
