//! What the tests of this folder share: real SDK clients against an endpoint on loopback, and a snapshot in words.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use calls::{AwsClock, Budget, CallCount, Deadline};
use model::snapshot::{Pair, PassedOver, Scope, Service, Snapshot, Standby};
use observe::{Blind, Observer};

/// An observer, and what counts its requests.
pub(crate) struct Eye {
    pub(crate) observer: Observer,
    count: CallCount,
}

macro_rules! client {
    ($sdk:ident, $url:expr, $clock:expr, $count:expr) => {{
        use $sdk::config::retry::RetryConfig;
        use $sdk::config::{BehaviorVersion, Credentials, Region};
        let config = $sdk::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-west-2"))
            .credentials_provider(Credentials::new(
                "AKIAIOSFODNN7EXAMPLE",
                "not-a-secret",
                None,
                None,
                "test",
            ))
            .retry_config(RetryConfig::standard().with_max_attempts(1))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url($url)
            .interceptor($clock.clone())
            .interceptor($count.clone())
            .build();
        $sdk::Client::from_conf(config)
    }};
}

impl Eye {
    /// An observer of this endpoint, with half of AWS's rates.
    pub(crate) fn on(url: &str) -> Self {
        Self::with_budget(url, 50)
    }

    pub(crate) fn with_budget(url: &str, share_percent: u32) -> Self {
        let clock = AwsClock::new();
        let count = CallCount::new();
        let observer = Observer::new(
            client!(aws_sdk_ecs, url, clock, count),
            client!(aws_sdk_applicationautoscaling, url, clock, count),
            client!(aws_sdk_autoscaling, url, clock, count),
            Arc::new(Budget::new(share_percent)),
            clock,
        );
        Self { observer, count }
    }

    pub(crate) async fn try_look(&self, scope: &Scope) -> Result<Snapshot, Blind> {
        let deadline = Deadline::after(Duration::from_secs(120));
        self.observer.look(scope, deadline).await
    }

    pub(crate) async fn look(&self, scope: &Scope) -> Snapshot {
        self.try_look(scope).await.unwrap()
    }

    /// The requests that were sent, in words.
    pub(crate) fn requests(&self) -> String {
        let requests = self.count.requests();
        let words: Vec<String> = requests
            .iter()
            .map(|(operation, count)| format!("{count} {operation}"))
            .collect();
        words.join(", ")
    }
}

/// The scope of these services.
pub(crate) fn services(keys: &[&str]) -> Scope {
    Scope::Services(keys.iter().map(|key| key.parse().unwrap()).collect())
}

/// The scope of these clusters.
pub(crate) fn clusters(names: &[&str]) -> Scope {
    Scope::Clusters(names.iter().map(|name| name.parse().unwrap()).collect())
}

/// A snapshot in words, without ids that differ from world to world.
pub(crate) fn show(snapshot: &Snapshot) -> String {
    let Snapshot {
        taken_at,
        pairs,
        passed_over,
        gaps,
    } = snapshot;
    let mut text = format!("at {taken_at}\n");
    for (key, pair) in pairs {
        let Pair {
            primary,
            standby,
            policy,
            gaps,
        } = pair;
        let policy = match policy {
            Ok(policy) => format!("standby {}", policy.standby),
            Err(faults) => faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        };
        writeln!(text, "pair {key}: {policy}").unwrap();
        show_service(&mut text, "primary", primary);
        match standby {
            Standby::Present(standby) => show_service(&mut text, "standby", standby),
            Standby::Missing => text.push_str("  standby missing\n"),
            Standby::Unknown => text.push_str("  standby unknown\n"),
        }
        for gap in gaps {
            writeln!(text, "  gap {gap}").unwrap();
        }
    }
    for (key, why) in passed_over {
        let why = match why {
            PassedOver::NotOptedIn => "not opted in".to_owned(),
            PassedOver::NotFound => "not found".to_owned(),
            PassedOver::Unread { gap } => format!("unread: {gap}"),
            PassedOver::StandbyWithoutPrimary { primary, fault } => {
                format!("standby of {primary}, {fault}")
            }
        };
        writeln!(text, "passed over {key}: {why}").unwrap();
    }
    for gap in gaps {
        writeln!(text, "gap {gap}").unwrap();
    }
    without_task_ids(&text)
}

/// Task ids are 32 hexadecimal digits that mean nothing.
fn without_task_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    words
        .map(|word| {
            let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            match word.strip_prefix(end) {
                Some(rest) if is_id(end) => format!("<id>{rest}"),
                _ => word.to_owned(),
            }
        })
        .collect()
}

fn show_service(text: &mut String, role: &str, service: &Service) {
    let capacity: Vec<String> = service
        .capacity
        .iter()
        .map(|share| format!("{} {}", share.item, share.market.as_str()))
        .collect();
    writeln!(
        text,
        "  {role} {} {}: desired {}, running {}, pending {}; {}; {}",
        service.key.service,
        service.status.as_str(),
        service.desired_count,
        service.running_count,
        service.pending_count,
        service.task_definition,
        capacity.join(" : "),
    )
    .unwrap();
    let mut more = vec![service.controller.as_str().to_owned()];
    more.push(format!("{:?}", service.scheduling).to_uppercase());
    if service.deployment_running() {
        more.push("deploying".to_owned());
    }
    if let Some(stop_timeout) = service.stop_timeout {
        more.push(format!("stops within {stop_timeout}"));
    }
    if let Some(scaled) = service.scaled_by_application_auto_scaling {
        more.push(if scaled { "scaled" } else { "not scaled" }.to_owned());
    }
    writeln!(text, "    {}", more.join(", ")).unwrap();
    let kinds: Vec<String> = service
        .tasks
        .iter()
        .map(|task| {
            format!(
                "{} to {} on {}{}",
                serde_json::to_value(task.last_status)
                    .unwrap()
                    .as_str()
                    .unwrap(),
                if task.desired_running { "run" } else { "stop" },
                task.provider
                    .as_ref()
                    .map_or("a launch type", |it| it.as_str()),
                if task.interrupted {
                    ", interrupted"
                } else {
                    ""
                },
            )
        })
        .collect();
    for kind in kinds.iter().collect::<BTreeSet<_>>() {
        let count = kinds.iter().filter(|it| it == &kind).count();
        writeln!(text, "    {count} tasks {kind}").unwrap();
    }
    if !service.all_to_run_read {
        writeln!(text, "    not every task that is to run was read").unwrap();
    }
}
