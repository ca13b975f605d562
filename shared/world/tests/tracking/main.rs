//! Load on services, the metrics that tell of it, what is computed from them, and the alarms that look at them.

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod composite;
#[cfg(test)]
mod data;
#[cfg(test)]
mod load;
#[cfg(test)]
mod math;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod stage;
