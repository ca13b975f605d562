//! The real function's process, behind a Lambda Runtime API of the world's.
//!
//! Guaranteed: the process ends with this value, and gets no more of this process's environment than what Lambda would give it.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use calls::SHARE_PERCENT_MAX;
use clap::ValueEnum;
use model::policy::Mode;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use world::face::{InvocationResult, RuntimeFace, RuntimeOptions};

use crate::error::CliError;

/// The functions, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    /// Covers what Spot lacks with on-demand tasks.
    SpotFallback,
    /// Sizes the groups of EC2 capacity providers.
    ClusterScaler,
    /// Drains EC2 instances that are going away.
    InstanceDrain,
    /// Sets desired counts so that metrics keep their targets.
    ServiceScaler,
}

impl Name {
    /// Its folder, package, binary and Lambda name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SpotFallback => "spot-fallback",
            Self::ClusterScaler => "cluster-scaler",
            Self::InstanceDrain => "instance-drain",
            Self::ServiceScaler => "service-scaler",
        }
    }

    /// Its memory in `infra/template.yaml`, in MiB. It is only told to the process.
    pub(crate) const fn memory_mib(self) -> u32 {
        match self {
            Self::SpotFallback | Self::ServiceScaler => 256,
            Self::ClusterScaler | Self::InstanceDrain => 512,
        }
    }
}

/// How long the process may take until it asks for its first event, of this host's time.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long one invocation may take, of this host's time; `infra/template.yaml` has it so.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How many of the process's last lines are kept, for when it fails.
const LINES_KEPT: usize = 40;
/// How long the record of an invocation that has ended is waited for, of this host's time. The process writes it before it answers,
/// so that it is on its way.
const RECORD_LIMIT: Duration = Duration::from_secs(5);

/// How the process is started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) name: Name,
    pub(crate) binary: PathBuf,
    pub(crate) endpoint_url: String,
    pub(crate) mode: Mode,
}

/// The function.
#[derive(Debug)]
pub(crate) struct Function {
    setup: Setup,
    face: Arc<RuntimeFace>,
    lines: Lines,
    process: Process,
}

/// The process that serves at present.
#[derive(Debug)]
struct Process {
    watcher: JoinHandle<()>,
    /// The lines of its decision records, one for each invocation. The channel ends with the process.
    records: mpsc::UnboundedReceiver<String>,
}

/// What an invocation came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: InvocationResult,
    /// The line of the decision record, unchanged as the process wrote it. `None` when it wrote none.
    pub(crate) line: Option<String>,
}

impl Drop for Function {
    fn drop(&mut self) {
        // The watcher owns the process, which is killed with it.
        self.process.watcher.abort();
    }
}

/// The binary beside `ballast` itself, or in the folder that the caller names.
pub(crate) fn find_binary(name: Name, folder: Option<&Path>) -> Result<PathBuf, CliError> {
    let folder = match folder {
        Some(folder) => folder.to_owned(),
        None => std::env::current_exe()
            .ok()
            .and_then(|own| own.parent().map(Path::to_owned))
            .unwrap_or_default(),
    };
    let path = folder.join(format!("{}{}", name.as_str(), std::env::consts::EXE_SUFFIX));
    if path.is_file() {
        return Ok(path);
    }
    Err(CliError::Missing {
        path,
        remedy: "build the functions first (`cargo build --workspace --bins`, or `make demo`), or name their folder with \
                 `--binaries`"
            .to_owned(),
    })
}

impl Function {
    /// Starts the process and waits until it asks for its first event.
    pub(crate) async fn start(setup: Setup, config: &world::Config) -> Result<Self, CliError> {
        let name = setup.name.as_str();
        let mut options = RuntimeOptions::new(name, config.account.clone(), config.region.clone());
        options.timeout = TIMEOUT;
        options.memory_mib = setup.name.memory_mib();
        let face = RuntimeFace::serve(options)
            .await
            .map_err(|source| CliError::Io {
                what: "the Lambda Runtime API cannot listen on loopback".to_owned(),
                source,
            })?;
        let face = Arc::new(face);
        let lines = Lines::default();
        let process = spawn(&setup, &face, &lines)?;
        let function = Self {
            setup,
            face,
            lines,
            process,
        };
        function.ready().await?;
        Ok(function)
    }

    /// Which function it is.
    pub(crate) const fn name(&self) -> Name {
        self.setup.name
    }

