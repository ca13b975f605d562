//! Scenes in words: a primary, its standby, their tasks, what is remembered and reported. The times are seconds before [`now`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::Expect;
use jiff::Timestamp;
use model::memory::{ForeignEdit, Level, PairMemory, Recall, Watch, Write};
use model::plan::{Action, Step};
use model::policy::{Installation, PairPolicy};
use model::snapshot::{
    Controller, Deployment, Gap, GapCause, Health, Pair, PassedOver, ProviderShare, Scheduling,
    Service, ServiceStatus, Snapshot, Standby, Task, TaskStatus,
};
use model::strategy::{Market, StrategyItem};
use model::trigger::{Hints, PlacementFailure};
use model::{Seconds, ServiceKey};
use placement::{Decision, decide};

/// The time of every look: 2026-03-01T12:00:00Z.
pub(crate) const fn now() -> Timestamp {
    Timestamp::constant(1_772_366_400, 0)
}

/// So many seconds before [`now`]; after it where negative.
pub(crate) fn ago(secs: i64) -> Timestamp {
    Seconds(secs).before(now())
}

pub(crate) fn key(text: &str) -> ServiceKey {
    text.parse().unwrap()
}

pub(crate) fn share(text: &str, market: Market) -> ProviderShare {
    let (provider, numbers) = text.split_once('=').unwrap();
    let (base, weight) = numbers.split_once('/').unwrap();
    ProviderShare {
        item: StrategyItem {
            provider: provider.parse().unwrap(),
            base: base.parse().unwrap(),
            weight: weight.parse().unwrap(),
        },
        market,
    }
}

pub(crate) fn deployment(id: &str, in_progress: bool) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{id}").parse().unwrap(),
        is_primary: id == "1",
        in_progress,
    }
}

pub(crate) fn gap(operation: &str, resource: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: resource.to_owned(),
        cause: GapCause::Throttled,
        detail: "ThrottlingException: Rate exceeded".to_owned(),
    }
}

/// A service at rest without tasks.
pub(crate) fn service(text: &str, desired: u32, capacity: Vec<ProviderShare>) -> Service {
    Service {
        key: key(text),
        status: ServiceStatus::Active,
        created_at: Some(ago(1_000_000)),
        desired_count: desired,
        running_count: 0,
        pending_count: 0,
        task_definition: "arn:aws:ecs:us-west-2:111122223333:task-definition/web:7"
            .parse()
            .unwrap(),
        capacity,
        scheduling: Scheduling::Replica,
        controller: Controller::Ecs,
        deployments: vec![deployment("1", false)],
        tags: BTreeMap::new(),
        tasks: Vec::new(),
        all_to_run_read: true,
        stop_timeout: Some(Seconds(120)),
        scaled_by_application_auto_scaling: Some(false),
        not_placed: Vec::new(),
    }
}

/// A ready task that was made an hour ago and does not tell how long it took to start.
pub(crate) fn task(service: &Service) -> Task {
    let number = service.tasks.len() + 1;
    Task {
        arn: format!(
            "arn:aws:ecs:us-west-2:111122223333:task/{}/{number:032x}",
            service.key
        )
        .parse()
        .unwrap(),
        last_status: TaskStatus::Running,
        desired_running: true,
        health: Health::Unknown,
        provider: None,
        task_definition: service.task_definition.clone(),
        zone: None,
        created_at: Some(ago(3_600)),
        started_at: None,
        stopping_at: None,
        stopped_at: None,
        interrupted: false,
        instance: None,
        instance_status: None,
    }
}

pub(crate) fn add(service: &mut Service, tasks: u32, change: impl Fn(&mut Task)) {
    for _ in 0..tasks {
        let mut task = task(service);
        change(&mut task);
        service.tasks.push(task);
    }
}

/// Everything that one decision about one pair depends on.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) pair: Pair,
    pub(crate) others: Vec<Pair>,
    pub(crate) passed_over: BTreeMap<ServiceKey, PassedOver>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) installation: Installation,
    pub(crate) recall: Recall,
    pub(crate) hints: Hints,
}

