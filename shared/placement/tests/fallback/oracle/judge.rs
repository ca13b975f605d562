//! Whether a step is the right one, and whether what a step or a hold says is true.

use model::memory::{PairMemory, Recall};
use model::plan::{Action, Counts, Evidence, Hold, HoldReason, Role, Step, StepReason};
use model::snapshot::Pair;

use super::facts::{Facts, Past};
use super::may_touch::{Writer, holes, refusals, writer};
use super::{SECOND, at, count, secs, time};
use crate::random::Situation;

/// One pair that may be touched.
pub(super) struct Judge<'a> {
    pub(super) situation: &'a Situation,
    pub(super) facts: Facts<'a>,
    pub(super) interval: i128,
    pub(super) past: Option<Past>,
    pub(super) memory: Option<PairMemory>,
}

/// Judges one pair, of which exactly one step or one hold must be there. Says what is wrong by panicking.
pub(crate) fn judge(situation: &Situation, pair: &Pair, step: Option<&Step>, hold: Option<&Hold>) {
    let refused = refusals(pair);
    if !refused.is_empty() {
        let hold = hold.expect("a pair that may not be touched is held");
        let name = hold.reason.as_str();
        let name = if let HoldReason::Daemon { role } | HoldReason::ForeignController { role, .. } =
            &hold.reason
        {
            format!("{name} {role}")
        } else {
            name.to_owned()
        };
        assert!(refused.contains(&name), "{name} is none of {refused:?}");
        assert_eq!(hold.until, None);
        return;
    }
    let facts = Facts::of(pair).expect("a pair that may be touched can be counted");
    let interval = secs(situation.installation.schedule_interval);
    let mut memory = match situation.memories.get(&pair.primary.key) {
        Some(Recall::Known(memory)) => Some(memory.clone()),
        Some(Recall::Unknown) => None,
        None => Some(PairMemory::default()),
    };
    if let Some(memory) = &mut memory {
        match writer(memory, facts.policy, facts.standby) {
            Writer::Ours => {}
            Writer::NotVisible { until } => {
                let hold = hold.expect("an own write is awaited");
                assert_eq!(hold.reason.as_str(), "own_write_not_visible");
                assert_eq!(hold.until, Some(time(until)));
                return;
            }
            Writer::Foreign { until, noticed } => {
                let hold = hold.expect("a foreign edit is left alone");
                let HoldReason::ForeignEdit {
                    found, noticed_at, ..
                } = hold.reason
                else {
                    panic!("a foreign edit is held for another reason: {hold}");
                };
                assert_eq!(
                    (found, noticed_at),
                    (facts.counts.standby_desired, time(noticed))
                );
                assert_eq!(hold.until, Some(time(until)));
                return;
            }
            Writer::Adopted => *memory = PairMemory::default(),
            Writer::Nobody => (memory.wrote, memory.foreign) = (None, None),
        }
    }
    let judge = Judge {
        situation,
        interval,
        past: memory.as_ref().map(|it| Past::of(it, interval)),
        memory,
        facts,
    };
    match (step, hold) {
        (Some(step), None) => judge.step(step),
        (None, Some(hold)) => judge.hold(hold),
        _ => panic!("a pair is in exactly one step or one hold"),
    }
}