    async fn ready(&self) -> Result<(), CliError> {
        let name = self.setup.name.as_str();
        match tokio::time::timeout(START_LIMIT, self.face.ready()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(result)) => {
                Err(self.failure(&format!("`{name}` did not start: {}", describe(&result))))
            }
            Err(_elapsed) => Err(self.failure(&format!(
                "`{name}` did not ask for an event within {} s",
                START_LIMIT.as_secs()
            ))),
        }
    }

    /// Hands over an event. A process that ended or hangs is replaced for the next one, as Lambda does.
    pub(crate) async fn invoke(&mut self, payload: &Value) -> Result<Ended, CliError> {
        let result = self.face.invoke(payload).await;
        if let InvocationResult::TimedOut { .. } = &result {
            self.process.watcher.abort();
        }
        // The line went into the pipe before the answer was sent; a process that ended closes the pipe.
        let line = tokio::time::timeout(RECORD_LIMIT, self.process.records.recv());
        let line = line.await.unwrap_or(None);
        match &result {
            InvocationResult::Ok(_) | InvocationResult::Err(_) => {}
            InvocationResult::TimedOut { .. } | InvocationResult::Exited { .. } => {
                self.process.watcher.abort();
                self.face.restarting();
                self.process = spawn(&self.setup, &self.face, &self.lines)?;
                self.ready().await?;
            }
        }
        Ok(Ended { result, line })
    }

    /// An error with the process's last lines.
    pub(crate) fn failure(&self, what: &str) -> CliError {
        CliError::Function {
            what: what.to_owned(),
            lines: self.lines.lock().iter().cloned().collect(),
        }
    }
}

/// How an invocation ended without an answer, in words.
pub(crate) fn describe(result: &InvocationResult) -> String {
    match result {
        InvocationResult::Ok(_) => "it answered".to_owned(),
        InvocationResult::Err(error) => format!("{}: {}", error.error_type, error.error_message),
        InvocationResult::TimedOut { after } => format!("no answer within {} s", after.as_secs()),
        InvocationResult::Exited { detail } => detail.clone(),
    }
}

/// Starts the process. The task that is returned owns it, and tells the Runtime API when it ends.
fn spawn(setup: &Setup, face: &Arc<RuntimeFace>, lines: &Lines) -> Result<Process, CliError> {
    let mut child = Command::new(&setup.binary)
        .env_clear()
        .envs(environment(setup, face))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| CliError::Io {
            what: format!("`{}` cannot be started", setup.binary.display()),
            source,
        })?;
    let (record, records) = mpsc::unbounded_channel();
    lines.follow(child.stdout.take(), Some(record));
    lines.follow(child.stderr.take(), None);
    let face = Arc::clone(face);
    let watcher = tokio::spawn(async move { face.exited(wait(&mut child).await) });
    Ok(Process { watcher, records })
}

/// Whether a line of the process is a decision record, and not a message or a metric.
fn is_record(line: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Probe {
        record: String,
    }
    // Most lines are not, and need not be read.
    line.contains(control::KIND)
        && serde_json::from_str::<Probe>(line).is_ok_and(|it| it.record == control::KIND)
}

async fn wait(child: &mut Child) -> String {
    match child.wait().await {
        Ok(status) => format!("the process ended: {status}"),
        Err(error) => format!("the process cannot be waited for: {error}"),
    }
}

/// What Lambda gives to the process, with the settings of `infra/template.yaml` and with AWS at the world's address.
fn environment(setup: &Setup, face: &RuntimeFace) -> BTreeMap<&'static str, String> {
    let mut environment = face.environment();
    environment.extend([
        ("AWS_ACCESS_KEY_ID", "lab".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "lab".to_owned()),
        ("AWS_SESSION_TOKEN", "lab".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", setup.endpoint_url.clone()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("BALLAST_MODE", setup.mode.as_str().to_owned()),
        ("BALLAST_SCHEDULE_INTERVAL_SECS", "60".to_owned()),
        // The function's budget of calls goes by this host's clock, on which the world's minutes last milliseconds: it is as large as
        // it may be. The world itself limits the calls on its own clock.
        (
            "BALLAST_ECS_RATE_SHARE_PERCENT",
            SHARE_PERCENT_MAX.to_string(),
        ),
    ]);
    environment
}

/// The last lines that the process wrote.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<VecDeque<String>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a stream to its end, in the background: a full pipe would stop the process. Decision records go to `records` too.
    fn follow(
        &self,
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
        records: Option<mpsc::UnboundedSender<String>>,
    ) {
        let Some(stream) = stream else { return };
        let kept = self.clone();
        tokio::spawn(async move {
            let mut reader = BufReader::new(stream).lines();
            while let Ok(Some(line)) = reader.next_line().await {
                if let Some(records) = records.as_ref().filter(|_| is_record(&line)) {
                    // Nobody reads them any more when the process was replaced.
                    let _unread = records.send(line.clone());
                }
                let mut lines = kept.lock();
                if lines.len() == LINES_KEPT {
                    lines.pop_front();
                }
                lines.push_back(line);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_told_from_a_message_about_one() {
        assert!(is_record(
            r#"{"record":"ballast.decision","version":1,"mode":"act"}"#
        ));
        for other in [
            r#"{"level":"INFO","fields":{"message":"ballast.decision"}}"#,
            r#"{"record":"other","about":"ballast.decision"}"#,
            "ballast.decision",
            "",
        ] {
            assert!(!is_record(other), "{other}");
        }
    }
}
