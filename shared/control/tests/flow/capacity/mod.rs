//! The whole flow of cluster-scaler against a world, over HTTP, with the real SDK.

mod batches;
mod failing;
mod large;
mod ledger;
mod left_alone;
mod races;
mod raise;
mod record;
mod scale_in;
mod stage;
