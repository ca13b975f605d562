//! Metrics in CloudWatch's embedded metric format, taken from the record.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Guaranteed: every dimension is `function`, or `function` and one more whose values are a closed list of names; so the number of
//! metrics, which AWS bills, has a bound. Services' names are in the record, never in a dimension. The one exception are the numbers of
//! single subjects ([`control::Handled::measured`]), in documents of their own: there are as many as subjects that give them, of one
//! invocation at most [`SUBJECTS_MEASURED_MAX`].

use std::io::Write;

use control::Handled;
use metrics::{Unit, counter, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};
use model::Timestamp;
use model::duty::{Measured, PlannedHold, PlannedStep};
use serde_json::{Map, Value, json};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Ballast";

/// The dimension of every metric: the Lambda function's own name, so that two installations in one Region share no metric.
pub const DIMENSION_FUNCTION: &str = "function";

/// The most subjects of one invocation that get a document of numbers. The first in the record's order do; the record has them all.
/// Each costs as many metrics as it has numbers.
pub const SUBJECTS_MEASURED_MAX: usize = 200;

/// A metric, as the documentation lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its dimension beside `function`.
    pub dimension: Option<&'static str>,
    /// What it counts or measures, one sentence.
    pub meaning: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $dimension:expr, $meaning:literal;)+) => {
        $(const $constant: Metric = Metric { name: $name, dimension: $dimension, meaning: $meaning };)+

        /// Every metric, in the order of the documentation.
        pub const METRICS: &[&Metric] = &[$(&$constant),+];
    };
}

metrics! {
    EVENTS_RECEIVED = "EventsReceived", Some("type"), "Events that arrived, by what they tell; `malformed` could not be read.";
    EVENTS_IGNORED = "EventsIgnored", Some("reason"), "Events that arrived and lead to no look, by why.";
    EVENT_AGE_MS = "EventAgeMs", None, "How old the oldest event of an invocation was when AWS last answered.";
    PLAN_STEPS = "PlanSteps", Some("reason"), "Steps that were planned, by reason; in the mode `observe` too.";
    PLAN_HOLDS = "PlanHolds", Some("reason"), "What was left alone, by reason: services, providers, and instances, of which one hold may name several.";
    UNPROTECTED = "Unprotected", None, "Pairs, tracked services, providers, and groups and instances of which some leave or whose agent is lost, that were seen and lack what they asked for: refused (but not paused), left to somebody else, short of capacity, with tasks that will not move in time, or gone before their tasks were.";
    OUTCOMES = "Outcomes", Some("result"), "What became of the steps.";
    GAPS = "Gaps", Some("cause"), "What could not be observed, recalled or remembered, by cause.";
    LEDGER_CONFLICTS = "LedgerConflicts", None, "Ledger writes that were lost to another invocation.";
    FAILURES = "Failures", Some("type"), "Invocations that ended in an error, by the error's type.";
    INVOCATION_MS = "InvocationMs", None, "How long an invocation took.";
    SWEEP_COMPLETED = "SweepCompleted", None, "Scheduled looks at everything that came to their end: the heartbeat. Without a failure; with gaps too of `cluster-scaler`, where a group could be sized, of `instance-drain`, where what is opted in was seen whole for one group or cluster at least, and of `service-scaler`, where a service could be followed.";
}

/// The metrics of this process.
pub(crate) struct Metrics {
    collector: &'static Collector,
}

impl Metrics {
    /// Starts the process's metrics, for the Lambda function of this name.
    ///
    /// # Errors
    /// When they were started before.
    pub(crate) fn start(function: String) -> Result<Self, lambda_runtime::Error> {
        let collector = Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension(DIMENSION_FUNCTION, function)
            .init()?;
        for metric in [EVENT_AGE_MS, INVOCATION_MS] {
            metrics::describe_histogram!(metric.name, Unit::Milliseconds, metric.meaning);
        }
        Ok(Self { collector })
    }

