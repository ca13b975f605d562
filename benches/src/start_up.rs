//! How long a function takes from the start of its process to its first poll, and to its first response, and how much memory it
//! takes, beside a hello-world function in the same run.
//!
//! The two are started in turn, so that whatever else the machine does meets both. Times are medians over the runs; what counts is
//! their ratio.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use comfy_table::Table;
use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{Face, FaceOptions, InvocationResult, RuntimeFace, RuntimeOptions, serve};
use world::{Config, World};

use crate::Failure;

/// One start of one binary.
struct Start {
    first_poll: Duration,
    first_response: Duration,
    memory_kib: u64,
}

/// Starts both binaries `runs` times and prints what it took.
pub(crate) async fn run(binaries: &Path, runs: usize) -> Result<String, Failure> {
    let mut world = World::new(Config::new(1));
    world.add_workshop().map_err(Failure::world)?;
    let settled = world
        .now()
        .saturating_add(Duration::from_secs(600))
        .map_err(|error| Failure::World(error.to_string()))?;
    world.advance_to(settled);
    let face = serve(world, FaceOptions::default())
        .await
        .map_err(Failure::Io)?;

    let mut hello = Vec::new();
    let mut ours = Vec::new();
    let progress = indicatif::ProgressBar::new(u64::try_from(runs).unwrap_or(0));
    for _ in 0..runs {
        hello.push(start(&binaries.join("hello-world"), &face).await?);
        ours.push(start(&binaries.join("spot-fallback"), &face).await?);
        progress.inc(1);
    }
    progress.finish_and_clear();

    let mut table = Table::new();
    table.set_header([
        "binary",
        "first poll, ms",
        "first response, ms",
        "peak memory, MiB",
        "size, MiB",
    ]);
    let base = Medians::of(&hello);
    let with = Medians::of(&ours);
    for (name, medians) in [("hello-world", &base), ("spot-fallback", &with)] {
        table.add_row([
            name.to_owned(),
            thousandths(medians.first_poll_us),
            thousandths(medians.first_response_us),
            hundredths_of_mib(medians.memory_kib.saturating_mul(1024)),
            hundredths_of_mib(size(&binaries.join(name))?),
        ]);
    }
    table.add_row([
        "ratio".to_owned(),
        ratio(with.first_poll_us, base.first_poll_us),
        ratio(with.first_response_us, base.first_response_us),
        ratio(with.memory_kib, base.memory_kib),
        ratio(
            size(&binaries.join("spot-fallback"))?,
            size(&binaries.join("hello-world"))?,
        ),
    ]);
    Ok(format!(
        "Start-up over loopback, medians of {runs} starts each, in turn. The first response of spot-fallback holds its look at the\n\
         workshop's pair (its ECS calls are answered by the world).\n{table}"
    ))
}

async fn start(binary: &Path, face: &Face) -> Result<Start, Failure> {
    let name = binary
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let (account, region) = face.with_world(|world| {
        (
            world.config().account.clone(),
            world.config().region.clone(),
        )
    });
    let runtime = RuntimeFace::serve(RuntimeOptions::new(name, account, region))
        .await
        .map_err(Failure::Io)?;
    let event = json!({
        "version": "0", "id": "6f0f6a43-5d1e-4b0c-9f3e-0d6b8a5b8a11", "source": "aws.events",
        "detail-type": "Scheduled Event", "account": "111122223333", "region": "us-west-2",
        "time": "2026-03-02T09:10:00Z", "resources": [], "detail": {},
    });
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(face.environment())
        .envs(runtime.environment())
        .env("BALLAST_MODE", "observe")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    if let Some(certificates) = std::env::var_os("SSL_CERT_FILE") {
        command.env("SSL_CERT_FILE", certificates);
    }

    let started = Instant::now();
    let mut child = command.spawn().map_err(|source| Failure::Start {
        binary: binary.to_owned(),
        source,
    })?;
    let (first_poll, (answer, first_response)) = tokio::join!(
        async {
            let polled = runtime.ready().await;
            (polled, started.elapsed())
        },
        async {
            let answer = runtime.invoke(&event).await;
            (answer, started.elapsed())
        }
    );
    let memory_kib = peak_memory_kib(child.id())?;
    child.kill().await.map_err(Failure::Io)?;
    if let (Err(why), _) = first_poll {
        return Err(Failure::Answer(format!("{why:?}")));
    }
    match answer {
        InvocationResult::Ok(Value::Object(_)) => {}
        result @ (InvocationResult::Ok(_)
        | InvocationResult::Err(_)
        | InvocationResult::TimedOut { .. }
        | InvocationResult::Exited { .. }) => {
            return Err(Failure::Answer(format!("{result:?}")));
        }
    }
    Ok(Start {
        first_poll: first_poll.1,
        first_response,
        memory_kib,
    })
}

/// `VmHWM`: the most memory that the process has had resident.
fn peak_memory_kib(process: Option<u32>) -> Result<u64, Failure> {
    let missing = || Failure::Answer("the process ended before its memory was read".to_owned());
    let id = process.ok_or_else(missing)?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).map_err(Failure::Io)?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .ok_or_else(missing)
}

fn size(binary: &Path) -> Result<u64, Failure> {
    std::fs::metadata(binary)
        .map(|it| it.len())
        .map_err(|source| Failure::Start {
            binary: binary.to_owned(),
            source,
        })
}

struct Medians {
    first_poll_us: u64,
    first_response_us: u64,
    memory_kib: u64,
}

impl Medians {
    fn of(starts: &[Start]) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            first_poll_us: median(starts.iter().map(|it| micros(it.first_poll)).collect()),
            first_response_us: median(starts.iter().map(|it| micros(it.first_response)).collect()),
            memory_kib: median(starts.iter().map(|it| it.memory_kib).collect()),
        }
    }
}

/// The middle one of an odd number of values; the upper of the two middle ones otherwise; 0 of none.
pub(crate) fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Microseconds as milliseconds with two decimals.
pub(crate) fn thousandths(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
}

fn hundredths_of_mib(bytes: u64) -> String {
    let hundredths = bytes.saturating_mul(100) / (1024 * 1024);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// `a / b` with two decimals.
pub(crate) fn ratio(a: u64, b: u64) -> String {
    let hundredths = a.saturating_mul(100).checked_div(b).unwrap_or(0);
    format!("{}.{:02}×", hundredths / 100, hundredths % 100)
}
