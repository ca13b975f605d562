//! ECS on EC2: placement, draining, daemons, standalone tasks, managed draining and protection, target groups, stops, agents.

#[cfg(test)]
mod agents;
#[cfg(test)]
mod api;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod going;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod standalone;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod targets;
