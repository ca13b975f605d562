//! What a service is at the moment of writing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{Failure as EcsFailure, Service, ServiceField};
use calls::{Caller, RateBucket, one_line};
use model::outcome::OutcomeResult;
use model::policy::TAG_STANDBY_OF;
use model::settings::Setting;
use model::snapshot::{Gap, GapCause};
use model::tracking::policy::TAG_SERVICE_SCALER;
use model::{ClusterName, ServiceKey};

use crate::counts::Consent;

/// The most services that one `DescribeServices` call takes.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
pub const SERVICES_PER_READ_MAX: usize = 10;

const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";

/// The reason by which ECS says that there is no such service.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html>
pub(crate) const MISSING: &str = "MISSING";

/// A service, moments before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// ECS described it.
    Service {
        status: String,
        desired_count: i32,
        standby_of: Option<String>,
        service_scaler: Option<String>,
    },
    /// ECS says that it does not exist.
    Missing,
    /// It could not be read.
    Unread(Gap),
}

impl Found {
    /// Whether a step that goes from `from` to `to` may be taken; the outcome, if not.
    pub(crate) fn judge(
        &self,
        consent: Consent<'_>,
        from: u32,
        to: u32,
    ) -> Result<(), OutcomeResult> {
        let found = match self {
            Self::Service {
                status,
                desired_count,
                standby_of,
                service_scaler,
            } => {
                let (standby_of, service_scaler) =
                    (standby_of.as_deref(), service_scaler.as_deref());
                if status != "ACTIVE" {
                    format!("status {status}")
                } else if let Some(objection) = objection(consent, standby_of, service_scaler) {
                    objection
                } else if u32::try_from(*desired_count) == Ok(to) {
                    return Err(OutcomeResult::AlreadySo);
                } else if u32::try_from(*desired_count) != Ok(from) {
                    format!("desired count {desired_count}")
                } else {
                    return Ok(());
                }
            }
            Self::Missing => "no such service".to_owned(),
            Self::Unread(gap) => return Err(unread(gap)),
        };
        Err(OutcomeResult::PreconditionFailed { found })
    }

    /// The desired count, where the service was read.
    pub(crate) fn desired_count(&self) -> Option<u32> {
        match self {
            Self::Service { desired_count, .. } => u32::try_from(*desired_count).ok(),
            Self::Missing | Self::Unread(_) => None,
        }
    }
}

/// What in a service's tags speaks against writing it.
fn objection(
    consent: Consent<'_>,
    standby_of: Option<&str>,
    service_scaler: Option<&str>,
) -> Option<String> {
    let names = |tag: &Setting, value: Option<&str>| match value {
        Some(value) => format!("tag `{}` names `{value}`", tag.name),
        None => format!("no tag `{}`", tag.name),
    };
    match consent {
        Consent::StandbyOf(primary) => {
            (standby_of != Some(primary)).then(|| names(&TAG_STANDBY_OF, standby_of))
        }
        Consent::Tracked if standby_of.is_some() => Some(names(&TAG_STANDBY_OF, standby_of)),
        Consent::Tracked => match service_scaler {
            Some(ACT) => None,
            Some(other) => Some(format!("tag `{}` is `{other}`", TAG_SERVICE_SCALER.name)),
            None => Some(format!("no tag `{}`", TAG_SERVICE_SCALER.name)),
        },
    }
}

/// The value of `ballast:service-scaler` that lets a service be written.
const ACT: &str = "act";

/// The outcome of a step of which something could not be read, and that was therefore not taken.
pub(crate) fn unread(gap: &Gap) -> OutcomeResult {
    match gap.cause {
        GapCause::BudgetSpent | GapCause::OutOfTime => OutcomeResult::OutOfTime,
        GapCause::AccessDenied
        | GapCause::Throttled
        | GapCause::NotFound
        | GapCause::Unreachable
        | GapCause::Other => OutcomeResult::Failed {
            operation: gap.operation.clone(),
            cause: gap.cause,
            detail: gap.detail.clone(),
        },
    }
}

/// What a group of services is.
#[derive(Debug, Default)]
pub(crate) struct Read(BTreeMap<ServiceKey, Found>);

impl Read {
    /// What was found of one service.
    pub(crate) fn of(&self, service: &ServiceKey) -> Found {
        self.0
            .get(service)
            .cloned()
            .unwrap_or_else(|| Found::Unread(unanswered(service, "ECS did not answer for it")))
    }
}

/// Reads at most [`SERVICES_PER_READ_MAX`] services, with one call per cluster.
pub(crate) async fn reread(
    ecs: &Client,
    caller: &Caller,
    services: impl Iterator<Item = &ServiceKey>,
) -> Read {
    let mut by_cluster: BTreeMap<&ClusterName, BTreeSet<&ServiceKey>> = BTreeMap::new();
    for service in services {
        by_cluster
            .entry(&service.cluster)
            .or_default()
            .insert(service);
    }
    let mut read = Read::default();
    for (cluster, services) in by_cluster {
        let names = services.iter().map(|it| it.service.to_string()).collect();
        let request = ecs
            .describe_services()
            .cluster(cluster.as_str())
            .set_services(Some(names))
            .include(ServiceField::Tags)
            .send();
        let answer = caller
            .call(
                RateBucket::ServiceRead,
                DESCRIBE_SERVICES,
                cluster.as_str(),
                request,
            )
            .await;
        match answer {
            Ok(answer) => {
                for service in services {
                    let found = find(service, answer.services(), answer.failures());
                    read.0.insert(service.clone(), found);
                }
            }
            Err(failure) => {
                for service in services {
                    read.0
                        .insert(service.clone(), Found::Unread(failure.gap.clone()));
                }
            }
        }
    }
    read
}