impl Scene {
    /// The workshop's pair: `container-demo/web` at this desired count, stop timeout 120 s, and its standby at 0; no tasks yet.
    pub(crate) fn desired(desired: u32) -> Self {
        let spot = vec![
            share("FARGATE=1/1", Market::OnDemand),
            share("FARGATE_SPOT=0/4", Market::Spot),
        ];
        let mut primary = service("container-demo/web", desired, spot);
        let on_demand = vec![share("FARGATE=0/1", Market::OnDemand)];
        let mut standby = service("container-demo/web-standby", 0, on_demand);
        standby.stop_timeout = None;
        primary
            .tags
            .insert("ballast:standby".to_owned(), "web-standby".to_owned());
        standby
            .tags
            .insert("ballast:standby-of".to_owned(), "web".to_owned());
        Self {
            pair: Pair {
                primary,
                standby: Standby::Present(Box::new(standby)),
                policy: Ok(PairPolicy::with_defaults("web-standby".parse().unwrap())),
                gaps: Vec::new(),
            },
            others: Vec::new(),
            passed_over: BTreeMap::new(),
            gaps: Vec::new(),
            installation: Installation::default(),
            recall: Recall::Known(PairMemory::default()),
            hints: Hints::default(),
        }
    }

    pub(crate) fn primary(mut self, change: impl Fn(&mut Service)) -> Self {
        change(&mut self.pair.primary);
        self
    }

    pub(crate) fn on_standby(mut self, change: impl Fn(&mut Service)) -> Self {
        let Standby::Present(standby) = &mut self.pair.standby else {
            panic!("the scene has no standby");
        };
        change(standby);
        self
    }

    fn tasks(self, tasks: u32, change: impl Fn(&mut Task)) -> Self {
        self.primary(|primary| add(primary, tasks, &change))
    }

    pub(crate) fn ready(self, tasks: u32) -> Self {
        self.tasks(tasks, |_| {})
    }

    /// Ready tasks that took so long to start.
    pub(crate) fn ready_started_in(self, tasks: u32, secs: i64) -> Self {
        self.tasks(tasks, |task| task.started_at = Some(ago(3_600 - secs)))
    }

    pub(crate) fn unhealthy(self, tasks: u32) -> Self {
        self.tasks(tasks, |task| task.health = Health::Unhealthy)
    }

    pub(crate) fn starting(self, tasks: u32, age_secs: i64) -> Self {
        self.tasks(tasks, |task| {
            task.last_status = TaskStatus::Pending;
            task.created_at = Some(ago(age_secs));
        })
    }

    /// Interrupted and still running.
    pub(crate) fn interrupted(self, tasks: u32, told_secs_ago: i64) -> Self {
        self.tasks(tasks, |task| {
            task.desired_running = false;
            task.interrupted = true;
            task.stopping_at = Some(ago(told_secs_ago));
        })
    }

    /// Interrupted and gone.
    pub(crate) fn taken(self, tasks: u32, told_secs_ago: i64) -> Self {
        self.tasks(tasks, |task| {
            task.last_status = TaskStatus::Stopped;
            task.desired_running = false;
            task.interrupted = true;
            task.stopping_at = Some(ago(told_secs_ago));
        })
    }

    /// The standby at this desired count, with as many ready tasks.
    pub(crate) fn standby(self, desired: u32) -> Self {
        self.standby_with(desired, desired)
    }

    /// The standby at this desired count, with so many ready tasks.
    pub(crate) fn standby_with(self, desired: u32, ready: u32) -> Self {
        self.on_standby(|standby| {
            standby.desired_count = desired;
            add(standby, ready, |_| {});
        })
    }

    /// Standby tasks that are on their way.
    pub(crate) fn standby_starting(self, tasks: u32) -> Self {
        self.on_standby(|standby| {
            add(standby, tasks, |task| {
                task.last_status = TaskStatus::Pending;
                task.created_at = Some(ago(5));
            });
        })
    }

