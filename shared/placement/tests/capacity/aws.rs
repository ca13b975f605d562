//! What AWS does with a fleet: it carries steps out, launches what was asked for, and keeps services at what they ask for.

use model::Seconds;
use model::capacity::{
    CapacityAction, CapacityStep, ContainerInstance, ContainerInstanceStatus, InstanceTask,
    Resources,
};
use model::ids::{ContainerInstanceArn, ServiceName};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::policy::Installation;
use placement::capacity;
use placement::capacity::audit::audit;

use crate::fleet::{Ecs, Fleet, TASK, key, zone};

impl Fleet {
    /// Looks, acts, and lets so many seconds pass in which ECS and Auto Scaling do their part. Returns the steps, which all succeed.
    pub(crate) fn round(&mut self, secs: i64) -> Vec<CapacityStep> {
        let decided = self.decide();
        let refused = audit(
            &decided.plan,
            &self.snapshot,
            &Installation::default(),
            &[(key(), self.recall.clone())].into(),
            self.now,
        );
        assert_eq!(refused, [], "{}", decided.plan);
        let before = self.memory().clone();
        let planned = decided.memories.get(&key()).unwrap();
        let outcomes: Vec<Outcome<CapacityStep>> = decided
            .plan
            .steps
            .iter()
            .map(|step| Outcome {
                step: step.clone(),
                result: OutcomeResult::Done,
            })
            .collect();
        for step in &decided.plan.steps {
            self.apply(&step.action);
        }
        self.recall = Recall::Known(capacity::settle(&before, planned, &outcomes, self.now));
        self.now = Seconds(secs).after(self.now);
        self.launch_asked();
        self.move_tasks();
        self.keep_desired();
        decided.plan.steps
    }

    fn apply(&mut self, action: &CapacityAction) {
        match action {
            CapacityAction::SetDesiredCapacity { from, to, .. } => {
                let group = self.group();
                assert_eq!(group.desired_capacity, *from);
                assert!(*from < *to && *to <= group.max_size);
                group.desired_capacity = *to;
            }
            CapacityAction::Drain {
                container_instance,
                tasks,
                ..
            } => {
                assert_eq!(self.held(container_instance), *tasks);
                let cluster = self.cluster();
                let container = cluster.instances.get_mut(container_instance).unwrap();
                assert_eq!(container.status, ContainerInstanceStatus::Active);
                container.status = ContainerInstanceStatus::Draining;
            }
            CapacityAction::Activate {
                container_instance, ..
            } => {
                let cluster = self.cluster();
                let container = cluster.instances.get_mut(container_instance).unwrap();
                assert_eq!(container.status, ContainerInstanceStatus::Draining);
                container.status = ContainerInstanceStatus::Active;
            }
            CapacityAction::Terminate {
                container_instance,
                instance,
                ..
            } => {
                assert_eq!(self.held(container_instance), 0, "a task would be lost");
                let container = self.cluster().instances.remove(container_instance).unwrap();
                assert_eq!(container.status, ContainerInstanceStatus::Draining);
                let group = self.group();
                group.instances.remove(instance).unwrap();
                group.desired_capacity -= 1;
                assert!(group.min_size <= group.desired_capacity);
            }
        }
    }

    /// What the group was asked for and does not have is launched, in the zone with the fewest.
    fn launch_asked(&mut self) {
        let group = self.group();
        let has = u32::try_from(group.instances.len()).unwrap();
        let asked = group.desired_capacity;
        for _ in has..asked {
            let group = self.group();
            let in_zone = |name: &str| {
                let instances = group.instances.values();
                instances.filter(|it| it.zone == zone(name)).count()
            };
            let name = ["a", "b", "c"]
                .into_iter()
                .min_by_key(|it| in_zone(it))
                .unwrap();
            self.launch(name);
            self.group().desired_capacity = asked;
        }
    }

    /// The ACTIVE instance that ECS puts a task on.
    fn place(&mut self, needs: Resources) -> Option<ContainerInstanceArn> {
        self.refresh();
        let ecs = self.ecs;
        let instances = self.cluster().instances.values();
        let with_room = instances
            .filter(|it| it.status == ContainerInstanceStatus::Active && needs.fits(&it.remaining));
        let left = |it: &&ContainerInstance| match ecs {
            Ecs::Binpack => i64::from(it.remaining.memory_mib),
            Ecs::Spread => -i64::from(it.remaining.memory_mib),
        };
        with_room.min_by_key(left).map(|it| it.arn.clone())
    }

    /// ECS replaces the service tasks of draining instances, where there is room.
    fn move_tasks(&mut self) {
        for index in 0..self.cluster().tasks.len() {
            let cluster = self.cluster();
            let task = cluster.tasks.get(index).unwrap();
            let on = task
                .instance
                .as_ref()
                .and_then(|it| cluster.instances.get(it));
            let drains = on.is_some_and(|it| it.status == ContainerInstanceStatus::Draining);
            let needs = task.needs;
            if drains && task.service.is_some() && task.protected_until == Some(None) {
                // One that finds no room stays where it is: 100 % must be healthy.
                if let Some(to) = self.place(needs) {
                    let task = self.cluster().tasks.get_mut(index).unwrap();
                    task.instance = Some(to);
                }
            }
        }
    }

    /// ECS starts what services lack, where there is room, and stops what is too much, on the fullest instances first.
    fn keep_desired(&mut self) {
        let services: Vec<(ServiceName, u32)> = self
            .cluster()
            .services
            .values()
            .map(|it| (it.name.clone(), it.desired_count))
            .collect();
        for (service, desired) in services {
            let of = |it: &InstanceTask| it.service.as_ref() == Some(&service);
            let has = self.cluster().tasks.iter().filter(|it| of(it)).count();
            let has = u32::try_from(has).unwrap();
            for _ in has..desired {
                if let Some(to) = self.place(TASK) {
                    self.task(service.as_str(), 0).instance = Some(to);
                }
            }
            for _ in desired..has {
                let tasks = &self.cluster().tasks;
                let on = |at: usize| tasks.get(at).unwrap().instance.clone();
                let mine = (0..tasks.len()).filter(|at| of(tasks.get(*at).unwrap()));
                let fullest = mine.max_by_key(|at| {
                    let there = tasks.iter().filter(|it| it.instance == on(*at)).count();
                    (there, std::cmp::Reverse(*at))
                });
                let fullest = fullest.unwrap();
                self.cluster().tasks.remove(fullest);
            }
        }
    }
}
