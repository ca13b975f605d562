//! A world with a pair of services that serves a load, for service-scaler.

use std::sync::Arc;

use act::Actor;
use control::{HandledOf, Tracking};
use model::tracking::TrackingKey;
use model::{ClusterName, ServiceKey, Timestamp};
use observe::TrackingObserver;
use serde_json::Value;
use world::load::{Fleet, History, LoadCurve};
use world::{
    Alarm, AlarmActions, Comparison, Config, MetricKey, ServiceSpec, Stat, TargetGroup, Watched,
    World, line,
};

use crate::stage::{Process, Staged};

pub(crate) type Stage = crate::stage::Stage<Tracking>;

pub(crate) type Handled = HandledOf<Tracking>;

/// The function, as an alarm calls it.
const FUNCTION_ARN: &str = "arn:aws:lambda:us-west-2:111122223333:function:service-scaler";

/// How many requests a minute make a task 100 % busy. At the target of 60 % it serves 60.
pub(crate) const REQUESTS_PER_TASK_MINUTE: u64 = 100;

/// The name of the load.
pub(crate) const LOAD: &str = "shop";

/// A tracked service and its standby.
pub(crate) struct Cast {
    pub(crate) primary: ServiceKey,
    pub(crate) standby: ServiceKey,
}

impl Staged for Tracking {
    const FUNCTION: &'static str = "service-scaler";
    const WRITES: &'static [&'static str] = &[act::UPDATE_SERVICE];
    type Cast = Cast;

    fn subject(cast: &Cast) -> TrackingKey {
        TrackingKey(cast.primary.clone())
    }

    fn service(cast: &Cast) -> &ServiceKey {
        &cast.primary
    }

    fn in_process(process: &Process) -> Self {
        let (ecs, budget) = (process.ecs(), Arc::clone(&process.budget));
        Self {
            observer: TrackingObserver::new(
                ecs.clone(),
                process.autoscaling(),
                process.applicationautoscaling(),
                process.cloudwatch(),
                Arc::clone(&budget),
                process.clock.clone(),
            ),
            actor: Actor::new(ecs, budget, process.mode),
        }
    }
}

/// What a stage opens with: a pair on Fargate behind one target group, whose primary is tracked, and a load.
pub(crate) struct Scene {
    pub(crate) tasks: u32,
    pub(crate) tags: Vec<(&'static str, &'static str)>,
    /// The requests of each minute, from the stage's opening on.
    pub(crate) load: LoadCurve,
    /// The load of the days before the stage's opening, as their metrics tell of it.
    pub(crate) history: Option<History>,
    /// How long the load lasts before anything is looked at, in minutes.
    pub(crate) lasted_minutes: u32,
    /// Whether no event is sent.
    pub(crate) is_silent: bool,
    /// How many of a thousand datapoints never come.
    pub(crate) gap_per_mille: u32,
}

impl Default for Scene {
    /// Six tasks that are 60 % busy, as they are to be; after ten minutes twice as much comes.
    fn default() -> Self {
        Self {
            tasks: 6,
            tags: vec![
                ("ballast:service-scaler", "act"),
                ("ballast:standby", "web-standby"),
                ("ballast:target-cpu-percent", "60"),
                ("ballast:min-tasks", "2"),
                ("ballast:max-tasks", "30"),
                ("ballast:scale-in-window-secs", "300"),
                ("ballast:turn-hold-secs", "600"),
            ],
            load: LoadCurve::step(360, 720, 20, 600),
            history: None,
            lasted_minutes: 18,
            is_silent: false,
            gap_per_mille: 0,
        }
    }
}

impl Scene {
    /// The same, with one more tag, or another value of one.
    pub(crate) fn tag(mut self, key: &'static str, value: &'static str) -> Self {
        self.tags.retain(|(name, _)| *name != key);
        self.tags.push((key, value));
        self
    }

    /// A load that stays as it is, for `tasks` tasks at the target.
    pub(crate) fn steady(tasks: u32) -> Self {
        Self {
            load: LoadCurve::flat(u64::from(tasks) * 60),
            ..Self::default()
        }
    }

