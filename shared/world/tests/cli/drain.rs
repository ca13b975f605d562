//! What an operator, or a function, asks and says of instances that go away, with the AWS CLI.

use std::path::Path;

use world::face::{Face, FaceOptions, serve};
use world::{
    CapacityProvider, Config, GroupSpec, LaunchSpec, ServiceSpec, TaskDefinition, World, line,
};

use crate::judge::{ask, bash, programs_with};

/// A cluster `shop` with a service of four tasks on three Spot instances, whose group's terminations wait for the hook `drain`.
async fn shop() -> (Face, Vec<String>) {
    let mut world = World::new(Config::new(5));
    let launch = LaunchSpec::spot("big", &["m5.large"]);
    let group = GroupSpec::new("big", launch, 0, 3, 10).tag("ballast:instance-drain", "act");
    world.declare_auto_scaling_group(group);
    let provider = CapacityProvider::over("big").without_managed_draining();
    world.declare_capacity_provider("big", provider);
    let strategy = vec![line("big", 0, 1).unwrap()];
    world
        .create_cluster_of(&"shop".parse().unwrap(), &["big"], strategy)
        .unwrap();
    let definition = TaskDefinition::on_instances("web", 256, 512);
    let arn = world.add_task_definition_of(definition).unwrap();
    world
        .create(ServiceSpec::new("shop/web".parse().unwrap(), &arn, 4))
        .unwrap();
    world.advance_secs(300);
    let machines: Vec<String> = world.state().instances.keys().cloned().collect();
    let face = serve(world, FaceOptions::default()).await.unwrap();
    (face, machines)
}

/// The group is found by its tag, and gets the hook, with a queue for a target.
async fn put_hook(face: &Face, programs: &Path) {
    let ask = async |command: String| bash(face, programs, &command).await;
    let groups = "aws autoscaling describe-auto-scaling-groups --filters Name=tag-key,Values=ballast:instance-drain \
         --query 'AutoScalingGroups[].AutoScalingGroupName' --output text";
    assert_eq!(ask(groups.to_owned()).await, "big\n");
    ask("aws autoscaling put-lifecycle-hook --auto-scaling-group-name big --lifecycle-hook-name drain \
         --lifecycle-transition autoscaling:EC2_INSTANCE_TERMINATING --heartbeat-timeout 120 --default-result CONTINUE \
         --notification-target-arn arn:aws:sqs:us-west-2:111122223333:hooks --role-arn arn:aws:iam::111122223333:role/hooks"
        .to_owned())
    .await;
    let hooks = "aws autoscaling describe-lifecycle-hooks --auto-scaling-group-name big \
         --query 'LifecycleHooks[].[LifecycleHookName,HeartbeatTimeout,GlobalTimeout,DefaultResult,NotificationTargetARN]' --output text";
    assert_eq!(
        ask(hooks.to_owned()).await,
        "drain\t120\t12000\tCONTINUE\tarn:aws:sqs:us-west-2:111122223333:hooks\n"
    );
}

/// The container instance of a machine is found and set to DRAINING, twice. Its ARN is the answer.
async fn drain(face: &Face, programs: &Path, id: &str) -> String {
    let ask = async |command: String| bash(face, programs, &command).await;
    let found = format!(
        "aws ecs list-container-instances --cluster shop --status ACTIVE --filter \"ec2InstanceId in ['{id}']\" \
         --query 'containerInstanceArns[]' --output text"
    );
    let arn = ask(found.clone()).await.trim().to_owned();
    let order = format!(
        "aws ecs update-container-instances-state --cluster shop --container-instances {arn} {} --status DRAINING \
         --query '[containerInstances[].status, failures[].reason]' --output text",
        "0123456789abcdef0123456789abcdef"
    );
    assert_eq!(ask(order.clone()).await, "DRAINING\nMISSING\n");
    // A second time is no error.
    assert_eq!(ask(order).await, "DRAINING\nMISSING\n");
    assert_eq!(ask(found).await.trim(), "");
    let read = format!(
        "aws ecs describe-container-instances --cluster shop --container-instances {arn} --include TAGS \
         --query 'containerInstances[].[ec2InstanceId,status,capacityProviderName,length(tags)]' --output text"
    );
    assert_eq!(ask(read).await, format!("{id}\tDRAINING\tbig\t0\n"));
    arn
}

