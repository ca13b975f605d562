//! Scaling policies.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{PAGE_DEFAULT, PAGE_MAX, Paging, paged};
use crate::api::cloudwatch::{Milli, WireDimension, dimensions_json, dimensions_of, word_of};
use crate::autoscaling::{group_not_found, validation};
use crate::cloudwatch::value_of;
use crate::error::ApiError;
use crate::state::{
    Adjustment, MetricKey, Policy, PolicyKind, SimpleScaling, State, Statistic, Step, StepScaling,
    TargetTracking,
};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribePolicies {
    auto_scaling_group_name: Option<String>,
    #[serde(default)]
    policy_names: Vec<String>,
    #[serde(default)]
    policy_types: Vec<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutPolicy {
    auto_scaling_group_name: String,
    policy_name: String,
    policy_type: Option<String>,
    adjustment_type: Option<String>,
    scaling_adjustment: Option<i32>,
    cooldown: Option<u32>,
    #[serde(default)]
    step_adjustments: Vec<WireStep>,
    estimated_instance_warmup: Option<u32>,
    target_tracking_configuration: Option<WireTracking>,
    enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireStep {
    metric_interval_lower_bound: Option<Milli>,
    metric_interval_upper_bound: Option<Milli>,
    scaling_adjustment: i32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTracking {
    predefined_metric_specification: Option<Predefined>,
    customized_metric_specification: Option<Customized>,
    target_value: Milli,
    #[serde(default)]
    disable_scale_in: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Predefined {
    predefined_metric_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Customized {
    metric_name: String,
    namespace: String,
    #[serde(default)]
    dimensions: Vec<WireDimension>,
    statistic: Option<String>,
}

fn type_of(policy: &Policy) -> &'static str {
    match policy.kind {
        PolicyKind::TargetTracking(_) => "TargetTrackingScaling",
        PolicyKind::Step(_) => "StepScaling",
        PolicyKind::Simple(_) => "SimpleScaling",
    }
}

impl World {
    pub(in crate::api) fn put_policy(&mut self, input: &PutPolicy) -> Result<Value, ApiError> {
        let group = &input.auto_scaling_group_name;
        let known = self.state.groups.get(group).ok_or_else(group_not_found)?;
        let warmup = input
            .estimated_instance_warmup
            .or(known.default_instance_warmup_secs)
            .unwrap_or(known.default_cooldown_secs);
        let kind = kind_of(group, input, warmup)?;
        let arn = self.put_scaling_policy(group, &input.policy_name, kind)?;
        let enabled = input.enabled.unwrap_or(true);
        let mut alarms = Vec::new();
        let known = self.state.groups.get_mut(group);
        if let Some(policy) = known.and_then(|it| it.policies.get_mut(&input.policy_name)) {
            policy.enabled = enabled;
            if let PolicyKind::TargetTracking(tracking) = &policy.kind {
                alarms.clone_from(&tracking.alarms);
            }
        }
        Ok(json!({ "PolicyARN": arn, "Alarms": self.alarms_json(&alarms) }))
    }

    pub(in crate::api) fn describe_policies(
        &self,
        state: &State,
        input: &DescribePolicies,
    ) -> Result<Value, ApiError> {
        let named = input.auto_scaling_group_name.as_deref();
        if named.is_some_and(|it| !state.groups.contains_key(it)) {
            return Err(group_not_found());
        }
        let (names, types) = (&input.policy_names, &input.policy_types);
        let mut entries = Vec::new();
        for (group, known) in &state.groups {
            for (name, policy) in &known.policies {
                let is_wanted = named.is_none_or(|it| it == group)
                    && (names.is_empty() || names.iter().any(|it| it == name || *it == policy.arn))
                    && (types.is_empty() || types.iter().any(|it| it == type_of(policy)));
                if is_wanted {
                    let json = self.policy_json(state, group, name, policy);
                    entries.push((format!("{group}/{name}"), Value::Object(json)));
                }
            }
        }
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        let sizes = (PAGE_DEFAULT, PAGE_MAX);
        paged(&entries, &input.paging, sizes, "ScalingPolicies")
    }

    fn alarms_json(&self, names: &[String]) -> Value {
        names
            .iter()
            .map(|it| json!({ "AlarmName": it, "AlarmARN": self.alarm_arn(it) }))
            .collect()
    }

    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ScalingPolicy.html>
    fn policy_json(
        &self,
        state: &State,
        group: &str,
        name: &str,
        policy: &Policy,
    ) -> Map<String, Value> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| {
            json.insert(name.to_owned(), value);
        };
        put("AutoScalingGroupName", json!(group));
        put("PolicyName", json!(name));
        put("PolicyARN", json!(policy.arn));
        put("PolicyType", json!(type_of(policy)));
        put("Enabled", json!(policy.enabled));
        // Alarms name the policies that they run, not the other way round.
        let alarms: Vec<String> = state
            .alarms
            .values()
            .filter(|it| it.actions.alarm.contains(&policy.arn))
            .map(|it| it.name.clone())
            .collect();
        put("Alarms", self.alarms_json(&alarms));
        match &policy.kind {
            PolicyKind::TargetTracking(it) => {
                put("EstimatedInstanceWarmup", json!(it.instance_warmup_secs));
                put("TargetTrackingConfiguration", tracking_json(it));
            }
            PolicyKind::Step(it) => {
                put("AdjustmentType", json!(it.adjustment.as_str()));
                put("EstimatedInstanceWarmup", json!(it.instance_warmup_secs));
                put("StepAdjustments", it.steps.iter().map(step_json).collect());
            }
            PolicyKind::Simple(it) => {
                put("AdjustmentType", json!(it.adjustment.as_str()));
                put("ScalingAdjustment", json!(it.by));
                put("Cooldown", json!(it.cooldown_secs));
            }
        }
        json
    }
}

fn step_json(step: &Step) -> Value {
    json!({
        "MetricIntervalLowerBound": step.from_milli.map(value_of),
        "MetricIntervalUpperBound": step.to_milli.map(value_of),
        "ScalingAdjustment": step.by,
    })
}

fn tracking_json(tracking: &TargetTracking) -> Value {
    let mut json = json!({
        "TargetValue": value_of(tracking.target_milli),
        "DisableScaleIn": tracking.disable_scale_in,
    });
    let (name, specification) = match &tracking.predefined {
        Some(word) => (
            "PredefinedMetricSpecification",
            json!({ "PredefinedMetricType": word }),
        ),
        None => (
            "CustomizedMetricSpecification",
            json!({
                "Namespace": tracking.metric.namespace,
                "MetricName": tracking.metric.name,
                "Dimensions": dimensions_json(&tracking.metric.dimensions),
                "Statistic": tracking.statistic.as_str(),
            }),
        ),
    };
    if let Some(json) = json.as_object_mut() {
        json.insert(name.to_owned(), specification);
    }
    json
}

fn kind_of(group: &str, input: &PutPolicy, warmup: u32) -> Result<PolicyKind, ApiError> {
    match input.policy_type.as_deref().unwrap_or("SimpleScaling") {
        "TargetTrackingScaling" => {
            let tracking = input
                .target_tracking_configuration
                .as_ref()
                .ok_or_else(|| {
                    validation("TargetTrackingConfiguration is required for TargetTrackingScaling")
                })?;
            tracking_of(group, tracking, warmup).map(PolicyKind::TargetTracking)
        }
        "StepScaling" => {
            if input.step_adjustments.is_empty() {
                return Err(validation(
                    "At least one StepAdjustment is required for StepScaling",
                ));
            }
            Ok(PolicyKind::Step(StepScaling {
                adjustment: adjustment_of(input)?,
                steps: input
                    .step_adjustments
                    .iter()
                    .map(|it| Step {
                        from_milli: it.metric_interval_lower_bound.map(|it| it.0),
                        to_milli: it.metric_interval_upper_bound.map(|it| it.0),
                        by: it.scaling_adjustment,
                    })
                    .collect(),
                instance_warmup_secs: warmup,
            }))
        }
        "SimpleScaling" => Ok(PolicyKind::Simple(SimpleScaling {
            adjustment: adjustment_of(input)?,
            by: input
                .scaling_adjustment
                .ok_or_else(|| validation("ScalingAdjustment is required for SimpleScaling"))?,
            cooldown_secs: input.cooldown,
        })),
        other => Err(validation(format!(
            "this world has no policies of the type {other}"
        ))),
    }
}

fn adjustment_of(input: &PutPolicy) -> Result<Adjustment, ApiError> {
    let word = input.adjustment_type.as_deref().unwrap_or_default();
    Adjustment::parse(word).ok_or_else(|| validation(format!("Invalid AdjustmentType: {word:?}")))
}

fn tracking_of(group: &str, input: &WireTracking, warmup: u32) -> Result<TargetTracking, ApiError> {
    if input.target_value.0 <= 0 {
        return Err(validation("TargetValue must be greater than 0"));
    }
    let group_metric =
        |name: &str| MetricKey::new("AWS/EC2", name, &[("AutoScalingGroupName", group)]);
    let (metric, predefined, statistic) = match (
        &input.predefined_metric_specification,
        &input.customized_metric_specification,
    ) {
        (Some(it), None) => {
            let word = it.predefined_metric_type.as_str();
            let name = match word {
                "ASGAverageCPUUtilization" => "CPUUtilization",
                "ASGAverageNetworkIn" => "NetworkIn",
                "ASGAverageNetworkOut" => "NetworkOut",
                _ => {
                    return Err(validation(format!(
                        "this world does not know the predefined metric {word}"
                    )));
                }
            };
            let word = Some(word.to_owned());
            (group_metric(name), word, Statistic::Average)
        }
        (None, Some(it)) => {
            let metric = MetricKey {
                namespace: it.namespace.clone(),
                name: it.metric_name.clone(),
                dimensions: dimensions_of(&it.dimensions),
            };
            let word = it.statistic.as_deref().unwrap_or("Average");
            (metric, None, word_of(word, "Statistic", Statistic::parse)?)
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(validation(
                "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification is required",
            ));
        }
    };
    Ok(TargetTracking {
        predefined,
        statistic,
        disable_scale_in: input.disable_scale_in,
        instance_warmup_secs: warmup,
        ..TargetTracking::new(metric, input.target_value.0)
    })
}
