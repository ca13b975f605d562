//! EC2 Auto Scaling's operations.
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Operations.html>
//!
//! Input and output are JSON with the names of AWS's own shapes, lists as arrays and times as ISO 8601.

mod activities;
mod create;
mod desired;
mod groups;
mod hooks;
mod instances;
mod policies;
mod schedules;
mod tags;
mod warm_pool;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::limits::{page, page_size};
use crate::autoscaling::validation;
use crate::error::ApiError;

/// Entries on a page of most operations where the caller does not say.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribePolicies.html>
const PAGE_DEFAULT: usize = 50;
/// The most entries on a page of most operations.
const PAGE_MAX: usize = 100;

/// What a caller wants of a long list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Paging {
    max_records: Option<i64>,
    next_token: Option<String>,
}

/// A filter: a name, and the values that it takes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Filter {
    #[serde(default)]
    name: String,
    #[serde(default)]
    values: Vec<String>,
}

/// One page of entries that are in the order of their keys, under a name.
fn paged(
    entries: &[(String, Value)],
    paging: &Paging,
    (default, max): (usize, usize),
    name: &str,
) -> Result<Value, ApiError> {
    let size = page_size(paging.max_records, default, max).map_err(|it| validation(it.message))?;
    let all = entries.iter().map(|(key, value)| (key.as_str(), value));
    let (items, next) = page(all, paging.next_token.as_deref(), size)
        .map_err(|it| ApiError::new("InvalidNextToken", it.message, 400))?;
    let mut answer = Map::new();
    let items = items.into_iter().cloned().collect();
    answer.insert(name.to_owned(), Value::Array(items));
    if let Some(token) = next {
        answer.insert("NextToken".to_owned(), Value::String(token));
    }
    Ok(Value::Object(answer))
}
