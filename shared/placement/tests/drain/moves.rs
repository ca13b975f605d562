//! Random ways of one instance out of its group and back, through other groups, warm pools and none, while people set it to ACTIVE and DRAINING,
//! and looks are incomplete or do not show its cluster.
//!
//! Whose the drain is, and since when the instance is settled, is kept by an account of its own. Ballast takes back what is its own, where the
//! instance stays, and nothing else; what is its own and stays is taken back in the end.

use jiff::Timestamp;
use model::capacity::{ContainerInstanceStatus, GroupInstance, Lifecycle};
use model::drain::{DrainAction, LookedInstance, Whereabouts};
use model::{InstanceId, Seconds};
use proptest::prelude::*;

use crate::dice::Dice;
use crate::laws::audited;
use crate::scene::{Scene, gap};

/// Whose the drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Somebody else, or the instance takes tasks.
    Others,
    /// Ballast, which announced it then.
    Ballast(Timestamp),
    /// Somebody else, who took Ballast's back and drained anew before any look could show it.
    Unseen(Timestamp),
}

struct Way {
    scene: Scene,
    dice: Dice,
    id: InstanceId,
    looked: LookedInstance,
    of_group: GroupInstance,
    /// Where Auto Scaling has the instance; `None` while it is in its group.
    outside: Option<Whereabouts>,
    owner: Owner,
    /// Since when every look that told has shown it settled outside.
    settled_at: Option<Timestamp>,
    /// How often it was taken back outside.
    returns: u32,
    told: Vec<String>,
}

impl Way {
    fn new(seed: u64) -> Self {
        let (mut scene, ids) = Scene::web(1);
        let group = scene.group("spot");
        let of_group = group.group.as_mut().unwrap();
        let tag = ("ballast:instance-drain".to_owned(), "act".to_owned());
        of_group.tags.extend([tag]);
        let of_group = of_group.instances[&ids[0]].clone();
        let looked = group.instances[&ids[0]].clone();
        Self {
            scene,
            dice: Dice(seed),
            id: ids[0].clone(),
            looked,
            of_group,
            outside: None,
            owner: Owner::Others,
            settled_at: None,
            returns: 0,
            told: Vec::new(),
        }
    }

    fn status(&mut self) -> ContainerInstanceStatus {
        let id = self.id.clone();
        self.scene.container(&id).status
    }

    /// It is in its group, there.
    fn put(&mut self, lifecycle: Lifecycle) {
        let id = self.id.clone();
        self.outside = None;
        self.scene.snapshot.outside.clear();
        let group = self.scene.group("spot");
        group.instances.insert(id.clone(), self.looked.clone());
        let of_group = group.group.as_mut().unwrap();
        of_group.instances.insert(id.clone(), self.of_group.clone());
        self.scene.member(&id).lifecycle = lifecycle;
    }

    /// It has left its group for that.
    fn leave(&mut self, place: Whereabouts) {
        let group = self.scene.group("spot");
        group.instances.remove(&self.id);
        let of_group = group.group.as_mut().unwrap();
        of_group.instances.remove(&self.id);
        let places = &mut self.scene.snapshot.outside;
        places.insert(self.id.clone(), place.clone());
        self.outside = Some(place);
    }

    /// What somebody does.
    fn happen(&mut self) {
        let in_group = |lifecycle| Whereabouts::InGroup {
            group: "not-ours".parse().unwrap(),
            lifecycle,
        };
        let id = self.id.clone();
        let choice = self.dice.roll(14);
        self.told.push(format!("{}: {choice}", self.scene.now));
        match choice {
            0 => self.put(Lifecycle::InService),
            1 | 2 => self.put(Lifecycle::Terminating),
            3..=5 => self.leave(Whereabouts::InNoGroup),
            6 => self.leave(in_group(Lifecycle::InService)),
            7 => self.leave(in_group(Lifecycle::Warmed)),
            8 => self.leave(in_group(Lifecycle::Terminating)),
            9 => {
                self.scene.container(&id).status = ContainerInstanceStatus::Active;
            }
            10 if self.status() == ContainerInstanceStatus::Active => {
                self.scene.container(&id).status = ContainerInstanceStatus::Draining;
                if let Owner::Ballast(at) = self.owner {
                    self.owner = Owner::Unseen(at);
                }
            }
            _ => {}
        }
    }