#[tokio::test]
async fn an_instance_is_found_drained_and_let_go() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let (face, machines) = shop().await;
    let ask = async |command: String| bash(&face, &programs, &command).await;
    let id = machines[0].clone();

    put_hook(&face, &programs).await;
    ask(format!(
        "aws autoscaling terminate-instance-in-auto-scaling-group --instance-id {id} --no-should-decrement-desired-capacity"
    ))
    .await;
    let states = format!(
        "aws autoscaling describe-auto-scaling-instances --instance-ids {id} i-00000000000000000 \
         --query 'AutoScalingInstances[].[InstanceId,LifecycleState]' --output text"
    );
    assert_eq!(
        ask(states.clone()).await,
        format!("{id}\tTerminating:Wait\n")
    );
    let going = ask("aws autoscaling describe-scaling-activities --auto-scaling-group-name big \
         --query \"Activities[?EndTime==null && starts_with(Description, 'Terminating')].Description\" --output text"
        .to_owned())
    .await;
    assert_eq!(going, format!("Terminating EC2 instance: {id}\n"));

    let arn = drain(&face, &programs, &id).await;
    let mark =
        format!("--auto-scaling-group-name big --lifecycle-hook-name drain --instance-id {id}");
    ask(format!(
        "aws autoscaling record-lifecycle-action-heartbeat {mark}"
    ))
    .await;
    face.with_world(|world| world.advance_secs(100));
    let tasks = format!(
        "aws ecs list-tasks --cluster shop --container-instance {arn} --desired-status RUNNING --query 'length(taskArns)' --output text"
    );
    assert_eq!(ask(tasks).await, "0\n");
    ask(format!(
        "aws autoscaling complete-lifecycle-action {mark} --lifecycle-action-result CONTINUE"
    ))
    .await;
    face.with_world(|world| world.advance_secs(300));
    assert_eq!(ask(states).await, "");
    let counts = "aws ecs describe-clusters --clusters shop --include TAGS STATISTICS \
         --query 'clusters[0].[registeredContainerInstancesCount,runningTasksCount,statistics[?name==`runningEC2TasksCount`].value|[0]]' \
         --output text";
    assert_eq!(ask(counts.to_owned()).await, "3\t4\t4\n");
    let said = face.with_world(World::take_due_messages);
    assert_eq!(said.len(), 2, "{said:?}");
    // Two messages that are sent within a second may change places.
    let tests = said
        .iter()
        .filter(|it| it.body.contains("autoscaling:TEST_NOTIFICATION"));
    assert_eq!(tests.count(), 1, "{said:?}");
    assert!(said.iter().any(|it| it.body.contains(&id)), "{said:?}");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_awss_words() {
    let Some(programs) = programs_with("aws") else {
        return;
    };
    let (face, machines) = shop().await;
    let id = &machines[0];
    let ids = vec!["i-00000000000000000"; 51].join(" ");
    for (command, words) in [
        (
            format!(
                "aws autoscaling complete-lifecycle-action --auto-scaling-group-name big --lifecycle-hook-name drain \
                 --instance-id {id} --lifecycle-action-result CONTINUE"
            ),
            format!("(ValidationError) when calling the CompleteLifecycleAction operation: No active Lifecycle Action found with instance ID {id}"),
        ),
        (
            "aws autoscaling record-lifecycle-action-heartbeat --auto-scaling-group-name big --lifecycle-hook-name drain \
             --lifecycle-action-token 71514b9d-6a40-4b26-8523-05e7ee35fa40"
                .to_owned(),
            "(ValidationError) when calling the RecordLifecycleActionHeartbeat operation: No active Lifecycle Action found with token 71514b9d-6a40-4b26-8523-05e7ee35fa40".to_owned(),
        ),
        (
            format!("aws autoscaling describe-auto-scaling-instances --instance-ids {ids}"),
            "Member must have length less than or equal to 50".to_owned(),
        ),
        (
            "aws ecs list-container-instances --cluster shop --filter 'ec2InstanceId ~ x'".to_owned(),
            "(InvalidParameterException) when calling the ListContainerInstances operation".to_owned(),
        ),
        (
            "aws ecs stop-task --cluster shop --task 0123456789abcdef0123456789abcdef".to_owned(),
            "(InvalidParameterException) when calling the StopTask operation: The referenced task was not found.".to_owned(),
        ),
    ] {
        let output = ask(&face, &programs, "bash", &["-c", &command]).await;
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{command}");
        assert!(message.contains(&words), "{command}: {message}");
    }
}
