//! The AWS clients, with every time limit that the SDK leaves open.
//!
//! The configuration is put together here, from the few variables that Lambda and its users set, instead of by `aws-config`: its chain
//! of credential providers (profiles, web identities, instance metadata) would be linked into every function, and none of it is used in
//! Lambda. See `docs/decisions/007-what-is-compiled.md`.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ecs::config::{BehaviorVersion, IdentityCache};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use calls::{AwsClock, CallCount};

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
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// AWS's time, as the answers of all of them tell it.
    pub clock: AwsClock,
    /// The requests that all of them sent.
    pub calls: CallCount,
}

impl Clients {
    /// Clients for this Region, as the environment says; at `endpoint_url`, where it is given.
    ///
    /// # Errors
    /// [`NoCredentials`] when the environment has none.
    pub fn load(region: &str, endpoint_url: Option<&str>) -> Result<Self, NoCredentials> {
        let config = config_from(region, endpoint_url, variable)?;
        // A service's own endpoint goes before the one for all, but not before one that was asked for.
        let own_endpoint = |name: &str| variable(name).filter(|_| endpoint_url.is_none());
        Ok(Self::of(&config, own_endpoint))
    }

    fn of(config: &SdkConfig, own_endpoint: impl Fn(&str) -> Option<String>) -> Self {
        let clock = AwsClock::new();
        let calls = CallCount::new();
        // <https://docs.aws.amazon.com/sdkref/latest/guide/ss-endpoints-table.html>
        macro_rules! client {
            ($sdk:ident, $endpoint:literal) => {{
                let mut builder = $sdk::config::Builder::from(config)
                    .interceptor(clock.clone())
                    .interceptor(calls.clone());
                if let Some(url) = own_endpoint($endpoint) {
                    builder = builder.endpoint_url(url);
                }
                $sdk::Client::from_conf(builder.build())
            }};
        }
        Self {
            ecs: client!(aws_sdk_ecs, "AWS_ENDPOINT_URL_ECS"),
            application_autoscaling: client!(
                aws_sdk_applicationautoscaling,
                "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING"
            ),
            autoscaling: client!(aws_sdk_autoscaling, "AWS_ENDPOINT_URL_AUTO_SCALING"),
            cloudwatch: client!(aws_sdk_cloudwatch, "AWS_ENDPOINT_URL_CLOUDWATCH"),
            dynamodb: client!(aws_sdk_dynamodb, "AWS_ENDPOINT_URL_DYNAMODB"),
            clock,
            calls,
        }
    }
}

/// Credentials are needed and not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no AWS credentials: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are not both set; Lambda sets them, elsewhere \
     `aws configure export-credentials --format env` prints them"
)]
pub struct NoCredentials;

/// The configuration of every client: this Region, one connection pool, every time limit; credentials from the environment and from
/// nowhere else; the endpoint from `endpoint_url`, else from `AWS_ENDPOINT_URL`, else AWS's own.
///
fn config_from(
    region: &str,
    endpoint_url: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<SdkConfig, NoCredentials> {
    let http_client = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let mut builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http_client)
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials(&variable)?))
        .identity_cache(IdentityCache::no_cache())
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
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
        builder = builder.app_name(name);
    }
    if let Some(url) = endpoint_url
        .map(str::to_owned)
        .or_else(|| variable("AWS_ENDPOINT_URL"))
    {
        builder = builder.endpoint_url(url);
    }
    // <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>
    let is_on = |name| variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_on("AWS_USE_FIPS_ENDPOINT") {
        builder = builder.use_fips(true);
    }
    if is_on("AWS_USE_DUALSTACK_ENDPOINT") {
        builder = builder.use_dual_stack(true);
    }
    Ok(builder.build())
}

/// The credentials of the environment. Those of a function do not change while its process lives.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
fn credentials(variable: &impl Fn(&str) -> Option<String>) -> Result<Credentials, NoCredentials> {
    let key = variable("AWS_ACCESS_KEY_ID").ok_or(NoCredentials)?;
    let secret = variable("AWS_SECRET_ACCESS_KEY").ok_or(NoCredentials)?;
    let token = variable("AWS_SESSION_TOKEN");
    Ok(Credentials::new(key, secret, token, None, "environment"))
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<SdkConfig, NoCredentials> {
        config_from("us-west-2", None, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    const KEYS: [(&str, &str); 2] = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
    ];

    #[test]
    fn without_both_keys_there_are_no_credentials() {
        assert_eq!(config(&[]).err(), Some(NoCredentials));
        assert_eq!(config(&KEYS[..1]).err(), Some(NoCredentials));
        assert_eq!(config(&KEYS[1..]).err(), Some(NoCredentials));
        assert!(config(&KEYS).unwrap().credentials_provider().is_some());
    }

    #[test]
    fn endpoints_follow_the_environment() {
        let with = |name, value| config(&[KEYS[0], KEYS[1], (name, value)]).unwrap();
        let plain = config(&KEYS).unwrap();
        assert_eq!((plain.endpoint_url(), plain.use_fips()), (None, None));
        let lab = with("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        assert_eq!(lab.endpoint_url(), Some("http://127.0.0.1:1"));
        assert_eq!(with("AWS_USE_FIPS_ENDPOINT", "TRUE").use_fips(), Some(true));
        assert_eq!(with("AWS_USE_FIPS_ENDPOINT", "no").use_fips(), None);
        let dual = with("AWS_USE_DUALSTACK_ENDPOINT", "true");
        assert_eq!(dual.use_dual_stack(), Some(true));
    }

    #[test]
    fn every_time_limit_is_set() {
        let config = config(&KEYS).unwrap();
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