    /// A tag of the primary.
    pub(crate) fn tag(mut self, name: &str, value: &str) -> Self {
        let tags = &mut self.pair.primary.tags;
        tags.insert(name.to_owned(), value.to_owned());
        self.pair.policy = PairPolicy::from_tags(tags).unwrap();
        self
    }

    pub(crate) fn pair_gap(mut self, operation: &str, resource: &str) -> Self {
        self.pair.gaps.push(gap(operation, resource));
        self
    }

    pub(crate) fn shared_gap(mut self, operation: &str, resource: &str) -> Self {
        self.gaps.push(gap(operation, resource));
        self
    }

    pub(crate) fn standby_is(mut self, standby: Standby) -> Self {
        self.pair.standby = standby;
        self
    }

    fn memory(mut self, change: impl Fn(&mut PairMemory)) -> Self {
        let Recall::Known(memory) = &mut self.recall else {
            panic!("the scene has no memory");
        };
        change(memory);
        self
    }

    pub(crate) fn ledger_unknown(mut self) -> Self {
        self.recall = Recall::Unknown;
        self
    }

    pub(crate) fn watched(self, since_secs_ago: i64, until_secs_ago: i64) -> Self {
        self.memory(|memory| {
            memory.watched = Some(Watch {
                since: ago(since_secs_ago),
                until: ago(until_secs_ago),
            });
        })
    }

    /// At least so many tasks have been missing since then.
    pub(crate) fn missing_since(self, tasks: u32, secs_ago: i64) -> Self {
        let at = ago(secs_ago);
        self.memory(|memory| memory.deficits.push(Level { tasks, at }))
    }

    /// So many standby tasks were needed as late as then.
    pub(crate) fn needed(self, tasks: u32, secs_ago: i64) -> Self {
        let at = ago(secs_ago);
        self.memory(|memory| memory.needs.push(Level { tasks, at }))
    }

    fn write(self, from: u32, to: u32, secs_ago: i64, confirmed: bool) -> Self {
        self.memory(|memory| {
            memory.wrote = Some(Write {
                from,
                to,
                at: ago(secs_ago),
                confirmed,
            });
        })
    }

    pub(crate) fn wrote(self, from: u32, to: u32, secs_ago: i64) -> Self {
        self.write(from, to, secs_ago, true)
    }

    pub(crate) fn wrote_unconfirmed(self, from: u32, to: u32, secs_ago: i64) -> Self {
        self.write(from, to, secs_ago, false)
    }

    pub(crate) fn foreign(self, found: u32, wrote: u32, noticed_secs_ago: i64) -> Self {
        self.memory(|memory| {
            memory.foreign = Some(ForeignEdit {
                found,
                wrote,
                noticed_at: ago(noticed_secs_ago),
            });
        })
    }

    pub(crate) fn shortage_remembered(self, secs_ago: i64) -> Self {
        self.memory(|memory| memory.spot_shortage_at = Some(ago(secs_ago)))
    }

    /// A placement failure is reported in this invocation.
    pub(crate) fn reported(
        mut self,
        service: &str,
        providers: &[&str],
        reason: &str,
        secs_ago: Option<i64>,
    ) -> Self {
        let failure = PlacementFailure {
            service: key(service),
            providers: providers.iter().map(|it| it.parse().unwrap()).collect(),
            reason: reason.to_owned(),
        };
        self.hints
            .placement_failures
            .push((secs_ago.map(ago), failure));
        self
    }

    pub(crate) fn spot_failed(self, secs_ago: i64) -> Self {
        let providers = ["FARGATE_SPOT"];
        self.reported(
            "container-demo/web",
            &providers,
            "RESOURCE:FARGATE",
            Some(secs_ago),
        )
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let pairs = std::iter::once(&self.pair).chain(&self.others);
        Snapshot {
            taken_at: now(),
            pairs: pairs
                .map(|pair| (pair.primary.key.clone(), pair.clone()))
                .collect(),
            passed_over: self.passed_over.clone(),
            gaps: self.gaps.clone(),
        }
    }

