//! Instances that somebody else drains, most of all because Spot takes them: what their tasks lack is there before they go, nothing is
//! bought twice, and what their group launches in their place makes the size right again.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect;
use model::capacity::{
    CapacityAction, CapacityHoldReason, Consent, ContainerInstanceStatus, GroupPolicy, Lifecycle,
    ProviderMemory,
};
use model::memory::Recall;
use model::strategy::Market;
use model::{InstanceId, Seconds};
use placement::capacity::CapacityDecision;

use super::fleet::{Fleet, id};
use super::scene::{Scene, ago, now};
use super::size::raised;

/// Instances with so many tasks each, of which somebody drains the first few.
fn drained(provider: &str, loads: &[u32], drained: usize) -> Scene {
    let mut scene = Scene::new();
    scene.types(provider, "t3.small");
    scene.group(provider).max_size = 5_000;
    let tasks = loads.iter().sum();
    scene.service("web", tasks, &format!("{provider}=0/1"));
    for (number, load) in loads.iter().enumerate() {
        let instance = scene.instance(provider, "t3.small");
        scene.tasks("web", &instance, *load);
        if number < drained {
            scene.container(&instance).status = ContainerInstanceStatus::Draining;
        }
    }
    scene
}

/// What the decision leaves in the ledger.
fn memory(decision: CapacityDecision) -> ProviderMemory {
    decision.memories.into_values().next().unwrap()
}

/// The look at the group once it has been set to the size, and has begun to launch nothing of it.
fn asked_for(mut scene: Scene, provider: &str, size: u32) -> Scene {
    let mut memory = memory(scene.decide());
    if let Some(wrote) = &mut memory.wrote {
        wrote.confirmed = true;
    }
    *scene.memory(provider) = memory;
    scene.group(provider).desired_capacity = size;
    scene
}

#[test]
fn what_its_tasks_lack_is_bought_at_once_whoever_drains_it() {
    for provider in ["spot", "ec2"] {
        let mut scene = drained(provider, &[3; 10], 4);
        assert_eq!(raised(&scene, provider), Some(14), "{provider}");
        scene.group(provider).max_size = 12;
        assert_eq!(raised(&scene, provider), Some(12), "{provider}");
        scene.group(provider).max_size = 10;
        let at_maximum = CapacityHoldReason::AtMaximum { max: 10, lost: 0 };
        assert_eq!(scene.held(provider), at_maximum);
    }
}

#[test]
fn what_was_bought_is_not_bought_again() {
    for provider in ["spot", "ec2"] {
        let scene = asked_for(drained(provider, &[3; 10], 4), provider, 14);
        assert_eq!(scene.held(provider), CapacityHoldReason::Launching);
        assert_eq!(scene.numbers(provider).wanted, 14);
    }
}

/// An interruption of many: what is bought is what finds no room on those that stay.
#[test]
fn of_many_that_drain_at_once_only_what_their_tasks_lack_is_bought() {
    for (load, to) in [(3, Some(1_300)), (2, None)] {
        let scene = drained("spot", &[load; 1_000], 300);
        assert_eq!(raised(&scene, "spot"), to, "{load}");
    }
    let mut loads = [3; 1_000];
    loads[900..].fill(0);
    let scene = drained("spot", &loads, 300);
    assert_eq!(raised(&scene, "spot"), Some(1_200));
    let scene = asked_for(scene, "spot", 1_200);
    assert_eq!(scene.held("spot"), CapacityHoldReason::Launching);
}

/// Four full instances and one for the target of 80 %. The free one takes what moves: its group replaces what Spot interrupts.
#[test]
fn free_room_is_not_bought_for_what_spot_is_about_to_end() {
    let loads = [3, 3, 3, 3, 0];
    let of = |provider: &str, count: usize| {
        let mut scene = drained(provider, &loads, count);
        scene.policy(provider).target_capacity_percent = Some(80);
        scene
    };
    for (provider, count, to) in [
        ("spot", 1, None),
        ("ec2", 1, Some(6)),
        ("spot", 2, Some(6)),
        ("ec2", 2, Some(7)),
    ] {
        let scene = of(provider, count);
        assert_eq!(raised(&scene, provider), to, "{provider} {count}");
    }
    let mut scene = of("spot", 1);
    assert_eq!(scene.held("spot"), CapacityHoldReason::RightSize);
    let seen = memory(scene.decide()).drained_elsewhere;
    let first: Vec<InstanceId> = scene.group("spot").instances.keys().cloned().collect();
    assert_eq!(seen, [(first[0].clone(), now())].into());
    // It is still there: nobody interrupted it.
    for (secs, to) in [(179, None), (180, Some(6))] {
        let since = [(first[0].clone(), ago(secs))];
        scene.memory("spot").drained_elsewhere = since.into();
        assert_eq!(raised(&scene, "spot"), to, "{secs}");
    }
}

/// It is no surplus until it goes: what holds the tasks is not removed for it.
#[test]
fn what_leaves_soon_is_no_surplus() {
    let mut scene = drained("spot", &[3, 3, 3, 0], 1);
    scene.watched("spot", 3_600, 3);
    scene.policy("spot").minimum_age = Seconds(0);
    assert_eq!(scene.numbers("spot").wanted, 4);
    assert_eq!(scene.held("spot"), CapacityHoldReason::RightSize);
}

/// One Spot group over an interruption, as seconds since the warning.
struct Interruption {
    fleet: Fleet,
    secs: i64,
    desired: BTreeSet<u32>,
    told: String,
    /// Why the group was last left as it is: said once.
    held: String,
}