/// Finds one service in an answer: among the services, else among the `failures[]`.
fn find(key: &ServiceKey, services: &[Service], failures: &[EcsFailure]) -> Found {
    let name = key.service.as_str();
    if let Some(service) = services.iter().find(|it| it.service_name() == Some(name)) {
        let tag = |setting: &Setting| {
            let tag = service
                .tags()
                .iter()
                .find(|it| it.key() == Some(setting.name));
            tag.map(|it| one_line(it.value().unwrap_or_default()))
        };
        return Found::Service {
            status: one_line(service.status().unwrap_or("unknown")),
            desired_count: service.desired_count(),
            standby_of: tag(&TAG_STANDBY_OF),
            service_scaler: tag(&TAG_SERVICE_SCALER),
        };
    }
    let failure = failures.iter().find(|failure| {
        failure
            .arn()
            .is_some_and(|arn| arn == name || arn.ends_with(&format!("/{name}")))
    });
    match failure {
        Some(failure) if failure.reason() == Some(MISSING) => Found::Missing,
        Some(failure) => {
            let reason = failure.reason().unwrap_or("no reason");
            let detail = failure.detail().unwrap_or_default();
            Found::Unread(unanswered(key, &format!("{reason} {detail}")))
        }
        None => Found::Unread(unanswered(key, "ECS did not answer for it")),
    }
}

fn unanswered(service: &ServiceKey, detail: &str) -> Gap {
    Gap {
        operation: DESCRIBE_SERVICES.to_owned(),
        resource: service.to_string(),
        cause: GapCause::Other,
        detail: one_line(detail.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(status: &str, desired_count: i32, standby_of: Option<&str>) -> Found {
        Found::Service {
            status: status.to_owned(),
            desired_count,
            standby_of: standby_of.map(str::to_owned),
            service_scaler: None,
        }
    }

    /// The outcome of a step from 0 to 3 for the primary `web`, or `go`.
    fn check(found: &Found, want: &str) {
        let verdict = found.judge(Consent::StandbyOf("web"), 0, 3);
        assert_eq!(told(verdict), want, "{found:?}");
    }

    fn told(verdict: Result<(), OutcomeResult>) -> String {
        match verdict {
            Ok(()) => "go".to_owned(),
            Err(result) => result.to_string(),
        }
    }

    #[test]
    fn a_tracked_service_is_written_only_while_its_tag_says_act_and_it_is_no_standby() {
        let check = |service_scaler: Option<&str>, standby_of: Option<&str>, want: &str| {
            let found = Found::Service {
                status: "ACTIVE".to_owned(),
                desired_count: 0,
                standby_of: standby_of.map(str::to_owned),
                service_scaler: service_scaler.map(str::to_owned),
            };
            assert_eq!(told(found.judge(Consent::Tracked, 0, 3)), want, "{found:?}");
        };
        check(Some("act"), None, "go");
        check(
            Some("advise"),
            None,
            "precondition failed: found tag `ballast:service-scaler` is `advise`",
        );
        check(
            None,
            None,
            "precondition failed: found no tag `ballast:service-scaler`",
        );
        check(
            Some("act"),
            Some("web"),
            "precondition failed: found tag `ballast:standby-of` names `web`",
        );
    }

    #[test]
    fn a_step_is_taken_only_where_everything_is_as_it_was_seen() {
        check(&service("ACTIVE", 0, Some("web")), "go");
        check(&service("ACTIVE", 3, Some("web")), "already so");
        check(
            &service("ACTIVE", 1, Some("web")),
            "precondition failed: found desired count 1",
        );
        check(
            &service("DRAINING", 0, Some("web")),
            "precondition failed: found status DRAINING",
        );
        check(
            &service("DRAINING", 3, Some("web")),
            "precondition failed: found status DRAINING",
        );
        check(
            &service("ACTIVE", 0, Some("api")),
            "precondition failed: found tag `ballast:standby-of` names `api`",
        );
        check(
            &service("ACTIVE", 3, None),
            "precondition failed: found no tag `ballast:standby-of`",
        );
        check(
            &service("ACTIVE", -1, Some("web")),
            "precondition failed: found desired count -1",
        );
        check(
            &Found::Missing,
            "precondition failed: found no such service",
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_written() {
        let gap = |cause| {
            Found::Unread(Gap {
                operation: DESCRIBE_SERVICES.to_owned(),
                resource: "demo".to_owned(),
                cause,
                detail: "words".to_owned(),
            })
        };
        check(
            &gap(GapCause::AccessDenied),
            "`ecs:DescribeServices` failed: access_denied (words)",
        );
        check(&gap(GapCause::BudgetSpent), "not started: out of time");
        check(&gap(GapCause::OutOfTime), "not started: out of time");
    }

    #[test]
    fn failures_of_a_200_answer_are_kept() {
        let key: ServiceKey = "demo/web-standby".parse().unwrap();
        let failure =
            |arn: &str, reason: &str| EcsFailure::builder().arn(arn).reason(reason).build();
        let arn = "arn:aws:ecs:us-west-2:111122223333:service/demo/web-standby";
        assert_eq!(find(&key, &[], &[failure(arn, MISSING)]), Found::Missing);
        for failures in [
            vec![failure(arn, "ODD")],
            vec![failure("x/other", MISSING)],
            vec![],
        ] {
            let found = find(&key, &[], &failures);
            assert!(matches!(found, Found::Unread(_)), "{found:?}");
        }
    }
}
