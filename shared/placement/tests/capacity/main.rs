//! Sizing EC2 capacity: scenarios that an operator could meet. The scenarios go through `scene::check`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod audit_removing;
mod aws;
mod consolidate;
mod demand;
mod departures;
#[path = "../dice/mod.rs"]
mod dice;
mod drains;
mod fleet;
mod laws;
mod oracle;
mod picture;
mod placing;
mod pools;
mod random;
mod scale;
mod scale_in;
mod scene;
mod sequences;
mod shown;
mod size;
mod steady;
mod strays;
mod touch;
mod walks;
mod workshop;
