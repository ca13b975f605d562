//! Long random walks: an independent little ECS, looks at random times, and every fault that the way from look to write can have. The
//! oracle keeps every look that was ever remembered.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{PairMemory, Recall};
use model::plan::{Action, Plan};
use model::snapshot::{Service, Standby, TaskStatus};
use placement::{audit, decide};
use proptest::prelude::*;

use crate::dice::Dice;
use crate::scene::{Scene, now};

const DESIRED: u32 = 6;
const HOLD_DOWN_SECS: i64 = 300;
const FOREIGN_HOLD_SECS: i64 = 400;
const START_UP_SECS: i64 = 20;
const NOTICE_SECS: i64 = 120;
const TICK_SECS: i64 = 5;
/// 120 s of notice − 20 s to start − one interval of 60 s − 10 s of margin.
const WAIT_SECS: i64 = 30;

#[derive(Debug, Clone, Copy)]
struct Task {
    made: i64,
    told: Option<i64>,
    interrupted: bool,
    ends: Option<i64>,
}

impl Task {
    fn is_up(&self, secs: i64) -> bool {
        secs >= self.made + START_UP_SECS && self.ends.is_none_or(|ends| secs < ends)
    }

    fn is_ready(&self, secs: i64) -> bool {
        self.told.is_none() && self.is_up(secs)
    }
}

/// What a walk may meet.
#[derive(Debug, Clone, Copy)]
struct Faults {
    /// Looks are lost, come early, and their writes fail or conflict; hints are lost, doubled and late.
    way: bool,
    /// Tasks also crash, and somebody edits the standby.
    world: bool,
}

/// A look that was remembered.
#[derive(Debug, Clone, Copy)]
struct Seen {
    secs: i64,
    need: u32,
}

#[derive(Debug)]
struct Walk {
    dice: Dice,
    faults: Faults,
    secs: i64,
    spot: bool,
    primary: Vec<Task>,
    standby: Vec<Task>,
    standby_desired: u32,
    memory: PairMemory,
    seen: Vec<Seen>,
    raised_at: Option<i64>,
    noticed: Option<(u32, i64)>,
    failed_at: Option<i64>,
    writes: u32,
}

fn held_for_a_writer(plan: &Plan) -> bool {
    let names = ["foreign_edit", "own_write_not_visible"];
    plan.holds
        .iter()
        .any(|it| names.contains(&it.reason.as_str()))
}

fn at(secs: i64) -> Timestamp {
    Seconds(secs).after(now())
}

impl Walk {
    fn new(seed: u64, faults: Faults) -> Self {
        let settled = Task {
            made: -1_000,
            told: None,
            interrupted: false,
            ends: None,
        };
        Self {
            dice: Dice(seed),
            faults,
            secs: 0,
            spot: true,
            primary: vec![settled; DESIRED as usize],
            standby: Vec::new(),
            standby_desired: 0,
            memory: PairMemory::default(),
            seen: Vec::new(),
            raised_at: None,
            noticed: None,
            failed_at: None,
            writes: 0,
        }
    }

    fn ready(tasks: &[Task], secs: i64) -> u32 {
        u32::try_from(tasks.iter().filter(|it| it.is_ready(secs)).count()).unwrap()
    }

