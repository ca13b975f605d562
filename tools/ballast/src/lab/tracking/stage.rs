//! A service on Fargate Spot behind a load balancer, its standby on demand, and the requests that come to both.

use jiff::SignedDuration;
use model::policy::{TAG_STANDBY, TAG_STANDBY_OF, TAG_START_UP_SECS};
use model::strategy::{FARGATE, FARGATE_SPOT};
use model::tracking::Pace;
use model::tracking::policy::{
    TAG_FORECAST, TAG_MAX_TASKS, TAG_MIN_TASKS, TAG_SCALE_IN_WINDOW_SECS, TAG_SERVICE_SCALER,
    TAG_TARGET_CPU_PERCENT, TAG_WARM_UP_SECS,
};
use model::{ClusterName, ServiceKey, Timestamp};
use world::load::{ECS_NAMESPACE, Fleet, History, LoadCurve};
use world::{
    Alarm, ApiError, Comparison, Config, MetricKey, MetricQuery, ServiceSpec, Stat, TargetGroup,
    Watched, World,
};

use crate::error::CliError;
use crate::lab::scenario::later;
use crate::lab::tracking::traffic::{DAY_MINUTES, Traffic};

/// The fleet's name in the world.
pub(super) const FLEET: &str = "web";
/// A task whose CPU is busier than this is too slow, in percent.
pub(super) const LIMIT_PERCENT: u32 = 80;
/// The tag `ballast:target-cpu-percent`.
pub(super) const TARGET_PERCENT: u32 = 69;
/// The tag `ballast:scale-in-window-secs`.
pub(super) const WINDOW_SECS: u32 = 180;
/// The tag `ballast:start-up-secs`: an image, a container, and two health checks.
pub(super) const START_UP_SECS: u32 = 120;
/// The tags `ballast:min-tasks` and `ballast:max-tasks`.
pub(super) const TASKS_MIN: u32 = 2;
pub(super) const TASKS_MAX: u32 = 100;
/// As many tasks at the limit serve the day's peak.
pub(super) const TASKS_AT_PEAK: u32 = 60;

/// The alarm on the CPU of the pair, by the name that `infra/alarms` would give it.
pub(super) const ALARM: &str = "ballast-track-container-demo-web-cpu-of-pair";
/// Tasks that Spot has room for while it is not short.
const PLENTY: u32 = 300;
/// When the day begins in the world.
const MIDNIGHT: &str = "2026-03-02T00:00:00Z";
/// From the world's beginning to the load, in seconds: tasks come up and become healthy.
const SETTLE_SECS: i64 = 600;
/// From the load's beginning to midnight, in minutes.
const LEAD_MINUTES: usize = 10;
/// How many days the metrics reach back.
const HISTORY_DAYS: usize = 4;

/// How the pair's tasks are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountedBy {
    /// The functions. The tag `ballast:warm-up-secs`, where there is one.
    Ballast(Option<u32>),
    /// Nobody: so many all day long.
    Nobody(u32),
}

/// A world at midnight, and what is in it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) standby: ServiceKey,
}

/// When things happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// The day's beginning.
    pub(crate) begin: Timestamp,
    /// Spot takes every task, and has no room.
    pub(crate) short: Timestamp,
    /// Spot has room again.
    pub(crate) back: Timestamp,
    /// The end of what is played.
    pub(crate) end: Timestamp,
}

impl Times {
    /// So many hours, with a shortage that begins in their middle.
    pub(crate) fn of(hours: u32, short_minutes: u32) -> Result<Self, CliError> {
        let begin = midnight()?;
        let secs = i64::from(hours) * 3_600;
        let short = later(begin, secs / 2);
        let back = later(short, i64::from(short_minutes) * 60);
        let end = later(begin, secs);
        if back >= end {
            return Err(CliError::Argument(format!(
                "`--minutes {short_minutes}` is too long: the shortage begins in the middle of {hours} hours, and must end within them"
            )));
        }
        Ok(Self {
            begin,
            short,
            back,
            end,
        })
    }
}

fn midnight() -> Result<Timestamp, CliError> {
    MIDNIGHT
        .parse()
        .map_err(|error| CliError::Lab(format!("the day has no beginning: {error}")))
}

/// How many requests a minute make a task 100 % busy.
pub(super) fn requests_per_task_min(day: &LoadCurve) -> u64 {
    let at_limit = u64::from(TASKS_AT_PEAK) * u64::from(LIMIT_PERCENT);
    (day.peak() * 100).div_ceil(at_limit).max(1)
}

/// As few tasks as keep the load within so many percent.
pub(super) fn tasks_for(requests: u64, per_task_min: u64, percent: u32) -> u32 {
    let capacity = u128::from(per_task_min) * u128::from(percent);
    let tasks = (u128::from(requests) * 100).div_ceil(capacity.max(1));
    u32::try_from(tasks.max(1)).unwrap_or(u32::MAX)
}

/// The world at midnight.
pub(crate) fn stage(
    seed: u64,
    traffic: &Traffic,
    times: Times,
    by: CountedBy,
) -> Result<Stage, CliError> {
    let mut config = Config::new(seed);
    let lead_secs = i64::try_from(LEAD_MINUTES * 60).unwrap_or(0);
    let loaded_at = later(times.begin, -lead_secs);
    config.start = loaded_at
        .saturating_sub(SignedDuration::from_secs(SETTLE_SECS))
        .unwrap_or(Timestamp::MIN);
    let mut world = World::new(config);
    let unusable = |error| CliError::Lab(format!("the pair cannot be set up: {error}"));
    let standby = set_up(&mut world, traffic, times, by).map_err(unusable)?;
    while world.now() < times.begin {
        let next = world.next_event_at().unwrap_or(times.begin);
        world.advance_to(next.min(times.begin).max(later(world.now(), 1)));
        // What is sent before the day is no part of it.
        drop(world.take_due_events());
    }
    drop(world.timeline_mut().take());
    world.begin_accounts();
    world.set_capacity_everywhere(FARGATE_SPOT, times.short, 0);
    world.set_capacity_everywhere(FARGATE_SPOT, times.back, PLENTY);
    Ok(Stage { world, standby })
}

