//! The lifecycle hooks of a group, and when its instances began to terminate.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types as autoscaling;
use calls::RateBucket;
use model::capacity::{Group, Lifecycle};
use model::drain::{DrainGroup, HookResult, LifecycleHook};
use model::{InstanceId, Seconds, Timestamp};

use crate::capacity::activities;
use crate::drain::Look;
use crate::drain::known_hooks::Hooks;
use crate::limits::{
    GLOBAL_TIMEOUT_HEARTBEATS_MAX, GLOBAL_TIMEOUT_MAX, HEARTBEAT_TIMEOUT_DEFAULT,
    TERMINATION_PAGES_MAX,
};
use crate::look::unreadable;

const DESCRIBE_LIFECYCLE_HOOKS: &str = "autoscaling:DescribeLifecycleHooks";

/// The transition of an instance on its way out.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const CONTINUE: &str = "CONTINUE";

/// The instances of a group that were looked at and are on their way out of it.
pub(crate) fn leaving(group: &DrainGroup) -> BTreeSet<InstanceId> {
    let leaving = group.instances.values().filter(|it| {
        let member = it.member.as_ref();
        member.is_some_and(|it| it.lifecycle == Lifecycle::Terminating)
    });
    leaving.map(|it| it.id.clone()).collect()
}

/// Reads the hooks for instances on their way out, unless this process has read them lately. They are read anew where an instance waits in a
/// hook and the one that Ballast completes is not among them: it may be new. A group has at most 50 hooks, and the answer no pages.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLifecycleHooks.html>
pub(crate) async fn read(look: &mut Look<'_>, group: &mut DrainGroup) {
    let operation = DESCRIBE_LIFECYCLE_HOOKS;
    let Some(of_group) = &group.group else {
        return;
    };
    if let Some(hooks) = known(look, group, of_group) {
        group.hooks = hooks;
        group.hooks_read = true;
        return;
    }
    let about = of_group.name.to_string();
    let request = look
        .observer
        .autoscaling
        .describe_lifecycle_hooks()
        .auto_scaling_group_name(&about)
        .send();
    let bucket = RateBucket::AutoScaling;
    let answer = match look.call(bucket, operation, &about, request).await {
        Ok(answer) => answer,
        Err(gap) => {
            group.gaps.push(gap);
            return;
        }
    };
    group.hooks_read = true;
    for answer in answer.lifecycle_hooks() {
        if answer.lifecycle_transition() != Some(TERMINATING) {
            continue;
        }
        match hook(answer) {
            Ok(hook) => _ = group.hooks.insert(hook.name.clone(), hook),
            Err(fault) => {
                group.hooks_read = false;
                group.gaps.push(unreadable(operation, &about, &fault));
            }
        }
    }
    if let (true, Some(now)) = (group.hooks_read, look.now()) {
        let known = &look.observer.known_hooks;
        known.keep(&of_group.name, group.hooks.clone(), now);
    }
}

/// The hooks as they were read before, where they will do.
fn known(look: &Look<'_>, group: &DrainGroup, of_group: &Group) -> Option<Hooks> {
    let hooks = look.observer.known_hooks.get(&of_group.name, look.now()?)?;
    let own = group.policy.as_ref().ok().map(|it| &it.lifecycle_hook);
    let has_own = own.is_some_and(|it| hooks.contains_key(it));
    (has_own || !waits(group)).then_some(hooks)
}

/// Whether an instance of the group that was looked at waits in a hook on its way out.
pub(crate) fn waits(group: &DrainGroup) -> bool {
    let mut members = group.instances.values().filter_map(|it| it.member.as_ref());
    members.any(|it| it.waits_in_hook)
}

/// Reads a hook. What AWS leaves out of its answer is what it documents as the default.
fn hook(answer: &autoscaling::LifecycleHook) -> Result<LifecycleHook, String> {
    let name = answer.lifecycle_hook_name().unwrap_or_default().parse();
    let secs = |number: Option<i32>| number.map(|secs| Seconds(i64::from(secs)));
    let heartbeat_timeout = secs(answer.heartbeat_timeout()).unwrap_or(HEARTBEAT_TIMEOUT_DEFAULT);
    let of_heartbeats = heartbeat_timeout
        .0
        .saturating_mul(GLOBAL_TIMEOUT_HEARTBEATS_MAX);
    Ok(LifecycleHook {
        name: name.map_err(|error: model::IdError| error.to_string())?,
        heartbeat_timeout,
        global_timeout: secs(answer.global_timeout())
            .unwrap_or(Seconds(of_heartbeats.min(GLOBAL_TIMEOUT_MAX.0))),
        default_result: match answer.default_result() {
            Some(CONTINUE) => HookResult::Continue,
            // ABANDON is the default of the API.
            _ => HookResult::Abandon,
        },
    })
}

/// Reads the newest activities of a group: launches that failed or go on, and since when the instances on their way out have been so.
pub(crate) async fn read_activities(look: &mut Look<'_>, group: &mut DrainGroup) {
    let leaving = leaving(group);
    let DrainGroup {
        group: of_group,
        gaps,
        instances,
        ..
    } = group;
    let Some(of_group) = of_group else {
        return;
    };
    let goes_on = |since: &BTreeMap<InstanceId, Timestamp>, pages| {
        pages < TERMINATION_PAGES_MAX && !leaving.iter().all(|id| since.contains_key(id))
    };
    let since = activities::read_of_group(look, of_group, gaps, goes_on).await;
    for (id, since) in since {
        let member = instances.get_mut(&id).and_then(|it| it.member.as_mut());
        if let Some(member) = member
            && member.lifecycle == Lifecycle::Terminating
        {
            member.terminating_since = Some(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        heartbeat: Option<i32>,
        global: Option<i32>,
        result: Option<&str>,
        want: (i64, i64, HookResult),
    ) {
        let answer = autoscaling::LifecycleHook::builder()
            .lifecycle_hook_name("drain")
            .set_heartbeat_timeout(heartbeat)
            .set_global_timeout(global)
            .set_default_result(result.map(str::to_owned))
            .build();
        let read = hook(&answer).unwrap();
        let seen = (
            read.heartbeat_timeout.0,
            read.global_timeout.0,
            read.default_result,
        );
        assert_eq!(seen, want, "{answer:?}");
    }

    #[test]
    fn what_a_hook_does_not_say_is_the_default() {
        let whole = (60, 6_000, HookResult::Continue);
        check(Some(60), Some(6_000), Some("CONTINUE"), whole);
        check(Some(60), None, None, (60, 6_000, HookResult::Abandon));
        check(None, None, None, (3_600, 172_800, HookResult::Abandon));
        let unknown = (30, 3_000, HookResult::Abandon);
        check(Some(30), None, Some("PERHAPS"), unknown);
    }

    #[test]
    fn a_hook_without_a_name_is_a_fault() {
        let answer = autoscaling::LifecycleHook::builder().build();
        assert_eq!(hook(&answer).unwrap_err(), "a lifecycle hook name is empty");
    }
}