    /// What ECS and Spot do in one tick.
    fn tick(&mut self) {
        self.secs += TICK_SECS;
        let Self {
            secs, spot, dice, ..
        } = *self;
        let mut dice = dice;
        for task in &mut self.primary {
            if task.is_ready(secs) && !spot && dice.one_in(20) {
                task.told = Some(secs);
                task.interrupted = true;
                task.ends = Some(secs + NOTICE_SECS);
            } else if task.is_ready(secs) && self.faults.world && dice.one_in(400) {
                task.told = Some(secs);
                task.ends = Some(secs);
            }
        }
        let made = Task {
            made: secs,
            told: None,
            interrupted: false,
            ends: None,
        };
        let to_run = self.primary.iter().filter(|it| it.told.is_none()).count();
        if to_run < DESIRED as usize && spot {
            self.primary.push(made);
        } else if to_run < DESIRED as usize {
            self.failed_at = Some(secs);
        }
        let to_run = self.standby.iter().filter(|it| it.told.is_none()).count();
        let desired = self.standby_desired as usize;
        self.standby
            .extend(vec![made; desired.saturating_sub(to_run)]);
        for _ in desired..to_run {
            let mut up: Vec<&mut Task> = self
                .standby
                .iter_mut()
                .filter(|it| it.told.is_none())
                .collect();
            let index = usize::try_from(dice.roll(up.len() as u64)).unwrap();
            up[index].told = Some(secs);
            up[index].ends = Some(secs);
        }
        let kept = |it: &Task| it.ends.is_none_or(|ends| secs < ends + 3_600);
        self.primary.retain(kept);
        self.standby.retain(kept);
        if self.faults.world && dice.one_in(300) {
            // Somebody else sets the standby's desired count.
            self.standby_desired = u32::try_from(dice.roll(6)).unwrap();
        }
        self.dice = dice;
    }

    /// Keeps since when a desired count that is not Ballast's has been seen in every look.
    fn notice(&mut self) {
        let found = self.standby_desired;
        let foreign = self
            .memory
            .wrote
            .is_some_and(|wrote| found != wrote.to && (found != wrote.from || wrote.confirmed));
        let known = self.noticed.filter(|(count, _)| *count == found);
        self.noticed = foreign.then(|| known.unwrap_or((found, self.secs)));
    }

    fn observed(&self, tasks: &[Task], service: &mut Service) {
        for it in tasks {
            let secs = self.secs;
            crate::scene::add(service, 1, |task| {
                task.created_at = Some(at(it.made));
                let started = it.made + START_UP_SECS;
                task.started_at = (secs >= started).then(|| at(started));
                task.last_status = match it.ends {
                    Some(ends) if secs >= ends => TaskStatus::Stopped,
                    _ if secs >= started => TaskStatus::Running,
                    _ => TaskStatus::Pending,
                };
                task.desired_running = it.told.is_none();
                task.interrupted = it.interrupted;
                task.stopping_at = it.told.map(at);
                task.stopped_at = it.ends.filter(|ends| secs >= *ends).map(at);
            });
        }
    }

    fn scene(&mut self) -> Scene {
        let mut scene = Scene::desired(DESIRED)
            .tag("ballast:hold-down-secs", &HOLD_DOWN_SECS.to_string())
            .tag("ballast:foreign-hold-secs", &FOREIGN_HOLD_SECS.to_string());
        self.observed(&self.primary, &mut scene.pair.primary);
        if let Standby::Present(standby) = &mut scene.pair.standby {
            standby.desired_count = self.standby_desired;
            self.observed(&self.standby, standby);
        }
        if let Some(failed) = self.failed_at.take() {
            let copies = if self.faults.way {
                self.dice.roll(3)
            } else {
                1
            };
            for _ in 0..copies {
                let late = if self.faults.way && self.dice.one_in(4) {
                    2_000
                } else {
                    0
                };
                scene = scene.spot_failed(late - failed);
            }
        }
        scene.recall = Recall::Known(self.memory.clone());
        if self.faults.way && self.dice.one_in(10) {
            return self.half_read(scene);
        }
        scene
    }

    /// The look finds only some of the primary's tasks; ECS's own counts are right.
    fn half_read(&mut self, scene: Scene) -> Scene {
        let found = |scene: &Scene, status| {
            let tasks = scene.pair.primary.tasks.iter();
            u32::try_from(tasks.filter(|it| it.last_status == status).count()).unwrap()
        };
        let (running, pending) = (
            found(&scene, TaskStatus::Running),
            found(&scene, TaskStatus::Pending),
        );
        let mut scene = scene.pair_gap("ecs:DescribeTasks", "container-demo/web");
        let primary = &mut scene.pair.primary;
        primary.tasks.retain(|_| self.dice.one_in(2));
        primary.running_count = running;
        primary.pending_count = pending;
        primary.all_to_run_read = false;
        scene
    }

