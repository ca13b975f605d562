//! The three functions on one world: spot-fallback, cluster-scaler and instance-drain, each with its events and its schedule.

use std::collections::{BTreeMap, BTreeSet};

use control::{Capacity, Controller, Departures, Handled, Pairs};
use expect_test::expect;
use model::duty::{PlannedHold, PlannedStep};
use model::policy::Mode;
use model::{InstanceId, ServiceKey};
use serde_json::Value;
use world::{
    CapacityProvider, Config, ContainerInstanceStatus, GroupSpec, Hook, HookResult, LaunchSpec,
    Lifecycle, ServiceSpec, TaskDefinition, Transition, World, line,
};

use crate::departures::stage::{GROUP, HOOK, Stage};
use crate::stage::{acted, batch, invoked, schedule};

/// The group of on-demand instances that the standby is on.
const RESERVE: &str = "reserve";

/// How often events are taken to the functions, in seconds.
const TICK_SECS: u32 = 5;

/// The functions, and what they did.
struct Troupe {
    stage: Stage,
    standby: ServiceKey,
    pairs: Controller<Pairs>,
    capacity: Controller<Capacity>,
    departures: Controller<Departures>,
    secs: u32,
    /// What each function did, with the second.
    acts: Vec<String>,
    /// Which functions wrote to each resource.
    writers: BTreeMap<String, BTreeSet<&'static str>>,
}

/// A service of so many tasks on a group of so many Spot instances, each with room for three, which all three functions may look after; its
/// standby is on an empty group of on-demand instances.
async fn open(tasks: u32, instances: u32) -> Troupe {
    let mut config = Config::new(7);
    config.spot_instance_draining = false;
    let mut world = World::new(config);
    let cluster = "container-demo".parse().unwrap();
    let primary = ServiceKey::new(cluster, "web".parse().unwrap());
    let standby: ServiceKey = "container-demo/web-standby".parse().unwrap();
    let on_demand = {
        world.declare_launch_template(RESERVE, "t3.small", model::strategy::Market::OnDemand);
        LaunchSpec::template(RESERVE)
    };
    let spot = LaunchSpec::spot(GROUP, &["t3.small"]);
    for (name, launch, size) in [(GROUP, spot, instances), (RESERVE, on_demand, 0)] {
        let spec = GroupSpec::new(name, launch, 0, size, 10)
            .tag("ballast:instance-drain", "act")
            .tag("ballast:cluster-scaler", "act")
            .tag("ballast:instance-types", "t3.small");
        world.declare_auto_scaling_group(spec);
        let hook = Hook {
            heartbeat_timeout_secs: 300,
            default_result: HookResult::Continue,
            ..Hook::new(Transition::Terminating)
        };
        world.put_lifecycle_hook(name, HOOK, hook).unwrap();
        let mut provider = CapacityProvider::over(name).without_managed_draining();
        provider.managed_scaling.enabled = false;
        world.declare_capacity_provider(name, provider);
    }
    let strategy = vec![line(GROUP, 0, 1).unwrap()];
    let providers = [GROUP, RESERVE];
    world
        .create_cluster_of(&primary.cluster, &providers, strategy)
        .unwrap();
    let definition = TaskDefinition::on_instances("web", 256, 512);
    let definition = world.add_task_definition_of(definition).unwrap();
    let of_primary = ServiceSpec::new(primary.clone(), &definition, tasks);
    let of_primary = of_primary.tag("ballast:standby", "web-standby");
    world.create(of_primary).unwrap();
    let of_standby = ServiceSpec::new(standby.clone(), &definition, 0);
    let of_standby = of_standby.on(vec![line(RESERVE, 0, 1).unwrap()]);
    world
        .create(of_standby.tag("ballast:standby-of", "web"))
        .unwrap();
    world.advance_secs(900);
    world.take_due_events();
    let stage = Stage::over(world, primary).await;
    Troupe {
        pairs: stage.controller_of(Mode::Act),
        capacity: stage.controller_of(Mode::Act),
        departures: stage.controller_of(Mode::Act),
        stage,
        standby,
        secs: 0,
        acts: Vec::new(),
        writers: BTreeMap::new(),
    }
}

impl Troupe {
    /// Hands a payload to every function; each takes from it what is its own.
    async fn hand_over(&mut self, payload: &Value) {
        let handled = Box::pin(self.departures.handle(payload, &invoked())).await;
        self.take("instance-drain", &handled);
        let handled = Box::pin(self.pairs.handle(payload, &invoked())).await;
        self.take("spot-fallback", &handled);
        let handled = Box::pin(self.capacity.handle(payload, &invoked())).await;
        self.take("cluster-scaler", &handled);
    }

    fn take<S: PlannedStep, H: PlannedHold>(
        &mut self,
        function: &'static str,
        handled: &Handled<S, H>,
    ) {
        assert_eq!(handled.failure, None, "{function} at {}", self.secs);
        for act in acted(handled) {
            let Some(done) = act.strip_suffix(": done") else {
                continue;
            };
            // What is done, and to what: an instance's drain and its lifecycle action are two.
            let resource = done.split('`').take(2).collect();
            self.writers.entry(resource).or_default().insert(function);
            let at = self.secs;
            self.acts.push(format!("{at:04} {function}: {done}"));
        }
    }

