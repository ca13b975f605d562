//! The lab: a simulated AWS and the real functions on this computer, through a scenario, on a virtual clock.

pub(crate) mod driver;
pub(crate) mod figures;
pub(crate) mod function;
pub(crate) mod meter;
pub(crate) mod play;
pub(crate) mod rules;
pub(crate) mod scenario;
pub(crate) mod story;
pub(crate) mod tables;
