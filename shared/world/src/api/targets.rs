//! Application Auto Scaling, as far as it says that a service is scaled by it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{SCALABLE_TARGETS_PAGE_MAX, page, page_size};
use super::wire::epoch;
use crate::error::ApiError;
use crate::state::{ScalableTarget, State};
use crate::world::World;

/// The one dimension of the namespace `ecs`.
const DIMENSION: &str = "ecs:service:DesiredCount";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTargets {
    service_namespace: Option<String>,
    #[serde(default)]
    resource_ids: Vec<String>,
    scalable_dimension: Option<String>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RegisterTarget {
    service_namespace: Option<String>,
    resource_id: String,
    scalable_dimension: Option<String>,
    min_capacity: Option<u32>,
    max_capacity: Option<u32>,
}

fn namespace_is_ecs(namespace: Option<&str>) -> Result<(), ApiError> {
    match namespace {
        Some("ecs") => Ok(()),
        other => Err(validation(format!(
            "Unsupported service namespace: {}",
            other.unwrap_or("null")
        ))),
    }
}

fn validation(message: String) -> ApiError {
    ApiError::new("ValidationException", message, 400)
}

impl World {
    pub(super) fn describe_targets(
        &self,
        state: &State,
        input: &DescribeTargets,
    ) -> Result<Value, ApiError> {
        namespace_is_ecs(input.service_namespace.as_deref())?;
        let size = page_size(
            input.max_results,
            SCALABLE_TARGETS_PAGE_MAX,
            SCALABLE_TARGETS_PAGE_MAX,
        )
        .map_err(|it| validation(it.message))?;
        let wanted = state.scalable_targets.iter().filter(|(id, _)| {
            (input.resource_ids.is_empty() || input.resource_ids.contains(id))
                && input
                    .scalable_dimension
                    .as_ref()
                    .is_none_or(|it| it == DIMENSION)
        });
        let (items, next) = page(
            wanted.map(|(id, target)| (id.as_str(), (id, target))),
            input.next_token.as_deref(),
            size,
        )
        .map_err(|it| ApiError::new("InvalidNextTokenException", it.message, 400))?;
        let targets: Vec<Value> = items
            .into_iter()
            .map(|(id, target)| {
                json!({
                    "ServiceNamespace": "ecs",
                    "ResourceId": id,
                    "ScalableDimension": DIMENSION,
                    "MinCapacity": target.min_capacity,
                    "MaxCapacity": target.max_capacity,
                    "RoleARN": format!(
                        "arn:aws:iam::{}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/\
                         AWSServiceRoleForApplicationAutoScaling_ECSService",
                        self.config.account
                    ),
                    "CreationTime": epoch(target.created_at),
                    "SuspendedState": {
                        "DynamicScalingInSuspended": false,
                        "DynamicScalingOutSuspended": false,
                        "ScheduledScalingSuspended": false,
                    },
                })
            })
            .collect();
        let mut answer = json!({ "ScalableTargets": targets });
        if let (Some(token), Some(answer)) = (next, answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), Value::String(token));
        }
        Ok(answer)
    }

    pub(super) fn register_target(&mut self, input: &RegisterTarget) -> Result<Value, ApiError> {
        namespace_is_ecs(input.service_namespace.as_deref())?;
        if input.scalable_dimension.as_deref() != Some(DIMENSION) {
            return Err(validation("Unsupported scalable dimension".to_owned()));
        }
        let known = self.state.scalable_targets.get(&input.resource_id);
        let min = input.min_capacity.or(known.map(|it| it.min_capacity));
        let max = input.max_capacity.or(known.map(|it| it.max_capacity));
        let (Some(min_capacity), Some(max_capacity)) = (min, max) else {
            return Err(validation(
                "Minimum capacity and maximum capacity are required for a new scalable target"
                    .to_owned(),
            ));
        };
        if min_capacity > max_capacity {
            return Err(validation(
                "Maximum capacity cannot be less than minimum capacity".to_owned(),
            ));
        }
        let exists = input
            .resource_id
            .strip_prefix("service/")
            .and_then(|it| it.parse().ok())
            .is_some_and(|key| self.state.services.contains_key(&key));
        if !exists {
            return Err(validation(format!(
                "ECS service doesn't exist: {}",
                input.resource_id
            )));
        }
        let created_at = known.map_or(self.now, |it| it.created_at);
        self.state.scalable_targets.insert(
            input.resource_id.clone(),
            ScalableTarget {
                min_capacity,
                max_capacity,
                created_at,
            },
        );
        Ok(json!({
            "ScalableTargetARN": format!(
                "arn:aws:application-autoscaling:{}:{}:scalable-target/{}",
                self.config.region,
                self.config.account,
                self.dice.hex(20, "scalable target", &input.resource_id, 0),
            ),
        }))
    }
}
