//! The Lambda Runtime API for one function: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! Guaranteed: one execution environment, which serves one invocation at a time; whoever else invokes waits for its turn. Each
//! invocation ends with exactly one [`InvocationResult`], whatever the function does: answer, fail, exceed its time, or go away.
//!
//! Assumed: the driver starts the function's process with [`RuntimeFace::environment`], tells by [`RuntimeFace::exited`] when it
//! ended, and replaces it after [`InvocationResult::TimedOut`], as Lambda does.
//!
//! Absent: response streaming, SnapStart (`restore/next`, `restore/error`), extensions, and the time that Lambda itself takes.
//!
//! Time here is the host's: the runtime in the function computes its deadline from the host's clock. Nothing of it reaches the
//! world, whose virtual time the function reads from the answers of the AWS API.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{AccountId, RegionName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Notify, oneshot};

use super::server::Server;

mod routes;

use routes::{Invocation, Shared, request_id, routes};

/// The largest answer of a synchronous invocation, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const RESPONSE_BYTES_MAX: usize = 6 * 1024 * 1024;

/// How long a function may take from its start to its first poll.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
pub const INIT_LIMIT: Duration = Duration::from_secs(10);

/// The function behind a Runtime API.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The function's name.
    pub function: String,
    /// Its account.
    pub account: AccountId,
    /// Its Region.
    pub region: RegionName,
    /// Its memory, in MiB.
    pub memory_mib: u32,
    /// How long an invocation may take, of the host's time.
    pub timeout: Duration,
    /// How long the function may take to poll for an invocation, of the host's time.
    pub poll_limit: Duration,
}

impl RuntimeOptions {
    /// A function with 128 MiB and 60 seconds, on a free port of loopback.
    #[must_use]
    pub fn new(function: impl Into<String>, account: AccountId, region: RegionName) -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            function: function.into(),
            account,
            region,
            memory_mib: 128,
            timeout: Duration::from_secs(60),
            poll_limit: INIT_LIMIT,
        }
    }

    /// The function's ARN.
    #[must_use]
    pub fn function_arn(&self) -> String {
        let Self {
            region, account, ..
        } = self;
        format!(
            "arn:aws:lambda:{region}:{account}:function:{}",
            self.function
        )
    }
}

/// An error as a function reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// Its kind, such as `Runtime.UnknownReason`.
    #[serde(default)]
    pub error_type: String,
    /// Its text.
    #[serde(default)]
    pub error_message: String,
    /// Where it came from, outermost first; most runtimes for Rust send none.
    #[serde(default)]
    pub stack_trace: Vec<String>,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvocationResult {
    /// The function answered.
    Ok(Value),
    /// The function, or its runtime, reported an error.
    Err(FunctionError),
    /// The function did not answer, or did not even poll, in time.
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// The function's process ended, or started over, before it answered.
    Exited {
        /// What is known about it.
        detail: String,
    },
}

/// The Runtime API of one function. Dropping it ends the listener.
#[derive(Debug)]
pub struct RuntimeFace {
    options: RuntimeOptions,
    shared: Arc<Shared>,
    /// Held by the invocation whose turn it is.
    turn: tokio::sync::Mutex<()>,
    server: Server,
}

