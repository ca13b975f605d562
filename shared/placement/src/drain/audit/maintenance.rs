//! What shows that AWS Health announced maintenance of an instance, of every code.

use jiff::Timestamp;
use model::drain::{CauseKind, DepartureCause, MaintenanceKey};
use model::trigger::Notice;

use super::evidence::{EXPECTED_SECS, Reading, Sign};

impl Reading<'_> {
    pub(super) fn maintenance(&self) -> Vec<Sign> {
        let mut causes: Vec<DepartureCause> = Vec::new();
        let mut ended: Vec<(&str, Option<&str>)> = Vec::new();
        for hint in self.said {
            let Notice::Maintenance {
                code,
                health_event,
                starts_at,
                is_over,
            } = &hint.notice
            else {
                continue;
            };
            let event = health_event.as_deref();
            if self.is_old_news(hint.at, code, event) {
                continue;
            }
            if *is_over {
                ended.push((code, event));
            } else if let Some(starts_at) = starts_at
                && takes_away(code)
            {
                let cause = DepartureCause::Maintenance {
                    code: code.clone(),
                    health_event: health_event.clone(),
                    starts_at: *starts_at,
                };
                causes.push(cause);
            }
        }
        // What is remembered of an event that is over, and of which nothing new was said, is over.
        let remembered = self.remembered_maintenance().into_iter().filter(|it| {
            let DepartureCause::Maintenance {
                code, health_event, ..
            } = it
            else {
                return false;
            };
            let is_it = |(of, event): &(&str, Option<&str>)| {
                (of.is_empty() || of == code) && !are_two(*event, health_event.as_deref())
            };
            !ended.iter().any(is_it)
        });
        causes.extend(remembered);
        let lead = self.ground.policy.maintenance_lead;
        let of_causes = causes.iter().map(|it| {
            let sign = self.sign(it, EXPECTED_SECS)?;
            Some(Sign {
                due_at: lead.before(it.at()),
                ..sign
            })
        });
        let of_causes: Vec<Option<Sign>> = of_causes.collect();
        // Where one of a code is due and another is not, AWS may have moved it.
        let is_due = |it: &Option<Sign>| it.is_some_and(|it| it.due_at <= self.ground.now);
        let is_sure = |of: &DepartureCause| {
            let alike = causes.iter().zip(&of_causes);
            let mut alike = alike.filter(|(it, _)| code_of(it) == code_of(of));
            ended.is_empty() && alike.all(|(_, it)| is_due(it))
        };
        let signs = causes.iter().zip(&of_causes);
        signs
            .filter_map(|(cause, sign)| {
                Some(Sign {
                    is_sure: is_sure(cause),
                    ..(*sign)?
                })
            })
            .collect()
    }

    /// The maintenance that is remembered, of every code.
    fn remembered_maintenance(&self) -> Vec<DepartureCause> {
        let mut all: Vec<DepartureCause> = Vec::new();
        all.extend(self.remembered(CauseKind::Maintenance));
        let departure = self.ground.departure(&self.looked.id);
        let others = departure.map(|it| &it.other_maintenance);
        all.extend(others.into_iter().flatten().map(|(key, starts_at)| {
            DepartureCause::Maintenance {
                code: key.code.clone(),
                health_event: key.health_event.clone(),
                starts_at: *starts_at,
            }
        }));
        all
    }

    /// Whether there may be other maintenance than the one that is remembered.
    pub(super) fn maintenance_is_new(&self) -> bool {
        let known = self.remembered(CauseKind::Maintenance);
        let mut said = self.said.iter().filter_map(|it| match &it.notice {
            Notice::Maintenance {
                code,
                starts_at,
                is_over,
                ..
            } => Some((code, *starts_at, *is_over)),
            Notice::SpotInterruption { .. }
            | Notice::CapacityReservationInterruption { .. }
            | Notice::Rebalance
            | Notice::StateChanged { .. } => None,
        });
        let is_known = |code: &str, starts_at| {
            let known = known.as_ref();
            known.is_some_and(|it| code_of(it) == Some(code) && Some(it.at()) == starts_at)
        };
        let has_others = self.remembered_maintenance().len() > 1;
        has_others || said.any(|(code, starts_at, over)| over || !is_known(code, starts_at))
    }

    /// Whether something later was heard of this maintenance.
    fn is_old_news(&self, at: Option<Timestamp>, code: &str, event: Option<&str>) -> bool {
        let departure = self.ground.departure(&self.looked.id);
        let Some((departure, at)) = departure.zip(at) else {
            return false;
        };
        let mut words = departure.maintenance_said.iter();
        words.any(|(of, last)| {
            let MaintenanceKey {
                code: known,
                health_event,
            } = of;
            let is_of_code = known == code || known.is_empty();
            is_of_code && !are_two(event, health_event.as_deref()) && at <= *last
        })
    }
}

/// Whether these are two events, by their names.
pub(super) fn are_two(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// The code of a scheduled change.
fn code_of(cause: &DepartureCause) -> Option<&str> {
    match cause {
        DepartureCause::Maintenance { code, .. } => Some(code),
        DepartureCause::SpotInterruption { .. }
        | DepartureCause::CapacityReservationInterruption { .. }
        | DepartureCause::Terminating { .. }
        | DepartureCause::Stopping { .. }
        | DepartureCause::Rebalance { .. }
        | DepartureCause::AgentLost { .. } => None,
    }
}

/// Whether a scheduled change of this code interrupts the instance.
fn takes_away(code: &str) -> bool {
    ["RETIREMENT", "STOP", "TERMINAT", "REBOOT", "POWER"]
        .iter()
        .any(|it| code.contains(it))
}
