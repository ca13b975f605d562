//! A pair on groups of EC2 instances, of which one is Spot: what spot-fallback makes of instances that drain.

use model::plan::{Action, StepReason};
use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use model::strategy::Market;
use serde_json::json;
use world::{
    Config, ContainerInstanceStatus, Fault, FaultRule, InstancePoolKey, Operation, SPOT_TYPES,
    ScaledBy, ServiceSpec, TaskDefinition, World, line,
};

use crate::workshop::{Pair, Stage, at_rest};

/// Five tasks on `EC2` and fifteen on `EC2Spot`, each with a spare instance; the standby is on `EC2`.
const TASKS: u32 = 20;
const ON_SPOT: u32 = 15;

/// The pair on its groups, settled. `percents` are its minimum and maximum.
async fn on_instances(percents: (u32, u32)) -> Stage {
    let mut config = Config::new(7);
    // Nothing but the schedule: every test here is one of law 1 as well.
    config.delivery.silent = true;
    let mut world = World::new(config);
    let names = world.add_workshop_ec2_groups(ScaledBy::Ballast).unwrap();
    let primary: model::ServiceKey = format!("{}/web", names.cluster).parse().unwrap();
    let standby: model::ServiceKey = format!("{}/web-standby", names.cluster).parse().unwrap();
    let definition = TaskDefinition::on_instances("web", 256, 512);
    let definition = world.add_task_definition_of(definition).unwrap();
    for group in [names.on_demand, names.spot] {
        world.set_desired_capacity(group, 3).unwrap();
    }
    let strategy = vec![
        line(names.on_demand, 1, 1).unwrap(),
        line(names.spot, 0, 4).unwrap(),
    ];
    let mut web = ServiceSpec::new(primary.clone(), &definition, TASKS).on(strategy);
    (web.minimum_healthy_percent, web.maximum_percent) = percents;
    let web = web.tag(TAG_STANDBY.name, standby.service.as_str());
    world.create(web).unwrap();
    let spare = ServiceSpec::new(standby.clone(), &definition, 0);
    let spare = spare.on(vec![line(names.on_demand, 0, 1).unwrap()]);
    let spare = spare.tag(TAG_STANDBY_OF.name, primary.service.as_str());
    world.create(spare).unwrap();
    world.advance_secs(900);
    assert_eq!(world.account(&primary).unwrap().serving, TASKS);
    Stage::over(world, Pair { primary, standby }).await
}

/// The EC2 ids of the ACTIVE Spot instances, those with the fewest tasks first.
fn spot_instances(world: &World) -> Vec<String> {
    let all = world.state().container_instances.values();
    let of_spot = all.filter(|it| {
        it.provider.as_deref() == Some("EC2Spot") && it.status == ContainerInstanceStatus::Active
    });
    let mut of_spot: Vec<_> = of_spot
        .map(|it| (it.tasks.len(), it.ec2_instance_id.clone()))
        .collect();
    of_spot.sort();
    of_spot.into_iter().map(|(_, id)| id).collect()
}

impl Stage {
    /// Spot takes every instance back, and has no other.
    fn drought(&self) {
        self.face.with_world(|world| {
            let (now, zones) = (world.now(), world.config().zones.clone());
            for zone in &zones {
                for instance_type in SPOT_TYPES {
                    let pool = InstancePoolKey::new(instance_type, zone.as_str(), Market::Spot);
                    world.set_instance_capacity(pool, now, 0);
                }
            }
        });
    }

    /// Somebody sets an instance to DRAINING.
    fn drain(&self, ec2_instance_id: &str) {
        self.face.with_world(|world| {
            let arn = world
                .state()
                .container_instances
                .values()
                .find(|it| it.ec2_instance_id == ec2_instance_id)
                .map(|it| it.arn.clone())
                .unwrap();
            let input = json!({
                "cluster": self.cast.primary.cluster.as_str(),
                "containerInstances": [arn],
                "status": "DRAINING",
            });
            let operation = Operation::UpdateContainerInstancesState;
            world.call(operation, input).unwrap();
        });
    }

    /// One look of the schedule: the plan's text, and the name of its evidence where the standby is raised.
    async fn look(&self) -> (String, Option<&'static str>) {
        let handled = self.sweep().await;
        assert_eq!(handled.failure, None);
        let plan = &handled.record.plan;
        let evidence = plan.steps.first().map(|it| {
            let Action::SetDesiredCount { from, to, .. } = it.step.action;
            assert!(from < to);
            match &it.step.reason {
                StepReason::Cover { evidence, .. } => evidence.as_str(),
                StepReason::GiveBack { .. } => panic!("nothing is given back here"),
            }
        });
        (format!("{plan:?}"), evidence)
    }

    fn calls_of(&self, operation: &str) -> u64 {
        self.face.calls().get(operation).copied().unwrap_or(0)
    }
}

