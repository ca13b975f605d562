//! The runtime around a controller.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use calls::Deadline;
use control::{Controller, Duty, Failure, Handled, HandledOf, Invoked, Record, RecordOf};
use lambda_runtime::tracing::subscriber::fmt::writer::MakeWriterExt;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn, tracing};
use model::AccountId;
use model::policy::Mode;
use serde_json::Value;
use tokio::sync::SetOnce;

use crate::clients::Clients;
use crate::controller::{Assemble, controller};
use crate::metrics::Metrics;
use crate::settings::Settings;

/// What is kept of an invocation's time for its record, its metrics and its answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(500);

/// The time to count with where the runtime gives no deadline that can be meant, as local tools may.
const TIME_WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

/// The longest that an invocation may take. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
///
/// A deadline that is longer ago was never one of this invocation: `cargo lambda watch` gives ten minutes after 1970.
const INVOCATION_MAX: Duration = Duration::from_secs(900);

/// The variable in which Lambda gives the function's own name, which the installation chose.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
const FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// What the Lambda runtime reads from the environment and cannot do without.
const REQUIRED: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    FUNCTION_NAME,
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// The process was not started by Lambda, nor by something that acts like it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is an AWS Lambda function and was not started as one: {} not set; start it with `cargo lambda watch` or `ballast lab`",
    missing.join(", ")
)]
pub struct NotStarted {
    /// The variables that are not set.
    pub missing: Vec<&'static str>,
}

impl fmt::Debug for NotStarted {
    /// As `Display`: this is what a shell shows of an error that `main` returns.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why an invocation failed, as Lambda shows it.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct InvocationError(#[from] pub Failure);

impl fmt::Debug for InvocationError {
    /// The error's name and its message: the runtime logs failed invocations so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.as_str(), self.0)
    }
}

impl From<InvocationError> for Diagnostic {
    fn from(InvocationError(failure): InvocationError) -> Self {
        Self {
            error_type: failure.as_str().to_owned(),
            error_message: failure.to_string(),
        }
    }
}

type Ready<D> = Arc<SetOnce<Result<Controller<D>, Failure>>>;

/// Serves invocations of a duty, under this name, until the process is stopped.
///
/// # Errors
/// [`NotStarted`] outside Lambda; else when the Lambda Runtime API cannot be reached.
pub async fn serve<D: Assemble>(function: &'static str) -> Result<(), lambda_runtime::Error> {
    let missing: Vec<&'static str> = REQUIRED
        .into_iter()
        .filter(|name| std::env::var_os(name).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(NotStarted { missing }.into());
    }
    let metrics = Metrics::start(std::env::var(FUNCTION_NAME)?)?;
    let ready = start::<D>(function);
    let function = Function {
        name: function,
        ready,
        metrics,
    };
    let function = &function;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        function.invoke(event)
    }))
    .await
}

/// Starts the log, reads the settings and builds the clients on another thread. The task that starts it runs when this thread first
/// waits, which is for its connection to the Runtime API: the first poll comes first. No invocation begins before all that is done.
fn start<D: Assemble>(function: &'static str) -> Ready<D> {
    let ready: Ready<D> = Arc::new(SetOnce::new());
    let when_ready = Arc::clone(&ready);
    tokio::spawn(async move {
        let building = tokio::task::spawn_blocking(move || {
            // The runtime logs whole events at the level TRACE, and events may hold secrets.
            let writer = std::io::stdout.with_max_level(tracing::Level::DEBUG);
            tracing::init_default_subscriber_with_writer(writer);
            let settings =
                Settings::from_env().map_err(|faults| Failure::SettingsUnusable { faults })?;
            let clients = Clients::load(settings.region.as_str(), None).map_err(|error| {
                Failure::StartUpFailed {
                    detail: error.to_string(),
                }
            })?;
            Ok(controller(function, &settings, clients))
        });
        let built = building.await.unwrap_or_else(|panicked| {
            Err(Failure::StartUpFailed {
                detail: panicked.to_string(),
            })
        });
        // Nobody else sets it.
        let _ = when_ready.set(built);
    });
    ready
}

struct Function<D: Duty> {
    name: &'static str,
    ready: Ready<D>,
    metrics: Metrics,
}

