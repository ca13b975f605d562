//! Load on services, the metrics that tell of it, what is computed from them, and the alarms that look at them.

mod alarms;
mod composite;
mod data;
mod load;
mod math;
mod properties;
mod publishing;
mod stage;
