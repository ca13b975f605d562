//! What DescribeServices answers, as a service whose tasks may run on EC2.

use aws_sdk_ecs::types::{
    self as ecs, DeploymentRolloutState, LaunchType, PlacementConstraint, PlacementConstraintType,
    PlacementStrategy, PlacementStrategyType, SchedulingStrategy, StabilityStatus,
};
use model::capacity::policy::headroom_tasks;
use model::capacity::{CapacityService, Constraint, DeploymentTarget, Placement};
use model::snapshot::Scheduling;
use model::strategy::StrategyItem;
use model::{IdError, ServiceKey, Timestamp};

use crate::capacity::clusters;
use crate::read_service::{PRIMARY, count, status, tags};
use crate::read_task::time;

/// What a service's log says when no instance has room for a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
const NO_INSTANCE: &str =
    "was unable to place a task because no container instance met all of its requirements";

/// The percentages of a deployment that names none.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html>
const MINIMUM_HEALTHY_PERCENT_DEFAULT: u32 = 100;
const MAXIMUM_PERCENT_DEFAULT: u32 = 200;

/// Where tasks may run.
enum Runs<'a> {
    Strategy(&'a [ecs::CapacityProviderStrategyItem]),
    LaunchType(Option<&'a LaunchType>),
}

/// Reads a service. `None`: none of its tasks can run on EC2 instances; `on_instances` says which providers can.
///
/// # Errors
/// What the answer lacks, in words.
pub(crate) fn service(
    key: &ServiceKey,
    answer: &ecs::Service,
    on_instances: impl Fn(&StrategyItem) -> bool,
) -> Result<Option<CapacityService>, String> {
    let of_service = runs(answer.capacity_provider_strategy(), answer.launch_type());
    let newest = newest_task_set(answer);
    // A service that an external controller deploys has its capacity in its task sets.
    let of_service = match (of_service, newest) {
        (Runs::LaunchType(None), Some(newest)) => {
            runs(newest.capacity_provider_strategy(), newest.launch_type())
        }
        (of_service, _) => of_service,
    };
    let (strategy, mut on_ec2) = read(&of_service, &on_instances)?;
    let (deployments, deploys_on_ec2) = deployments(answer, &of_service, &on_instances)?;
    on_ec2 |= deploys_on_ec2;
    if !on_ec2 {
        return Ok(None);
    }
    let configuration = answer.deployment_configuration();
    let percent = |number: Option<i32>, default| {
        number.map_or(Ok(default), |number| count("percent", number))
    };
    Ok(Some(CapacityService {
        name: key.service.clone(),
        status: status(answer.status()),
        scheduling: match answer.scheduling_strategy() {
            Some(SchedulingStrategy::Daemon) => Scheduling::Daemon,
            // REPLICA is the default of the API.
            _ => Scheduling::Replica,
        },
        desired_count: count("desiredCount", answer.desired_count())?,
        running_count: count("runningCount", answer.running_count())?,
        pending_count: count("pendingCount", answer.pending_count())?,
        strategy,
        deployments,
        constraints: answer
            .placement_constraints()
            .iter()
            .map(constraint)
            .collect(),
        placement: answer.placement_strategy().iter().map(placement).collect(),
        minimum_healthy_percent: percent(
            configuration.and_then(|it| it.minimum_healthy_percent()),
            MINIMUM_HEALTHY_PERCENT_DEFAULT,
        )?,
        maximum_percent: percent(
            configuration.and_then(|it| it.maximum_percent()),
            MAXIMUM_PERCENT_DEFAULT,
        )?,
        headroom_tasks: headroom_tasks(&tags(answer.tags())),
        placement_failed_at: placement_failed_at(answer),
    }))
}

fn runs<'a>(
    strategy: &'a [ecs::CapacityProviderStrategyItem],
    launch_type: Option<&'a LaunchType>,
) -> Runs<'a> {
    if strategy.is_empty() {
        Runs::LaunchType(launch_type)
    } else {
        Runs::Strategy(strategy)
    }
}

/// The strategy, and whether any task of it can run on EC2 instances.
fn read(
    runs: &Runs<'_>,
    on_instances: &impl Fn(&StrategyItem) -> bool,
) -> Result<(Vec<StrategyItem>, bool), String> {
    match runs {
        Runs::Strategy(lines) => {
            let strategy = clusters::strategy(lines)?;
            let on_ec2 = strategy.iter().any(on_instances);
            Ok((strategy, on_ec2))
        }
        // EC2 is the launch type of a service that was made without one.
        // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/launch_types.html
        Runs::LaunchType(launch_type) => {
            let on_ec2 = launch_type.is_none_or(|it| *it == LaunchType::Ec2);
            Ok((Vec::new(), on_ec2))
        }
    }
}

