//! The few numbers that are remembered say the same as every look ever made.

use jiff::Timestamp;
use model::Seconds;
use model::memory::{Level, PairMemory, Recall};
use placement::decide;
use placement::fallback::history::STEPS_MAX;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::scene::{Scene, now};

/// A look that was remembered.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Timestamp,
    deficit: u32,
    need: u32,
}

/// What one look finds, and whether its memory is lost to another invocation that was quicker.
#[derive(Debug, Clone, Copy)]
struct Finds {
    after_secs: i64,
    deficit: u32,
    starting: u32,
    lost: bool,
    hold_down_secs: i64,
}

const DESIRED: u32 = 60;

/// Every look since the watch began, beside the memory.
#[derive(Debug, Default)]
struct Record {
    looks: Vec<Look>,
    memory: PairMemory,
    /// Whether more steps were needed than a staircase may have.
    overflowed: bool,
}

fn seconds_from_now(secs: i64) -> Timestamp {
    Seconds(secs).after(now())
}

impl Record {
    fn look(&mut self, at: Timestamp, finds: Finds) {
        let Finds {
            deficit, starting, ..
        } = finds;
        let starting = starting.min(DESIRED - deficit);
        let mut scene = Scene::desired(DESIRED)
            .ready(DESIRED - deficit - starting)
            .starting(starting, 0)
            .tag("ballast:hold-down-secs", &finds.hold_down_secs.to_string());
        for task in &mut scene.pair.primary.tasks {
            task.created_at = Some(at);
        }
        // The standby is never raised here, and never at rest.
        let scene = scene.standby(1).tag("ballast:settle-secs", "3600");
        let memory = scene.becomes(&self.memory, at);
        if !finds.lost {
            self.remember(at, deficit, deficit + starting, memory);
        }
    }

    fn remember(&mut self, at: Timestamp, deficit: u32, need: u32, mut memory: PairMemory) {
        let broken = |last: &Look| Seconds::between(last.at, at).0 > 180;
        if self.looks.last().is_some_and(broken) {
            self.looks.clear();
            self.overflowed = false;
        }
        self.looks.push(Look { at, deficit, need });
        memory.wrote = None;
        self.memory = memory;
    }

    /// Since when, without a break, at least so many tasks have been missing.
    fn missing_since(&self, tasks: u32) -> Option<Timestamp> {
        let looks = self.looks.iter().rev();
        looks
            .take_while(|it| it.deficit >= tasks)
            .last()
            .map(|it| it.at)
    }

    /// How lately so many tasks were needed.
    fn needed_at(&self, tasks: u32) -> Option<Timestamp> {
        let mut looks = self.looks.iter().rev();
        looks.find(|it| it.need >= tasks).map(|it| it.at)
    }

    fn check(&mut self, hold_down_secs: i64) {
        let Some(last) = self.looks.last().copied() else {
            return;
        };
        let within = |at: &Timestamp| Seconds::between(*at, last.at).0 < hold_down_secs;
        let told_missing = |tasks| told(&self.memory.deficits, tasks).min();
        let told_needed = |tasks| told(&self.memory.needs, tasks).filter(within).max();
        let all: Vec<u32> = (1..=DESIRED).collect();
        let distinct = |times: Vec<Option<Timestamp>>| {
            let times: std::collections::BTreeSet<_> = times.into_iter().flatten().collect();
            times.len()
        };
        let missing = all.iter().map(|it| self.missing_since(*it)).collect();
        // A need of 0 is a step too.
        let needed = (0..=DESIRED).map(|it| self.needed_at(it)).collect();
        self.overflowed |= distinct(missing).max(distinct(needed)) > STEPS_MAX;
        assert!(self.memory.deficits.len() <= STEPS_MAX && self.memory.needs.len() <= STEPS_MAX);
        for tasks in all {
            let (missing, needed) = (
                self.missing_since(tasks),
                self.needed_at(tasks).filter(within),
            );
            if !self.overflowed {
                assert_eq!(told_missing(tasks), missing, "{tasks} missing: {self:?}");
                assert_eq!(told_needed(tasks), needed, "{tasks} needed: {self:?}");
            }
            assert_eq!(told_missing(tasks).is_some(), missing.is_some());
            assert!(
                told_missing(tasks) >= missing,
                "{tasks} count as missing for longer than they are"
            );
            assert!(
                told_needed(tasks) >= needed,
                "{tasks} were needed more lately"
            );
            // Whatever the hold-down was, and whatever it will be: a need is remembered, or the watch counts from after it.
            let since = self.memory.watched.unwrap().since;
            if let Some(at) = self.needed_at(tasks) {
                let remembered = told(&self.memory.needs, tasks).any(|it| it >= at);
                assert!(
                    remembered || since >= at,
                    "{tasks} needed at {at} are forgotten"
                );
            }
        }
    }
}

