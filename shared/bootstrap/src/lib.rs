//! Start-up of a function: logs, metrics, settings, clients, and the runtime around them.
//!
//! Guaranteed:
//! - The first poll of the Lambda Runtime API waits for nothing but this process: reading the settings and building the clients
//!   (which reads the host's certificates) happens on another thread meanwhile.
//! - A setting that cannot be used does not crash the process. Lambda would start it again and again and show only that it exited;
//!   instead every invocation fails with `SettingsUnusable` and every fault at once, in the console, the record and the metrics.
//! - Each invocation writes its record as a line of its own to standard output, then its metrics, and only then answers. A failed
//!   invocation has its record too.
//! - No log line holds an event: the runtime would log it at the level TRACE, so that TRACE is treated as DEBUG.
//!
//! Assumed: Lambda's own variables are set
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>), credentials among them.
//! No other source of credentials is asked.
//!
//! Absent: decisions.

mod clients;
mod controller;
mod metrics;
mod serve;
mod settings;

pub use clients::{Clients, NoCredentials};
pub use control::{Capacity, Departures, Pairs, Tracking};
pub use controller::{Assemble, controller};
pub use metrics::{DIMENSION_FUNCTION, METRICS, Metric, NAMESPACE, SUBJECTS_MEASURED_MAX};
pub use serve::{InvocationError, NotStarted, serve};
pub use settings::{
    CLUSTERS, ECS_RATE_SHARE_PERCENT, LEDGER_TABLE, MODE, SCHEDULE_INTERVAL_SECS, SETTINGS,
    Settings,
};
