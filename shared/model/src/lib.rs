//! The nouns of Ballast: what the steps of the flow hand to one another.
//!
//! Guaranteed: nothing here does I/O, reads a clock, reads the environment or depends on AWS. Every map is ordered, so that the
//! same values always print, serialise and compare the same way.
//!
//! Assumed: one installation works in one AWS account and one Region, so that a cluster's name and a service's name identify a
//! service ([`ServiceKey`]).
//!
//! Absent: decisions (they live in `placement`) and the reading of events (`trigger`) or of AWS (`observe`).

pub mod capacity;
pub mod drain;
pub mod duty;
pub mod hold;
mod hold_text;
pub mod ids;
pub mod instance_type;
pub mod memory;
mod notice;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod settings;
pub mod snapshot;
pub mod strategy;
pub mod tracking;
pub mod trigger;
pub mod units;

pub use ids::*;
pub use jiff::Timestamp;
pub use units::Seconds;
