//! The whole flow against a world, over HTTP, with the real SDK.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops where its scenario is not what it says"
)]

mod audit;
mod bad_input;
mod batches;
mod capacity;
mod departures;
mod events;
mod instances;
mod ledger;
mod races;
mod record;
mod several_steps;
mod stage;
mod together;
mod tracking;
mod workshop;
