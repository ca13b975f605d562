//! ECS on EC2: placement, draining, daemons, standalone tasks, managed draining and protection.

#[cfg(test)]
mod api;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod standalone;
