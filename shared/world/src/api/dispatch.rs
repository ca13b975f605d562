//! Which method answers which operation.

use serde_json::Value;

use super::take;
use crate::error::ApiError;
use crate::operation::Operation;
use crate::state::State;
use crate::world::World;

/// One line for each operation: a read gets the state that it reads from, a write gets the world. `&` before an input lends it.
macro_rules! dispatch {
    (
        read { $($read:ident => $reader:ident,)+ }
        write { $($write:ident => $writer:ident($($lent:tt)?),)+ }
    ) => {
        impl World {
            pub(super) fn read_from(
                &self,
                state: &State,
                operation: Operation,
                input: Value,
            ) -> Result<Value, ApiError> {
                match operation {
                    $(Operation::$read => self.$reader(state, &take(input)?),)+
                    $(Operation::$write)|+ => Err(ApiError::server()),
                }
            }

            pub(super) fn write(
                &mut self,
                operation: Operation,
                input: Value,
            ) -> Result<Value, ApiError> {
                match operation {
                    $(Operation::$write => self.$writer($($lent)? take(input)?),)+
                    $(Operation::$read)|+ => Err(ApiError::server()),
                }
            }
        }
    };
}

dispatch! {
    read {
        DescribeClusters => describe_clusters,
        ListClusters => list_clusters,
        DescribeTaskDefinition => describe_task_definition,
        DescribeCapacityProviders => describe_capacity_providers,
        ListContainerInstances => list_container_instances,
        DescribeContainerInstances => describe_container_instances,
        ListAttributes => list_attributes,
        GetTaskProtection => get_task_protection,
        ListServices => list_services,
        DescribeServices => describe_services,
        ListTasks => list_tasks,
        DescribeTasks => describe_tasks,
        ListTagsForResource => list_tags,
        DescribeScalableTargets => describe_targets,
        DescribeAutoScalingGroups => describe_groups,
        DescribeAutoScalingInstances => describe_group_instances,
        DescribeScalingActivities => describe_activities,
        DescribePolicies => describe_policies,
        DescribeScheduledActions => describe_schedules,
        DescribeLifecycleHooks => describe_hooks,
        DescribeWarmPool => describe_warm_pool,
        DescribeTags => describe_group_tags,
        GetMetricData => get_metric_data,
        DescribeAlarms => describe_alarms,
    }
    write {
        CreateCluster => create_cluster(),
        PutClusterCapacityProviders => put_providers(),
        CreateCapacityProvider => create_capacity_provider(),
        UpdateCapacityProvider => update_capacity_provider(&),
        DeleteCapacityProvider => delete_capacity_provider(&),
        UpdateContainerInstancesState => update_container_instances_state(&),
        DeregisterContainerInstance => deregister_container_instance(&),
        PutAttributes => put_attributes(&),
        RunTask => run_task(&),
        UpdateTaskProtection => update_task_protection(&),
        RegisterTaskDefinition => register_task_definition(&),
        CreateService => create_service(),
        UpdateService => update_service(),
        DeleteService => delete_service(&),
        StopTask => stop_task_call(&),
        TagResource => tag_resource(),
        UntagResource => untag_resource(&),
        RegisterScalableTarget => register_target(&),
        CreateAutoScalingGroup => create_group(),
        UpdateAutoScalingGroup => update_group(),
        DeleteAutoScalingGroup => delete_group(&),
        SetDesiredCapacity => set_desired(&),
        TerminateInstanceInAutoScalingGroup => terminate_instance(&),
        SetInstanceProtection => set_instance_protection(&),
        SuspendProcesses => suspend_processes(&),
        ResumeProcesses => resume_processes(&),
        PutScalingPolicy => put_policy(&),
        PutScheduledUpdateGroupAction => put_schedule(),
        PutLifecycleHook => put_hook(),
        CompleteLifecycleAction => complete_action(&),
        RecordLifecycleActionHeartbeat => heartbeat(&),
        CreateOrUpdateTags => put_group_tags(),
        DeleteTags => delete_group_tags(&),
        PutMetricData => put_metric_data(&),
        PutMetricAlarm => put_metric_alarm(),
        PutCompositeAlarm => put_composite(),
        DeleteAlarms => delete_alarms(&),
        SetAlarmState => set_state(&),
    }
}
