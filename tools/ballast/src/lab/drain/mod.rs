//! Instances that go away under the real functions: the workshop's interruption, and a storm of interruptions.

pub(crate) mod compare;
pub(crate) mod interruption;
pub(crate) mod leavers;
pub(crate) mod milestones;
pub(crate) mod stage;
pub(crate) mod storm;
pub(crate) mod storm_stage;
pub(crate) mod storm_tables;
pub(crate) mod storm_watch;
