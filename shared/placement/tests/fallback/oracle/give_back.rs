//! What may be given back.

use jiff::Timestamp;
use model::plan::Counts;
use model::snapshot::Service;

use super::facts::Past;
use super::judge::Judge;
use super::may_touch::holes;
use super::{SECOND, at, count, secs};

impl Judge<'_> {
    /// The most that was needed within the hold-down, this look included.
    pub(super) fn needed_max(&self, past: &Past) -> u32 {
        let hold_down = secs(self.facts.policy.hold_down);
        let recent = past.needed.iter().filter(|(_, at)| -at < hold_down);
        recent
            .map(|(tasks, _)| *tasks)
            .max()
            .unwrap_or(0)
            .max(self.facts.need)
    }

    /// When, as far as is known, fewer than the standby's tasks will have been needed for the whole hold-down.
    pub(super) fn unneeded_from(&self, past: &Past) -> i128 {
        let standby = self.facts.counts.standby_desired;
        let hold_down = secs(self.facts.policy.hold_down);
        let recent = past
            .needed
            .iter()
            .filter(|(tasks, at)| *tasks >= standby && -at < hold_down);
        let last = recent
            .map(|(_, at)| *at)
            .max()
            .unwrap_or(past.since)
            .max(past.since);
        let last = if self.facts.need >= standby {
            last.max(past.looked)
        } else {
            last
        };
        (last + hold_down).min(at(Timestamp::MAX))
    }

    pub(super) fn lowered_until(&self) -> Option<i128> {
        let wrote = self.memory.as_ref()?.wrote?;
        let lowered = wrote.to < wrote.from && wrote.to == self.facts.counts.standby_desired;
        let until = (at(wrote.at) + 30 * SECOND).min(at(Timestamp::MAX));
        (lowered && until > 0).then_some(until)
    }

    /// How many tasks may go, whichever they are.
    pub(super) fn spare(&self) -> u32 {
        let Counts {
            desired,
            ready,
            standby_ready,
            standby_desired,
            ..
        } = self.facts.counts;
        if ready >= desired {
            standby_desired
        } else {
            (ready + standby_ready)
                .saturating_sub(desired)
                .min(standby_desired)
        }
    }

    /// What the standby is to be lowered to, where it is to be lowered now.
    pub(super) fn give_back(&self) -> Option<u32> {
        let past = self.past.as_ref()?;
        let from = self.facts.counts.standby_desired;
        let rolls = |it: &Service| {
            it.deployments.len() > 1 || it.deployments.iter().any(|it| it.in_progress)
        };
        let settles = self.lowered_until().is_some()
            || count(self.facts.standby, |it| it.desired_running) > from;
        let all_read =
            self.facts.pair.primary.all_to_run_read && self.facts.standby.all_to_run_read;
        let free = all_read
            && holes(self.situation, self.facts.pair).is_empty()
            && !rolls(&self.facts.pair.primary)
            && !rolls(self.facts.standby)
            && !settles
            && self.unneeded_from(past) <= 0;
        let to = self.needed_max(past).max(from - self.spare());
        (free && self.facts.target < from && to < from).then_some(to)
    }
}