    /// So many seconds pass, with every event and the schedule's each minute.
    async fn run(&mut self, secs: u32) {
        for _ in 0..secs / TICK_SECS {
            self.stage.advance_secs(TICK_SECS);
            self.secs += TICK_SECS;
            let events = self.stage.face.with_world(World::take_due_events);
            let events = events.into_iter().map(|it| it.envelope.to_string());
            let events: Vec<String> = events.collect();
            if !events.is_empty() {
                self.hand_over(&batch(events)).await;
            }
            if self.secs.is_multiple_of(60) {
                self.hand_over(&schedule()).await;
            }
        }
    }

    fn set_tasks(&self, tasks: u32) {
        self.stage.face.with_world(|world| {
            world.set_desired_count(&self.stage.cast, tasks).unwrap();
        });
    }

    /// The instances in service in a group.
    fn in_service(&self, group: &str) -> usize {
        self.stage.face.with_world(|world| {
            let state = world.state();
            let ids = state.groups[group].instances.iter();
            ids.filter(|id| state.instances[*id].lifecycle_state == Lifecycle::InService)
                .count()
        })
    }

    /// The tasks that serve: the pair's, and of them the standby's.
    fn serving(&self) -> (u32, u32) {
        self.stage.face.with_world(|world| {
            let serving = |key| world.account(key).unwrap().serving;
            (serving(&self.stage.cast), serving(&self.standby))
        })
    }

    /// What was done, in lines. Nothing was done to one resource by two.
    fn story(&self) -> String {
        for (resource, writers) in &self.writers {
            assert_eq!(writers.len(), 1, "{resource}: {writers:?}");
        }
        self.acts.join("\n")
    }
}

/// Nothing is free elsewhere: the standby covers what the instance had, on an instance that is launched for it, until the group has
/// another Spot instance, which is bought at once; then everything goes back.
#[tokio::test]
async fn an_interruption_is_covered_by_each_function_with_its_own_and_everything_goes_back() {
    let mut troupe = open(9, 3).await;
    troupe.run(180).await;
    assert_eq!(troupe.story(), "");
    let leaving = troupe.stage.in_service().swap_remove(0);
    troupe.stage.interrupt(&leaving);
    troupe.run(600).await;
    assert_eq!(troupe.serving(), (12, 3));
    troupe.run(1_500).await;
    expect![[r#"
        0185 instance-drain: set `i-049eebe70c3519a9e` to DRAINING
        0190 spot-fallback: set the desired count of `container-demo/web-standby` from 0 to 3
        0190 cluster-scaler: set the desired capacity of `reserve` from 0 to 1
        0190 cluster-scaler: set the desired capacity of `workers` from 3 to 4
        0840 spot-fallback: set the desired count of `container-demo/web-standby` from 3 to 0
        1200 cluster-scaler: set `i-eec14fba925800691`, which is empty, to DRAINING
        1205 cluster-scaler: terminate `i-eec14fba925800691` and lower the desired capacity of `reserve` by it
        1210 instance-drain: let `i-eec14fba925800691` go on from the hook `ballast-instance-drain` (CONTINUE)"#]].assert_eq(&troupe.story());
    assert_eq!(troupe.serving(), (9, 0));
    // The Spot instance that was bought has the tasks. The group's own replacement came up empty in the zone of the one that went, which
    // needs it, and without `ballast:consolidate` no tasks are moved for that.
    assert_eq!(
        (troupe.in_service(GROUP), troupe.in_service(RESERVE)),
        (4, 0)
    );
    assert_eq!(troupe.stage.draining(), BTreeSet::new());
    // Nothing is left to do.
    let acts = troupe.acts.len();
    troupe.run(600).await;
    assert_eq!(troupe.acts.len(), acts, "{}", troupe.story());
}

/// cluster-scaler drains an instance that it can spare, Spot warns of that instance, and then the tasks come back: cluster-scaler cannot see
/// the warning, which no call of ECS or Auto Scaling tells, and takes its drain back. instance-drain knows of it and drains the instance
/// again, once; to cluster-scaler that is somebody else's drain, which it leaves alone.
#[tokio::test]
async fn a_warned_instance_that_cluster_scaler_takes_back_is_drained_again_and_stays_so() {
    let mut troupe = open(6, 2).await;
    troupe.run(120).await;
    troupe.set_tasks(0);
    let mut spared: BTreeSet<InstanceId> = BTreeSet::new();
    while spared.is_empty() {
        troupe.run(TICK_SECS).await;
        spared = troupe.stage.draining();
    }
    let warned = spared.pop_first().unwrap();
    let warning = troupe.stage.warning(&warned);
    troupe.stage.interrupt(&warned);
    troupe.set_tasks(6);
    troupe.hand_over(&warning).await;
    troupe.run(60).await;
    assert_eq!(
        troupe.stage.status(&warned),
        Some(ContainerInstanceStatus::Draining)
    );
    troupe.run(300).await;
    let story = expect![[r#"
        0480 cluster-scaler: set `i-049eebe70c3519a9e`, which is empty, to DRAINING
        0485 cluster-scaler: set `i-049eebe70c3519a9e` to ACTIVE again
        0540 instance-drain: set `i-049eebe70c3519a9e` to DRAINING
        0540 cluster-scaler: set the desired capacity of `workers` from 2 to 3
        0545 spot-fallback: set the desired count of `container-demo/web-standby` from 0 to 3
        0545 cluster-scaler: set the desired capacity of `reserve` from 0 to 1"#]];
    story.assert_eq(&troupe.acts.join("\n"));
    assert_eq!(troupe.serving(), (9, 3));
}
