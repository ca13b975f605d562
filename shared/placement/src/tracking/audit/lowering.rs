//! What has to be known, and at rest, before a desired count is lowered.

use model::memory::{Level, Recall};
use model::snapshot::{Service, Standby};
use model::tracking::{Direction, Reading, TrackingMemory, TrackingStep, TrackingStepReason};

use super::{Findings, Ground, load};

/// How long tasks may be on their way without one more running, in seconds.
const LONG_SECS: i64 = 300;

impl Ground<'_> {
    pub(super) fn check_lowering(&self, step: &TrackingStep, found: &mut Findings<'_>) {
        let (_, to) = step.counts();
        self.check_complete(found);
        self.check_writer(step, found);
        let primary = &self.fleet.primary;
        let rolling = primary
            .deployments
            .iter()
            .filter(|it| it.in_progress)
            .count();
        if primary.deployments.len() > 1 || rolling > 0 {
            let detail = format!("a deployment of `{}` runs", primary.key);
            found.add("no_deployment", detail);
        }
        if !is_by_maximum(step) {
            self.check_starting(found);
            self.check_turn(found);
            self.check_load(to, found);
        }
    }

    /// The ledger answered, nothing about the service is unread, and nobody else may scale it.
    fn check_complete(&self, found: &mut Findings<'_>) {
        let mut refuse = |why: String| found.add("complete_before_lowering", why);
        if matches!(self.recall, Some(Recall::Unknown)) {
            refuse("the ledger did not answer".to_owned());
        }
        let primary = &self.fleet.primary.key;
        let standby = match &self.fleet.standby {
            Some(Standby::Present(standby)) => Some(standby.key.to_string()),
            Some(Standby::Unknown) => {
                refuse("the standby was not read".to_owned());
                None
            }
            Some(Standby::Missing) | None => None,
        };
        let is_about = |gap: &&model::snapshot::Gap| {
            let about = gap.resource.as_str();
            about == "*"
                || about == primary.cluster.as_str()
                || about == primary.to_string()
                || standby.as_deref() == Some(about)
        };
        let shared = self.snapshot.gaps.iter().filter(is_about).count();
        let gaps = shared + self.fleet.gaps.len();
        if gaps > 0 {
            refuse(format!("the look has {gaps} gaps"));
        }
        if self
            .fleet
            .primary
            .scaled_by_application_auto_scaling
            .is_none()
        {
            let why = "it is not known whether Application Auto Scaling scales the service";
            refuse(why.to_owned());
        }
    }

    fn check_starting(&self, found: &mut Findings<'_>) {
        // What has been on its way for long, while no more run than did, is not coming.
        let memory = self.memory();
        let long_secs = self.policy.pace.start_up.0.max(LONG_SECS);
        let coming = |service: &Service, since: Option<Level>| {
            let does_not_come = since.is_some_and(|it| {
                service.running_count <= it.tasks && self.has_passed(it.at, long_secs)
            });
            if does_not_come {
                0
            } else {
                service.pending_count
            }
        };
        let mut starting = coming(&self.fleet.primary, memory.and_then(|it| it.pending));
        if let Some(Standby::Present(standby)) = &self.fleet.standby {
            let of_standby = coming(standby, memory.and_then(|it| it.standby_pending));
            starting = starting.saturating_add(of_standby);
        }
        if starting > 0 {
            found.add("nothing_starting", format!("{starting} tasks are starting"));
        }
    }

    /// For the policy's time the desired count is not lowered below what somebody else set it to, by a maximum neither.
    fn check_writer(&self, step: &TrackingStep, found: &mut Findings<'_>) {
        let (_, to) = step.counts();
        let from = self.seen();
        let Some(memory) = self.memory() else {
            return;
        };
        // At first sight nothing is anybody's.
        let TrackingMemory {
            wrote: Some(wrote),
            foreign,
            ..
        } = memory
        else {
            return;
        };
        let is_back = |noticed_at| wrote.to == from && wrote.at < noticed_at;
        if let Some(edit) = foreign
            && !self.has_passed(edit.noticed_at, self.policy.foreign_hold.0)
            && !is_back(edit.noticed_at)
            && to < edit.found
        {
            let since = edit.noticed_at;
            let detail = format!("somebody else set {} by {since:.0}", edit.found);
            found.add("one_writer", detail);
        }
        let is_own = from == wrote.to || (!wrote.confirmed && from == wrote.from);
        let is_noticed = foreign.is_some_and(|it| it.found == from);
        if !is_own && !is_noticed {
            let detail = format!("{from} was found after Ballast's {}", wrote.to);
            found.add("one_writer", detail);
        }
    }

    fn check_turn(&self, found: &mut Findings<'_>) {
        let Some(turn) = self.memory().and_then(|it| it.turn) else {
            return;
        };
        let hold_secs = self.policy.pace.turn_hold.0;
        if turn.direction == Direction::Out && !self.has_passed(turn.at, hold_secs) {
            let detail = format!(
                "the last scale-out was at {:.0}, {hold_secs} s are kept",
                turn.at
            );
            found.add("turn_hold", detail);
        }
    }

    /// Every target was read for the whole of the window, and none needed more than is left; at least that many run.
    fn check_load(&self, to: u32, found: &mut Findings<'_>) {
        let counts_are_whole = self.fleet.task_counts.iter().all(|it| it.is_complete);
        for name in self.policy.targets.keys() {
            let is_whole = match self.fleet.readings.get(name) {
                Some(Reading::Read { recent, .. }) => recent.iter().all(|it| it.is_complete),
                Some(Reading::Unusable { .. } | Reading::Unread) | None => false,
            };
            if !is_whole || !counts_are_whole {
                let detail = format!("`{name}` was not read whole");
                found.add("complete_before_lowering", detail);
            }
            let measured = load::Measured::of(self, *name);
            if self.is_miscounted(*name, measured.as_ref().map(|it| it.newest)) {
                let detail = format!("`{name}` is of more tasks than can have run");
                found.add("complete_before_lowering", detail);
            }
            let Some(measured) = measured else {
                let detail = format!("`{name}` has no value");
                found.add("complete_before_lowering", detail);
                continue;
            };
            if !measured.is_new_enough || measured.holes > 0 {
                let detail = format!("`{name}` lacks values of {} periods", measured.holes);
                found.add("complete_before_lowering", detail);
            }
            let (needed, at) = measured.most;
            if needed > i128::from(to) {
                let detail = format!("`{name}` needed {needed} at {at:.0}, {to} would be left");
                found.add("load_needs_more", detail);
            }
        }
        let mut running = self.fleet.primary.running_count;
        if let Some(Standby::Present(standby)) = &self.fleet.standby {
            running = running.saturating_add(standby.running_count);
        }
        if running < to {
            let detail = format!("{running} tasks run, which cannot show a load of {to}");
            found.add("load_needs_more", detail);
        }
    }
}

/// Whoever lowers the maximum has said that so many are enough, whatever the load needs.
const fn is_by_maximum(step: &TrackingStep) -> bool {
    match &step.reason {
        TrackingStepReason::AboveMaximum { .. } => true,
        TrackingStepReason::ScaleIn { .. }
        | TrackingStepReason::ScaleOut { .. }
        | TrackingStepReason::BelowMinimum { .. } => false,
    }
}