/// By the schedule alone: the service's own log says that there is no room for replacements.
#[tokio::test]
async fn interrupted_instances_are_covered_before_their_tasks_end() {
    let stage = on_instances((100, 200)).await;
    assert_eq!(stage.look().await.1, None);
    stage.drought();
    stage.advance_secs(5);
    let (plan, evidence) = stage.look().await;
    assert_eq!(evidence, Some("spot_instances_draining"), "{plan}");
    assert_eq!(stage.desired(&stage.cast.standby), ON_SPOT);
    // The tasks of the drained instances still serve; what was done leaves nothing to do, then and when they are gone.
    for secs in [10, 60, 60] {
        stage.advance_secs(secs);
        let (plan, evidence) = stage.look().await;
        assert_eq!(evidence, None, "{plan}");
    }
    assert_eq!(stage.desired(&stage.cast.standby), ON_SPOT);
    assert_eq!(stage.updates(), 1);
}

/// 100 and 100: ECS starts nothing in their place, and says nothing either. The second look covers, a minute before the end.
#[tokio::test]
async fn a_drain_that_ecs_cannot_finish_is_covered_at_the_second_look() {
    let stage = on_instances((100, 100)).await;
    stage.drought();
    stage.advance_secs(5);
    let (plan, evidence) = stage.look().await;
    assert_eq!(evidence, None, "{plan}");
    assert!(plan.contains("waiting_for_replacements"), "{plan}");
    stage.advance_secs(60);
    let (plan, evidence) = stage.look().await;
    assert_eq!(evidence, Some("spot_instances_draining"), "{plan}");
    assert_eq!(stage.desired(&stage.cast.standby), ON_SPOT);
}

/// As `cluster-scaler` drains: the tasks of one instance fit on another. Whenever spot-fallback looks, it lends nothing.
#[tokio::test]
async fn a_drain_whose_tasks_fit_elsewhere_raises_nothing() {
    for percents in [(100, 200), (100, 110), (50, 100)] {
        for first_secs in [0, 1, 2, 5, 20, 59] {
            let stage = on_instances(percents).await;
            let used = stage.face.with_world(|world| {
                let ids = spot_instances(world);
                assert_eq!(ids.len(), 3);
                ids.get(1).unwrap().clone()
            });
            stage.drain(&used);
            stage.advance_secs(first_secs);
            for look in 0..5 {
                let (plan, evidence) = stage.look().await;
                assert_eq!(evidence, None, "{percents:?} {first_secs} s: {plan}");
                // At the very moment it looks like an interruption.
                let is_alike = plan.contains("waiting_for_replacements");
                assert!(is_alike || look > 0 || first_secs > 0, "{plan}");
                stage.advance_secs(60);
            }
            assert_eq!(stage.updates(), 0);
        }
    }
}

/// An agent that lost its connection may come back, and its tasks serve.
#[tokio::test]
async fn an_agent_without_connection_is_no_interruption() {
    let stage = on_instances((100, 200)).await;
    stage.face.with_world(|world| {
        for id in spot_instances(world) {
            assert!(world.set_agent_connected(&id, false));
        }
    });
    for _ in 0..4 {
        let (plan, evidence) = stage.look().await;
        assert_eq!(evidence, None, "{plan}");
        assert!(plan.contains("at_rest"), "{plan}");
        stage.advance_secs(60);
    }
}

/// Instances that cannot be read are a gap with a name. Nothing is lent for them, and nothing is given back meanwhile.
#[tokio::test]
async fn instances_that_cannot_be_read_are_a_gap() {
    let stage = on_instances((100, 200)).await;
    stage.drought();
    stage.advance_secs(5);
    let operation = Operation::DescribeContainerInstances;
    stage.fault(FaultRule::always(operation, Fault::AccessDenied));
    let handled = stage.sweep().await;
    assert_eq!(stage.desired(&stage.cast.standby), 0);
    let line = handled.record.line();
    assert!(line.contains("ecs:DescribeContainerInstances"), "{line}");
    // Where a standby is lent already, it stays.
    stage.clear_faults();
    assert_eq!(stage.look().await.1, Some("spot_instances_draining"));
    stage.fault(FaultRule::always(operation, Fault::AccessDenied));
    stage.advance_secs(60);
    let _gap = stage.sweep().await;
    assert_eq!(stage.desired(&stage.cast.standby), ON_SPOT);
}

#[tokio::test]
async fn a_pair_on_fargate_costs_no_call_for_instances() {
    let stage = at_rest().await;
    let _at_rest = stage.look().await;
    assert_eq!(stage.calls_of("ecs:DescribeContainerInstances"), 0);
    let stage = on_instances((100, 200)).await;
    let _at_rest = stage.look().await;
    assert_eq!(stage.calls_of("ecs:DescribeContainerInstances"), 1);
}
