//! The one dry-run switch.

use std::future::Future;

use model::outcome::{Outcome, OutcomeResult};
use model::policy::Mode;

/// Writes the steps where the mode allows it. Else nothing is sent, and each outcome says so.
pub(crate) async fn in_mode<S, W>(
    mode: Mode,
    steps: Vec<S>,
    write: impl FnOnce(Vec<S>) -> W,
) -> Vec<Outcome<S>>
where
    W: Future<Output = Vec<Outcome<S>>>,
{
    match mode {
        Mode::Observe => steps
            .into_iter()
            .map(|step| Outcome {
                step,
                result: OutcomeResult::NotWritten,
            })
            .collect(),
        Mode::Act => write(steps).await,
    }
}
