//! CloudWatch: metrics that are put in, expressions over them, and alarms that look at them each minute.
//!
//! # Modelled
//! Datapoints of seconds, minutes, five minutes and hours, each kept as long as CloudWatch keeps them; percentiles; metric math
//! ([`math`]); alarms with a fixed threshold on a metric or an expression, M out of N periods, and the four ways to take missing data;
//! composite alarms; events when a state or a configuration changes; functions as actions, which are called on a transition only, and
//! scaling policies as actions, which repeat each minute while the alarm is in that state.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>
//! An alarm that is written again keeps its state until it looks next; one that is deleted and made anew has insufficient data.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
//!
//! # Assumed
//! AWS does not publish how far an alarm looks back for data: here it is two periods more than it evaluates. Alarms look exactly
//! at each full minute, at the minutes before it, and at every ten seconds where their period is shorter than a minute. Periods are
//! aligned to their own length. Composite alarms follow their alarms without delay.
//!
//! # Absent
//! Anomaly alarms, alarms on logs and queries, units, the suppression of a composite alarm's actions, `AT_LEAST` in its rule, tags, the
//! evaluation of percentiles with few samples, and actions other than functions and scaling policies (their state change event is sent
//! all the same).

mod alarms;
mod composite;
mod judge;
pub(crate) mod math;
mod metrics;
mod notify;
mod query;
mod rule;

pub(crate) use metrics::value_of;
pub(crate) use notify::AnyAlarm;
pub(crate) use query::{Evaluated, Queries, Window};