    /// A load for six tasks at the target that ends up at one for so many.
    pub(crate) fn falling_to(tasks: u32) -> Self {
        Self {
            load: LoadCurve::step(360, u64::from(tasks) * 60, 20, 600),
            ..Self::default()
        }
    }

    pub(crate) async fn open(self) -> Stage {
        let mut config = Config::new(7);
        config.delivery.silent = self.is_silent;
        let mut world = World::new(config);
        let cluster: ClusterName = "demo".parse().unwrap();
        world
            .create_cluster_of(&cluster, &["FARGATE", "FARGATE_SPOT"], vec![])
            .unwrap();
        let group = TargetGroup::new(LOAD).healthy_after(2);
        let target_group = world.declare_target_group(group);
        let key = |name: &str| ServiceKey::new(cluster.clone(), name.parse().unwrap());
        let (primary, standby) = (key("web"), key("web-standby"));
        let spec = ServiceSpec::new(primary.clone(), "web:1", self.tasks)
            .on(vec![line("FARGATE_SPOT", 0, 1).unwrap()])
            .behind(&target_group);
        let spec = self
            .tags
            .iter()
            .fold(spec, |spec, (key, value)| spec.tag(key, value));
        world.create(spec).unwrap();
        let spec = ServiceSpec::new(standby.clone(), "web:1", 0)
            .on(vec![line("FARGATE", 0, 1).unwrap()])
            .behind(&target_group)
            .tag("ballast:standby-of", "web");
        world.create(spec).unwrap();
        world.advance_secs(300);
        let minute = world.now().as_second() / 60 + 1;
        let starts_at = Timestamp::from_second(minute * 60).unwrap();
        world.advance_to(starts_at);
        world.config_mut().publishing.gap_per_mille = self.gap_per_mille;
        let fleet = Fleet::new(
            primary.clone(),
            self.load,
            starts_at,
            REQUESTS_PER_TASK_MINUTE,
        )
        .with(standby.clone())
        .behind(&target_group, LOAD);
        world.put_load(LOAD, fleet);
        if let Some(history) = &self.history {
            assert!(world.seed_history(LOAD, history));
        }
        let dimensions = [("ClusterName", "demo"), ("ServiceName", "web")];
        let metric = MetricKey::new("AWS/ECS", "CPUUtilization", &dimensions);
        let watched = Watched::metric(metric, Stat::parse("Average").unwrap(), 60);
        let alarm = Alarm::new("web-high", watched, Comparison::GreaterThan, 70_000);
        world.put_alarm(alarm.takes(1, 1).acts(AlarmActions::always(FUNCTION_ARN)));
        world.advance_secs(self.lasted_minutes * 60);
        world.take_due_events();
        Stage::over(world, Cast { primary, standby }).await
    }
}

impl Stage {
    /// The desired counts of primary and standby, in truth.
    pub(crate) fn desired(&self) -> (u32, u32) {
        self.face.with_world(|world| {
            let of = |key: &ServiceKey| world.service(key).map(|it| it.desired_count);
            let both = (of(&self.cast.primary), of(&self.cast.standby));
            (both.0.unwrap(), both.1.unwrap())
        })
    }

    /// Somebody sets the primary's desired count.
    pub(crate) fn set(&self, tasks: u32) {
        self.face.with_world(|world| {
            world.set_desired_count(&self.cast.primary, tasks).unwrap();
        });
    }

    /// What an alarm has told since this was last asked: by a rule, and by calling the function.
    pub(crate) fn told_by_alarms(&self) -> (Vec<Value>, Vec<Value>) {
        let events = self.face.with_world(World::take_due_events);
        let (calls, rules): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|it| it.called.is_some());
        let is_alarm = |it: &Value| it["detail-type"] == "CloudWatch Alarm State Change";
        let rules = rules.into_iter().map(|it| it.envelope).filter(is_alarm);
        (
            rules.collect(),
            calls.into_iter().map(|it| it.envelope).collect(),
        )
    }

    /// The requests that came so far while tasks were busier than the limit of 80 %.
    pub(crate) fn over_limit_requests(&self) -> u64 {
        self.face.with_world(|world| {
            let minutes = world.load_minutes(LOAD).iter();
            minutes.map(|it| it.over_limit_requests).sum()
        })
    }
}
