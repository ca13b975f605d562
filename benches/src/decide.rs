//! How long deciding takes for 5,000 pairs, in two states.

use std::collections::BTreeMap;
use std::time::Instant;

use comfy_table::Table;
use jiff::Timestamp;
use model::memory::{PairMemory, Recall};
use model::policy::{Installation, PairPolicy};
use model::snapshot::{
    Controller, Deployment, Health, Pair, ProviderShare, Scheduling, Service, ServiceStatus,
    Snapshot, Standby, Task, TaskStatus,
};
use model::strategy::{Market, StrategyItem};
use model::trigger::Hints;
use model::{IdError, Seconds, ServiceKey};

use crate::start_up::{median, thousandths};

const PAIRS: usize = 5_000;
const TASKS: u32 = 10;

/// Decides `runs` times for each state and prints the medians.
pub(crate) fn run(runs: usize) -> Result<String, IdError> {
    let mut table = Table::new();
    table.set_header([
        "5,000 pairs of 10 tasks",
        "decide, ms",
        "audit, ms",
        "steps",
        "holds",
    ]);
    for (name, interrupted) in [("at rest", 0), ("Spot took 7 of 10", 7)] {
        let measured = measure(interrupted, runs)?;
        table.add_row([
            name.to_owned(),
            thousandths(measured.deciding_us),
            thousandths(measured.auditing_us),
            measured.steps.to_string(),
            measured.holds.to_string(),
        ]);
    }
    Ok(format!("Deciding, medians of {runs} runs.\n{table}"))
}

/// What deciding takes while nothing happens, in microseconds: what deciding about something else is compared with.
pub(crate) fn pairs_at_rest_us(runs: usize) -> Result<u64, IdError> {
    Ok(measure(0, runs)?.deciding_us)
}

struct Measured {
    deciding_us: u64,
    auditing_us: u64,
    steps: usize,
    holds: usize,
}

fn measure(interrupted: u32, runs: usize) -> Result<Measured, IdError> {
    let snapshot = snapshot(interrupted)?;
    let memories: BTreeMap<ServiceKey, Recall> = snapshot
        .pairs
        .keys()
        .map(|key| (key.clone(), Recall::Known(PairMemory::default())))
        .collect();
    let installation = Installation::default();
    let hints = Hints::default();
    let now = snapshot.taken_at;
    let (mut deciding, mut auditing) = (Vec::new(), Vec::new());
    let (mut steps, mut holds) = (0, 0);
    for _ in 0..runs {
        let started = Instant::now();
        let decision = placement::decide(&snapshot, &installation, &memories, &hints, now);
        deciding.push(micros(started));
        let started = Instant::now();
        let violations =
            placement::audit::audit(&decision.plan, &snapshot, &installation, &memories, now);
        auditing.push(micros(started));
        (steps, holds) = (decision.plan.steps.len(), decision.plan.holds.len());
        assert!(
            violations.is_empty(),
            "the audit finds nothing: {violations:?}"
        );
    }
    Ok(Measured {
        deciding_us: median(deciding),
        auditing_us: median(auditing),
        steps,
        holds,
    })
}

pub(crate) fn micros(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn snapshot(interrupted: u32) -> Result<Snapshot, IdError> {
    let now = Timestamp::UNIX_EPOCH.saturating_add(jiff::SignedDuration::from_hours(500_000));
    let now = now.unwrap_or(Timestamp::MAX);
    let mut pairs = BTreeMap::new();
    for number in 0..PAIRS {
        let primary = service(&format!("demo/web-{number:04}"), TASKS, interrupted, now)?;
        let mut standby = service(&format!("demo/web-{number:04}-standby"), 0, 0, now)?;
        let name = primary.key.service.to_string();
        standby.tags = BTreeMap::from([("ballast:standby-of".to_owned(), name)]);
        let policy = PairPolicy::with_defaults(standby.key.service.clone());
        let mut primary = primary;
        primary.tags = BTreeMap::from([(
            "ballast:standby".to_owned(),
            standby.key.service.to_string(),
        )]);
        pairs.insert(
            primary.key.clone(),
            Pair {
                primary,
                standby: Standby::Present(Box::new(standby)),
                policy: Ok(policy),
                gaps: Vec::new(),
            },
        );
    }
    Ok(Snapshot {
        taken_at: now,
        pairs,
        passed_over: BTreeMap::new(),
        gaps: Vec::new(),
    })
}

fn service(key: &str, desired: u32, interrupted: u32, now: Timestamp) -> Result<Service, IdError> {
    let key: ServiceKey = key.parse()?;
    let task_definition = "arn:aws:ecs:us-west-2:111122223333:task-definition/web:1";
    let mut tasks = Vec::new();
    for number in 0..desired {
        let told = (number < interrupted).then(|| Seconds(5).before(now));
        tasks.push(Task {
            arn: format!("arn:aws:ecs:us-west-2:111122223333:task/{key}-{number}").parse()?,
            last_status: TaskStatus::Running,
            desired_running: told.is_none(),
            health: Health::Healthy,
            provider: Some("FARGATE_SPOT".parse()?),
            task_definition: task_definition.parse()?,
            zone: None,
            created_at: Some(Seconds(3_640).before(now)),
            started_at: Some(Seconds(3_600).before(now)),
            stopping_at: told,
            stopped_at: None,
            interrupted: told.is_some(),
            instance: None,
            instance_status: None,
        });
    }
    Ok(Service {
        key,
        status: ServiceStatus::Active,
        desired_count: desired,
        running_count: desired,
        pending_count: 0,
        task_definition: task_definition.parse()?,
        capacity: vec![ProviderShare {
            item: StrategyItem {
                provider: "FARGATE".parse()?,
                base: 0,
                weight: 1,
            },
            market: Market::OnDemand,
        }],
        created_at: None,
        scheduling: Scheduling::Replica,
        controller: Controller::Ecs,
        deployments: vec![Deployment {
            id: "ecs-svc/1".parse()?,
            is_primary: true,
            in_progress: false,
        }],
        tags: BTreeMap::new(),
        tasks,
        all_to_run_read: true,
        stop_timeout: Some(Seconds(120)),
        scaled_by_application_auto_scaling: Some(false),
        not_placed: Vec::new(),
    })
}
