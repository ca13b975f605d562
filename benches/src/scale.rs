//! A cluster as large as AWS allows: what one look of cluster-scaler at 5,000 instances and 10,000 tasks takes, and how many calls.
//!
//! The function is the real one, over HTTP, in mode observe. The world is one group of 5,000 instances with two tasks each, of which
//! eight fit: without consolidation nothing can go, with it three quarters of the instances could, as many at a look as one may remove.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use comfy_table::Table;
use model::ClusterName;
use model::capacity::policy::{TAG_CLUSTER_SCALER, TAG_CONSOLIDATE, TAG_SCALE_IN_DELAY_SECS};
use model::settings::Setting;
use model::strategy::Market;
use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{FaceOptions, InvocationResult, RuntimeFace, RuntimeOptions, serve};
use world::{
    ApiError, CapacityProvider, Config, GroupSpec, LaunchSpec, PlaceStrategy, ServiceSpec,
    TaskDefinition, World, line,
};

use crate::Failure;
use crate::start_up::{median, thousandths};

const FUNCTION: &str = "cluster-scaler";
const INSTANCES: u32 = 5_000;
/// Each has as many tasks as there are instances.
const SERVICES: usize = 2;
/// The group's tags beside the one that opts it in.
const FLEETS: [(&str, &[(Setting, &str)]); 3] = [
    ("without consolidation", &[]),
    (
        "with `ballast:consolidate`, in the delay",
        &[
            (TAG_CONSOLIDATE, "true"),
            (TAG_SCALE_IN_DELAY_SECS, "86400"),
        ],
    ),
    (
        "with `ballast:consolidate`, after it",
        &[(TAG_CONSOLIDATE, "true"), (TAG_SCALE_IN_DELAY_SECS, "0")],
    ),
];
/// The most looks that are worth their time.
pub(crate) const RUNS_MAX: usize = 5;
/// Of the rates of the account.
const SHARE_PERCENT: &str = "50";
/// So much that nothing waits.
const SHARE_PERCENT_ALL: &str = "1000";
/// Enough for a look that waits for its calls.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Lets the function look `runs` times at each of [`FLEETS`], and prints what it took.
pub(crate) async fn run(binaries: &Path, runs: usize) -> Result<String, Failure> {
    let mut table = Table::new();
    table.set_header([
        "5,000 instances, 10,000 tasks",
        "look, ms",
        "decide, ms",
        "steps",
        "holds",
    ]);
    let mut calls = BTreeMap::new();
    for (name, tags) in FLEETS {
        let mut looks = look(binaries, tags, SHARE_PERCENT_ALL, runs).await?;
        // The first look of a process reads what later ones know.
        looks.remove(0);
        table.add_row([
            name.to_owned(),
            millis(&looks, "observe"),
            millis(&looks, "decide"),
            counted(&looks, "steps"),
            counted(&looks, "holds"),
        ]);
        calls = looks.last().map(calls_of).unwrap_or_default();
    }
    // With full buckets, as a minute after the last look.
    let budgeted = look(binaries, &[], SHARE_PERCENT, 0).await?;
    let mut counts = Table::new();
    counts.set_header(["operation", "calls a look"]);
    for (operation, count) in &calls {
        counts.add_row([operation.clone(), count.to_string()]);
    }
    let total: u64 = calls.values().sum();
    counts.add_row(["all".to_owned(), total.to_string()]);
    Ok(format!(
        "Scale: one look at one cluster, medians of {runs} looks of the real function in mode observe. A look takes the world's time to \
         answer too;\nwith {SHARE_PERCENT} % of the documented rates a first look, with full buckets, takes {} ms, waiting for its calls.\n{table}\n{counts}",
        millis(&budgeted, "observe"),
    ))
}

