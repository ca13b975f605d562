//! Auto Scaling groups, their instances, and the alarms that scale them.

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod api;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod going;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod life;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod power;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod warm_pools;