    pub(crate) fn memories(&self) -> BTreeMap<ServiceKey, Recall> {
        BTreeMap::from([(self.pair.primary.key.clone(), self.recall.clone())])
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(
            &self.snapshot(),
            &self.installation,
            &self.memories(),
            &self.hints,
            now(),
        )
    }

    pub(crate) fn audit(&self, steps: Vec<Step>) -> Vec<placement::audit::Violation> {
        let plan = model::plan::Plan {
            steps,
            holds: Vec::new(),
        };
        placement::audit::audit(
            &plan,
            &self.snapshot(),
            &self.installation,
            &self.memories(),
            now(),
        )
    }

    /// The scene after the decision was carried out at once: the standby's tasks are as they were.
    pub(crate) fn carried_out(mut self) -> Self {
        let mut decision = self.decide();
        for step in &decision.plan.steps {
            let Action::SetDesiredCount { to, .. } = step.action;
            self = self.on_standby(|standby| standby.desired_count = to);
        }
        let memory = decision.memories.remove(&self.pair.primary.key);
        if let Some(mut memory) = memory {
            if let Some(wrote) = memory.wrote.as_mut() {
                wrote.confirmed = true;
            }
            self.recall = Recall::Known(memory);
        }
        self.hints = Hints::default();
        self
    }
}

fn relative(at: Timestamp) -> String {
    let secs = Seconds::between(now(), at).0;
    if secs == 0 {
        "now".to_owned()
    } else {
        format!("{secs:+} s")
    }
}

fn steps(levels: &[Level]) -> String {
    let texts: Vec<String> = levels
        .iter()
        .map(|level| format!("{} at {}", level.tasks, relative(level.at)))
        .collect();
    texts.join(", ")
}

/// What is remembered, on one line; times relative to [`now`].
fn remembered(memory: &PairMemory) -> String {
    let mut parts = Vec::new();
    if let Some(watch) = memory.watched {
        let (since, until) = (relative(watch.since), relative(watch.until));
        parts.push(format!("watched {since} to {until}"));
    }
    if !memory.deficits.is_empty() {
        parts.push(format!("missing {}", steps(&memory.deficits)));
    }
    if !memory.needs.is_empty() {
        parts.push(format!("needed {}", steps(&memory.needs)));
    }
    if let Some(wrote) = memory.wrote {
        let word = if wrote.confirmed {
            "wrote"
        } else {
            "may write"
        };
        let (from, to, at) = (wrote.from, wrote.to, relative(wrote.at));
        parts.push(format!("{word} {from} to {to} at {at}"));
    }
    if let Some(edit) = memory.foreign {
        let (found, at) = (edit.found, relative(edit.noticed_at));
        parts.push(format!("foreign {found} noticed at {at}"));
    }
    if let Some(at) = memory.spot_shortage_at {
        parts.push(format!("Spot short at {}", relative(at)));
    }
    if let Some(level) = memory.not_replaced {
        let (tasks, at) = (level.tasks, relative(level.at));
        parts.push(format!("{tasks} not replaced since {at}"));
    }
    if parts.is_empty() {
        parts.push("nothing".to_owned());
    }
    parts.join("; ")
}

/// The one place that decides for the scenario tests: the plan, what is remembered, and that the audit agrees.
#[expect(clippy::needless_pass_by_value, reason = "scenes are written in place")]
pub(crate) fn check(scene: Scene, expected: Expect) {
    let decision = scene.decide();
    let mut text = decision.plan.to_string();
    match decision.memories.get(&scene.pair.primary.key) {
        Some(memory) => writeln!(text, "remembered: {}", remembered(memory)).unwrap(),
        None => text.push_str("not remembered\n"),
    }
    expected.assert_eq(&text);
    for hold in &decision.plan.holds {
        assert!(model::plan::HoldReason::NAMES.contains(&hold.reason.as_str()));
    }
    assert_eq!(scene.audit(decision.plan.steps), []);
}
