//! CloudWatch: metrics that are put in, and alarms that look at them each minute.

mod metrics;
