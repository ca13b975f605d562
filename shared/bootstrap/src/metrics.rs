//! Metrics in CloudWatch's embedded metric format, taken from the record.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! Guaranteed: every dimension is `function`, or `function` and one more whose values are a closed list of names; so the number of
//! metrics, which AWS bills, has a bound. Services' names are in the record, never in a dimension.

use std::io::Write;

use control::Handled;
use metrics::{Unit, counter, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

/// The namespace of every metric.
pub const NAMESPACE: &str = "Ballast";

/// The dimension of every metric: the function's name.
pub const DIMENSION_FUNCTION: &str = "function";

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
    EVENT_AGE_MS = "EventAgeMs", None, "How old the oldest event of an invocation was when AWS first answered.";
    PLAN_STEPS = "PlanSteps", Some("reason"), "Steps that were planned, by reason; in the mode `observe` too.";
    PLAN_HOLDS = "PlanHolds", Some("reason"), "Services that were left alone, by reason.";
    OUTCOMES = "Outcomes", Some("result"), "What became of the steps.";
    GAPS = "Gaps", Some("cause"), "What could not be observed, recalled or remembered, by cause.";
    LEDGER_CONFLICTS = "LedgerConflicts", None, "Ledger writes that were lost to another invocation.";
    FAILURES = "Failures", Some("type"), "Invocations that ended in an error, by the error's type.";
    INVOCATION_MS = "InvocationMs", None, "How long an invocation took.";
    SWEEP_COMPLETED = "SweepCompleted", None, "Scheduled looks at everything that came to their end without a failure: the heartbeat.";
}

/// The metrics of this process.
pub(crate) struct Metrics {
    collector: &'static Collector,
}

impl Metrics {
    /// Starts the process's metrics.
    ///
    /// # Errors
    /// When they were started before.
    pub(crate) fn start(function: &'static str) -> Result<Self, lambda_runtime::Error> {
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
    pub(crate) fn write(&self, handled: &Handled, out: impl Write) -> std::io::Result<()> {
        measure(handled);
        if let Some(id) = &handled.record.request_id {
            self.collector.set_property("request_id", id.as_str());
        }
        self.collector.flush(out)
    }
}

fn measure(handled: &Handled) {
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
    if triggers.is_sweep && record.snapshot.is_some() && handled.failure.is_none() {
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
