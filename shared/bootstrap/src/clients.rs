//! The AWS clients, with every time limit that the SDK leaves open.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use calls::{AwsClock, CallCount};
use model::RegionName;

/// How long a connection may take to come about. Within a Region that is milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long one attempt of a call may take, connection included. ECS answers in a fraction of a second.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_500);
/// How long a call may take, all attempts and the waits between them included: [`ATTEMPTS_MAX`] times [`ATTEMPT_TIMEOUT`] and a little.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// How often a call is attempted.
const ATTEMPTS_MAX: u32 = 3;
/// The longest first wait between attempts; the second is up to twice as long. The SDK's own default of a second would not fit
/// into [`OPERATION_TIMEOUT`].
const BACKOFF: Duration = Duration::from_millis(250);
/// How long reading the credentials may take. They come from the environment.
const IDENTITY_TIMEOUT: Duration = Duration::from_secs(5);
/// The name by which AWS's own logs of calls (CloudTrail's `userAgent`) tell Ballast's calls.
const APP_NAME: &str = "ballast";

/// What a function calls AWS with.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Amazon ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Application Auto Scaling.
    pub application_autoscaling: aws_sdk_applicationautoscaling::Client,
    /// EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// AWS's time, as the answers of all four tell it.
    pub clock: AwsClock,
    /// The requests that all four sent.
    pub calls: CallCount,
}

impl Clients {
    /// Clients over one connection pool. Credentials come from the environment and from nowhere else; endpoints from
    /// `AWS_ENDPOINT_URL` and its siblings, where they are set.
    pub(crate) async fn load(region: &RegionName) -> Self {
        Self::of(&load_config(region).await)
    }

    /// Clients of this configuration.
    #[must_use]
    pub fn of(config: &SdkConfig) -> Self {
        let clock = AwsClock::new();
        let calls = CallCount::new();
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(config)
                        .interceptor(clock.clone())
                        .interceptor(calls.clone())
                        .build(),
                )
            };
        }
        Self {
            ecs: client!(aws_sdk_ecs),
            application_autoscaling: client!(aws_sdk_applicationautoscaling),
            autoscaling: client!(aws_sdk_autoscaling),
            dynamodb: client!(aws_sdk_dynamodb),
            clock,
            calls,
        }
    }
}

async fn load_config(region: &RegionName) -> SdkConfig {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http_client)
        .region(Region::new(region.to_string()))
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .identity_cache(IdentityCache::lazy().load_timeout(IDENTITY_TIMEOUT).build())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .operation_timeout(OPERATION_TIMEOUT)
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(ATTEMPTS_MAX)
                .with_initial_backoff(BACKOFF),
        );
    if let Ok(name) = AppName::new(APP_NAME) {
        loader = loader.app_name(name);
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_time_limit_is_set() {
        let config = load_config(&"us-west-2".parse().unwrap()).await;
        let timeouts = config.timeout_config().unwrap();
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT));
        assert_eq!(timeouts.operation_timeout(), Some(OPERATION_TIMEOUT));
        let retries = config.retry_config().unwrap();
        assert_eq!(retries.max_attempts(), ATTEMPTS_MAX);
        assert_eq!(
            config.app_name().map(ToString::to_string).as_deref(),
            Some(APP_NAME)
        );
        assert_eq!(config.region().map(AsRef::as_ref), Some("us-west-2"));
        // The longest that the attempts and the waits between them can take fits into the operation's time.
        let waits = BACKOFF + BACKOFF * 2;
        assert!(ATTEMPT_TIMEOUT * (ATTEMPTS_MAX - 1) + waits < OPERATION_TIMEOUT);
    }
}
