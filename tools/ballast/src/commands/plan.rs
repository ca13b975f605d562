//! What functions would do about an event file: each function's own flow, in mode observe.
//!
//! Guaranteed: nothing is written to AWS. Each function plans by itself, with a ledger of its own that is empty; the functions come in
//! the same order always.
//!
//! Absent: what the functions remember of earlier looks.

use std::collections::BTreeSet;
use std::time::Duration;

use bootstrap::Assemble;
use calls::Deadline;
use control::{Capacity, Departures, Invoked, Pairs, Record, RecordOf, Tracking};
use model::duty::{PlannedHold, PlannedStep};
use serde::Serialize;
use serde_json::Value;

use crate::aws::Aws;
use crate::lab::function::Name;
use crate::record::lines_of;

/// How long one function may take for one file, as its timeout has it.
const PLAN_SECS_MAX: u64 = 30;

/// What one function would do.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) function: Name,
    /// The decision record of an invocation with the file.
    pub(crate) record: FunctionRecord,
    /// The same for people, one line each; never empty.
    pub(crate) lines: Vec<String>,
    /// Whether the invocation would end in an error.
    pub(crate) is_failed: bool,
}

/// The decision record of a function, as the function writes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum FunctionRecord {
    SpotFallback(Box<RecordOf<Pairs>>),
    ClusterScaler(Box<RecordOf<Capacity>>),
    InstanceDrain(Box<RecordOf<Departures>>),
    ServiceScaler(Box<RecordOf<Tracking>>),
}

/// The plans of these functions for the payload, one after the other.
pub(crate) async fn plans(aws: &Aws, functions: &BTreeSet<Name>, payload: &Value) -> Vec<Planned> {
    let mut plans = Vec::new();
    for function in functions.iter().copied() {
        plans.push(match function {
            Name::SpotFallback => {
                plan::<Pairs>(aws, function, payload, FunctionRecord::SpotFallback).await
            }
            Name::ClusterScaler => {
                plan::<Capacity>(aws, function, payload, FunctionRecord::ClusterScaler).await
            }
            Name::InstanceDrain => {
                plan::<Departures>(aws, function, payload, FunctionRecord::InstanceDrain).await
            }
            Name::ServiceScaler => {
                plan::<Tracking>(aws, function, payload, FunctionRecord::ServiceScaler).await
            }
        });
    }
    plans
}

/// What the function of this duty would do with the payload: the controller itself, in mode observe, with an empty memory of its own.
async fn plan<D: Assemble>(
    aws: &Aws,
    function: Name,
    payload: &Value,
    into: fn(Box<RecordOf<D>>) -> FunctionRecord,
) -> Planned {
    let invoked = Invoked {
        request_id: None,
        // The account of a sample event is nobody's.
        account: None,
        deadline: Deadline::after(Duration::from_secs(PLAN_SECS_MAX)),
    };
    let controller = aws.controller::<D>(function.as_str());
    let record = controller.handle(payload, &invoked).await.record;
    Planned {
        function,
        lines: lines(&record),
        is_failed: !record.failures.is_empty(),
        record: into(Box::new(record)),
    }
}

/// The record's lines, and where it has none, that there is nothing to do.
fn lines<S: PlannedStep, H: PlannedHold>(record: &Record<S, H>) -> Vec<String> {
    let mut lines = lines_of(record, &BTreeSet::new());
    if lines.is_empty() {
        let look = record.snapshot.as_ref();
        lines.push(match look.map_or(0, |it| it.seen.passed_over) {
            0 => "no step and no hold".to_owned(),
            passed_over => format!("no step and no hold; not looked after: {passed_over}"),
        });
    }
    lines
}
