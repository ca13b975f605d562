//! The nouns of target tracking: a service whose desired count follows a metric, what was measured, what it may be set to and what is
//! decided about it.
//!
//! Guaranteed: as everywhere in this crate, nothing here does I/O, and every map is ordered. Values of metrics are whole thousandths,
//! so that a decision is the same on every machine.
//!
//! Assumed: the tasks of a service and of its standby do the same work, so that together they are one fleet.
//!
//! Absent: decisions. How many tasks a load needs, and when the desired count follows, is `placement::tracking`'s.

pub mod bounds;
pub mod duty;
pub mod hold;
mod hold_text;
pub mod key;
pub mod memory;
pub mod numbers;
pub mod plan;
pub mod policy;
pub mod readings;
pub mod snapshot;
pub mod tags;
pub mod target;

pub use bounds::{Bounds, BoundsInForce, ScheduledBounds};
pub use duty::{TRACKING_METRICS, TrackingMetric};
pub use hold::{TrackingHold, TrackingHoldReason};
pub use key::TrackingKey;
pub use memory::{Direction, Miscount, Span, There, TrackingMemory, Turn};
pub use numbers::{ForecastFrom, TargetNeed, TrackingNumbers};
pub use plan::{TrackingPlan, TrackingStep, TrackingStepReason};
pub use policy::{FORECAST_DAYS, FORECAST_MINUTES, Pace, TrackingPolicy};
pub use readings::{Part, Point, Reading, Series, UnusableMetric, fresh_for};
pub use snapshot::{Fleet, GroupLimit, TrackingSnapshot};
pub use target::{Measures, Target, TargetName};
