//! What DescribeServices answers, as the model's service.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{self as ecs, DeploymentControllerType, LaunchType, SchedulingStrategy};
use model::snapshot::{
    Controller, Deployment, NotPlaced, ProviderShare, Scheduling, Service, ServiceStatus,
};
use model::strategy::{FARGATE, FARGATE_SPOT, Market, StrategyItem};
use model::{CapacityProviderName, ServiceKey, TaskDefinitionArn};

use crate::read_task::time;

/// The status of the newest deployment, and of the task set that serves.
pub(crate) const PRIMARY: &str = "PRIMARY";

/// What a service's log says when no instance has room for a task.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
pub(crate) const NO_INSTANCE: &str =
    "was unable to place a task because no container instance met all of its requirements";
/// What it says when everything that was missing is there.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
const STEADY: &str = "has reached a steady state";
/// How much of a line is kept, in characters.
const TEXT_CHARACTERS_MAX: usize = 256;

/// Reads a service. Its tasks, markets beyond Fargate's, stop timeout and scaling are not in the answer and are filled in later.
///
/// # Errors
/// What the answer lacks, in words.
pub(crate) fn service(key: &ServiceKey, answer: &ecs::Service) -> Result<Service, String> {
    let controller = controller(answer);
    Ok(Service {
        key: key.clone(),
        status: status(answer.status()),
        created_at: time(answer.created_at()),
        desired_count: count("desiredCount", answer.desired_count())?,
        running_count: count("runningCount", answer.running_count())?,
        pending_count: count("pendingCount", answer.pending_count())?,
        task_definition: task_definition(answer)?,
        capacity: capacity(answer)?,
        scheduling: match answer.scheduling_strategy() {
            Some(SchedulingStrategy::Daemon) => Scheduling::Daemon,
            // REPLICA is the default of the API.
            _ => Scheduling::Replica,
        },
        controller,
        deployments: deployments(answer)?,
        tags: tags(answer.tags()),
        tasks: Vec::new(),
        // Until the tasks are read, none is.
        all_to_run_read: false,
        stop_timeout: None,
        scaled_by_application_auto_scaling: None,
        not_placed: not_placed(answer),
    })
}

/// What the service's log says since its last steady state about tasks that no instance took, oldest first. ECS answers with at most
/// 100 lines of the log (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html>).
fn not_placed(answer: &ecs::Service) -> Vec<NotPlaced> {
    let lines = || {
        let events = answer.events().iter();
        events.filter_map(|it| Some((time(it.created_at())?, it.message()?)))
    };
    let steady = lines().filter(|(_, text)| text.contains(STEADY));
    let steady_at = steady.map(|(at, _)| at).max();
    let mut not_placed: Vec<NotPlaced> = lines()
        .filter(|(at, text)| text.contains(NO_INSTANCE) && steady_at.is_none_or(|it| it < *at))
        .map(|(at, text)| {
            let (_, why) = text.split_once(NO_INSTANCE).unwrap_or_default();
            let why = why.trim_start_matches('.').trim();
            let plain = why.chars().map(|it| if it.is_control() { ' ' } else { it });
            let text = plain.take(TEXT_CHARACTERS_MAX).collect();
            NotPlaced { at, text }
        })
        .collect();
    not_placed.sort_unstable();
    not_placed
}

pub(crate) fn status(text: Option<&str>) -> ServiceStatus {
    match text {
        Some("ACTIVE") => ServiceStatus::Active,
        Some("DRAINING") => ServiceStatus::Draining,
        Some("INACTIVE") => ServiceStatus::Inactive,
        other => ServiceStatus::Other(other.unwrap_or("UNKNOWN").chars().take(64).collect()),
    }
}

pub(crate) fn count(name: &str, number: i32) -> Result<u32, String> {
    u32::try_from(number).map_err(|_| format!("`{name}` is {number}"))
}

fn controller(answer: &ecs::Service) -> Controller {
    // A service without the field is deployed by ECS itself.
    match answer
        .deployment_controller()
        .map(ecs::DeploymentController::r#type)
    {
        None | Some(DeploymentControllerType::Ecs) => Controller::Ecs,
        Some(DeploymentControllerType::CodeDeploy) => Controller::CodeDeploy,
        Some(DeploymentControllerType::External) => Controller::External,
        Some(other) => Controller::Other(other.as_str().chars().take(64).collect()),
    }
}

/// The task definition of the newest deployment. A service that an external controller deploys has its task definition in its
/// task sets; one that has no task set either runs nothing, and says `none`.
fn task_definition(answer: &ecs::Service) -> Result<TaskDefinitionArn, String> {
    let of_deployment = answer
        .deployments()
        .iter()
        .find(|it| it.status() == Some(PRIMARY))
        .and_then(ecs::Deployment::task_definition);
    let of_task_set = || {
        let newest = answer
            .task_sets()
            .iter()
            .find(|it| it.status() == Some(PRIMARY));
        newest.and_then(ecs::TaskSet::task_definition)
    };
    of_deployment
        .or(answer.task_definition())
        .or_else(of_task_set)
        .unwrap_or("none")
        .parse()
        .map_err(|error: model::IdError| error.to_string())
}

/// Where the service's tasks may run: its strategy, or its launch type.
fn capacity(answer: &ecs::Service) -> Result<Vec<ProviderShare>, String> {
    let strategy = answer.capacity_provider_strategy();
    if strategy.is_empty() {
        return Ok(answer
            .launch_type()
            .map(launch_type)
            .transpose()?
            .into_iter()
            .collect());
    }
    strategy
        .iter()
        .map(|line| {
            let provider = CapacityProviderName::from_arn_or_name(line.capacity_provider())
                .map_err(|error| error.to_string())?;
            Ok(ProviderShare {
                market: market_by_name(&provider),
                item: StrategyItem {
                    provider,
                    base: count("base", line.base())?,
                    weight: count("weight", line.weight())?,
                },
            })
        })
        .collect()
}

/// A launch type as a line: base 0, weight 1 and its own name. FARGATE is on-demand; what EC2, EXTERNAL and MANAGED_INSTANCES run
/// on cannot be told from the service.
fn launch_type(launch_type: &LaunchType) -> Result<ProviderShare, String> {
    let provider: CapacityProviderName = launch_type
        .as_str()
        .parse()
        .map_err(|error: model::IdError| error.to_string())?;
    Ok(ProviderShare {
        market: if *launch_type == LaunchType::Fargate {
            Market::OnDemand
        } else {
            Market::Unknown
        },
        item: StrategyItem {
            provider,
            base: 0,
            weight: 1,
        },
    })
}

/// The market of Fargate's two providers; of any other nothing is known yet.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html>
fn market_by_name(provider: &CapacityProviderName) -> Market {
    match provider.as_str() {
        FARGATE => Market::OnDemand,
        FARGATE_SPOT => Market::Spot,
        _ => Market::Unknown,
    }
}

fn deployments(answer: &ecs::Service) -> Result<Vec<Deployment>, String> {
    answer
        .deployments()
        .iter()
        .map(|deployment| {
            Ok(Deployment {
                id: deployment
                    .id()
                    .unwrap_or_default()
                    .parse()
                    .map_err(|error: model::IdError| error.to_string())?,
                is_primary: deployment.status() == Some(PRIMARY),
                in_progress: deployment.rollout_state()
                    == Some(&ecs::DeploymentRolloutState::InProgress),
            })
        })
        .collect()
}

pub(crate) fn tags(tags: &[ecs::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| {
            let value = tag.value().unwrap_or_default();
            Some((tag.key()?.to_owned(), value.to_owned()))
        })
        .collect()
}
