//! One invocation, from its payload to its record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use act::Actor;
use calls::{AwsClock, CallCount, Deadline};
use ledger::Ledger;
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::Hold;
use model::policy::Installation;
use model::snapshot::{Gap, Scope, Snapshot};
use model::trigger::Hints;
use model::{AccountId, ClusterName, RegionName, Seconds, ServiceKey, Timestamp};
use observe::Observer;
use placement::Decision;
use serde_json::Value;
use tokio::time::Instant;

use crate::coalesce::{Coalesced, Home, coalesce};
use crate::failure::Failure;
use crate::record::{Record, RecordedFailure};
use crate::round::{Provisional, Round, millis};
use crate::trouble::Trouble;

/// How often a pair is looked at and decided in one invocation. A pair is looked at again only when another invocation has changed
/// its memory meanwhile, or when a write was announced that does not show yet.
pub const ROUNDS_MAX: u32 = 3;

/// How long a write that was announced and does not show yet is waited for before the next look. It is under way in another
/// invocation, which writes within a second or two of its announcement, or AWS's answer was a moment too old.
pub const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What decides: [`DECIDE`]. It can be replaced so that a test can show that the audit stops a planner that is wrong.
pub type Decide =
    fn(&Snapshot, &Installation, &BTreeMap<ServiceKey, Recall>, &Hints, Timestamp) -> Decision;

/// The planner of every function.
pub const DECIDE: Decide = placement::decide;

/// The steps of the flow, joined. One serves any number of invocations, one after the other or at the same time.
#[derive(Debug)]
pub struct Controller {
    /// The function's name.
    pub function: &'static str,
    /// The Region that it works in; events of others are ignored. `None`: not known, every Region's events are taken.
    pub region: Option<RegionName>,
    /// The clusters that it looks after; empty means every cluster of the account and Region.
    pub clusters: Vec<ClusterName>,
    /// What the installation adds to every decision.
    pub installation: Installation,
    /// Looks.
    pub observer: Observer,
    /// What decides; [`DECIDE`] but in tests.
    pub decide: Decide,
    /// Acts. Its mode is the invocation's mode.
    pub actor: Actor,
    /// Remembers.
    pub ledger: Arc<Ledger>,
    /// AWS's time.
    pub clock: AwsClock,
    /// The requests that were sent.
    pub calls: CallCount,
    /// How long to wait before another look: [`LOOK_AGAIN_AFTER`] but in tests.
    pub look_again_after: Duration,
}

/// What Lambda says about an invocation.
#[derive(Debug, Clone)]
pub struct Invoked {
    /// Lambda's request id.
    pub request_id: Option<String>,
    /// The function's account; events of others are ignored. `None`: not known, every account's events are taken.
    pub account: Option<AccountId>,
    /// The moment by which the record must be ready.
    pub deadline: Deadline,
}

/// What an invocation came to.
#[derive(Debug, Clone)]
pub struct Handled {
    /// The record: log it, and hand it back as the function's result unless the invocation must fail.
    pub record: Record,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

impl Handled {
    /// What an invocation comes to that could not begin.
    #[must_use]
    pub fn not_begun(mut record: Record, failure: Failure) -> Self {
        record.failures = vec![RecordedFailure::from(&failure)];
        Self {
            record,
            failure: Some(failure),
        }
    }

    /// The function's answer: the record, or the error that the invocation must end in. A batch ends in none where the messages
    /// concerned go back to the queue by themselves (`batchItemFailures`): whatever else the batch asked for is done.
    ///
    /// # Errors
    /// When what started the invocation must start it again.
    pub fn answer(self) -> Result<Record, Failure> {
        match self.failure {
            Some(failure) if self.record.batch_item_failures.is_none() => Err(failure),
            Some(_) | None => Ok(self.record),
        }
    }
}

impl Controller {
    /// Handles one payload, whatever it is: reads its events, looks at what they concern, decides, acts, and tells.
    pub async fn handle(&self, payload: &Value, invoked: &Invoked) -> Handled {
        let started = Instant::now();
        let calls_before = self.calls.requests();
        let mut record = Record::new(self.function, self.actor.mode(), invoked.request_id.clone());
        let home = Home {
            account: invoked.account.clone(),
            region: self.region.clone(),
            clusters: self.clusters.clone(),
        };
        let Coalesced {
            scope,
            hints,
            triggers,
            oldest,
            batch_item_failures,
            messages,
            malformed,
        } = coalesce(&trigger::parse(payload), &home);
        record.triggers = triggers;
        record.durations_ms.parse = millis(started);

        let mut tally = Tally::default();
        if let Some(scope) = scope {
            self.rounds(scope, &hints, invoked.deadline, &mut record, &mut tally)
                .await;
            record.triggers.oldest_event_age_secs = oldest
                .zip(self.clock.latest())
                .map(|(event, answer)| Seconds::between(event, answer).0);
        }
        tally.close();
        let of_looks = tally.trouble.messages(messages);
        record.batch_item_failures = batch_item_failures
            .zip(of_looks)
            .filter(|_| malformed.is_none())
            .map(|(unusable, of_looks)| [unusable, of_looks].concat());
        let failures = tally.failures(malformed);
        tally.write_to(&mut record);
        record.failures = failures.iter().map(RecordedFailure::from).collect();
        record.calls = self.calls.since(&calls_before);
        record.durations_ms.total = millis(started);
        record.fit();
        Handled {
            record,
            failure: failures.into_iter().next(),
        }
    }

