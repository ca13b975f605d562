//! The schedule's own event. It says nothing but that it is time, so nothing of it is read.
//!
//! A rule on a schedule sends it as `aws.events`, EventBridge Scheduler as `aws.scheduler`, there with a text for `detail`.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html>

use model::trigger::TriggerKind;

use crate::error::TriggerError;
use crate::event::Event;

/// Reads a `Scheduled Event`.
#[expect(
    clippy::unnecessary_wraps,
    reason = "every row of the table has the same signature"
)]
pub(crate) fn scheduled(_event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    Ok(TriggerKind::Scheduled)
}
