//! EC2 Auto Scaling groups: how they launch, keep, replace and terminate instances.

mod declare;
mod desired;

pub use declare::GroupSpec;
