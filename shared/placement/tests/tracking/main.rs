//! Target tracking: scenarios that an operator could meet. The scenarios go through `scene::check`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod bad_input;
mod calculations;
mod foreign;
mod left_alone;
mod pair;
mod placeable;
mod scale_in;
mod scale_out;
mod scene;
mod settled;
mod shown;
mod random;
mod planted;
mod oracle;
mod laws;
