//! How long each function takes from the start of its process to its first poll, and to its first response, and how much memory it
//! takes, beside a hello-world function in the same run.
//!
//! They are started in turn, so that whatever else the machine does meets both. Times are medians over the runs; what counts is
//! their ratio.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use comfy_table::Table;
use model::ServiceKey;
use model::capacity::policy::TAG_CLUSTER_SCALER;
use model::drain::policy::TAG_INSTANCE_DRAIN;
use model::strategy::Market;
use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{Face, FaceOptions, InvocationResult, RuntimeFace, RuntimeOptions, serve};
use world::{CapacityProvider, Config, GroupSpec, LaunchSpec, ServiceSpec, TaskDefinition, World};

use crate::Failure;

/// What every function is compared with.
const YARDSTICK: &str = "hello-world";

/// How many instances the group has that cluster-scaler looks at.
const INSTANCES: u32 = 3;

/// How many of its tasks find room on one of them.
const TASKS_ON_AN_INSTANCE: u32 = 3;

/// One start of one binary.
struct Start {
    first_poll: Duration,
    first_response: Duration,
    memory_kib: u64,
}

/// A function, and the world that it looks at.
struct Subject {
    name: &'static str,
    face: Face,
    starts: Vec<Start>,
}

impl Subject {
    async fn new(name: &'static str, world: World) -> Result<Self, Failure> {
        let face = serve(settled(world)?, FaceOptions::default())
            .await
            .map_err(Failure::Io)?;
        let starts = Vec::new();
        Ok(Self { name, face, starts })
    }
}

/// Starts every binary `runs` times and prints what it took.
pub(crate) async fn run(binaries: &Path, runs: usize) -> Result<String, Failure> {
    let mut subjects = [
        Subject::new(YARDSTICK, World::new(Config::new(1))).await?,
        Subject::new("spot-fallback", pair()?).await?,
        Subject::new("cluster-scaler", group()?).await?,
        Subject::new("instance-drain", group()?).await?,
    ];
    let progress = indicatif::ProgressBar::new(u64::try_from(runs).unwrap_or(0));
    for _ in 0..runs {
        for subject in &mut subjects {
            let started = start(&binaries.join(subject.name), &subject.face).await?;
            subject.starts.push(started);
        }
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
    let mut measured = Vec::with_capacity(subjects.len());
    for Subject { name, starts, .. } in &subjects {
        let medians = Medians::of(starts, size(&binaries.join(name))?);
        table.add_row([
            (*name).to_owned(),
            thousandths(medians.first_poll_us),
            thousandths(medians.first_response_us),
            hundredths_of_mib(medians.memory_kib.saturating_mul(1024)),
            hundredths_of_mib(medians.size_bytes),
        ]);
        measured.push((*name, medians));
    }
    let yardstick = measured.iter().find(|(name, _)| *name == YARDSTICK);
    let of_others = measured.iter().filter(|(name, _)| *name != YARDSTICK);
    for (name, medians) in of_others {
        let Some((_, base)) = yardstick else {
            continue;
        };
        table.add_row([
            format!("{name} ÷ {YARDSTICK}"),
            ratio(medians.first_poll_us, base.first_poll_us),
            ratio(medians.first_response_us, base.first_response_us),
            ratio(medians.memory_kib, base.memory_kib),
            ratio(medians.size_bytes, base.size_bytes),
        ]);
    }
    Ok(format!(
        "Start-up over loopback, medians of {runs} starts each, in turn. The first response of spot-fallback holds its look at the\n\
         workshop's pair, those of cluster-scaler and instance-drain their looks at one group of {INSTANCES} instances (their calls are answered by the world).\n{table}"
    ))
}

/// The workshop's pair on Fargate.
fn pair() -> Result<World, Failure> {
    let mut world = World::new(Config::new(1));
    world.add_workshop().map_err(Failure::world)?;
    Ok(world)
}

/// A small cluster: one group of `t3.small`, whose tasks fill it.
fn group() -> Result<World, Failure> {
    const GROUP: &str = "workers";
    let mut world = World::new(Config::new(1));
    world.declare_launch_template(GROUP, "t3.small", Market::OnDemand);
    let launch = LaunchSpec::template(GROUP);
    let group = GroupSpec::new(GROUP, launch, 0, INSTANCES, 10);
    world.declare_auto_scaling_group(
        group
            .tag(TAG_CLUSTER_SCALER.name, "act")
            .tag(TAG_INSTANCE_DRAIN.name, "act"),
    );
    let provider = CapacityProvider::over(GROUP).without_managed_draining();
    world.declare_capacity_provider(GROUP, provider);
    let service: ServiceKey = "demo/web".parse()?;
    let strategy = vec![world::line(GROUP, 0, 1).map_err(Failure::world)?];
    world
        .create_cluster_of(&service.cluster, &[GROUP], strategy)
        .map_err(Failure::world)?;
    let definition = world
        .add_task_definition_of(TaskDefinition::on_instances("web", 256, 512))
        .map_err(Failure::world)?;
    let tasks = INSTANCES.saturating_mul(TASKS_ON_AN_INSTANCE);
    world
        .create(ServiceSpec::new(service, &definition, tasks))
        .map_err(Failure::world)?;
    Ok(world)
}

/// The world, when everything in it runs.
fn settled(mut world: World) -> Result<World, Failure> {
    let settled = world
        .now()
        .saturating_add(Duration::from_secs(600))
        .map_err(|error| Failure::World(error.to_string()))?;
    world.advance_to(settled);
    Ok(world)
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
    size_bytes: u64,
}

impl Medians {
    fn of(starts: &[Start], size_bytes: u64) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            first_poll_us: median(starts.iter().map(|it| micros(it.first_poll)).collect()),
            first_response_us: median(starts.iter().map(|it| micros(it.first_response)).collect()),
            memory_kib: median(starts.iter().map(|it| it.memory_kib).collect()),
            size_bytes,
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
