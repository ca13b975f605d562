//! The loop that joins the steps; the only crate that knows them all.
//!
//! ```text
//! payload -> trigger::parse -> one look at what all events concern -> ledger -> decide -> audit -> ledger -> act -> ledger -> record
//! ```
//!
//! Guaranteed:
//! - Any payload gives a [`Record`]; none makes it panic.
//! - All events of a payload lead to one look, however many they are. Only a subject whose memory another invocation changed meanwhile,
//!   or of which a write was announced that does not show yet, is looked at again, at most [`ROUNDS_MAX`] times in all.
//! - A step is announced in the ledger before it is carried out. Where the ledger cannot be used, adding capacity goes on and taking it
//!   away does not; an instance that leaves anyway is drained and finished all the same, and nothing is drained by choice or taken
//!   back. What was done is remembered as soon as the ledger can be used again within the invocation.
//! - A step that the audit rejects is not carried out.
//! - Whatever failed is in the record with its call and cause, the rest of the plan is carried out, and the invocation fails so that
//!   it is tried again. Of an SQS batch, only the messages of what is concerned go back to the queue, and the invocation succeeds.
//! - In the mode `observe` nothing is written to AWS but the ledger, which never says that something was.
//! - All of that is so for every function: a function is a [`Duty`], and the loop is the same.
//!
//! Assumed: time comes from AWS's answers; the host's monotonic clock serves for the deadline and the durations only.
//!
//! Absent: decisions (`placement`), logging and metrics (`bootstrap`): the record is handed back.

mod beside;
mod capacity;
mod carry_out;
mod coalesce;
mod controller;
mod departures;
mod duty;
mod failure;
mod fit;
mod heartbeat;
mod home;
mod pairs;
mod record;
mod remember;
mod round;
mod services;
mod settle;
mod tracking;
mod trouble;

pub use capacity::Capacity;
pub use coalesce::{Coalesced, Message, coalesce};
pub use controller::{
    Controller, Handled, HandledOf, Invoked, LOOK_AGAIN_AFTER, ROUNDS_MAX, RecordOf,
};
pub use departures::Departures;
pub use duty::{
    About, Concern, Decide, DecisionOf, Duty, Interest, MemoryOf, OTHER_FUNCTION, PlanOf, RecallsOf,
};
pub use failure::Failure;
pub use fit::LINE_BYTES_MAX;
pub use home::Home;
pub use pairs::{DECIDE, Pairs};
pub use record::{
    BatchItemFailure, Durations, EVENT_IDS_SHOWN_MAX, KIND, LedgerUse, Look, Record,
    RecordedFailure, RecordedHold, RecordedOutcome, RecordedPlan, RecordedStep, Seen, TriggerFault,
    Triggers, VERSION,
};
pub use services::SERVICES_PER_LOOK_MAX;
pub use tracking::Tracking;
pub use trouble::Trouble;
