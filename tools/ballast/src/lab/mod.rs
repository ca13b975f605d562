//! The lab: a simulated AWS and the real functions on this computer, through a scenario, on a virtual clock.

pub(crate) mod drain;
pub(crate) mod driver;
pub(crate) mod ec2;
pub(crate) mod figures;
pub(crate) mod function;
pub(crate) mod hold;
pub(crate) mod meter;
pub(crate) mod open;
pub(crate) mod play;
pub(crate) mod rules;
pub(crate) mod scenario;
pub(crate) mod show;
pub(crate) mod story;
pub(crate) mod tables;
pub(crate) mod telling;
pub(crate) mod tracking;
