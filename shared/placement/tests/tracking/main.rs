//! Target tracking: scenarios that an operator could meet. The scenarios go through `scene::check`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod altered;
mod bad_input;
mod calculations;
mod forecast;
mod foreign;
mod fresh;
mod late_counts;
mod laws;
mod left_alone;
mod minutes;
mod miscount;
mod oracle;
mod oracle_loads;
mod oracle_places;
mod oracle_serving;
mod pair;
mod placeable;
mod planted;
mod planted_lowering;
mod random;
mod random_metrics;
mod scale_in;
mod scale_out;
mod scene;
mod settled;
mod shown;
mod stopping;
mod walks;
mod warm_up;
