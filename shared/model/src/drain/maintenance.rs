//! Which maintenance it is: AWS Health may announce several of an instance, also of one code.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tells the maintenance of an instance apart: its code, and the event of AWS Health that announced it. As text, and so in JSON, it is `CODE/EVENT`, or
/// the code alone where no event is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct MaintenanceKey {
    /// AWS's own code, such as `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED`; empty where it was not said.
    pub code: String,
    /// The event, as [`Notice::Maintenance`](crate::trigger::Notice::Maintenance) names it. It holds no `/`.
    pub health_event: Option<String>,
}

impl MaintenanceKey {
    /// The maintenance of this code that this event announced.
    #[must_use]
    pub fn new(code: &str, health_event: Option<&str>) -> Self {
        Self {
            code: code.to_owned(),
            health_event: health_event.map(ToOwned::to_owned),
        }
    }

    /// Whether both may be the same maintenance: of one code, and of one event where both name theirs.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        self.code == other.code && self.has_event_of(other)
    }

    /// Whether a word about this one is about the other too: they may be the same, or this one names no code.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        (self.code.is_empty() || self.code == other.code) && self.has_event_of(other)
    }

    fn has_event_of(&self, other: &Self) -> bool {
        match (&self.health_event, &other.health_event) {
            (Some(this), Some(other)) => this == other,
            (None, _) | (_, None) => true,
        }
    }
}

impl From<String> for MaintenanceKey {
    fn from(text: String) -> Self {
        match text.rsplit_once('/') {
            Some((code, event)) => Self::new(code, Some(event).filter(|it| !it.is_empty())),
            None => Self {
                code: text,
                health_event: None,
            },
        }
    }
}

impl From<MaintenanceKey> for String {
    fn from(key: MaintenanceKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for MaintenanceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.health_event {
            Some(event) => write!(f, "{}/{event}", self.code),
            // No code of AWS has one; it is no event's then.
            None if self.code.contains('/') => write!(f, "{}/", self.code),
            None => f.write_str(&self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED";

    #[test]
    fn keys_read_back_as_they_were() {
        for (key, want) in [
            // What earlier versions wrote is the code alone.
            (
                MaintenanceKey::new(CODE, None),
                r#""AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED""#,
            ),
            (
                MaintenanceKey::new(CODE, Some("1a-2b")),
                r#""AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED/1a-2b""#,
            ),
            (MaintenanceKey::new("", None), r#""""#),
            (MaintenanceKey::new("A/B", None), r#""A/B/""#),
            (MaintenanceKey::new("A/B", Some("1")), r#""A/B/1""#),
        ] {
            let text = serde_json::to_string(&key).unwrap();
            assert_eq!(text, want);
            assert_eq!(serde_json::from_str::<MaintenanceKey>(&text).unwrap(), key);
        }
    }

    /// Whether both may be the same, and whether a word about the first is about the second.
    #[test]
    fn maintenance_without_its_event_may_be_any_of_its_code() {
        let key = MaintenanceKey::new;
        for (one, other, want) in [
            (key(CODE, Some("1")), key(CODE, Some("1")), (true, true)),
            (key(CODE, Some("1")), key(CODE, Some("2")), (false, false)),
            (key(CODE, Some("1")), key(CODE, None), (true, true)),
            (key(CODE, None), key(CODE, Some("1")), (true, true)),
            (key(CODE, None), key("OTHER", None), (false, false)),
            (key("", None), key(CODE, Some("1")), (false, true)),
            (key(CODE, Some("1")), key("", None), (false, false)),
        ] {
            let found = (one.may_be(&other), one.is_about(&other));
            assert_eq!(found, want, "{one} {other}");
        }
    }
}