    /// Writes what one invocation came to.
    pub(crate) fn write<S: PlannedStep, H: PlannedHold>(
        &self,
        handled: &Handled<S, H>,
        mut out: impl Write,
    ) -> std::io::Result<()> {
        let record = &handled.record;
        let looks = record.snapshot.iter().chain(&record.looked_again);
        if let Some(look) = looks.last() {
            for subject in handled.measured.iter().take(SUBJECTS_MEASURED_MAX) {
                let document = document(subject, look.taken_at, record.request_id.as_deref());
                writeln!(out, "{document}")?;
            }
        }
        measure(handled);
        if let Some(id) = &record.request_id {
            self.collector.set_property("request_id", id.as_str());
        }
        self.collector.flush(out)
    }
}

/// The numbers of one subject as a document of the embedded metric format, at AWS's own time of the look.
fn document(subject: &Measured, at: Timestamp, request_id: Option<&str>) -> Value {
    let Measured { dimensions, values } = subject;
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let metrics: Vec<Value> = values
        .iter()
        .map(|it| json!({ "Name": it.name, "Unit": it.unit.as_str() }))
        .collect();
    let mut document = Map::from_iter([(
        "_aws".to_owned(),
        json!({
            "Timestamp": at.as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [names],
                "Metrics": metrics,
            }],
        }),
    )]);
    document.extend(request_id.map(|id| ("request_id".to_owned(), Value::from(id))));
    document.extend(
        dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))),
    );
    document.extend(
        values
            .iter()
            .map(|it| (it.name.to_owned(), Value::from(it.value))),
    );
    Value::Object(document)
}

fn measure<S: PlannedStep, H: PlannedHold>(handled: &Handled<S, H>) {
    let record = &handled.record;
    let triggers = &record.triggers;
    for (kind, count) in &triggers.kinds {
        count_by(EVENTS_RECEIVED, kind, u64::from(*count));
    }
    count_by(
        EVENTS_RECEIVED,
        "malformed",
        u64::from(triggers.faults_count),
    );
    for (why, count) in &triggers.ignored {
        count_by(EVENTS_IGNORED, why, u64::from(*count));
    }
    if let Some(age) = triggers.oldest_event_age_secs {
        let age_ms = age.max(0).saturating_mul(1_000);
        record_ms(EVENT_AGE_MS, u64::try_from(age_ms).unwrap_or(0));
    }
    for (reason, count) in &record.plan.steps_by_reason {
        count_by(PLAN_STEPS, reason, *count as u64);
    }
    for (reason, count) in &record.plan.holds_by_reason {
        count_by(PLAN_HOLDS, reason, *count as u64);
    }
    counter!(UNPROTECTED.name).increment(record.plan.unprotected as u64);
    for (result, count) in &record.outcomes_by_result {
        count_by(OUTCOMES, result, *count as u64);
    }
    for (cause, count) in &record.gaps_by_cause {
        count_by(GAPS, cause, *count as u64);
    }
    counter!(LEDGER_CONFLICTS.name).increment(record.ledger.conflicts as u64);
    if let Some(failure) = &handled.failure {
        count_by(FAILURES, failure.as_str(), 1);
    }
    record_ms(INVOCATION_MS, record.durations_ms.total);
    if handled.swept {
        counter!(SWEEP_COMPLETED.name).increment(1);
    }
}

/// A metric without the second dimension is never counted by one: every such metric names it in its table's row.
fn count_by(metric: Metric, value: &str, count: u64) {
    if let Some(dimension) = metric.dimension {
        counter!(metric.name, dimension => value.to_owned()).increment(count);
    }
}

fn record_ms(metric: Metric, ms: u64) {
    // An `f64` holds 32 bits exactly; 49 days are long enough.
    histogram!(metric.name).record(f64::from(u32::try_from(ms).unwrap_or(u32::MAX)));
}

#[cfg(test)]
mod tests {
    use control::{Failure, Record};
    use model::duty::{MeasuredUnit, MeasuredValue};
    use model::policy::Mode;

    use super::*;

