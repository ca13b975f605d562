//! The clients of `status` and `replay`: the same calls, budget and clock that the functions use.

use std::sync::Arc;
use std::time::Duration;

use act::Actor;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use calls::{AwsClock, Budget, CallCount, Caller, Deadline};
use control::Controller;
use ledger::{Ledger, MemoryLedger};
use model::RegionName;
use model::policy::{Installation, Mode};
use observe::Observer;

use crate::cli::Endpoint;

/// How much of each ECS rate bucket a command may use, in percent: the functions have theirs beside it.
const RATE_SHARE_PERCENT: u32 = 25;
/// How long one attempt of a call may take; the SDK has no limit of its own.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(5);
/// How long a call with its repetitions may take.
const CALL_LIMIT: Duration = Duration::from_secs(15);

/// The clients.
#[derive(Debug)]
pub(crate) struct Aws {
    ecs: aws_sdk_ecs::Client,
    application_autoscaling: aws_sdk_applicationautoscaling::Client,
    autoscaling: aws_sdk_autoscaling::Client,
    budget: Arc<Budget>,
    clock: AwsClock,
    calls: CallCount,
    region: Option<RegionName>,
}

impl Aws {
    /// Clients with the credentials of the environment. Nothing is called yet.
    pub(crate) async fn connect(endpoint: &Endpoint) -> Self {
        let https = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_LIMIT)
            .operation_timeout(CALL_LIMIT)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(https)
            .timeout_config(timeouts)
            .region(Region::new(endpoint.region.clone()));
        if let Some(url) = &endpoint.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        let (clock, calls) = (AwsClock::new(), CallCount::new());
        let ecs = aws_sdk_ecs::config::Builder::from(&config)
            .interceptor(clock.clone())
            .interceptor(calls.clone());
        let application_autoscaling =
            aws_sdk_applicationautoscaling::config::Builder::from(&config)
                .interceptor(clock.clone())
                .interceptor(calls.clone());
        let autoscaling = aws_sdk_autoscaling::config::Builder::from(&config)
            .interceptor(clock.clone())
            .interceptor(calls.clone());
        Self {
            ecs: aws_sdk_ecs::Client::from_conf(ecs.build()),
            application_autoscaling: aws_sdk_applicationautoscaling::Client::from_conf(
                application_autoscaling.build(),
            ),
            autoscaling: aws_sdk_autoscaling::Client::from_conf(autoscaling.build()),
            budget: Arc::new(Budget::new(RATE_SHARE_PERCENT)),
            clock,
            calls,
            region: endpoint.region.parse().ok(),
        }
    }

    /// The ECS client.
    pub(crate) const fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.ecs
    }

    /// Makes calls within the budget, until the deadline.
    pub(crate) fn caller(&self, deadline: Deadline) -> Caller {
        Caller::new(Arc::clone(&self.budget), deadline)
    }

    /// Looks as the functions do.
    pub(crate) fn observer(&self) -> Observer {
        Observer::new(
            self.ecs.clone(),
            self.application_autoscaling.clone(),
            self.autoscaling.clone(),
            Arc::clone(&self.budget),
            self.clock.clone(),
        )
    }

    /// Decides as the function of this name does, and writes nothing: its mode is observe, its memory is empty and its own.
    pub(crate) fn controller(&self, function: &'static str) -> Controller {
        Controller {
            function,
            region: self.region.clone(),
            clusters: Vec::new(),
            installation: Installation::default(),
            observer: self.observer(),
            decide: placement::decide,
            actor: Actor::new(self.ecs.clone(), Arc::clone(&self.budget), Mode::Observe),
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
            clock: self.clock.clone(),
            calls: self.calls.clone(),
        }
    }
}
