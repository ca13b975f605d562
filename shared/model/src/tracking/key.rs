//! What a decision of target tracking is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ServiceKey;

/// A tracked service, as the subject of what is remembered and decided. It is a type of its own because the same service may be the
/// primary of a pair, of which spot-fallback remembers other things.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackingKey(pub ServiceKey);

impl fmt::Display for TrackingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
