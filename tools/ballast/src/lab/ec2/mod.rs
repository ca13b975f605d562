//! The workshop's chapters on EC2: groups of instances under Ballast, and the same world under ECS's managed scaling.

pub(crate) mod chapter;
pub(crate) mod compare;
pub(crate) mod play;
pub(crate) mod tables;
pub(crate) mod watch;
