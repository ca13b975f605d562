//! One invocation, from its payload to its record.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use calls::{AwsClock, CallCount, Deadline};
use ledger::Ledger;
use model::duty::{Measured, PlannedHold, PlannedStep};
use model::outcome::{Outcome, OutcomeResult};
use model::plan::{Hold, Step};
use model::policy::Installation;
use model::snapshot::{Gap, Scope};
use model::trigger::Hints;
use model::{AccountId, ClusterName, RegionName, Seconds};
use serde_json::Value;
use tokio::time::Instant;

use crate::coalesce::{Coalesced, coalesce};
use crate::duty::{Decide, Duty};
use crate::failure::Failure;
use crate::heartbeat::swept;
use crate::home::Home;
use crate::pairs::Pairs;
use crate::record::{Record, RecordedFailure};
use crate::round::{Provisional, Round, Task, millis};
use crate::trouble::Trouble;

/// How often a subject is looked at and decided in one invocation. It is looked at again only when another invocation has changed
/// its memory meanwhile, or when a write was announced that does not show yet.
pub const ROUNDS_MAX: u32 = 3;

/// How long a write that was announced and does not show yet is waited for before the next look. It is under way in another
/// invocation, which writes within a second or two of its announcement, or AWS's answer was a moment too old.
pub const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The steps of the flow, joined, for one duty. One serves any number of invocations, one after the other or at the same time.
#[derive(Debug)]
pub struct Controller<D: Duty = Pairs> {
    /// The function's name.
    pub function: &'static str,
    /// The Region that it works in; events of others are ignored. `None`: not known, every Region's events are taken.
    pub region: Option<RegionName>,
    /// The clusters that it looks after; empty means every cluster of the account and Region.
    pub clusters: Vec<ClusterName>,
    /// What the installation adds to every decision.
    pub installation: Installation,
    /// What it does: how it looks and acts.
    pub duty: D,
    /// What decides; [`Duty::DECIDE`] but in tests.
    pub decide: Decide<D>,
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

impl Invoked {
    /// What tells this invocation from others that run at the same time; the same for all that Lambda did not name.
    fn seed(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.request_id.hash(&mut hasher);
        hasher.finish()
    }
}

/// What an invocation came to.
#[derive(Debug, Clone)]
pub struct Handled<S: PlannedStep = Step, H: PlannedHold = Hold> {
    /// The record: log it, and hand it back as the function's result unless the invocation must fail.
    pub record: Record<S, H>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
    /// Whether this was a look at everything on the schedule that came to its end: the function's heartbeat.
    pub swept: bool,
    /// The numbers of single subjects, for metrics: of every subject that gives any, also where the record was cut.
    pub measured: Vec<Measured>,
}

/// What an invocation of a duty came to.
pub type HandledOf<D> = Handled<<D as Duty>::Step, <D as Duty>::Hold>;

/// The record of a duty.
pub type RecordOf<D> = Record<<D as Duty>::Step, <D as Duty>::Hold>;

impl<S: PlannedStep, H: PlannedHold> Handled<S, H> {
    /// What an invocation comes to that could not begin.
    #[must_use]
    pub fn not_begun(mut record: Record<S, H>, failure: Failure) -> Self {
        record.failures = vec![RecordedFailure::from(&failure)];
        Self {
            record,
            failure: Some(failure),
            swept: false,
            measured: Vec::new(),
        }
    }