    /// One invocation.
    fn look(&mut self) {
        let scene = self.scene();
        let (snapshot, memories) = (scene.snapshot(), scene.memories());
        let time = at(self.secs);
        let decision = decide(
            &snapshot,
            &scene.installation,
            &memories,
            &scene.hints,
            time,
        );
        let plan = decision.plan;
        let found = audit::audit(&plan, &snapshot, &scene.installation, &memories, time);
        assert!(found.is_empty(), "{found:?} in {plan}");
        if self.faults.way && self.dice.one_in(8) {
            // Another invocation was quicker: neither remembered nor carried out.
            return;
        }
        let ready = Self::ready(&self.primary, self.secs);
        let need = DESIRED.saturating_sub(ready);
        let before = self.standby_desired;
        self.notice();
        let awaited = self.announced_a_moment_ago();
        self.memory = decision.memories.into_values().next().unwrap();
        let left_alone = held_for_a_writer(&plan);
        assert!(
            !left_alone || awaited || self.noticed.is_some(),
            "nobody else wrote: {plan}"
        );
        if let Some((_, noticed)) = self.noticed.filter(|_| !left_alone) {
            let left_alone_secs = self.secs - noticed;
            assert!(
                left_alone_secs >= FOREIGN_HOLD_SECS,
                "noticed at {noticed}, and at {}: {plan}",
                self.secs
            );
            // Taken as given: the watch begins anew.
            self.seen.clear();
            self.noticed = None;
            self.raised_at = None;
        }
        let (secs, complete) = (self.secs, scene.pair.primary.all_to_run_read);
        self.seen.extend(complete.then_some(Seen { secs, need }));
        if let Some(step) = plan.steps.first() {
            let Action::SetDesiredCount { from, to, .. } = step.action;
            assert_eq!(from, before);
            self.judge(to, ready, &plan);
            self.write(to);
        }
        if !self.faults.way && !self.faults.world {
            self.is_in_time(&plan);
        }
    }

    /// A write was announced less than half a minute ago, was not confirmed, and does not show: it may yet come.
    fn announced_a_moment_ago(&self) -> bool {
        self.memory.wrote.is_some_and(|wrote| {
            let age_secs = at(self.secs).as_second() - wrote.at.as_second();
            !wrote.confirmed && wrote.from == self.standby_desired && age_secs < 30
        })
    }

    fn write(&mut self, to: u32) {
        self.writes += 1;
        let (lost, unconfirmed) = if self.faults.way {
            (self.dice.one_in(6), self.dice.one_in(6))
        } else {
            (false, false)
        };
        if !lost {
            self.standby_desired = to;
        }
        if let Some(wrote) = &mut self.memory.wrote {
            wrote.confirmed = !lost && !unconfirmed;
        }
    }

    /// Against every look that was ever remembered.
    fn judge(&mut self, to: u32, ready: u32, plan: &Plan) {
        let Self {
            secs,
            standby_desired: from,
            ..
        } = *self;
        if to > from {
            assert!(to <= DESIRED - ready, "more than is missing: {plan}");
            self.raised_at = Some(secs);
            return;
        }
        if let Some(raised) = self.raised_at {
            assert!(
                secs - raised >= HOLD_DOWN_SECS,
                "raised at {raised}, lowered at {secs}"
            );
        }
        let left = ready + Self::ready(&self.standby, secs).saturating_sub(from - to);
        assert!(
            ready >= DESIRED || left >= DESIRED,
            "{left} ready tasks left: {plan}"
        );
        let mut looked = secs;
        for seen in self.seen.iter().rev() {
            assert!(
                looked - seen.secs <= 180,
                "not looked at between {} and {looked}",
                seen.secs
            );
            looked = seen.secs;
            if secs - looked >= HOLD_DOWN_SECS {
                return;
            }
            assert!(
                seen.need <= to,
                "{} were needed at {looked}: {plan}",
                seen.need
            );
        }
        panic!("looked at only since {looked}, lowered at {secs}: {plan}");
    }