    /// A look that may lack something: what it is about, where the instance is, its cluster, or what somebody else has.
    fn look(&mut self, is_whole: bool) {
        let whole = self.scene.snapshot.clone();
        let lack = if is_whole { 4 } else { self.dice.roll(8) };
        let is_outside = self.outside.is_some();
        match lack {
            0 => self.scene.snapshot.is_full = false,
            1 => self.scene.snapshot.gaps = vec![gap("ecs:DescribeServices")],
            2 if is_outside => {
                let gap = gap("autoscaling:DescribeAutoScalingInstances");
                let places = &mut self.scene.snapshot.outside;
                places.insert(self.id.clone(), Whereabouts::Unread { gap });
            }
            3 if is_outside => {
                self.scene.snapshot.clusters.clear();
                self.scene.snapshot.searched.clear();
                self.scene.snapshot.outside.clear();
            }
            _ => {}
        }
        self.account();
        let decision = self.scene.decide();
        let found = audited(&self.scene, &decision.plan);
        assert!(found.is_empty(), "{found:?}\n{:#?}", self.told);
        let (now, told) = (self.scene.now, decision.plan.to_string());
        self.told.push(format!("{now}: lacks {lack}: {told}"));
        for step in &decision.plan.steps {
            match step.action {
                DrainAction::Drain { .. } => self.owner = Owner::Ballast(now),
                DrainAction::Activate { .. } => self.check_return(),
                DrainAction::StopTask { .. }
                | DrainAction::RecordHeartbeat { .. }
                | DrainAction::CompleteLifecycleAction { .. } => panic!("{step}"),
            }
        }
        self.scene.act();
        let changed = self.scene.snapshot.clusters.clone();
        self.scene.snapshot = whole;
        if !changed.is_empty() {
            self.scene.snapshot.clusters = changed;
        }
        self.scene.snapshot.taken_at = self.scene.now;
    }

    /// What this look shows.
    fn account(&mut self) {
        let now = self.scene.now;
        let snapshot = &self.scene.snapshot;
        let is_in_sight = !snapshot.clusters.is_empty();
        let is_looked_at = self.outside.is_none() || snapshot.is_full;
        let place = snapshot.outside.get(&self.id).cloned();
        let is_draining = is_in_sight && self.status() == ContainerInstanceStatus::Draining;
        if let Owner::Ballast(at) | Owner::Unseen(at) = self.owner
            && is_in_sight
            && is_looked_at
            && !is_draining
            && Seconds(30).after(at) <= now
        {
            self.owner = Owner::Others;
        }
        match (&self.outside, place) {
            (None, _) => self.settled_at = None,
            (Some(_), _) if !self.scene.snapshot.is_full => {}
            (Some(_), None | Some(Whereabouts::Unread { .. })) => {}
            // Nothing is kept of one that takes tasks.
            (Some(_), _) if !is_draining => self.settled_at = None,
            (Some(_), Some(Whereabouts::InNoGroup)) => _ = self.settled_at.get_or_insert(now),
            (Some(_), Some(Whereabouts::InGroup { lifecycle, .. })) => {
                let is_settled = lifecycle == Lifecycle::InService;
                self.settled_at = self.settled_at.or(Some(now)).filter(|_| is_settled);
            }
        }
    }

    fn check_return(&mut self) {
        let told = &self.told;
        assert_ne!(self.owner, Owner::Others, "{told:#?}");
        let is_settled = match &self.outside {
            None => {
                let member = self.scene.member(&self.id.clone()).clone();
                member.lifecycle == Lifecycle::InService
            }
            Some(_) => self
                .settled_at
                .is_some_and(|it| Seconds(600).after(it) <= self.scene.now),
        };
        assert!(is_settled, "{:#?}", self.told);
        self.owner = Owner::Others;
        self.settled_at = None;
        self.returns += u32::from(self.outside.is_some());
    }

    fn run(&mut self, looks: u32) {
        for _ in 0..looks {
            if self.dice.one_in(5) {
                self.happen();
            }
            let secs = [15, 29, 30, 60, 300, 300, 599][usize::try_from(self.dice.roll(7)).unwrap()];
            self.scene.later(secs);
            self.look(false);
        }
    }

    /// Nothing happens any more, and everything is seen.
    fn rest(&mut self) {
        if self.outside.is_some() {
            self.leave(Whereabouts::InNoGroup);
        } else {
            self.put(Lifecycle::InService);
        }
        let owner = self.owner;
        let before = self.status();
        for _ in 0..13 {
            self.scene.later(60);
            self.look(true);
        }
        let after = self.status();
        match owner {
            Owner::Others => assert_eq!(before, after, "{:#?}", self.told),
            Owner::Ballast(_) => {
                assert_eq!(after, ContainerInstanceStatus::Active, "{:#?}", self.told);
            }
            Owner::Unseen(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn only_what_is_ballasts_own_and_stays_is_taken_back(seed in any::<u64>()) {
        let mut way = Way::new(seed);
        way.run(100);
        way.rest();
    }
}

/// A walk on which nothing is taken back proves nothing.
#[test]
fn the_ways_lead_to_drains_that_are_taken_back_outside() {
    let mut returns = 0;
    for seed in 0..40 {
        let mut way = Way::new(seed);
        way.run(100);
        returns += way.returns;
    }
    assert!(returns >= 20, "{returns}");
}