/// The deployments and task sets, the primary one first, and whether any task of one can run on EC2 instances. A deployment that names
/// no capacity has the service's.
fn deployments(
    answer: &ecs::Service,
    of_service: &Runs<'_>,
    on_instances: &impl Fn(&StrategyItem) -> bool,
) -> Result<(Vec<DeploymentTarget>, bool), String> {
    let (mut deployments, mut on_ec2) = (Vec::new(), false);
    for deployment in answer.deployments() {
        let runs = runs(
            deployment.capacity_provider_strategy(),
            deployment.launch_type(),
        );
        let runs = match runs {
            Runs::LaunchType(None) => of_service,
            ref of_its_own @ (Runs::LaunchType(Some(_)) | Runs::Strategy(_)) => of_its_own,
        };
        let (strategy, deploys_on_ec2) = read(runs, on_instances)?;
        on_ec2 |= deploys_on_ec2;
        deployments.push(deployment_target(deployment, strategy)?);
    }
    for task_set in answer.task_sets() {
        let runs = runs(
            task_set.capacity_provider_strategy(),
            task_set.launch_type(),
        );
        let (strategy, deploys_on_ec2) = read(&runs, on_instances)?;
        on_ec2 |= deploys_on_ec2;
        deployments.push(task_set_target(task_set, strategy)?);
    }
    deployments.sort_by(|a, b| (!a.is_primary, &a.id).cmp(&(!b.is_primary, &b.id)));
    Ok((deployments, on_ec2))
}

fn newest_task_set(answer: &ecs::Service) -> Option<&ecs::TaskSet> {
    let mut task_sets = answer.task_sets().iter();
    task_sets.find(|it| it.status() == Some(PRIMARY))
}

fn deployment_target(
    answer: &ecs::Deployment,
    strategy: Vec<StrategyItem>,
) -> Result<DeploymentTarget, String> {
    let text = |error: IdError| error.to_string();
    Ok(DeploymentTarget {
        id: answer.id().unwrap_or_default().parse().map_err(text)?,
        is_primary: answer.status() == Some(PRIMARY),
        in_progress: answer.rollout_state() == Some(&DeploymentRolloutState::InProgress),
        task_definition: answer
            .task_definition()
            .unwrap_or_default()
            .parse()
            .map_err(text)?,
        desired_count: count("desiredCount", answer.desired_count())?,
        strategy,
    })
}

fn task_set_target(
    answer: &ecs::TaskSet,
    strategy: Vec<StrategyItem>,
) -> Result<DeploymentTarget, String> {
    let text = |error: IdError| error.to_string();
    Ok(DeploymentTarget {
        id: answer.id().unwrap_or_default().parse().map_err(text)?,
        is_primary: answer.status() == Some(PRIMARY),
        in_progress: answer.stability_status() == Some(&StabilityStatus::Stabilizing),
        task_definition: answer
            .task_definition()
            .unwrap_or_default()
            .parse()
            .map_err(text)?,
        desired_count: count("computedDesiredCount", answer.computed_desired_count())?,
        strategy,
    })
}

fn constraint(answer: &PlacementConstraint) -> Constraint {
    match answer.r#type() {
        Some(PlacementConstraintType::DistinctInstance) => Constraint::DistinctInstance,
        Some(PlacementConstraintType::MemberOf) => Constraint::MemberOf {
            expression: answer.expression().unwrap_or_default().to_owned(),
        },
        other => Constraint::Other {
            name: other.map_or("none", |it| it.as_str()).to_owned(),
        },
    }
}

fn placement(answer: &PlacementStrategy) -> Placement {
    let field = || answer.field().unwrap_or_default().to_owned();
    match answer.r#type() {
        Some(PlacementStrategyType::Spread) => Placement::Spread { field: field() },
        Some(PlacementStrategyType::Binpack) => Placement::Binpack {
            field: field().to_ascii_lowercase(),
        },
        Some(PlacementStrategyType::Random) => Placement::Random,
        other => Placement::Other {
            name: other.map_or("none", |it| it.as_str()).to_owned(),
        },
    }
}

/// When the service's log last says that no instance had room.
fn placement_failed_at(answer: &ecs::Service) -> Option<Timestamp> {
    let failed = answer
        .events()
        .iter()
        .filter(|it| it.message().is_some_and(|it| it.contains(NO_INSTANCE)));
    failed.filter_map(|it| time(it.created_at())).max()
}