fn world(tags: &[(Setting, &str)]) -> Result<World, ApiError> {
    let mut config = Config::new(1);
    // Nobody reads events here, and the world's own clock is to leave its rate buckets time to refill.
    config.delivery.silent = true;
    config.api_latency_ms = 250;
    let mut world = World::new(config);
    let cluster: ClusterName = "scale".parse().map_err(ApiError::invalid_parameter)?;
    world.declare_launch_template("large", "m5.large", Market::OnDemand);
    let launch = LaunchSpec::template("large");
    let group = GroupSpec::new("fleet", launch, 0, INSTANCES, INSTANCES);
    let group = group.tag(TAG_CLUSTER_SCALER.name, "act");
    let group = tags
        .iter()
        .fold(group, |group, (tag, value)| group.tag(tag.name, value));
    world.declare_auto_scaling_group(group);
    let mut provider = CapacityProvider::over("fleet");
    provider.managed_scaling.enabled = false;
    provider.managed_draining = false;
    world.declare_capacity_provider("fleet", provider);
    world.create_cluster_of(&cluster, &["fleet"], vec![line("fleet", 0, 1)?])?;
    world.advance_secs(300);
    for number in 0..SERVICES {
        let key = format!("scale/web-{number}");
        let key: model::ServiceKey = key.parse().map_err(ApiError::invalid_parameter)?;
        let definition = TaskDefinition::on_instances(key.service.as_str(), 256, 512);
        let definition = world.add_task_definition_of(definition)?;
        let mut spec = ServiceSpec::new(key, &definition, INSTANCES);
        spec.placement_strategy = vec![PlaceStrategy::Spread("instanceId".to_owned())];
        world.create(spec)?;
    }
    world.advance_secs(900);
    Ok(world)
}

/// The records of a process's first look, and of `runs` more.
async fn look(
    binaries: &Path,
    tags: &[(Setting, &str)],
    share_percent: &str,
    runs: usize,
) -> Result<Vec<Value>, Failure> {
    let world = world(tags).map_err(Failure::world)?;
    let (account, region) = (
        world.config().account.clone(),
        world.config().region.clone(),
    );
    let face = serve(world, FaceOptions::default())
        .await
        .map_err(Failure::Io)?;
    let mut options = RuntimeOptions::new(FUNCTION, account, region);
    options.timeout = TIMEOUT;
    let runtime = RuntimeFace::serve(options).await.map_err(Failure::Io)?;
    let binary = binaries.join(FUNCTION);
    let mut child = Command::new(&binary)
        .env_clear()
        .envs(face.environment())
        .envs(runtime.environment())
        .env("BALLAST_MODE", "observe")
        .env("BALLAST_ECS_RATE_SHARE_PERCENT", share_percent)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Failure::Start { binary, source })?;
    let progress = indicatif::ProgressBar::new(runs as u64 + 1);
    let mut records = Vec::new();
    for _ in 0..=runs {
        match runtime.invoke(&schedule()).await {
            InvocationResult::Ok(record) => records.push(record),
            result @ (InvocationResult::Err(_)
            | InvocationResult::TimedOut { .. }
            | InvocationResult::Exited { .. }) => {
                return Err(Failure::Answer(format!("{result:?}")));
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    child.kill().await.map_err(Failure::Io)?;
    for record in &records {
        let gaps = record.pointer("/gaps").and_then(Value::as_array);
        assert!(
            gaps.is_some_and(Vec::is_empty),
            "a look without gaps: {gaps:?}"
        );
        let seen = (
            record.pointer("/snapshot/instances"),
            record.pointer("/snapshot/tasks"),
        );
        let all = (json!(INSTANCES), json!(10_000));
        assert_eq!(seen, (Some(&all.0), Some(&all.1)), "everything was seen");
    }
    Ok(records)
}

fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "00000000-0000-4000-b000-000000000001",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "111122223333",
        "time": "2026-03-02T09:00:00Z",
        "region": "us-west-2",
        "resources": ["arn:aws:events:us-west-2:111122223333:rule/ballast-schedule"],
        "detail": {},
    })
}

/// The median of one of the durations.
fn millis(records: &[Value], part: &str) -> String {
    let name = format!("/durations_ms/{part}");
    let each = records
        .iter()
        .map(|it| it.pointer(&name).and_then(Value::as_u64).unwrap_or(0));
    let micros = each.map(|millis| millis.saturating_mul(1_000));
    thousandths(median(micros.collect()))
}

/// How many steps, or holds, the last plan had.
fn counted(records: &[Value], part: &str) -> String {
    let name = format!("/plan/{part}_by_reason");
    let counts = records
        .last()
        .and_then(|it| it.pointer(&name)?.as_object().cloned())
        .unwrap_or_default();
    let parts = counts
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"));
    parts.collect::<Vec<_>>().join(", ")
}

fn calls_of(record: &Value) -> BTreeMap<String, u64> {
    let calls = record.get("calls").and_then(Value::as_object);
    calls
        .into_iter()
        .flatten()
        .filter_map(|(operation, count)| Some((operation.clone(), count.as_u64()?)))
        .collect()
}