    /// One test: a process has one recorder.
    #[test]
    fn metrics_come_from_the_record_with_bounded_dimensions() {
        let metrics = Metrics::start("blue-spot-fallback".to_owned()).unwrap();
        assert!(Metrics::start("blue-spot-fallback".to_owned()).is_err());
        let mut record: Record = Record::new("spot-fallback", Mode::Act, Some("id-1".to_owned()));
        record.triggers.kinds.insert("scheduled".to_owned(), 1);
        record.triggers.is_sweep = true;
        record.triggers.oldest_event_age_secs = Some(3);
        record.plan.steps_by_reason.insert("cover".to_owned(), 2);
        record.outcomes_by_result.insert("done".to_owned(), 2);
        record.durations_ms.total = 120;
        record.snapshot = Some(control::Look {
            taken_at: "2026-03-02T09:00:00Z".parse().unwrap(),
            digest: String::new(),
            seen: control::Seen::default(),
            gaps: 0,
        });
        let mut handled = Handled {
            record,
            failure: None,
            swept: true,
            measured: Vec::new(),
        };
        let values = written(&metrics, &handled);
        assert_eq!(
            values,
            [
                "EventAgeMs=[3000.0]",
                "EventsReceived{type=scheduled}=1",
                "InvocationMs=[120.0]",
                "Outcomes{result=done}=2",
                "PlanSteps{reason=cover}=2",
                "SweepCompleted=1"
            ]
        );

        // Only what counts as a heartbeat is one, and what was written is not written again.
        handled.swept = false;
        handled.failure = Some(Failure::LookIncomplete {
            count: 1,
            first: "x".to_owned(),
        });
        let values = written(&metrics, &handled);
        assert!(values.contains(&"Failures{type=LookIncomplete}=1".to_owned()));
        assert!(!values.iter().any(|it| it.starts_with("SweepCompleted")));
        assert!(values.contains(&"PlanSteps{reason=cover}=2".to_owned()));
    }

    #[test]
    fn a_subjects_numbers_have_a_document_of_their_own() {
        let subject = Measured {
            dimensions: vec![
                ("ClusterName", "demo".to_owned()),
                ("CapacityProviderName", "large".to_owned()),
            ],
            values: vec![MeasuredValue {
                name: "CapacityProviderReservation",
                unit: MeasuredUnit::Percent,
                value: 80,
            }],
        };
        let at = "2026-03-02T09:00:00.25Z".parse().unwrap();
        let want = json!({
            "_aws": {
                "Timestamp": 1_772_442_000_250_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Ballast",
                    "Dimensions": [["ClusterName", "CapacityProviderName"]],
                    "Metrics": [{ "Name": "CapacityProviderReservation", "Unit": "Percent" }],
                }],
            },
            "request_id": "id-1",
            "ClusterName": "demo",
            "CapacityProviderName": "large",
            "CapacityProviderReservation": 80,
        });
        assert_eq!(document(&subject, at, Some("id-1")), want);
    }

    /// What was written: each metric with its dimension and its value.
    fn written(metrics: &Metrics, handled: &Handled) -> Vec<String> {
        let mut out = Vec::new();
        metrics.write(handled, &mut out).unwrap();
        let mut values = Vec::new();
        for line in String::from_utf8(out).unwrap().lines() {
            let document: Value = serde_json::from_str(line).unwrap();
            let directive = &document["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], NAMESPACE);
            assert_eq!(document["function"], "blue-spot-fallback");
            assert_eq!(document["request_id"], "id-1");
            let dimensions = directive["Dimensions"][0].as_array().unwrap();
            assert_eq!(dimensions[0], DIMENSION_FUNCTION);
            assert!(dimensions.len() <= 2);
            for metric in directive["Metrics"].as_array().unwrap() {
                let name = metric["Name"].as_str().unwrap();
                let row = METRICS.iter().find(|it| it.name == name).unwrap();
                let dimension = dimensions.get(1).and_then(Value::as_str);
                assert_eq!(dimension, row.dimension, "{name}");
                let label = dimension
                    .map(|it| format!("{{{it}={}}}", document[it].as_str().unwrap()))
                    .unwrap_or_default();
                values.push(format!("{name}{label}={}", document[name]));
            }
        }
        values.sort();
        values
    }
}
