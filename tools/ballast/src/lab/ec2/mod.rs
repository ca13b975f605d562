//! Groups of EC2 instances under Ballast, and the same world under ECS's managed scaling: the workshop's chapters, and a shortage of Spot.

pub(crate) mod chapter;
pub(crate) mod compare;
pub(crate) mod drought;
pub(crate) mod play;
pub(crate) mod tables;
pub(crate) mod watch;