impl<D: Duty> Function<D> {
    async fn invoke(&self, event: LambdaEvent<Value>) -> Result<RecordOf<D>, InvocationError> {
        let LambdaEvent { payload, context } = event;
        let invoked = Invoked {
            request_id: Some(context.request_id.clone()).filter(|id| !id.is_empty()),
            account: account_of(&context.invoked_function_arn),
            deadline: Deadline::after(time_left(&context, SystemTime::now())),
        };
        let handled = match self.ready.wait().await {
            // On the heap: the future of a whole invocation is large.
            Ok(controller) => Box::pin(controller.handle(&payload, &invoked)).await,
            Err(failure) => {
                let mut record = Record::new(self.name, Mode::Observe, invoked.request_id.clone());
                D::enter(&mut record.triggers, &BTreeSet::new());
                Handled::not_begun(record, failure.clone())
            }
        };
        self.tell(&handled);
        // A batch of which something failed succeeds all the same, with the messages concerned in `batchItemFailures`: an error would
        // send every other message back as well.
        // <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>
        handled.answer().map_err(InvocationError::from)
    }

    /// Writes the record and the metrics. They are lines of their own, not log messages, so that CloudWatch finds their fields.
    ///
    /// They name no level, and Lambda then takes INFO: a function whose log level is above it loses them, and its heartbeat too.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>
    fn tell(&self, handled: &HandledOf<D>) {
        let mut out = std::io::stdout().lock();
        let told = writeln!(out, "{}", handled.record.line())
            .and_then(|()| self.metrics.write(handled, &mut out))
            .and_then(|()| out.flush());
        drop(out);
        if let Err(error) = told {
            tracing::error!(%error, "the record could not be written");
        }
    }
}

/// The account in a function's ARN. `None` where a local tool gives no real ARN.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html>
fn account_of(arn: &str) -> Option<AccountId> {
    let mut parts = arn.split(':');
    let is_lambda = parts.next() == Some("arn") && parts.nth(1) == Some("lambda");
    let account = parts.nth(1)?;
    let is_account = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
    if is_lambda && is_account {
        account.parse().ok()
    } else {
        None
    }
}

/// How long until the record must be ready. Lambda gives its deadline by the host's clock.
fn time_left(context: &Context, now: SystemTime) -> Duration {
    let left = match context.deadline().duration_since(now) {
        Ok(left) => left,
        Err(ago) if ago.duration() > INVOCATION_MAX => TIME_WITHOUT_DEADLINE,
        Err(_) => Duration::ZERO,
    };
    left.saturating_sub(ANSWER_RESERVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_a_function_arn_only() {
        let check = |arn: &str, want: Option<&str>| {
            let account = account_of(arn);
            assert_eq!(account.as_ref().map(AccountId::as_str), want, "{arn}");
        };
        check(
            "arn:aws:lambda:us-west-2:111122223333:function:spot-fallback",
            Some("111122223333"),
        );
        check(
            "arn:aws:lambda:us-west-2:111122223333:function:spot-fallback:live",
            Some("111122223333"),
        );
        check("arn:aws:ecs:us-west-2:111122223333:cluster/x", None);
        check("arn:aws:lambda:us-west-2:local:function:x", None);
        check("function-arn", None);
        check("", None);
    }

    #[test]
    fn a_reserve_is_kept_of_lambdas_deadline() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let check = |deadline_ms: u64, want_ms: u64| {
            let mut context = Context::default();
            context.deadline = deadline_ms;
            let left = time_left(&context, now);
            assert_eq!(left, Duration::from_millis(want_ms), "{deadline_ms}");
        };
        check(1_000_030_000, 29_500);
        check(1_000_000_100, 0);
        check(999_999_000, 0);
        check(999_100_000, 0);
        check(999_099_999, 29_500);
        check(600_000, 29_500);
        check(0, 29_500);
    }

    #[test]
    fn the_console_shows_the_failures_name() {
        let failure = Failure::LookIncomplete {
            count: 1,
            first: "`ecs:ListTasks` for `demo/web`: access_denied (no)".to_owned(),
        };
        let diagnostic = Diagnostic::from(InvocationError(failure));
        assert_eq!(diagnostic.error_type, "LookIncomplete");
        assert_eq!(
            diagnostic.error_message,
            "gaps in what was observed: 1; the first: `ecs:ListTasks` for `demo/web`: access_denied (no)"
        );
    }
}