    async fn rounds(
        &self,
        mut scope: Scope,
        hints: &Hints,
        deadline: Deadline,
        record: &mut Record,
        tally: &mut Tally,
    ) {
        for number in 1..=ROUNDS_MAX {
            let is_last = number == ROUNDS_MAX;
            let durations = &mut record.durations_ms;
            let round = self
                .round(&scope, hints, deadline, is_last, durations)
                .await;
            record.ledger.recalled += round.ledger.recalled;
            record.ledger.remembered += round.ledger.remembered;
            record.ledger.conflicts += round.ledger.conflicts;
            record.ledger.confirmed += round.ledger.confirmed;
            match round.look.clone() {
                look if number == 1 => record.snapshot = look,
                look => record.looked_again.extend(look),
            }
            let (mut again, waiting) = tally.add(round);
            if again.is_empty() && waiting.is_empty() {
                return;
            }
            if !waiting.is_empty() {
                tokio::time::sleep(self.look_again_after).await;
            }
            again.extend(waiting);
            scope = Scope::Services(again);
        }
    }
}

/// What the rounds came to.
#[derive(Debug, Default)]
struct Tally {
    holds: BTreeMap<ServiceKey, Hold>,
    outcomes: Vec<Outcome>,
    audit_refused: BTreeSet<usize>,
    gaps: BTreeSet<Gap>,
    ledger_gaps: BTreeSet<Gap>,
    trouble: Trouble,
    /// The pairs that are to be looked at again, and what they came to so far.
    provisional: BTreeMap<ServiceKey, Provisional>,
}

impl Tally {
    /// Adds a round. What it left for the next one is returned: what is looked at again at once, and what after a wait.
    fn add(&mut self, round: Round) -> (BTreeSet<ServiceKey>, BTreeSet<ServiceKey>) {
        let Round {
            look: _,
            holds,
            outcomes,
            audit_refused,
            gaps,
            ledger_gaps,
            again,
            waiting,
            provisional,
            trouble,
            ledger: _,
        } = round;
        for decided in holds
            .iter()
            .map(|it| &it.subject)
            .chain(outcomes.iter().map(|it| &it.step.subject))
        {
            self.provisional.remove(decided);
        }
        for it in provisional {
            self.provisional.insert(it.subject().clone(), it);
        }
        let first = self.outcomes.len();
        self.audit_refused
            .extend(audit_refused.into_iter().map(|index| first + index));
        for hold in holds {
            self.holds.insert(hold.subject.clone(), hold);
        }
        self.outcomes.extend(outcomes);
        self.gaps.extend(gaps);
        self.ledger_gaps.extend(ledger_gaps);
        self.trouble.extend(trouble);
        (again, waiting)
    }

    /// Ends the rounds: a pair that the last look did not see again keeps what it came to before. Its step, which was not taken, counts
    /// as refused, so that it is tried again.
    fn close(&mut self) {
        for (key, verdict) in std::mem::take(&mut self.provisional) {
            match verdict {
                Provisional::Hold(hold) => _ = self.holds.insert(key, hold),
                Provisional::Step(step) => {
                    let result = OutcomeResult::Refused {
                        detail: "ledger: another invocation changed what is remembered of this pair, and it was not seen again"
                            .to_owned(),
                    };
                    self.outcomes.push(Outcome { step, result });
                    let scope = Scope::Services([key].into());
                    self.trouble.extend(Trouble::blind(&scope));
                }
            }
        }
    }