    /// The function's answer: the record, or the error that the invocation must end in. A batch ends in none where the messages
    /// concerned go back to the queue by themselves (`batchItemFailures`): whatever else the batch asked for is done.
    ///
    /// # Errors
    /// When what started the invocation must start it again.
    pub fn answer(self) -> Result<Record<S, H>, Failure> {
        match self.failure {
            Some(failure) if self.record.batch_item_failures.is_none() => Err(failure),
            Some(_) | None => Ok(self.record),
        }
    }
}

impl<D: Duty> Controller<D> {
    /// Handles one payload, whatever it is: reads its events, looks at what they concern, decides, acts, and tells.
    pub async fn handle(&self, payload: &Value, invoked: &Invoked) -> HandledOf<D> {
        let started = Instant::now();
        let calls_before = self.calls.requests();
        let mut record = Record::new(self.function, self.duty.mode(), invoked.request_id.clone());
        let home = Home {
            account: invoked.account.clone(),
            region: self.region.clone(),
            clusters: self.clusters.clone(),
            looked_at: self.duty.looked_at(),
        };
        let Coalesced {
            scope,
            hints,
            triggers,
            oldest,
            batch_item_failures,
            messages,
            malformed,
        } = coalesce::<D>(&trigger::parse(payload), &home);
        record.triggers = triggers;
        record.durations_ms.parse = millis(started);

        let mut tally = Tally::<D>::default();
        if let Some(scope) = scope {
            self.rounds(scope, &hints, invoked, &mut record, &mut tally)
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
        let measured = measured(&record);
        let swept = swept::<D>(&record, &failures);
        record.fit();
        Handled {
            record,
            failure: failures.into_iter().next(),
            swept,
            measured,
        }
    }

    async fn rounds(
        &self,
        mut scope: Scope,
        hints: &Hints,
        invoked: &Invoked,
        record: &mut RecordOf<D>,
        tally: &mut Tally<D>,
    ) {
        let seed = invoked.seed();
        let mut asked = None;
        for number in 1..=ROUNDS_MAX {
            let task = Task {
                scope: &scope,
                asked: asked.as_ref(),
                hints,
                deadline: invoked.deadline,
                seed,
                is_last: number == ROUNDS_MAX,
            };
            let round = self.round(&task, &mut record.durations_ms).await;
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
            scope = D::scope_again(again.clone());
            asked = match &scope {
                // Exactly these are seen.
                Scope::Services(_) | Scope::Departures { .. } => None,
                Scope::Clusters(_) => Some(again),
            };
        }
    }
}

/// What the rounds came to.
#[derive(Debug)]
struct Tally<D: Duty> {
    holds: BTreeMap<D::Key, Vec<D::Hold>>,
    outcomes: Vec<Outcome<D::Step>>,
    audit_refused: BTreeSet<usize>,
    gaps: BTreeSet<Gap>,
    ledger_gaps: BTreeSet<Gap>,
    trouble: Trouble<D::Named>,
    /// The subjects that are to be looked at again, and what they came to so far.
    provisional: BTreeMap<D::Key, Vec<Provisional<D>>>,
}

impl<D: Duty> Default for Tally<D> {
    fn default() -> Self {
        Self {
            holds: BTreeMap::new(),
            outcomes: Vec::new(),
            audit_refused: BTreeSet::new(),
            gaps: BTreeSet::new(),
            ledger_gaps: BTreeSet::new(),
            trouble: Trouble::default(),
            provisional: BTreeMap::new(),
        }
    }
}

impl<D: Duty> Tally<D> {
    /// Adds a round. What it left for the next one is returned: what is looked at again at once, and what after a wait.
    fn add(&mut self, round: Round<D>) -> (BTreeSet<D::Key>, BTreeSet<D::Key>) {
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
        // What a subject comes to now takes the place of what it came to before, as a whole: it may have several holds.
        let held = holds.iter().map(PlannedHold::subject);
        let stepped = outcomes.iter().map(|it| it.step.subject());
        let still_open = provisional.iter().map(Provisional::subject);
        for decided in held.chain(stepped).chain(still_open) {
            self.provisional.remove(decided);
            self.holds.remove(decided);
        }
        for it in provisional {
            let of_subject = self.provisional.entry(it.subject().clone());
            of_subject.or_default().push(it);
        }
        let first = self.outcomes.len();
        self.audit_refused
            .extend(audit_refused.into_iter().map(|index| first + index));
        for hold in holds {
            let of_subject = self.holds.entry(hold.subject().clone());
            of_subject.or_default().push(hold);
        }
        self.outcomes.extend(outcomes);
        self.gaps.extend(gaps);
        self.ledger_gaps.extend(ledger_gaps);
        self.trouble.extend(trouble);
        (again, waiting)
    }

    /// Ends the rounds: a subject that the last look did not see again keeps what it came to before. Its steps, which were not taken,
    /// count as refused, so that they are tried again.
    fn close(&mut self) {
        for (key, verdicts) in std::mem::take(&mut self.provisional) {
            for verdict in verdicts {
                match verdict {
                    Provisional::Hold(hold) => {
                        self.holds.entry(key.clone()).or_default().push(hold);
                    }
                    Provisional::Step(step) => {
                        let detail = format!(
                            "ledger: another invocation changed what is remembered of this {}, and it was not seen again",
                            D::SUBJECT
                        );
                        let result = OutcomeResult::Refused { detail };
                        self.outcomes.push(Outcome { step, result });
                        let scope = D::scope_again([key.clone()].into());
                        self.trouble.extend(D::trouble_blind(&scope));
                    }
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
            let text = || format!("{}: {}", outcome.step.action_text(), outcome.result);
            match &outcome.result {
                OutcomeResult::Refused { .. } if self.audit_refused.contains(&index) => {
                    refused.push(text());
                }
                OutcomeResult::Refused { .. } | OutcomeResult::Failed { .. } => failed.push(text()),
                OutcomeResult::OutOfTime if D::must_be_in_time(&outcome.step) => late.push(text()),
                OutcomeResult::OutOfTime => {}
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

    fn write_to(self, record: &mut RecordOf<D>) {
        let Self {
            holds,
            outcomes,
            audit_refused: _,
            gaps,
            ledger_gaps,
            trouble: _,
            provisional: _,
        } = self;
        let holds = holds.into_values().flatten().collect();
        let gaps = gaps.union(&ledger_gaps).cloned().collect();
        record.enter(outcomes, holds, gaps);
    }
}

/// The numbers of single subjects; the last that a subject gives, which is the newest.
fn measured<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>) -> Vec<Measured> {
    let of_steps = record.plan.steps.iter().filter_map(|it| it.step.measured());
    let of_holds = record.plan.holds.iter().filter_map(|it| it.hold.measured());
    let by_dimensions: BTreeMap<_, Measured> = of_steps
        .chain(of_holds)
        .map(|it| (it.dimensions.clone(), it))
        .collect();
    by_dimensions.into_values().collect()
}

#[cfg(test)]
mod tests {
    use model::ServiceKey;
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
        let mut tally = Tally::<Pairs>::default();
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
    fn a_removal_that_has_to_wait_for_time_is_no_failure_and_a_raise_is() {
        for (step, _, takes_away) in crate::capacity::tests::every_step() {
            let text = step.to_string();
            let mut tally = Tally::<crate::capacity::Capacity>::default();
            tally.add(Round {
                outcomes: vec![Outcome {
                    step,
                    result: OutcomeResult::OutOfTime,
                }],
                ..Round::default()
            });
            assert_eq!(tally.failures(None).is_empty(), takes_away, "{text}");
        }
    }

    #[test]
    fn a_refused_pair_counts_as_unprotected_and_a_paused_one_does_not() {
        let refused = Hold {
            reason: HoldReason::StandbyIsPrimary,
            ..hold("refused")
        };
        let plan: Plan = Plan {
            steps: Vec::new(),
            holds: vec![hold("paused"), refused],
        };
        assert_eq!(RecordedPlan::from(plan).unprotected, 1);
    }
}
