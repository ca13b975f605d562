//! The whole flow of instance-drain against a world.

mod at_rest;
mod batches;
mod input;
mod large;
mod ledger;
mod maintenance;
mod multitudes;
mod pools;
mod races;
mod record;
mod samples;
pub(crate) mod stage;
mod unregistered;
mod warned;