    /// Everything that makes the invocation fail, in the order of precedence.
    fn failures(&self, malformed: Option<(u32, String)>) -> Vec<Failure> {
        let steps = self.outcomes.len();
        let mut failed: Vec<String> = Vec::new();
        let mut late: Vec<String> = Vec::new();
        let mut refused: Vec<String> = Vec::new();
        for (index, outcome) in self.outcomes.iter().enumerate() {
            let text = || format!("{}: {}", outcome.step.action, outcome.result);
            match &outcome.result {
                OutcomeResult::Refused { .. } if self.audit_refused.contains(&index) => {
                    refused.push(text());
                }
                OutcomeResult::Refused { .. } | OutcomeResult::Failed { .. } => failed.push(text()),
                OutcomeResult::OutOfTime => late.push(text()),
                OutcomeResult::Done
                | OutcomeResult::AlreadySo
                | OutcomeResult::NotWritten
                | OutcomeResult::PreconditionFailed { .. } => {}
            }
        }
        let counted = |texts: Vec<String>| texts.first().cloned().map(|first| (texts.len(), first));
        let gaps_counted =
            |gaps: &BTreeSet<Gap>| gaps.first().map(|it| (gaps.len(), it.to_string()));
        [
            malformed.map(|(count, first)| Failure::MalformedEvent { count, first }),
            counted(refused).map(|(count, first)| Failure::AuditRefused { count, first }),
            counted(failed).map(|(count, first)| Failure::StepFailed {
                count,
                steps,
                first,
            }),
            counted(late).map(|(count, first)| Failure::OutOfTime {
                count,
                steps,
                first,
            }),
            gaps_counted(&self.ledger_gaps)
                .map(|(count, first)| Failure::LedgerUnavailable { count, first }),
            gaps_counted(&self.gaps).map(|(count, first)| Failure::LookIncomplete { count, first }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn write_to(self, record: &mut Record) {
        let Self {
            holds,
            outcomes,
            audit_refused: _,
            gaps,
            ledger_gaps,
            trouble: _,
            provisional: _,
        } = self;
        let holds = holds.into_values().collect();
        let gaps = gaps.union(&ledger_gaps).cloned().collect();
        record.enter(outcomes, holds, gaps);
    }
}

#[cfg(test)]
mod tests {
    use model::plan::{Action, HoldReason, Plan, StepReason};

    use super::*;
    use crate::record::RecordedPlan;

    fn key(name: &str) -> ServiceKey {
        format!("demo/{name}").parse().unwrap()
    }

    fn hold(name: &str) -> Hold {
        Hold {
            subject: key(name),
            reason: HoldReason::Paused,
            until: None,
        }
    }

    fn step(name: &str) -> model::plan::Step {
        model::plan::Step {
            subject: key(name),
            action: Action::SetDesiredCount {
                service: key(&format!("{name}-standby")),
                from: 0,
                to: 3,
            },
            reason: StepReason::GiveBack {
                counts: model::plan::Counts::default(),
                needed_max: 0,
                hold_down: Seconds(600),
            },
        }
    }

    #[test]
    fn a_pair_that_is_not_seen_again_keeps_what_it_came_to() {
        let mut tally = Tally::default();
        let first = Round {
            provisional: vec![
                Provisional::Hold(hold("held")),
                Provisional::Step(step("stepped")),
                Provisional::Hold(hold("decided")),
            ],
            ..Round::default()
        };
        tally.add(first);
        let second = Round {
            holds: vec![hold("decided")],
            ..Round::default()
        };
        tally.add(second);
        tally.close();
        let held: Vec<String> = tally.holds.keys().map(ToString::to_string).collect();
        assert_eq!(held, ["demo/decided", "demo/held"]);
        let [outcome] = tally.outcomes.as_slice() else {
            panic!("{:?}", tally.outcomes);
        };
        assert_eq!(outcome.step.subject, key("stepped"));
        assert!(outcome.result.is_failure());
    }

    #[test]
    fn a_refused_pair_counts_as_unprotected_and_a_paused_one_does_not() {
        let refused = Hold {
            reason: HoldReason::StandbyIsPrimary,
            ..hold("refused")
        };
        let plan = Plan {
            steps: Vec::new(),
            holds: vec![hold("paused"), refused],
        };
        assert_eq!(RecordedPlan::from(plan).unprotected, 1);
    }
}
