//! The loop with a duty whose subjects have several steps and several holds, and whose look shows more than is asked again.
//!
//! The duty: boxes on shelves. A shelf (the subject) remembers which boxes were taken from it. A look shows every shelf of a room.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use calls::{AwsClock, CallCount, Deadline};
use control::{
    About, Concern, Controller, Decide, DecisionOf, Duty, Interest, Invoked, MemoryOf, PlanOf,
    RecallsOf, RecordOf, Seen, Triggers, Trouble,
};
use ledger::{Ledger, MemoryLedger, Version};
use model::duty::{Memory, PlannedHold, PlannedStep, SubjectKey};
use model::memory::Recall;
use model::outcome::{Outcome, OutcomeResult};
use model::plan::Plan;
use model::policy::{Installation, Mode};
use model::snapshot::{Gap, Scope};
use model::trigger::{Hints, TriggerKind};
use model::{ClusterName, Timestamp};
use observe::Blind;
use placement::Decision;
use placement::audit::Violation;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Shelf(String);

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SubjectKey for Shelf {
    type Memory = Taken;

    fn ledger_key(&self) -> String {
        format!("shelf:{self}")
    }
}

/// The boxes that were taken, and whether that is certain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Taken(BTreeMap<u32, bool>);

impl Memory for Taken {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Take {
    shelf: Shelf,
    number: u32,
}

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "take box {} from {}", self.number, self.shelf)
    }
}

impl PlannedStep for Take {
    type Key = Shelf;
    type Target = BTreeMap<String, u32>;

    fn subject(&self) -> &Shelf {
        &self.shelf
    }

    fn reason_name(&self) -> &'static str {
        "take"
    }

    fn action_text(&self) -> String {
        self.to_string()
    }

    fn operation(&self) -> &'static str {
        "box:Take"
    }

    fn target(&self) -> BTreeMap<String, u32> {
        [("number".to_owned(), self.number)].into()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Leave {
    shelf: Shelf,
    number: u32,
    waiting: bool,
}

impl fmt::Display for Leave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leave box {} on {}", self.number, self.shelf)
    }
}

impl PlannedHold for Leave {
    type Key = Shelf;

    const QUIET: &'static [&'static str] = &["leave"];

    fn subject(&self) -> &Shelf {
        &self.shelf
    }

    fn reason_name(&self) -> &'static str {
        "leave"
    }

    fn leaves_unprotected(&self) -> bool {
        false
    }
}

/// What happened in the room, for the test: the boxes that were taken, and what the room looked like at each look.
#[derive(Debug, Default)]
struct Room {
    taken: Vec<(Shelf, u32)>,
    looks: Vec<Scope>,
}

#[derive(Debug)]
struct Boxes {
    mode: Mode,
    room: Arc<Mutex<Room>>,
    /// Where another invocation writes between the first look and the announcement of this one.
    rival: Option<Arc<Ledger>>,
}

#[derive(Debug, Serialize)]
struct Sight {
    looks: usize,
    #[serde(skip)]
    rival: Option<Arc<Ledger>>,
}

impl Interest for Boxes {
    type Named = ClusterName;

    fn concern(_kind: &TriggerKind) -> Concern<ClusterName> {
        Concern::Look(About::Everything)
    }

    fn is_hint(_kind: &TriggerKind) -> bool {
        false
    }

    fn scope(
        _named: BTreeSet<ClusterName>,
        _everything: bool,
        installed: &[ClusterName],
    ) -> Option<Scope> {
        Some(Scope::Clusters(installed.to_vec()))
    }

    fn enter(_triggers: &mut Triggers, _named: &BTreeSet<ClusterName>) {}
}

impl Duty for Boxes {
    type Key = Shelf;
    type Snapshot = Sight;
    type Step = Take;
    type Hold = Leave;

    const SUBJECT: &'static str = "shelf";
    const NOT_WITHOUT_LEDGER: &'static str = "nothing is taken";
    const DECIDE: Decide<Self> = decide;