/// The times that go with at least so many tasks.
fn told(levels: &[Level], tasks: u32) -> impl Iterator<Item = Timestamp> {
    levels
        .iter()
        .filter(move |it| it.tasks >= tasks)
        .map(|it| it.at)
}

impl Scene {
    /// What this memory becomes when Ballast looks at this time.
    fn becomes(&self, memory: &PairMemory, at: Timestamp) -> PairMemory {
        let key = self.pair.primary.key.clone();
        let memories = [(key.clone(), Recall::Known(memory.clone()))].into();
        let snapshot = self.snapshot();
        let mut decision = decide(&snapshot, &self.installation, &memories, &self.hints, at);
        decision.memories.remove(&key).unwrap()
    }
}

fn play(looks: &[Finds]) -> Record {
    let mut record = Record::default();
    let mut secs = 0;
    for finds in looks {
        secs += finds.after_secs;
        record.look(seconds_from_now(secs), *finds);
        if !finds.lost {
            record.check(finds.hold_down_secs);
        }
    }
    record
}

fn finds() -> impl Strategy<Value = Finds> {
    let after_secs = prop_oneof![2 => 0_i64..5, 8 => 30_i64..70, 2 => 110_i64..190];
    let counts = (
        prop_oneof![0_u32..6, 0_u32..40],
        prop_oneof![Just(0_u32), 0_u32..6],
    );
    let hold_down_secs = prop_oneof![9 => Just(600_i64), 1 => Just(60_i64), 1 => Just(3_600_i64)];
    (after_secs, counts, 0..10, hold_down_secs).prop_map(
        |(after_secs, (deficit, starting), lost, hold_down_secs)| Finds {
            after_secs,
            deficit,
            starting,
            lost: lost == 0,
            hold_down_secs,
        },
    )
}

fn look(after_secs: i64, deficit: u32) -> Finds {
    Finds {
        after_secs,
        deficit,
        starting: 0,
        lost: false,
        hold_down_secs: 86_400,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_memory_says_what_every_look_says(looks in vec(finds(), 1..60)) {
        let mut same_hold_down = looks;
        let first = same_hold_down[0].hold_down_secs;
        for it in &mut same_hold_down {
            it.hold_down_secs = first;
        }
        play(&same_hold_down);
    }

    #[test]
    fn a_changed_hold_down_forgets_nothing_that_counts(looks in vec(finds(), 1..40)) {
        let mut record = Record::default();
        let mut secs = 0;
        for finds in looks {
            secs += finds.after_secs;
            record.look(seconds_from_now(secs), finds);
            // What is exact for one hold-down may be on the careful side for another.
            record.overflowed = true;
            if let Some(watch) = record.memory.watched
                && let Some(last) = record.looks.last()
            {
                for tasks in 1..=DESIRED {
                    let Some(at) = record.needed_at(tasks) else { continue };
                    let mut remembered = told(&record.memory.needs, tasks);
                    prop_assert!(remembered.any(|it| it >= at) || watch.since >= at);
                    prop_assert!(watch.until == last.at);
                }
            }
        }
    }

    /// More steps than are remembered, at random distances.
    #[test]
    fn beyond_its_bound_it_errs_on_the_careful_side(gaps in vec(1_i64..180, 50), down in 0_u32..2) {
        let looks: Vec<Finds> = gaps
            .iter()
            .zip(1_u32..)
            .map(|(gap, step)| look(*gap, if down == 0 { step } else { 55 - step }))
            .collect();
        let record = play(&looks);
        prop_assert!(record.overflowed);
        let longest = if down == 0 { &record.memory.deficits } else { &record.memory.needs };
        prop_assert_eq!(longest.len(), STEPS_MAX);
    }
}

#[test]
fn exactly_as_many_steps_as_fit_are_remembered_exactly() {
    let most = u32::try_from(STEPS_MAX).unwrap();
    let rising: Vec<Finds> = (1..=most).map(|it| look(60, it)).collect();
    let record = play(&rising);
    assert!(!record.overflowed);
    assert_eq!(record.memory.deficits.len(), STEPS_MAX);
    let falling: Vec<Finds> = (1..=most).rev().map(|it| look(60, it)).collect();
    let record = play(&falling);
    assert!(!record.overflowed);
    assert_eq!(record.memory.needs.len(), STEPS_MAX);
}

/// Two looks within one second of AWS's clock.
#[test]
fn two_looks_at_the_same_time_leave_one_step() {
    let record = play(&[look(0, 3), look(0, 5), look(60, 5), look(0, 2)]);
    let levels = |levels: &[Level]| levels.iter().map(|it| it.tasks).collect::<Vec<_>>();
    assert_eq!(levels(&record.memory.deficits), [2]);
    assert_eq!(levels(&record.memory.needs), [5]);
    let record = play(&[look(0, 3), look(0, 5)]);
    assert_eq!(levels(&record.memory.deficits), [5]);
}
