//! The deterministic simulated AWS: a seeded discrete-event model of Amazon ECS on Fargate, its Spot market and its events.

mod account;
mod api;
mod config;
mod delivery;
mod dice;
mod error;
mod events;
pub mod face;
mod faults;
mod life;
mod operation;
pub mod pattern;
mod pool;
mod scheduler;
mod spec;
mod split;
mod state;
mod timeline;
mod truth;
mod world;

pub use account::{Account, Accounts};
pub use api::*;
pub use config::{Config, Delivery, RangeMs, SchedulerTimes, StartUp, Stop};
pub use delivery::{Delivered, GUARANTEED_SOURCES};
pub use error::ApiError;
pub use faults::{Fault, FaultRule, Faults};
pub use operation::{Api, Category, Operation};
pub use pool::{Pool, PoolKey};
pub use spec::{ServiceSpec, line};
pub use split::split;
pub use state::{
    Capacity, Cluster, Deployment, GroupProvider, STOP_TIMEOUT_DEFAULT_SECS, STOP_TIMEOUT_MAX_SECS,
    ScalableTarget, Service, State, Task, TaskDefinition,
};
pub use timeline::{Entry, Timeline};
pub use world::World;