impl Interruption {
    /// Three full instances of Spot, and no room beside them.
    fn new() -> Self {
        let mut fleet = Fleet::of([1, 1, 1]);
        fleet.group().market = Market::Spot;
        fleet.group().max_size = 10;
        *fleet.policy() = GroupPolicy::with_defaults(Consent::Act);
        fleet.tasks("web", &[3, 3, 3]);
        fleet.desire("web", 9);
        fleet.watch();
        Self {
            fleet,
            secs: 0,
            desired: BTreeSet::new(),
            told: String::new(),
            held: String::new(),
        }
    }

    /// Time goes on to so many seconds after the warning, with a look each minute.
    fn until(&mut self, secs: i64) {
        while self.secs < secs {
            self.secs += 1;
            self.fleet.now = Seconds(1).after(self.fleet.now);
            if self.secs % 60 == 10 {
                self.look();
            }
        }
    }

    /// Looks, does what is decided, and notes it.
    fn look(&mut self) {
        let decision = self.fleet.decide();
        let secs = self.secs;
        for hold in &decision.plan.holds {
            if let Some(numbers) = &hold.numbers {
                let (reason, wanted) = (hold.reason.as_str(), numbers.wanted);
                let held = format!("{reason}, {wanted} wanted");
                if self.held != held {
                    writeln!(self.told, "{secs} s: {held}").unwrap();
                }
                self.held = held;
            }
        }
        for step in &decision.plan.steps {
            writeln!(self.told, "{secs} s: {}", step.action).unwrap();
            match &step.action {
                CapacityAction::SetDesiredCapacity { to, .. } => {
                    self.fleet.group().desired_capacity = *to;
                }
                CapacityAction::Drain {
                    container_instance, ..
                } => {
                    let cluster = self.fleet.cluster();
                    let container = cluster.instances.get_mut(container_instance).unwrap();
                    container.status = ContainerInstanceStatus::Draining;
                }
                CapacityAction::Activate { .. } => panic!("{}", step.action),
                CapacityAction::Terminate {
                    container_instance,
                    instance,
                    ..
                } => {
                    self.fleet.cluster().instances.remove(container_instance);
                    self.fleet.group().instances.remove(instance);
                    self.fleet.group().desired_capacity -= 1;
                }
            }
        }
        let mut memory = memory(decision);
        if let Some(wrote) = &mut memory.wrote {
            wrote.confirmed = true;
        }
        self.fleet.recall = Recall::Known(memory);
        let desired = self.fleet.group().desired_capacity;
        self.desired.insert(desired);
    }

    /// The group launches one of those that it was asked for.
    fn launch(&mut self) -> u32 {
        let desired = self.fleet.group().desired_capacity;
        let number = self.fleet.launch("a");
        self.fleet.group().desired_capacity = desired;
        let at = self.fleet.now;
        let member = self.fleet.instance(number);
        member.lifecycle = Lifecycle::Pending;
        member.launched_at = Some(at);
        self.fleet.container(number).status = ContainerInstanceStatus::Registering;
        number
    }

    fn register(&mut self, number: u32) {
        let at = self.fleet.now;
        self.fleet.instance(number).lifecycle = Lifecycle::InService;
        let container = self.fleet.container(number);
        container.status = ContainerInstanceStatus::Active;
        container.registered_at = Some(at);
    }

    /// ECS places what ran on the one instance on the other.
    fn move_tasks(&mut self, from: u32, to: u32) {
        let to = self.fleet.container(to).arn.clone();
        let from = self.fleet.container(from).arn.clone();
        for task in &mut self.fleet.cluster().tasks {
            if task.instance.as_ref() == Some(&from) {
                task.instance = Some(to.clone());
            }
        }
    }
}

#[test]
fn the_room_is_there_before_the_instance_goes_and_its_groups_own_replacement_is_removed() {
    let mut it = Interruption::new();
    it.until(2);
    it.fleet.container(1).status = ContainerInstanceStatus::Draining;
    it.until(5);
    it.look();
    it.until(15);
    let bought = it.launch();
    it.until(65);
    it.register(bought);
    it.move_tasks(1, bought);
    it.until(120);
    // EC2 has ended it, and the group does not know yet.
    let gone = it.fleet.container(1).arn.clone();
    it.fleet.cluster().instances.remove(&gone);
    it.until(150);
    it.fleet.group().instances.remove(&id(1));
    it.until(155);
    let by_itself = it.launch();
    it.until(205);
    it.register(by_itself);
    it.until(900);
    assert_eq!(it.fleet.group().desired_capacity, 3, "{}", it.told);
    assert!(!it.fleet.group().instances.contains_key(&id(by_itself)));
    assert_eq!(it.desired, [3, 4].into(), "{}", it.told);
    assert_eq!(it.fleet.loads(), [3, 3, 3]);
    expect![[r#"
        5 s: set the desired capacity of `ec2` from 3 to 4
        10 s: launching, 4 wanted
        70 s: right_size, 4 wanted
        130 s: waiting_for_scale_in_delay, 3 wanted
        370 s: nothing_removable, 3 wanted
        550 s: scaling_in, 3 wanted
        550 s: set `i-0000000000000000e`, which is empty, to DRAINING
        610 s: terminate `i-0000000000000000e` and lower the desired capacity of `ec2` by it
        670 s: right_size, 3 wanted
    "#]]
    .assert_eq(&it.told);
}
