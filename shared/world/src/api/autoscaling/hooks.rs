//! Lifecycle hooks and the actions that wait for them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::autoscaling::{group_not_found, validation};
use crate::error::ApiError;
use crate::state::{HEARTBEAT_TIMEOUT_SECS, Hook, HookResult, State, Transition};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeHooks {
    auto_scaling_group_name: String,
    #[serde(default)]
    lifecycle_hook_names: Vec<String>,
}

/// A hook as it is put in, alone or with a new group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct HookSpec {
    lifecycle_hook_name: String,
    lifecycle_transition: Option<String>,
    heartbeat_timeout: Option<u32>,
    default_result: Option<String>,
    notification_metadata: Option<String>,
    #[serde(rename = "NotificationTargetARN")]
    notification_target: Option<String>,
    #[serde(rename = "RoleARN")]
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct PutHook {
    auto_scaling_group_name: String,
    #[serde(flatten)]
    hook: HookSpec,
}

/// Which wait a caller means.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct Heartbeat {
    auto_scaling_group_name: String,
    lifecycle_hook_name: String,
    instance_id: Option<String>,
    lifecycle_action_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct CompleteAction {
    lifecycle_action_result: String,
    #[serde(flatten)]
    wait: Heartbeat,
}

fn result_of(word: &str) -> Result<HookResult, ApiError> {
    HookResult::parse(word).ok_or_else(|| {
        validation(format!(
            "Lifecycle action result must be CONTINUE or ABANDON, not {word}"
        ))
    })
}

impl HookSpec {
    pub(super) fn into_hook(self) -> Result<(String, Hook), ApiError> {
        let transition = self.lifecycle_transition.as_deref().unwrap_or_default();
        let transition = Transition::parse(transition)
            .ok_or_else(|| validation(format!("Invalid lifecycle transition: {transition:?}")))?;
        let mut hook = Hook::new(transition);
        if let Some(secs) = self.heartbeat_timeout {
            if !HEARTBEAT_TIMEOUT_SECS.contains(&secs) {
                return Err(validation(format!(
                    "Heartbeat timeout must be between {} and {} seconds",
                    HEARTBEAT_TIMEOUT_SECS.start(),
                    HEARTBEAT_TIMEOUT_SECS.end()
                )));
            }
            hook.heartbeat_timeout_secs = secs;
        }
        if let Some(word) = &self.default_result {
            hook.default_result = result_of(word)?;
        }
        hook.notification_metadata = self.notification_metadata;
        // An empty text takes the target away.
        hook.notification_target = self.notification_target.filter(|it| !it.is_empty());
        hook.role = self.role;
        Ok((self.lifecycle_hook_name, hook))
    }
}

impl World {
    pub(in crate::api) fn describe_hooks(
        &self,
        state: &State,
        input: &DescribeHooks,
    ) -> Result<Value, ApiError> {
        let name = &input.auto_scaling_group_name;
        let group = state.groups.get(name).ok_or_else(group_not_found)?;
        let names = &input.lifecycle_hook_names;
        let hooks: Vec<Value> = group
            .hooks
            .iter()
            .filter(|(hook, _)| names.is_empty() || names.contains(hook))
            .map(|(hook, it)| Value::Object(hook_json(name, hook, it)))
            .collect();
        Ok(json!({ "LifecycleHooks": hooks }))
    }

    pub(in crate::api) fn put_hook(&mut self, input: PutHook) -> Result<Value, ApiError> {
        let mut spec = input.hook;
        let group = &input.auto_scaling_group_name;
        let known = self.state.groups.get(group).ok_or_else(group_not_found)?;
        // What a changed hook does not name stays.
        if let Some(old) = known.hooks.get(&spec.lifecycle_hook_name) {
            spec.lifecycle_transition
                .get_or_insert_with(|| old.transition.as_str().to_owned());
            spec.heartbeat_timeout
                .get_or_insert(old.heartbeat_timeout_secs);
            spec.default_result
                .get_or_insert_with(|| old.default_result.as_str().to_owned());
            if spec.notification_metadata.is_none() {
                spec.notification_metadata
                    .clone_from(&old.notification_metadata);
            }
            if spec.notification_target.is_none() {
                spec.notification_target
                    .clone_from(&old.notification_target);
            }
            if spec.role.is_none() {
                spec.role.clone_from(&old.role);
            }
        }
        let (name, hook) = spec.into_hook()?;
        self.put_lifecycle_hook(group, &name, hook)?;
        Ok(json!({}))
    }

    pub(in crate::api) fn complete_action(
        &mut self,
        input: &CompleteAction,
    ) -> Result<Value, ApiError> {
        let result = result_of(&input.lifecycle_action_result)?;
        let wait = &input.wait;
        self.complete_lifecycle_action(
            &wait.auto_scaling_group_name,
            &wait.lifecycle_hook_name,
            wait.instance_id.as_deref(),
            wait.lifecycle_action_token.as_deref(),
            result,
        )?;
        Ok(json!({}))
    }

    pub(in crate::api) fn heartbeat(&mut self, input: &Heartbeat) -> Result<Value, ApiError> {
        self.record_lifecycle_heartbeat(
            &input.auto_scaling_group_name,
            &input.lifecycle_hook_name,
            input.instance_id.as_deref(),
            input.lifecycle_action_token.as_deref(),
        )?;
        Ok(json!({}))
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
fn hook_json(group: &str, name: &str, hook: &Hook) -> Map<String, Value> {
    let mut json = Map::new();
    let mut put = |name: &str, value: Value| {
        json.insert(name.to_owned(), value);
    };
    put("LifecycleHookName", json!(name));
    put("AutoScalingGroupName", json!(group));
    put("LifecycleTransition", json!(hook.transition.as_str()));
    put("HeartbeatTimeout", json!(hook.heartbeat_timeout_secs));
    put("GlobalTimeout", json!(hook.global_timeout_secs()));
    put("DefaultResult", json!(hook.default_result.as_str()));
    if let Some(text) = &hook.notification_metadata {
        put("NotificationMetadata", json!(text));
    }
    if let Some(target) = &hook.notification_target {
        put("NotificationTargetARN", json!(target));
    }
    if let Some(role) = &hook.role {
        put("RoleARN", json!(role));
    }
    json
}
