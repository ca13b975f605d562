//! Packing, held against judges that share no code with it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod exhaustive;
mod judge;
mod laws;
mod random;
mod scenarios;
mod vectors;