    /// With looks on schedule: what is due is covered at once, and what is told to stop is covered before it has gone.
    fn is_in_time(&self, plan: &Plan) {
        let to_run = self.primary.iter().filter(|it| it.told.is_none()).count();
        let missing = DESIRED - u32::try_from(to_run).unwrap();
        let due = self.primary.iter().any(|it| {
            let waited = it.told.is_some_and(|told| self.secs >= told + WAIT_SECS);
            waited && it.is_up(self.secs)
        });
        let covered = self.standby_desired >= missing;
        assert!(
            !due || covered,
            "{missing} missing, standby {}: {plan}",
            self.standby_desired
        );
    }

    fn serving(&self) -> usize {
        let up = |it: &&Task| it.is_up(self.secs);
        self.primary.iter().filter(up).count() + self.standby.iter().filter(up).count()
    }

    /// Walks on for so long; looks on schedule, or nearly so.
    fn walk(&mut self, secs: i64, mut every_tick: impl FnMut(&mut Self)) {
        let end = self.secs + secs;
        let mut next = self.secs + 60;
        while self.secs < end {
            self.tick();
            every_tick(self);
            let scheduled = self.secs >= next;
            let by_event = self.faults.way && self.dice.one_in(20);
            if scheduled {
                next += 60;
            }
            let lost = self.faults.way && self.dice.one_in(5);
            if (scheduled && !lost) || by_event {
                self.look();
            }
        }
    }
}

fn spot_comes_and_goes(walk: &mut Walk) {
    let turns = if walk.spot { 150 } else { 60 };
    if walk.dice.one_in(turns) {
        walk.spot = !walk.spot;
    }
}

/// With all faults off and Spot back, the standby goes back to 0 and stays there, and nothing is remembered but the last write.
fn comes_to_rest(walk: &mut Walk) {
    walk.faults = Faults {
        way: false,
        world: false,
    };
    walk.spot = true;
    walk.walk(FOREIGN_HOLD_SECS + 2 * HOLD_DOWN_SECS + 400, |_| {});
    assert_eq!(walk.standby_desired, 0, "{walk:?}");
    let writes = walk.writes;
    walk.walk(1_800, |walk| assert_eq!(walk.standby_desired, 0));
    assert_eq!(walk.writes, writes);
    let rest = PairMemory {
        wrote: walk.memory.wrote,
        ..PairMemory::default()
    };
    assert_eq!(walk.memory, rest);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn on_schedule_no_interruption_is_ever_felt(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, Faults { way: false, world: false });
        walk.walk(5_400, |walk| {
            spot_comes_and_goes(walk);
            assert!(walk.serving() >= DESIRED as usize, "{} serve at {}", walk.serving(), walk.secs);
        });
        comes_to_rest(&mut walk);
    }

    #[test]
    fn faults_on_the_way_never_break_a_law(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, Faults { way: true, world: false });
        walk.walk(7_200, spot_comes_and_goes);
        comes_to_rest(&mut walk);
    }

    #[test]
    fn nor_do_crashes_and_other_writers(seed in any::<u64>()) {
        let mut walk = Walk::new(seed, Faults { way: true, world: true });
        walk.walk(7_200, spot_comes_and_goes);
        comes_to_rest(&mut walk);
    }
}

/// The walks do what they are for: they raise, give back and meet Spot's return.
#[test]
fn the_walks_raise_and_give_back() {
    let mut writes = 0;
    for seed in 0..10 {
        let mut walk = Walk::new(
            seed,
            Faults {
                way: false,
                world: false,
            },
        );
        walk.walk(5_400, spot_comes_and_goes);
        writes += walk.writes;
    }
    assert!(writes >= 40, "{writes} writes in ten walks");
}
