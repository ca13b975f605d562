//! How settings are described, read and refused: a table of settings, and one kind of fault.

use serde::{Deserialize, Serialize};

/// One setting, as the documentation lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The tag's key or the variable's name.
    pub name: &'static str,
    /// What a value may be, in words.
    pub allowed: &'static str,
    /// The value without the setting, in words.
    pub default: &'static str,
    /// What it does, one sentence.
    pub meaning: &'static str,
}

/// A setting's value that cannot be used.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[error("`{name}` is `{value}`: {allowed} is allowed")]
pub struct SettingFault {
    /// The tag's key or the variable's name.
    pub name: String,
    /// The value that was found, cut at 256 characters.
    pub value: String,
    /// What a value may be, in words.
    pub allowed: String,
}

impl SettingFault {
    /// The fault of this setting with this value.
    #[must_use]
    pub fn new(setting: &Setting, value: &str) -> Self {
        Self {
            name: setting.name.to_owned(),
            value: value.chars().take(256).collect(),
            allowed: setting.allowed.to_owned(),
        }
    }
}

/// Reads a whole number within a range; `default` where there is no value. A fault is added to `faults`.
#[must_use]
pub fn whole_number(
    setting: &Setting,
    value: Option<&str>,
    range: std::ops::RangeInclusive<i64>,
    default: i64,
    faults: &mut Vec<SettingFault>,
) -> i64 {
    let Some(text) = value else { return default };
    match text.trim().parse::<i64>() {
        Ok(number) if range.contains(&number) => number,
        _ => {
            faults.push(SettingFault::new(setting, text));
            default
        }
    }
}