impl Judge<'_> {
    fn shortages(&self) -> Vec<i128> {
        let primary = &self.facts.pair.primary.key;
        let reports = self
            .situation
            .spot_reports
            .iter()
            .filter(|(it, _)| it == primary);
        let reported = reports.map(|(_, time)| time.map_or(0, |time| at(time).min(0)));
        let remembered = self.past.as_ref().and_then(|it| it.shortage);
        let all = reported.chain(remembered);
        all.filter(|it| *it > -900 * SECOND).collect()
    }

    /// How much will have been missing since before the settle time, as far as one may believe.
    fn settled(&self, then: i128) -> u32 {
        let settle = secs(self.facts.policy.settle);
        let deficit = self.facts.counts.deficit;
        if settle == 0 {
            return deficit;
        }
        let past = self.past.iter();
        let now = past.clone().map(|past| (deficit, past.looked));
        let believed = past.flat_map(|past| past.missing.iter().copied());
        // Whoever has missed more has missed this much for as long.
        let cut = believed.map(|(tasks, since)| (tasks.min(deficit), since));
        cut.chain(now)
            .filter(|(_, since)| then - since >= settle)
            .map(|(tasks, _)| tasks)
            .max()
            .unwrap_or(0)
    }

    /// How many of the tasks that are gone are accounted for at `then`, if nothing changes: each of them once.
    fn proven(&self, then: i128) -> u32 {
        let settle = secs(self.facts.policy.settle);
        let took = self.facts.taken(300 * SECOND, then);
        let just_took = self.facts.taken(settle.min(300 * SECOND), then).min(took);
        let (late, just_late) = self.facts.late(then);
        let by_name = took + late;
        let with_the_settled = self.settled(then) + just_took + just_late;
        let gone = by_name.max(with_the_settled).min(self.facts.gone);
        let going = if self.told_apart(then) {
            self.facts.unreplaced
        } else {
            0
        };
        gone + going
    }

    fn due(&self) -> bool {
        self.facts
            .latest_moment(self.interval)
            .is_some_and(|latest| latest <= 0)
    }

    /// How far the standby must be raised now.
    fn reach(&self) -> u32 {
        let for_long = self.no_room_for_long().is_some();
        if self.due() || for_long || !self.shortages().is_empty() {
            return self.facts.target;
        }
        self.proven(0).min(self.facts.target)
    }

    fn step(&self, step: &Step) {
        let Action::SetDesiredCount { service, from, to } = &step.action;
        let (from, to) = (*from, *to);
        assert_eq!(*service, self.facts.standby.key, "only the standby changes");
        assert_eq!(from, self.facts.standby.desired_count);
        match &step.reason {
            StepReason::Cover { counts, evidence } => {
                assert_eq!(*counts, self.facts.counts);
                assert!(from < to && to <= self.facts.cap && to <= self.facts.counts.deficit);
                assert!(to <= self.reach(), "{to} is more than {}", self.reach());
                if self.situation.orderly {
                    assert_eq!(to, self.reach(), "it should reach further");
                }
                self.evidence(evidence, to);
            }
            StepReason::GiveBack {
                counts,
                needed_max,
                hold_down,
            } => {
                assert_eq!(*counts, self.facts.counts);
                let allowed = self.give_back();
                assert!(allowed.is_some_and(|it| it <= to), "{allowed:?} is allowed");
                let orderly = self.situation.orderly;
                assert!(
                    !orderly || allowed == Some(to),
                    "{allowed:?} could be given back to"
                );
                let past = self
                    .past
                    .as_ref()
                    .expect("nothing is given back from memory unknown");
                let needed = self.needed_max(past);
                assert!(*needed_max == needed || (!orderly && *needed_max > needed));
                assert_eq!(*hold_down, self.facts.policy.hold_down);
            }
        }
    }

    fn evidence(&self, evidence: &Evidence, to: u32) {
        match evidence {
            Evidence::SpotShortage { reported_at } => {
                assert!(
                    self.shortages().contains(&at(*reported_at)),
                    "no report at {reported_at}"
                );
            }
            Evidence::DeadlineNear {
                first_deadline,
                latest_moment,
                start_up,
            } => {
                assert!(self.due());
                assert_eq!(Some(*first_deadline), self.facts.first_deadline().map(time));
                assert_eq!(
                    Some(*latest_moment),
                    self.facts.latest_moment(self.interval).map(time)
                );
                assert_eq!(start_up.0, self.facts.start_up());
            }
            Evidence::SpotInstancesShort { since, latest } => {
                assert!(self.shortages().is_empty() && !self.due());
                assert_eq!(Some((at(*since), at(*latest))), self.no_room_for_long());
            }
            Evidence::SpotInstancesDraining {
                tasks,
                others,
                no_room_at,
                not_replaced_since,
            } => {
                assert_eq!(*tasks, self.facts.unreplaced);
                assert!(*tasks > 0 && *others == to - to.min(*tasks));
                assert_eq!(no_room_at.map(at), self.no_room_lately());
                let stalled = self.stalled_since().filter(|since| *since <= -30 * SECOND);
                assert_eq!(not_replaced_since.map(at), stalled);
                assert!(no_room_at.is_some() || not_replaced_since.is_some());
            }
            Evidence::SpotTookTasks { tasks, others } => {
                assert!(!self.told_apart(0) || self.facts.unreplaced == 0);
                let took = self.facts.taken(300 * SECOND, 0);
                assert_eq!(*tasks, took.min(self.facts.gone));
                assert!(took > 0 && *others == to - to.min(*tasks));
            }
            Evidence::Overdue {
                tasks,
                others,
                start_grace,
            } => {
                assert!(!self.told_apart(0) || self.facts.unreplaced == 0);
                let (late, _) = self.facts.late(0);
                assert_eq!(self.facts.taken(300 * SECOND, 0), 0);
                assert_eq!(*tasks, late.min(self.facts.gone));
                assert!(late > 0 && *others == to - to.min(*tasks));
                assert_eq!(*start_grace, self.facts.policy.start_grace);
            }
            Evidence::Persisted { since, settle } => {
                assert_eq!(*settle, self.facts.policy.settle);
                assert!(!self.told_apart(0) || self.facts.unreplaced == 0);
                assert_eq!(
                    (self.facts.taken(300 * SECOND, 0), self.facts.late(0).0),
                    (0, 0)
                );
                assert!(at(*since) + secs(*settle) <= 0, "not yet since {since}");
                let past = self.past.iter();
                let mut claims = past.flat_map(|past| past.missing.iter());
                let claims = claims.any(|it| it.0 >= to && it.1 == at(*since));
                assert!(claims || at(*since) == 0, "nobody remembers {since}");
            }
        }
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one check for each reason, in one list"
    )]
    fn hold(&self, hold: &Hold) {
        let facts = &self.facts;
        let Counts {
            desired,
            ready,
            deficit,
            standby_desired,
            leaving,
            ..
        } = facts.counts;
        if self.situation.orderly {
            assert_eq!(self.give_back(), None, "it could be given back: {hold}");
            assert!(
                facts.target <= standby_desired || self.reach() <= standby_desired,
                "raise: {hold}"
            );
        }
        let (too_low, too_high) = (
            facts.target > standby_desired,
            facts.target < standby_desired,
        );
        let past = self.past.as_ref();
        let mut until = None;
        let counts = match &hold.reason {
            HoldReason::AtRest { counts } => {
                assert_eq!((deficit, standby_desired), (0, 0));
                assert!(ready >= desired && facts.pair.primary.all_to_run_read);
                counts
            }
            HoldReason::Starting { counts } => {
                assert_eq!((deficit, standby_desired), (0, 0));
                assert!(ready < desired && counts.starting >= desired - ready);
                assert!(facts.pair.primary.all_to_run_read);
                counts
            }
            HoldReason::Covered { counts } => {
                assert!(deficit == standby_desired && deficit > 0);
                assert!(counts.standby_ready >= deficit);
                assert!(facts.pair.primary.all_to_run_read);
                counts
            }
            HoldReason::Covering { counts } => {
                assert!(deficit == standby_desired && counts.standby_ready < deficit);
                assert!(facts.pair.primary.all_to_run_read);
                counts
            }
            HoldReason::AtCap { counts, cap } => {
                assert!(*cap == facts.cap && standby_desired == *cap && deficit > *cap);
                assert!(facts.pair.primary.all_to_run_read);
                counts
            }
            HoldReason::WaitingForDeadline {
                counts,
                first_deadline,
                start_up,
            } => {
                assert!(too_low && leaving > 0 && facts.gone <= standby_desired);
                assert_eq!(Some(*first_deadline), facts.first_deadline().map(time));
                assert_eq!(start_up.0, facts.start_up());
                until = facts.latest_moment(self.interval);
                counts
            }
            HoldReason::WaitingForReplacements { counts, draining } => {
                assert!(too_low && past.is_some() && facts.gone <= standby_desired);
                assert!(*draining == facts.unreplaced && *draining > 0);
                assert_eq!(facts.first_deadline(), None);
                until = self.stalled_since().map(|since| since + 30 * SECOND);
                counts
            }
            HoldReason::WaitingToSettle { counts, settle } => {
                assert!(too_low && past.is_some() && facts.gone > standby_desired);
                assert_eq!(*settle, facts.policy.settle);
                until = Some(self.settles_at());
                counts
            }
            HoldReason::MemoryUnavailable { counts } => {
                assert!(past.is_none() && (too_low || too_high));
                counts
            }
            HoldReason::WaitingForHoldDown {
                counts,
                needed_max,
                watched_since,
                hold_down,
            } => {
                let past = past.expect("a hold-down is remembered");
                assert!(too_high);
                let needed = self.needed_max(past);
                let careful = !self.situation.orderly && *needed_max > needed;
                assert!(*needed_max == needed || careful);
                let since = watched_since.map(at);
                assert!(since >= Some(past.since) && since <= Some(past.looked.max(past.since)));
                assert_eq!(*hold_down, facts.policy.hold_down);
                until = Some(self.unneeded_from(past));
                counts
            }
            HoldReason::SnapshotIncomplete { counts, gaps } => {
                let unread = !facts.pair.primary.all_to_run_read;
                assert!(!gaps.is_empty());
                assert!(too_high || unread && facts.target == standby_desired);
                assert_eq!(*gaps, holes(self.situation, facts.pair));
                counts
            }
            HoldReason::DeploymentRunning { counts, role } => {
                let service = match role {
                    Role::Primary => &facts.pair.primary,
                    Role::Standby => facts.standby,
                };
                let newest = service.deployments.first();
                let rolls = newest.is_none_or(|it| it.in_progress);
                assert!(too_high && (service.deployments.len() > 1 || rolls));
                counts
            }
            HoldReason::StandbySettling { counts, to_run } => {
                assert_eq!(*to_run, count(facts.standby, |it| it.desired_running));
                until = self.lowered_until();
                assert!(too_high && (until.is_some() || *to_run > standby_desired));
                counts
            }
            HoldReason::NothingToSpare { counts } => {
                assert!(too_high && ready < desired && self.spare() == 0);
                counts
            }
            HoldReason::OwnWriteNotVisible { .. }
            | HoldReason::ForeignEdit { .. }
            | HoldReason::Paused
            | HoldReason::SettingsUnusable { .. }
            | HoldReason::PrimaryNotActive { .. }
            | HoldReason::Daemon { .. }
            | HoldReason::ForeignController { .. }
            | HoldReason::StandbyMissing { .. }
            | HoldReason::StandbyUnread { .. }
            | HoldReason::StandbyNotActive { .. }
            | HoldReason::StandbyNotTagged { .. }
            | HoldReason::StandbyIsPrimary
            | HoldReason::StandbyOnSpot { .. }
            | HoldReason::TaskDefinitionDiffers { .. }
            | HoldReason::StandbyScaledByApplicationAutoScaling
            | HoldReason::NotOptedIn
            | HoldReason::NotFound
            | HoldReason::Unread { .. }
            | HoldReason::StandbyWithoutPrimary { .. } => {
                panic!("nothing is wrong with the pair: {hold}")
            }
        };
        assert_eq!(*counts, facts.counts);
        if self.situation.orderly {
            assert_eq!(hold.until, until.map(time), "{hold}");
            assert!(until.is_none_or(|it| it > 0), "the reason is over: {hold}");
        }
    }

    /// When more than the standby covers will be accounted for, or an interrupted task is due if that is earlier.
    fn settles_at(&self) -> i128 {
        let past = self.past.as_ref().expect("what lasts is remembered");
        let (standby, settle) = (
            self.facts.counts.standby_desired,
            secs(self.facts.policy.settle),
        );
        let lasts = past.missing.iter().map(|it| it.1 + settle);
        let told_apart = self.stalled_since().map(|since| since + 30 * SECOND);
        let moments = lasts
            .chain([past.looked + settle, settle])
            .chain(told_apart);
        let settled = moments
            .chain(self.facts.will_be_late())
            .filter(|it| *it > 0 && self.proven(*it) > standby)
            .min()
            .unwrap_or(settle);
        let due = self.facts.latest_moment(self.interval);
        due.map_or(settled, |due| due.min(settled))
    }
}
