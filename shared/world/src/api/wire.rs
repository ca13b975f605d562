//! How values look on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::strategy::StrategyItem;
use model::{ClusterName, ServiceKey, ServiceName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ecs::{Constraint, PlaceStrategy};
use crate::error::ApiError;

/// Seconds since 1970 with milliseconds, as JSON 1.1 has times.
pub(crate) fn epoch(at: Timestamp) -> Value {
    let (secs, millis) = (at.as_second(), at.subsec_millisecond().unsigned_abs());
    // Through text, so that the value is the nearest one to the decimal.
    format!("{secs}.{millis:03}")
        .parse::<f64>()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map_or(Value::Null, Value::Number)
}

/// A line of a strategy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrategyLine {
    pub(crate) capacity_provider: String,
    #[serde(default)]
    pub(crate) weight: i64,
    #[serde(default)]
    pub(crate) base: i64,
}

impl From<&StrategyItem> for StrategyLine {
    fn from(item: &StrategyItem) -> Self {
        Self {
            capacity_provider: item.provider.to_string(),
            weight: i64::from(item.weight),
            base: i64::from(item.base),
        }
    }
}

/// A line of a placement constraint or strategy.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PlacementLine {
    #[serde(rename = "type")]
    kind: String,
    field: Option<String>,
    expression: Option<String>,
}

pub(crate) fn constraints(lines: &[PlacementLine]) -> Result<Vec<Constraint>, ApiError> {
    lines
        .iter()
        .map(|it| Constraint::read(&it.kind, it.expression.as_deref()))
        .collect::<Result<_, _>>()
        .map_err(ApiError::invalid_parameter)
}

pub(crate) fn strategy(lines: &[PlacementLine]) -> Result<Vec<PlaceStrategy>, ApiError> {
    lines
        .iter()
        .map(|it| PlaceStrategy::read(&it.kind, it.field.as_deref()))
        .collect::<Result<_, _>>()
        .and_then(PlaceStrategy::check)
        .map_err(ApiError::invalid_parameter)
}

/// A tag.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

pub(crate) fn tags_to_wire(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag {
            key: key.clone(),
            value: value.clone(),
        })
        .collect()
}

pub(crate) fn tags_from_wire(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|it| (it.key, it.value)).collect()
}

/// The cluster that a caller names by name or ARN; nothing is the cluster `default`.
pub(crate) fn cluster_name(text: Option<&str>) -> Result<ClusterName, ApiError> {
    ClusterName::from_arn_or_name(text.unwrap_or("default"))
        .map_err(|_| ApiError::invalid_parameter("Invalid identifier: Identifier is for cluster."))
}

/// The service that a caller names by name or ARN.
pub(crate) fn service_key(cluster: &ClusterName, text: &str) -> Result<ServiceKey, ApiError> {
    let wrong = |_| ApiError::invalid_parameter("Invalid identifier: Identifier is for service.");
    if text.starts_with("arn:") {
        return ServiceKey::from_service_arn(text, Some(cluster)).map_err(wrong);
    }
    let name: ServiceName = text.parse().map_err(wrong)?;
    Ok(ServiceKey::new(cluster.clone(), name))
}