fn set_up(
    world: &mut World,
    traffic: &Traffic,
    times: Times,
    by: CountedBy,
) -> Result<ServiceKey, ApiError> {
    let cluster: ClusterName = parse("container-demo")?;
    world.create_cluster_of(
        &cluster,
        &[FARGATE, FARGATE_SPOT],
        vec![world::line(FARGATE_SPOT, 0, 1)?],
    )?;
    let key = |name: &str| parse::<ServiceKey>(&format!("{cluster}/{name}"));
    let (primary, standby) = (key("web")?, key("web-standby")?);
    let targets = TargetGroup::new("web")
        .with_deregistration_delay_secs(30)
        .healthy_after(2);
    let targets = world.declare_target_group(targets);
    let day = traffic.day();
    let per_task = requests_per_task_min(&day);
    let tasks = match by {
        CountedBy::Ballast(_) => tasks_for(day.at(0), per_task, TARGET_PERCENT).max(TASKS_MIN),
        CountedBy::Nobody(tasks) => tasks,
    };
    let mut web = ServiceSpec::new(primary.clone(), "web:1", tasks)
        .on(vec![world::line(FARGATE_SPOT, 0, 1)?])
        .behind(&targets)
        .tag(TAG_STANDBY.name, standby.service.as_str());
    if let CountedBy::Ballast(warm_up_secs) = by {
        web = tagged(web, warm_up_secs);
        world.put_alarm(alarm(&primary, &standby)?);
    }
    world.create(web)?;
    let spare = ServiceSpec::new(standby.clone(), "web:1", 0)
        .on(vec![world::line(FARGATE, 0, 1)?])
        .behind(&targets);
    world.create(spare.tag(TAG_STANDBY_OF.name, primary.service.as_str()))?;
    world.advance_secs(u32::try_from(SETTLE_SECS).unwrap_or(0));
    let loaded_at = world.now();
    let curve = traffic.starting_before(LEAD_MINUTES, LEAD_MINUTES + 2 * DAY_MINUTES);
    let mut fleet = Fleet::new(primary.clone(), curve, loaded_at, per_task)
        .with(standby.clone())
        .behind(&targets, "web");
    fleet.limit_percent = LIMIT_PERCENT;
    world.put_load(FLEET, fleet);
    let before = HISTORY_DAYS * DAY_MINUTES;
    let past = History {
        target_percent: TARGET_PERCENT,
        ..History::days(
            traffic.starting_before(before + LEAD_MINUTES, before),
            HISTORY_DAYS,
        )
    };
    world.seed_history(FLEET, &past);
    debug_assert!(loaded_at < times.begin, "the load is there before the day");
    Ok(standby)
}

/// The service, opted in.
fn tagged(service: ServiceSpec, warm_up_secs: Option<u32>) -> ServiceSpec {
    let service = service
        .tag(TAG_SERVICE_SCALER.name, "act")
        .tag(TAG_TARGET_CPU_PERCENT.name, &TARGET_PERCENT.to_string())
        .tag(TAG_MIN_TASKS.name, &TASKS_MIN.to_string())
        .tag(TAG_MAX_TASKS.name, &TASKS_MAX.to_string())
        .tag(TAG_SCALE_IN_WINDOW_SECS.name, &WINDOW_SECS.to_string())
        .tag(TAG_START_UP_SECS.name, &START_UP_SECS.to_string())
        .tag(TAG_FORECAST.name, "true");
    match warm_up_secs {
        None => service,
        Some(secs) => service.tag(TAG_WARM_UP_SECS.name, &secs.to_string()),
    }
}

/// The alarm of `infra/alarms` on the CPU of the pair: one minute above the target and the tolerance. Its changes reach the function as events.
fn alarm(primary: &ServiceKey, standby: &ServiceKey) -> Result<Alarm, ApiError> {
    let query = |id: &str, key: &ServiceKey, stat: &str| {
        let stat = Stat::parse(stat)
            .ok_or_else(|| ApiError::invalid_parameter(format!("no statistic `{stat}`")))?;
        let dimensions = [
            ("ClusterName", key.cluster.as_str()),
            ("ServiceName", key.service.as_str()),
        ];
        let metric = MetricKey::new(ECS_NAMESPACE, "CPUUtilization", &dimensions);
        Ok::<_, ApiError>(MetricQuery::metric(id, metric, stat, 60))
    };
    let fleet = "(primary * primarytasks + standby * standbytasks) / (primarytasks + standbytasks)";
    let watched = Watched::Math(vec![
        MetricQuery::expression("fleet", fleet),
        query("primary", primary, "Average")?,
        query("primarytasks", primary, "SampleCount")?,
        query("standby", standby, "Average")?,
        query("standbytasks", standby, "SampleCount")?,
    ]);
    // A hundredth of a percent is ten thousandths.
    let percent = 100 + Pace::default().tolerance_percent;
    let threshold_milli = i64::from(TARGET_PERCENT * percent) * 10;
    let alarm = Alarm::new(ALARM, watched, Comparison::GreaterThan, threshold_milli);
    Ok(alarm.takes(1, 1))
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, ApiError>
where
    T::Err: ToString,
{
    text.parse()
        .map_err(|error: T::Err| ApiError::invalid_parameter(error.to_string()))
}