impl RuntimeFace {
    /// Listens for the function.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn serve(options: RuntimeOptions) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            function_arn: options.function_arn(),
            timeout: options.timeout,
            desk: Mutex::default(),
            offered: Notify::new(),
            polled: Notify::new(),
        });
        let for_routes = Arc::clone(&shared);
        let server =
            Server::start(options.address, |stopping| routes(for_routes, stopping)).await?;
        Ok(Self {
            options,
            shared,
            turn: tokio::sync::Mutex::new(()),
            server,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The environment that Lambda gives the function's process, without credentials and without the function's own settings.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let RuntimeOptions {
            function,
            memory_mib,
            region,
            ..
        } = &self.options;
        BTreeMap::from([
            ("AWS_LAMBDA_RUNTIME_API", self.address().to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", function.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mib.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{function}"),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "world/[$LATEST]".to_owned()),
            ("AWS_REGION", region.to_string()),
            ("AWS_DEFAULT_REGION", region.to_string()),
        ])
    }

    /// Hands an event to the function and waits for what becomes of it.
    ///
    /// When the caller stops waiting, the function may still work on the event; its answer is then refused.
    pub async fn invoke(&self, payload: &Value) -> InvocationResult {
        let _turn = self.turn.lock().await;
        let (taken, was_taken) = oneshot::channel();
        let (answer, mut answered) = oneshot::channel();
        {
            let mut desk = self.shared.desk();
            if let Some(detail) = &desk.exited {
                return InvocationResult::Exited {
                    detail: detail.clone(),
                };
            }
            desk.count += 1;
            let number = desk.count;
            desk.offered = Some(Invocation {
                id: request_id(number),
                number,
                payload: payload.to_string(),
                taken,
                answer,
            });
        }
        self.shared.offered.notify_one();

        let gone = || InvocationResult::Exited {
            detail: "another invocation took its place".to_owned(),
        };
        let polled = async {
            tokio::select! {
                // An end of the process is answered without the invocation being taken.
                ended = &mut answered => Some(ended.unwrap_or_else(|_closed| gone())),
                _taken = was_taken => None,
            }
        };
        match tokio::time::timeout(self.options.poll_limit, polled).await {
            Ok(Some(ended)) => return ended,
            Ok(None) => {}
            Err(_elapsed) => {
                self.shared.desk().offered = None;
                return InvocationResult::TimedOut {
                    after: self.options.poll_limit,
                };
            }
        }
        match tokio::time::timeout(self.options.timeout, &mut answered).await {
            Ok(ended) => ended.unwrap_or_else(|_closed| gone()),
            Err(_elapsed) => {
                self.shared.desk().running = None;
                InvocationResult::TimedOut {
                    after: self.options.timeout,
                }
            }
        }
    }

    /// Waits until the function has polled for the first time, and returns its error when it fails to start instead.
    ///
    /// # Errors
    /// What the function posted to `init/error`, or what [`Self::exited`] was told.
    pub async fn ready(&self) -> Result<(), InvocationResult> {
        loop {
            let woken = self.shared.polled.notified();
            tokio::pin!(woken);
            // From here on a wake-up is kept, so that none is lost between the look and the wait.
            woken.as_mut().enable();
            {
                let desk = self.shared.desk();
                if let Some(error) = &desk.init_error {
                    return Err(InvocationResult::Err(error.clone()));
                }
                if let Some(detail) = &desk.exited {
                    return Err(InvocationResult::Exited {
                        detail: detail.clone(),
                    });
                }
                if desk.polls > 0 {
                    return Ok(());
                }
            }
            woken.await;
        }
    }

    /// How often the function has polled.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.shared.desk().polls
    }

    /// Tells that the function's process has ended: what it was working on has no answer, and nothing more is handed out until a
    /// new process polls.
    pub fn exited(&self, detail: impl Into<String>) {
        let detail = detail.into();
        let mut desk = self.shared.desk();
        let answers = [
            desk.offered.take().map(|invocation| invocation.answer),
            desk.running.take().map(|running| running.answer),
        ];
        for answer in answers.into_iter().flatten() {
            // Nobody waits any more when this fails.
            let _unheard = answer.send(InvocationResult::Exited {
                detail: detail.clone(),
            });
        }
        desk.polls = 0;
        desk.exited = Some(detail);
        drop(desk);
        self.shared.polled.notify_waiters();
    }

    /// Forgets the process that ended, before a new one is started.
    pub fn restarting(&self) {
        let mut desk = self.shared.desk();
        desk.exited = None;
        desk.init_error = None;
        desk.polls = 0;
    }

    /// Ends the listener. A poll that waits is answered as Lambda answers when a runtime should exit.
    ///
    /// # Errors
    /// When the listener ended with an error.
    pub async fn shutdown(self) -> io::Result<()> {
        self.server.shutdown().await
    }
}
