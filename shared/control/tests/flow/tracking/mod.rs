//! The whole flow of service-scaler against a world, over HTTP, with the real SDK.

mod alarms;
mod deployments;
mod follows;
mod forecast;
mod ledger;
mod left_alone;
mod pair;
mod races;
mod record;
mod samples;
mod seconds;
mod stage;
