//! A storm: 15,000 interruption events in batches of a thousand, as the queue hands them over.
//!
//! The events are those of a world: 10 services of 100 tasks on Spot lose everything at once. Each of the 1,000 warnings comes 15 times,
//! as duplicates and later versions do, in a mixed order.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use comfy_table::Table;
use control::{Home, Pairs, coalesce};
use serde_json::{Value, json};
use tokio::process::Command;
use world::face::{FaceOptions, InvocationResult, RuntimeFace, RuntimeOptions, serve};
use world::{Config, ServiceSpec, World, line};

use crate::Failure;
use crate::decide::micros;
use crate::start_up::{median, thousandths};

const SERVICES: usize = 10;
const TASKS: u32 = 100;
const COPIES: usize = 15;
const BATCH: usize = 1_000;

/// Reads the storm `runs` times, hands it once to the function, and prints what it took.
pub(crate) async fn run(binaries: &Path, runs: usize) -> Result<String, Failure> {
    let mut world = world().map_err(Failure::world)?;
    let batches = batches(&mut world);
    let events: usize = SERVICES * TASKS as usize * COPIES;

    let mut reading = Vec::new();
    for _ in 0..runs {
        let started = Instant::now();
        for batch in &batches {
            let coalesced = coalesce::<Pairs>(&trigger::parse(batch), &Home::default());
            assert!(coalesced.scope.is_some(), "a batch leads to a look");
        }
        reading.push(micros(started));
    }
    let read_us = median(reading);
    let per_second = (events as u64).saturating_mul(1_000_000) / read_us.max(1);

    let (calls, took_us) = hand_over(binaries, world, &batches).await?;
    let mut table = Table::new();
    table.set_header(["storm", "value"]);
    table.add_row(["events".to_owned(), events.to_string()]);
    table.add_row(["batches".to_owned(), batches.len().to_string()]);
    table.add_row(["read and joined, ms".to_owned(), thousandths(read_us)]);
    table.add_row([
        "read and joined, events a second".to_owned(),
        per_second.to_string(),
    ]);
    table.add_row([
        "handled by the function, ms".to_owned(),
        thousandths(took_us),
    ]);
    let total: u64 = calls.values().sum();
    table.add_row(["API calls, all batches".to_owned(), total.to_string()]);
    for (operation, count) in calls {
        table.add_row([format!("  {operation}"), count.to_string()]);
    }
    Ok(format!(
        "A storm of {events} events for {SERVICES} services of {TASKS} tasks; reading is the median of {runs} runs. The function \
         waits\nfor its budget of calls (all of ECS's rate here).\n{table}"
    ))
}

fn world() -> Result<World, world::ApiError> {
    let mut world = World::new(Config::new(1));
    let cluster = "storm"
        .parse::<model::ClusterName>()
        .map_err(world::ApiError::invalid_parameter)?;
    world.create_cluster_of(
        &cluster,
        &["FARGATE", "FARGATE_SPOT"],
        vec![line("FARGATE_SPOT", 0, 1)?],
    )?;
    for number in 0..SERVICES {
        let key = |suffix: &str| {
            format!("storm/web-{number}{suffix}")
                .parse::<model::ServiceKey>()
                .map_err(world::ApiError::invalid_parameter)
        };
        let (primary, standby) = (key("")?, key("-standby")?);
        world.create(
            ServiceSpec::new(primary.clone(), "web:1", TASKS)
                .tag("ballast:standby", standby.service.as_str()),
        )?;
        world.create(
            ServiceSpec::new(standby, "web:1", 0)
                .on(vec![line("FARGATE", 0, 1)?])
                .tag("ballast:standby-of", primary.service.as_str()),
        )?;
    }
    world.advance_secs(900);
    Ok(world)
}

/// Takes all Spot capacity away, and returns the warnings as SQS batches.
fn batches(world: &mut World) -> Vec<Value> {
    drop(world.take_due_events());
    let now = world.now();
    world.set_capacity_everywhere("FARGATE_SPOT", now, 0);
    world.advance_secs(2);
    let warnings: Vec<Value> = world
        .take_due_events()
        .into_iter()
        .map(|delivered| delivered.envelope)
        .filter(|event| event.pointer("/detail/stopCode") == Some(&json!("SpotInterruption")))
        .collect();
    let mut records = Vec::new();
    for copy in 0..COPIES {
        for (index, event) in warnings.iter().enumerate() {
            // Each copy begins elsewhere, so that a batch holds events of every service.
            let place = (index * 7 + copy * 13) % warnings.len();
            records.push(json!({
                "messageId": format!("{copy:02}-{index:04}"),
                "eventSource": "aws:sqs",
                "awsRegion": "us-west-2",
                "body": warnings.get(place).unwrap_or(event).to_string(),
            }));
        }
    }
    records
        .chunks(BATCH)
        .map(|chunk| json!({ "Records": chunk }))
        .collect()
}

async fn hand_over(
    binaries: &Path,
    world: World,
    batches: &[Value],
) -> Result<(BTreeMap<String, u64>, u64), Failure> {
    let (account, region) = (
        world.config().account.clone(),
        world.config().region.clone(),
    );
    let face = serve(world, FaceOptions::default())
        .await
        .map_err(Failure::Io)?;
    let runtime = RuntimeFace::serve(RuntimeOptions::new("spot-fallback", account, region))
        .await
        .map_err(Failure::Io)?;
    let binary = binaries.join("spot-fallback");
    let mut child = Command::new(&binary)
        .env_clear()
        .envs(face.environment())
        .envs(runtime.environment())
        .env("BALLAST_MODE", "act")
        .env("BALLAST_ECS_RATE_SHARE_PERCENT", "100")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Failure::Start { binary, source })?;
    let progress = indicatif::ProgressBar::new(batches.len() as u64);
    let started = Instant::now();
    for batch in batches {
        match runtime.invoke(batch).await {
            InvocationResult::Ok(_) => {}
            result @ (InvocationResult::Err(_)
            | InvocationResult::TimedOut { .. }
            | InvocationResult::Exited { .. }) => {
                return Err(Failure::Answer(format!("{result:?}")));
            }
        }
        progress.inc(1);
    }
    let took_us = micros(started);
    progress.finish_and_clear();
    child.kill().await.map_err(Failure::Io)?;
    Ok((face.calls(), took_us))
}
