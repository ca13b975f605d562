//! Instances that go away: scenarios that an operator could meet. The scenarios go through `scene::check`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod acting;
mod actions;
mod audit;
mod aws;
mod called_off;
mod causes;
mod choices;
#[path = "../dice/mod.rs"]
mod dice;
mod elsewhere;
mod failures;
mod groups;
mod heartbeats;
mod judged;
mod ladder;
mod late;
mod laws;
mod moves;
mod oracle;
mod oracle_choices;
mod planted;
mod random;
mod registrations;
mod remembered;
mod reversals;
mod rooms;
mod scene;
mod shown;
mod stops;
mod stuck;
mod walks;
mod words;
