//! The fallback: scenarios that an operator could meet, its laws over random states, and long random walks.
//!
//! The scenarios go through `scene::check`. The laws and the walks are judged by `oracle` and by the full history of a walk, which
//! share no code with what they judge.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod audit;
mod calculations;
mod cause;
mod deadline;
#[path = "../dice/mod.rs"]
mod dice;
mod evidence;
mod foreign;
mod give_back;
mod instances;
mod laws;
mod oracle;
mod raise;
mod random;
mod refusal;
mod reports;
mod scene;
mod sequences;
mod staircase;
mod storm;
mod unread;
