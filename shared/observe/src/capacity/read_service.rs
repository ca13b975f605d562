//! What DescribeServices answers, as a service whose tasks may run on EC2.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    self as ecs, DeploymentRolloutState, LaunchType, PlacementConstraint, PlacementConstraintType,
    PlacementStrategy, PlacementStrategyType, SchedulingStrategy, StabilityStatus,
};
use model::capacity::policy::{SERVICE_TAGS, headroom_tasks};
use model::capacity::{CapacityService, Constraint, DeploymentTarget, Placement};
use model::policy::{TAG_PREFIX, TAG_STANDBY, TAGS};
use model::settings::SettingFault;
use model::snapshot::Scheduling;
use model::strategy::StrategyItem;
use model::tracking::policy::TRACKING_TAGS;
use model::{IdError, ServiceKey, Timestamp};

use crate::capacity::clusters;
use crate::read_service::{NO_INSTANCE, PRIMARY, count, status, tags};
use crate::read_task::time;

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
        headroom_tasks: headroom(&tags(answer.tags())),
        placement_failed_at: placement_failed_at(answer),
    }))
}

/// The headroom that a service's tags ask for. On a service that is no primary this is the one place that reads its tags: one that no
/// part of Ballast knows may be a misspelt headroom, and must not pass for none. A primary's faults are spot-fallback's to tell.
///
/// # Errors
/// Every fault of the tags.
fn headroom(tags: &BTreeMap<String, String>) -> Result<u32, Vec<SettingFault>> {
    let headroom = headroom_tasks(tags);
    if tags.contains_key(TAG_STANDBY.name) {
        return headroom;
    }
    let is_known = |name: &str| {
        TAGS.iter()
            .chain(&SERVICE_TAGS)
            .chain(&TRACKING_TAGS)
            .any(|it| it.name == name)
    };
    let unknown = tags
        .iter()
        .filter(|(name, _)| name.starts_with(TAG_PREFIX) && !is_known(name));
    // An ECS tag's name has at most 128 characters and its value at most 256.
    // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
    let faults: Vec<SettingFault> = unknown
        .map(|(name, value)| SettingFault {
            name: name.chars().take(128).collect(),
            value: value.chars().take(256).collect(),
            allowed: "no tag of this name".to_owned(),
        })
        .collect();
    if faults.is_empty() {
        return headroom;
    }
    Err([headroom.err().unwrap_or_default(), faults].concat())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The headroom of a service with these tags, or the names of the tags at fault.
    fn check(given: &[(&str, &str)], want: Result<u32, &[&str]>) {
        let tags = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let headroom = headroom(&tags);
        let named = headroom
            .as_ref()
            .map_err(|faults| faults.iter().map(|it| it.name.as_str()).collect::<Vec<_>>());
        assert_eq!(named.copied(), want.map_err(<[&str]>::to_vec), "{given:?}");
    }

    #[test]
    fn a_tag_that_nobody_knows_is_no_headroom_of_zero() {
        check(&[("team", "web"), ("ballast:headroom-tasks", "3")], Ok(3));
        let misspelt = ("ballast:headroom-task", "3");
        check(&[misspelt], Err(&["ballast:headroom-task"]));
        check(
            &[("ballast:headroom-tasks", "-1"), misspelt],
            Err(&["ballast:headroom-tasks", "ballast:headroom-task"]),
        );
        // A group's tag says nothing on a service; a pair's may, also where the service is not in a pair yet.
        check(
            &[("ballast:cluster-scaler", "act")],
            Err(&["ballast:cluster-scaler"]),
        );
        check(&[("ballast:hold-down-secs", "60")], Ok(0));
        check(
            &[("ballast:standby-of", "web"), ("ballast:standbyof", "web")],
            Err(&["ballast:standbyof"]),
        );
    }

    #[test]
    fn a_primarys_tags_are_told_by_its_pair() {
        let primary = ("ballast:standby", "web-standby");
        check(&[primary, ("ballast:headroom-task", "3")], Ok(0));
        check(
            &[primary, ("ballast:headroom-tasks", "many")],
            Err(&["ballast:headroom-tasks"]),
        );
    }
}