    fn scope_again(_keys: BTreeSet<Shelf>) -> Scope {
        Scope::Clusters(vec!["room".parse().unwrap()])
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    async fn look(&self, scope: &Scope, _deadline: Deadline) -> Result<Sight, Blind> {
        let mut room = self.room.lock().unwrap();
        room.looks.push(scope.clone());
        Ok(Sight {
            looks: room.looks.len(),
            rival: self.rival.clone().filter(|_| room.looks.len() == 1),
        })
    }

    fn taken_at(_snapshot: &Sight) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn keys(_snapshot: &Sight) -> BTreeSet<Shelf> {
        [shelf("a"), shelf("b")].into()
    }

    fn gaps(_snapshot: &Sight) -> BTreeSet<Gap> {
        BTreeSet::new()
    }

    fn seen(_snapshot: &Sight) -> Seen {
        Seen::default()
    }

    fn audit(
        plan: &PlanOf<Self>,
        _snapshot: &Sight,
        _installation: &Installation,
        _memories: &RecallsOf<Self>,
        _hints: &Hints,
        _now: Timestamp,
    ) -> Vec<Violation> {
        let forbidden = plan
            .steps
            .iter()
            .enumerate()
            .filter(|(_, it)| it.number == FORBIDDEN);
        forbidden
            .map(|(step, _)| Violation {
                step,
                law: "forbidden",
                detail: "it stays".to_owned(),
            })
            .collect()
    }

    async fn act(&self, steps: Vec<Take>, _deadline: Deadline) -> Vec<Outcome<Take>> {
        let mut room = self.room.lock().unwrap();
        steps
            .into_iter()
            .map(|step| {
                let result = match (self.mode, step.number) {
                    (Mode::Observe, _) => OutcomeResult::NotWritten,
                    (Mode::Act, GONE) => OutcomeResult::PreconditionFailed {
                        found: "no box".to_owned(),
                    },
                    (Mode::Act, number) => {
                        room.taken.push((step.shelf.clone(), number));
                        OutcomeResult::Done
                    }
                };
                Outcome { step, result }
            })
            .collect()
    }

    fn needs_ledger(_step: &Take) -> bool {
        true
    }

    fn is_waiting(hold: &Leave) -> bool {
        hold.waiting
    }

    fn settle(
        before: &Taken,
        planned: &Taken,
        outcomes: &[Outcome<Take>],
        _now: Timestamp,
    ) -> Taken {
        let mut memory = planned.clone();
        for outcome in outcomes {
            let number = outcome.step.number;
            match outcome.took_effect() {
                Some(true) => _ = memory.0.insert(number, true),
                Some(false) if !before.0.contains_key(&number) => _ = memory.0.remove(&number),
                Some(false) | None => {}
            }
        }
        memory
    }

    fn settle_late(_found: &Taken, _outcomes: &[Outcome<Take>], _now: Timestamp) -> Option<Taken> {
        None
    }

    fn trouble(_snapshot: &Sight, _subjects: &BTreeSet<Shelf>) -> Trouble<ClusterName> {
        Trouble::default()
    }

    fn trouble_blind(_scope: &Scope) -> Trouble<ClusterName> {
        Trouble::default()
    }
}

/// The box that the audit keeps on its shelf.
const FORBIDDEN: u32 = 2;
/// The box that is not there any more.
const GONE: u32 = 3;

fn shelf(name: &str) -> Shelf {
    Shelf(name.to_owned())
}

/// From every shelf, each box that is not remembered as taken is taken; box 9 stays, and so does box 8 as long as it is waited for.
fn decide(
    snapshot: &Sight,
    _installation: &Installation,
    memories: &RecallsOf<Boxes>,
    _hints: &Hints,
    now: Timestamp,
) -> DecisionOf<Boxes> {
    let mut decision = Decision {
        plan: Plan::default(),
        memories: BTreeMap::new(),
    };
    for (key, recall) in memories {
        let Recall::Known(memory) = recall else {
            continue;
        };
        let mut memory = memory.clone();
        for number in [1, FORBIDDEN, GONE] {
            if memory.0.contains_key(&number) {
                continue;
            }
            memory.0.insert(number, false);
            decision.plan.steps.push(Take {
                shelf: key.clone(),
                number,
            });
        }
        for number in [8, 9] {
            decision.plan.holds.push(Leave {
                shelf: key.clone(),
                number,
                waiting: number == 8 && key.0 == "b" && snapshot.looks == 1,
            });
        }
        decision.memories.insert(key.clone(), memory);
    }
    if let Some(ledger) = &snapshot.rival {
        let memory = Taken([(1, true)].into());
        let (key, deadline) = (shelf("a"), Deadline::after(Duration::from_secs(60)));
        let mut writing = pin!(ledger.remember(&key, &memory, Version::NONE, now, deadline));
        // The ledger in memory answers at once.
        let mut context = Context::from_waker(Waker::noop());
        assert!(writing.as_mut().poll(&mut context).is_ready());
    }
    decision
}

/// What one invocation comes to: its record, its room, and what is remembered of the shelf `a` in the end.
async fn handled(mode: Mode, rival: bool) -> (RecordOf<Boxes>, Room, MemoryOf<Boxes>) {
    let ledger = Arc::new(Ledger::Memory(MemoryLedger::new()));
    let room = Arc::new(Mutex::new(Room::default()));
    let controller = Controller {
        function: "boxes",
        region: None,
        clusters: vec![],
        installation: Installation::default(),
        duty: Boxes {
            mode,
            room: Arc::clone(&room),
            rival: rival.then(|| Arc::clone(&ledger)),
        },
        decide: Boxes::DECIDE,
        ledger: Arc::clone(&ledger),
        clock: AwsClock::new(),
        calls: CallCount::new(),
        look_again_after: Duration::ZERO,
    };
    let deadline = Deadline::after(Duration::from_secs(60));
    let invoked = Invoked {
        request_id: None,
        account: None,
        deadline,
    };
    let schedule = json!({"source": "aws.events", "detail-type": "Scheduled Event"});
    let record = controller.handle(&schedule, &invoked).await.record;
    let recalled = ledger.recall(&[shelf("a")].into(), deadline).await;
    let memory = recalled.known[&shelf("a")].0.clone();
    let room = std::mem::take(&mut *room.lock().unwrap());
    (record, room, memory)
}

fn lines(record: &RecordOf<Boxes>) -> Vec<String> {
    let steps = record.plan.steps.iter().zip(&record.outcomes);
    let steps = steps.map(|(it, outcome)| format!("{}: {}", it.text, outcome.result.as_str()));
    let holds = record.plan.holds.iter().map(|it| it.text.clone());
    steps.chain(holds).collect()
}

#[tokio::test]
async fn of_several_steps_each_is_announced_settled_and_told_by_itself() {
    // `b` is waited for and looked at again with the whole room: `a`, which was seen again, is not decided again.
    let (record, room, memory) = handled(Mode::Act, false).await;
    assert_eq!(room.looks.len(), 2);
    assert_eq!(room.taken, [(shelf("a"), 1), (shelf("b"), 1)]);
    assert_eq!(
        memory,
        Taken([(1, true)].into()),
        "what was not done is taken back"
    );
    assert_eq!(
        lines(&record),
        [
            "take box 1 from a: done",
            "take box 2 from a: refused",
            "take box 3 from a: precondition_failed",
            "take box 1 from b: done",
            "take box 2 from b: refused",
            "take box 3 from b: precondition_failed",
            // The second look at `b`.
            "take box 2 from b: refused",
            "take box 3 from b: precondition_failed",
            "leave box 8 on a",
            "leave box 9 on a",
            "leave box 8 on b",
            "leave box 9 on b",
        ]
    );
    assert_eq!(record.outcomes[2].target, [("number".to_owned(), 3)].into());
}

#[tokio::test]
async fn all_steps_of_a_subject_that_another_invocation_changed_are_decided_anew() {
    // It took box 1 from `a`.
    let (record, room, memory) = handled(Mode::Act, true).await;
    assert_eq!(record.ledger.conflicts, 1);
    assert_eq!(room.taken, [(shelf("b"), 1)]);
    assert_eq!(memory, Taken([(1, true)].into()));
    let of_a: Vec<String> = lines(&record)
        .into_iter()
        .filter(|it| it.contains("from a") || it.contains("on a"))
        .collect();
    assert_eq!(
        of_a,
        [
            "take box 2 from a: refused",
            "take box 3 from a: precondition_failed",
            "leave box 8 on a",
            "leave box 9 on a",
        ]
    );
}

#[tokio::test]
async fn without_writing_nothing_is_remembered_as_done() {
    let (record, room, memory) = handled(Mode::Observe, false).await;
    assert_eq!((room.taken, room.looks.len()), (vec![], 1));
    assert_eq!(memory, Taken::default());
    assert_eq!(record.outcomes_by_result.get("not_written"), Some(&4));
}
