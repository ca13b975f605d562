//! Warm pools beside groups.

use model::strategy::Market;
use serde_json::{Value, json};
use world::{
    GroupSpec, Hook, HookResult, LaunchSpec, Lifecycle, MachineState, Operation, Transition,
    WarmPoolState, World,
};

use crate::stage::{GROUP, SETTLE_SECS, call, details, group, instances, refused, spot, with};

const HOOK: &str = "drain";

/// A group of two on-demand instances with a hook for terminations, and a pool of so many.
fn pooled(size: u32, state: WarmPoolState) -> World {
    let launch = LaunchSpec::template("pooled");
    let mut world = with(GroupSpec::new(GROUP, launch, 0, 2, 10));
    world.declare_launch_template("pooled", "m5.large", Market::OnDemand);
    let hook = Hook {
        heartbeat_timeout_secs: 600,
        default_result: HookResult::Continue,
        ..Hook::new(Transition::Terminating)
    };
    world.put_lifecycle_hook(GROUP, HOOK, hook).unwrap();
    world.advance_secs(SETTLE_SECS);
    world.put_warm_pool(GROUP, size, state).unwrap();
    world.advance_secs(SETTLE_SECS);
    world.take_due_events();
    world
}

fn described(world: &mut World) -> Value {
    let input = json!({"AutoScalingGroupNames": [GROUP]});
    let read = call(world, Operation::DescribeAutoScalingGroups, input);
    read["AutoScalingGroups"][0].clone()
}

fn pool(world: &mut World) -> Value {
    let input = json!({"AutoScalingGroupName": GROUP});
    call(world, Operation::DescribeWarmPool, input)
}

#[test]
fn a_pool_waits_beside_its_group_and_no_list_of_groups_shows_it() {
    for (state, lifecycle, machine) in [
        (
            WarmPoolState::Stopped,
            Lifecycle::WarmedStopped,
            MachineState::Stopped,
        ),
        (
            WarmPoolState::Running,
            Lifecycle::WarmedRunning,
            MachineState::Running,
        ),
    ] {
        let mut world = pooled(3, state);
        let warm = instances(&world, lifecycle);
        assert_eq!(warm.len(), 3);
        assert!(warm.iter().all(|it| it.state == machine));
        let ids: Vec<String> = warm.iter().map(|it| it.id.clone()).collect();
        assert_eq!(world.group_capacity(GROUP), 2);

        let group = described(&mut world);
        assert_eq!(group["Instances"].as_array().unwrap().len(), 2);
        let configuration = json!({"MinSize": 3, "PoolState": state.as_str()});
        assert_eq!(group["WarmPoolConfiguration"], configuration);
        assert_eq!(group["WarmPoolSize"], 3);

        let pool = pool(&mut world);
        assert_eq!(pool["WarmPoolConfiguration"], configuration);
        let listed: Vec<&str> = pool["Instances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["InstanceId"].as_str().unwrap())
            .collect();
        assert_eq!(listed, ids);
        let by_id = call(
            &mut world,
            Operation::DescribeAutoScalingInstances,
            json!({ "InstanceIds": ids }),
        );
        for it in by_id["AutoScalingInstances"].as_array().unwrap() {
            assert_eq!(it["AutoScalingGroupName"], GROUP);
            assert_eq!(it["LifecycleState"], lifecycle.as_str());
        }
        assert_eq!(by_id["AutoScalingInstances"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn an_instance_leaves_its_pool_through_the_hooks_of_its_group() {
    let mut world = pooled(2, WarmPoolState::Stopped);
    world
        .put_warm_pool(GROUP, 1, WarmPoolState::Stopped)
        .unwrap();
    world.advance_secs(5);
    let waiting = instances(&world, Lifecycle::WarmedTerminatingWait);
    assert_eq!(waiting.len(), 1);
    let id = waiting[0].id.clone();
    let told = details(
        &world.take_due_events(),
        "EC2 Instance-terminate Lifecycle Action",
    );
    assert_eq!(told[0]["EC2InstanceId"], id.as_str());
    assert_eq!(told[0]["Origin"], "WarmPool");
    assert_eq!(told[0]["Destination"], "EC2");
    let activity = &group(&world).activities[0];
    let description = format!("Terminating EC2 instance from warm pool: {id}");
    assert_eq!(activity.description, description);
    let states = pool(&mut world)["Instances"].clone();
    let states = states.as_array().unwrap().iter();
    let mut states: Vec<&str> = states
        .map(|it| it["LifecycleState"].as_str().unwrap())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["Warmed:Stopped", "Warmed:Terminating:Wait"]);

    world
        .record_lifecycle_heartbeat(GROUP, HOOK, Some(&id), None)
        .unwrap();
    world
        .complete_lifecycle_action(GROUP, HOOK, Some(&id), None, HookResult::Continue)
        .unwrap();
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::WarmedTerminatingProceed
    );
    world.advance_secs(SETTLE_SECS);
    assert_eq!(pool(&mut world)["Instances"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.state().instances[&id].lifecycle_state,
        Lifecycle::Terminated
    );
    // The group itself is as it was.
    assert_eq!(world.group_capacity(GROUP), 2);
}

#[test]
fn a_pool_that_is_deleted_is_gone_with_its_last_instance() {
    let mut world = pooled(2, WarmPoolState::Running);
    world.delete_warm_pool(GROUP).unwrap();
    world.advance_secs(5);
    let group = described(&mut world);
    assert_eq!(group["WarmPoolConfiguration"]["Status"], "PendingDelete");
    assert_eq!(group["WarmPoolSize"], 2);
    // The hook's time goes by.
    world.advance_secs(600 + SETTLE_SECS);
    let group = described(&mut world);
    assert_eq!(group["WarmPoolConfiguration"], Value::Null);
    assert_eq!(pool(&mut world), json!({"Instances": []}));
    let error = world.delete_warm_pool(GROUP).unwrap_err();
    assert_eq!(error.code, "ValidationError");
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeWarmPool.html>
#[test]
fn a_page_has_at_most_fifty_instances() {
    let mut world = pooled(120, WarmPoolState::Stopped);
    let mut sizes = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"AutoScalingGroupName": GROUP});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = call(&mut world, Operation::DescribeWarmPool, input);
        sizes.push(page["Instances"].as_array().unwrap().len());
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [50, 50, 20]);
    let large = json!({"AutoScalingGroupName": GROUP, "MaxRecords": 51});
    let (code, _) = refused(&mut world, Operation::DescribeWarmPool, large);
    assert_eq!(code, "ValidationError");
}

#[test]
fn what_aws_refuses_of_pools_is_refused() {
    let mut world = pooled(1, WarmPoolState::Running);
    let id = instances(&world, Lifecycle::WarmedRunning)[0].id.clone();
    let error = world.terminate_instance_in_group(&id, false).unwrap_err();
    assert_eq!(error.code, "ValidationError");
    assert!(error.message.contains("warm pool"), "{}", error.message);
    let missing = json!({"AutoScalingGroupName": "nobody"});
    let (code, _) = refused(&mut world, Operation::DescribeWarmPool, missing);
    assert_eq!(code, "ValidationError");
    let mut world = spot(1, 2);
    let error = world.put_warm_pool(GROUP, 1, WarmPoolState::Running);
    assert!(error.unwrap_err().message.contains("Spot"));
}
