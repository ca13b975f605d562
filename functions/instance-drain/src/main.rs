//! An EC2 instance is going away: its tasks are somewhere else before it does.
//!
//! `bootstrap` starts the function and puts its steps together; `control` joins them; the decisions are `placement::drain`'s.
//!
//! The settings are listed by `bootstrap::SETTINGS`, the errors by `control::Failure`, and the record, which is the function's
//! result, is `control::Record`.

/// The function's name: its folder, its package, its binary, and the field `function` of its records. An installation may put a prefix
/// before it; its metrics then carry the name with the prefix.
const FUNCTION: &str = env!("CARGO_PKG_NAME");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    bootstrap::serve::<bootstrap::Departures>(FUNCTION).await
}
