//! What a capacity decision is about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{CapacityProviderName, ClusterName, IdError, InstanceId};

/// A capacity provider in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderKey {
    /// The cluster that it is associated with.
    pub cluster: ClusterName,
    /// The provider.
    pub provider: CapacityProviderName,
}

impl ProviderKey {
    /// Joins the two names.
    #[must_use]
    pub const fn new(cluster: ClusterName, provider: CapacityProviderName) -> Self {
        Self { cluster, provider }
    }
}

impl fmt::Display for ProviderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.provider)
    }
}

impl FromStr for ProviderKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (cluster, provider) = text.split_once('/').ok_or_else(|| IdError::NotAnArn {
            kind: "capacity provider (wanted `cluster/provider`)",
            text: text.chars().take(200).collect(),
        })?;
        Ok(Self::new(cluster.parse()?, provider.parse()?))
    }
}

impl TryFrom<String> for ProviderKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ProviderKey> for String {
    fn from(key: ProviderKey) -> Self {
        key.to_string()
    }
}

/// What a step or a hold is about: a provider, or one or more of its instances.
///
/// Every provider that was looked at is the subject of exactly one step or hold, and so is every instance of a managed provider.
/// Instances that are left alone for the same reason share one hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "subject", rename_all = "snake_case")]
pub enum CapacitySubject {
    /// The provider itself: how many instances its group is to have.
    Provider {
        /// The provider.
        provider: ProviderKey,
    },
    /// Instances of its group, in the order of their ids; never empty.
    Instances {
        /// The provider.
        provider: ProviderKey,
        /// The instances.
        instances: Vec<InstanceId>,
    },
}

impl CapacitySubject {
    /// The provider.
    #[must_use]
    pub const fn provider(&self) -> &ProviderKey {
        match self {
            Self::Provider { provider } | Self::Instances { provider, .. } => provider,
        }
    }
}

/// How many instances a line of text names; the rest is counted.
const INSTANCES_SHOWN_MAX: usize = 5;

impl fmt::Display for CapacitySubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider { provider } => write!(f, "`{provider}`"),
            Self::Instances {
                provider,
                instances,
            } => {
                write!(f, "`{provider}`")?;
                for instance in instances.iter().take(INSTANCES_SHOWN_MAX) {
                    write!(f, " `{instance}`")?;
                }
                match instances.len().saturating_sub(INSTANCES_SHOWN_MAX) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
        }
    }
}
