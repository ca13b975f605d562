//! The whole flow of cluster-scaler against a world, over HTTP, with the real SDK.

mod raise;
mod record;
mod stage;
