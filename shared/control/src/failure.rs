//! What went wrong with an invocation, although its record was written.
//!
//! Guaranteed: the list is closed, every kind has a stable name ([`Failure::NAMES`]), and the console, the record, the metrics and
//! `docs/runbook.md` use that name. A failed invocation is tried again by whoever started it: by Lambda for an event
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>), by the queue for a batch, of
//! which only the messages concerned go back. Trying again is always right, because every invocation looks anew and writes absolute
//! values.

use model::settings::SettingFault;

/// Why an invocation failed. In the order of precedence: the first that applies is the function's error, the record has all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The function's settings cannot be used; nothing was looked at.
    #[error(
        "the function's settings cannot be used, nothing was done: {}",
        list(faults)
    )]
    SettingsUnusable {
        /// Every fault.
        faults: Vec<SettingFault>,
    },
    /// The function's clients could not be built; nothing was looked at.
    #[error("the AWS clients could not be built, nothing was done: {detail}")]
    StartUpFailed {
        /// What went wrong.
        detail: String,
    },
    /// An event for Ballast cannot be read.
    #[error("events that cannot be read: {count}; the first: {first}")]
    MalformedEvent {
        /// How many.
        count: u32,
        /// What is wrong with the first.
        first: String,
    },
    /// A step of the plan would have broken a safety law and was not taken. This is a fault of Ballast's, to be reported.
    #[error("steps that would break a safety law and were not taken: {count}; the first: {first}")]
    AuditRefused {
        /// How many.
        count: usize,
        /// The first law and how it would be broken.
        first: String,
    },
    /// A step was refused or failed.
    #[error("steps that failed: {count} of {steps}; the first: {first}")]
    StepFailed {
        /// How many.
        count: usize,
        /// How many steps the plan has.
        steps: usize,
        /// The first failed step and its outcome.
        first: String,
    },
    /// Time, or the budget of calls, ran out before every step was started.
    #[error("steps not started for lack of time: {count} of {steps}; the first: {first}")]
    OutOfTime {
        /// How many.
        count: usize,
        /// How many steps the plan has.
        steps: usize,
        /// The first step that was not started.
        first: String,
    },
    /// What is remembered could not be read or written. Raising went on, giving back did not.
    #[error("ledger calls that failed: {count}; the first: {first}")]
    LedgerUnavailable {
        /// How many calls failed.
        count: usize,
        /// The first failed call.
        first: String,
    },
    /// Something could not be observed. What could be decided without it was done.
    #[error("gaps in what was observed: {count}; the first: {first}")]
    LookIncomplete {
        /// How many.
        count: usize,
        /// The first gap.
        first: String,
    },
}

impl Failure {
    /// Every name that [`Self::as_str`] gives, in the order of precedence.
    pub const NAMES: [&'static str; 8] = [
        "SettingsUnusable",
        "StartUpFailed",
        "MalformedEvent",
        "AuditRefused",
        "StepFailed",
        "OutOfTime",
        "LedgerUnavailable",
        "LookIncomplete",
    ];

    /// A stable name: the error type that the console and the metrics show.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SettingsUnusable { .. } => "SettingsUnusable",
            Self::StartUpFailed { .. } => "StartUpFailed",
            Self::MalformedEvent { .. } => "MalformedEvent",
            Self::AuditRefused { .. } => "AuditRefused",
            Self::StepFailed { .. } => "StepFailed",
            Self::OutOfTime { .. } => "OutOfTime",
            Self::LedgerUnavailable { .. } => "LedgerUnavailable",
            Self::LookIncomplete { .. } => "LookIncomplete",
        }
    }
}

fn list(faults: &[SettingFault]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_list_in_its_order() {
        let first = || "x".to_owned();
        let all = [
            Failure::SettingsUnusable { faults: vec![] },
            Failure::StartUpFailed { detail: first() },
            Failure::MalformedEvent {
                count: 1,
                first: first(),
            },
            Failure::AuditRefused {
                count: 1,
                first: first(),
            },
            Failure::StepFailed {
                count: 1,
                steps: 1,
                first: first(),
            },
            Failure::OutOfTime {
                count: 1,
                steps: 1,
                first: first(),
            },
            Failure::LedgerUnavailable {
                count: 1,
                first: first(),
            },
            Failure::LookIncomplete {
                count: 1,
                first: first(),
            },
        ];
        let names: Vec<&str> = all.iter().map(Failure::as_str).collect();
        assert_eq!(names, Failure::NAMES);
    }

    #[test]
    fn every_settings_fault_is_in_the_message() {
        let fault = |name: &str| SettingFault {
            name: name.to_owned(),
            value: "x".to_owned(),
            allowed: "a number".to_owned(),
        };
        let failure = Failure::SettingsUnusable {
            faults: vec![fault("A"), fault("B")],
        };
        assert_eq!(
            failure.to_string(),
            "the function's settings cannot be used, nothing was done: `A` is `x`: a number is allowed; \
             `B` is `x`: a number is allowed"
        );
    }
}
