//! CloudWatch: metrics that are put in, and alarms that look at them each minute.
//!
//! # Modelled
//! Datapoints of a minute, kept for a day; alarms on one metric with a fixed threshold, M out of N periods, and the four ways to
//! take missing data; state changes with their event; scaling policies as actions, which repeat each minute while the alarm is in
//! that state. <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>
//!
//! # Assumed
//! AWS does not publish how far an alarm looks back for data: here it is two periods more than it evaluates. Alarms look exactly
//! at each full minute, at the minutes before it.
//!
//! # Absent
//! Percentiles, metric math, composite and anomaly alarms, resolutions below a minute, units, actions other than scaling policies
//! (their state change event is sent all the same).

mod alarms;
mod judge;
mod metrics;

pub(crate) use metrics::value_of;
