//! Every kind of id, in one registry.
//!
//! An id is checked when it is made and is then only compared, printed and sent back: `Display` is the form that AWS uses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id that is accepted. ARNs are at most 2,048 characters
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_Policy.html>), names are far shorter.
pub const ID_LENGTH_MAX: usize = 2_048;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("a {kind} is empty")]
    Empty {
        /// Which kind of id was asked for.
        kind: &'static str,
    },
    /// The text is longer than [`ID_LENGTH_MAX`].
    #[error("a {kind} has {length} characters, at most {ID_LENGTH_MAX} are allowed")]
    TooLong {
        /// Which kind of id was asked for.
        kind: &'static str,
        /// How long the text is, in bytes.
        length: usize,
    },
    /// The text holds a control character, or white space where that is not allowed.
    #[error("a {kind} holds white space or a control character: {text:?}")]
    BadCharacter {
        /// Which kind of id was asked for.
        kind: &'static str,
        /// The text, as given.
        text: String,
    },
    /// The text is not an ARN of the kind asked for.
    #[error("`{text}` is not the ARN of a {kind}")]
    NotAnArn {
        /// Which kind of id was asked for.
        kind: &'static str,
        /// The text, as given.
        text: String,
    },
}

/// An id of a kind that allows no white space.
fn checked(kind: &'static str, text: &str) -> Result<(), IdError> {
    checked_without(kind, text, |c| c.is_control() || c.is_whitespace())
}

/// A name that people choose and that may hold spaces.
fn checked_with_spaces(kind: &'static str, text: &str) -> Result<(), IdError> {
    checked_without(kind, text, |c| {
        c.is_control() || (c.is_whitespace() && c != ' ')
    })
}

fn checked_without(
    kind: &'static str,
    text: &str,
    is_bad: impl Fn(char) -> bool,
) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > ID_LENGTH_MAX {
        return Err(IdError::TooLong {
            kind,
            length: text.len(),
        });
    }
    if text.chars().any(is_bad) {
        return Err(IdError::BadCharacter {
            kind,
            text: text.chars().take(80).collect(),
        });
    }
    Ok(())
}

macro_rules! ids {
    ($check:ident => $($(#[$doc:meta])* $name:ident = $kind:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                $check($kind, text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

// Alphabetical.
ids! { checked =>
    /// A twelve-digit AWS account id.
    AccountId = "account id";
    /// An Availability Zone's name, such as `us-west-2a`.
    AvailabilityZone = "Availability Zone";
    /// A capacity provider's name, such as `FARGATE_SPOT`.
    CapacityProviderName = "capacity provider name";
    /// A cluster's name.
    ClusterName = "cluster name";
    /// A container instance's ARN.
    ContainerInstanceArn = "container instance ARN";
    /// A service deployment's id, such as `ecs-svc/1234567890123456789`.
    DeploymentId = "deployment id";
    /// An EventBridge event's id.
    EventId = "event id";
    /// An EC2 instance's id, such as `i-1234567890abcdef0`.
    InstanceId = "instance id";
    /// An EC2 instance type, such as `t3.small`.
    InstanceType = "instance type";
    /// The name of a lifecycle hook of an Auto Scaling group: letters, digits, `-`, `_` and `/`.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
    LifecycleHookName = "lifecycle hook name";
    /// A message's id in an SQS batch.
    MessageId = "message id";
    /// A Region's name, such as `us-west-2`.
    RegionName = "Region name";
    /// The id of an Auto Scaling group's scaling activity.
    ScalingActivityId = "scaling activity id";
    /// A service's name.
    ServiceName = "service name";
    /// A target group's ARN.
    TargetGroupArn = "target group ARN";
    /// A task's ARN.
    TaskArn = "task ARN";
    /// A task definition's ARN, with its revision.
    TaskDefinitionArn = "task definition ARN";
}

// Alphabetical.
ids! { checked_with_spaces =>
    /// A CloudWatch alarm's name. Only control characters are not allowed in it.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>
    AlarmName = "alarm name";
    /// An EC2 Auto Scaling group's name. It may hold spaces.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html>
    AutoScalingGroupName = "Auto Scaling group name";
}

/// A service, named the way the API wants it: by cluster and service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceKey {
    /// The cluster that the service is in.
    pub cluster: ClusterName,
    /// The service.
    pub service: ServiceName,
}

impl ServiceKey {
    /// Joins the two names.
    #[must_use]
    pub fn new(cluster: ClusterName, service: ServiceName) -> Self {
        Self { cluster, service }
    }

    /// Reads a service's ARN, `arn:…:service/<cluster>/<service>`.
    ///
    /// Old ARNs lack the cluster (`arn:…:service/<service>`); then `cluster` must be given, from the same message.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-account-settings.html#ecs-resource-ids>
    ///
    /// # Errors
    /// When the text is not a service's ARN, or names no cluster and none was given.
    pub fn from_service_arn(arn: &str, cluster: Option<&ClusterName>) -> Result<Self, IdError> {
        let wrong = || IdError::NotAnArn {
            kind: "service",
            text: arn.chars().take(200).collect(),
        };
        let path = resource_of(arn, "ecs", "service").ok_or_else(wrong)?;
        match path.split_once('/') {
            Some((in_cluster, service)) => Ok(Self::new(in_cluster.parse()?, service.parse()?)),
            None => Ok(Self::new(
                cluster.cloned().ok_or_else(wrong)?,
                path.parse()?,
            )),
        }
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.service)
    }
}

impl FromStr for ServiceKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (cluster, service) = text.split_once('/').ok_or_else(|| IdError::NotAnArn {
            kind: "service (wanted `cluster/service`)",
            text: text.chars().take(200).collect(),
        })?;
        Ok(Self::new(cluster.parse()?, service.parse()?))
    }
}

impl TryFrom<String> for ServiceKey {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ServiceKey> for String {
    fn from(key: ServiceKey) -> Self {
        key.to_string()
    }
}

impl ClusterName {
    /// Reads a cluster's ARN, `arn:…:cluster/<name>`, or takes a bare name.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn from_arn_or_name(text: &str) -> Result<Self, IdError> {
        if text.starts_with("arn:") {
            resource_of(text, "ecs", "cluster")
                .ok_or_else(|| IdError::NotAnArn {
                    kind: "cluster",
                    text: text.chars().take(200).collect(),
                })?
                .parse()
        } else {
            text.parse()
        }
    }
}

impl CapacityProviderName {
    /// Reads a capacity provider's ARN, `arn:…:capacity-provider/<name>`, or takes a bare name.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn from_arn_or_name(text: &str) -> Result<Self, IdError> {
        if text.starts_with("arn:") {
            resource_of(text, "ecs", "capacity-provider")
                .ok_or_else(|| IdError::NotAnArn {
                    kind: "capacity provider",
                    text: text.chars().take(200).collect(),
                })?
                .parse()
        } else {
            text.parse()
        }
    }
}

impl TaskArn {
    /// The task's id: what follows the last `/`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl ContainerInstanceArn {
    /// The container instance's id: what follows the last `/`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// The part of an ARN behind `arn:partition:service:region:account:kind/`.
fn resource_of<'a>(arn: &'a str, service: &str, kind: &str) -> Option<&'a str> {
    let mut parts = arn.splitn(6, ':');
    let (prefix, _partition, of_service) = (parts.next()?, parts.next()?, parts.next()?);
    let resource = parts.nth(2)?;
    if prefix != "arn" || of_service != service {
        return None;
    }
    resource.strip_prefix(kind)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_arns_of_both_forms_are_read() {
        let new = "arn:aws:ecs:us-west-2:111122223333:service/container-demo/web";
        let old = "arn:aws:ecs:us-west-2:111122223333:service/web";
        let cluster: ClusterName = "container-demo".parse().unwrap();
        let want: ServiceKey = "container-demo/web".parse().unwrap();
        assert_eq!(ServiceKey::from_service_arn(new, None), Ok(want.clone()));
        assert_eq!(ServiceKey::from_service_arn(old, Some(&cluster)), Ok(want));
        assert!(ServiceKey::from_service_arn(old, None).is_err());
        assert!(ServiceKey::from_service_arn("arn:aws:ecs:r:a:task/x/y", None).is_err());
    }

    #[test]
    fn odd_texts_are_refused() {
        assert_eq!(
            "".parse::<ClusterName>(),
            Err(IdError::Empty {
                kind: "cluster name"
            })
        );
        assert!("a b".parse::<ServiceName>().is_err());
        assert!("a\u{7}".parse::<ServiceName>().is_err());
        assert!("x".repeat(ID_LENGTH_MAX + 1).parse::<TaskArn>().is_err());
    }

    #[test]
    fn names_that_people_choose_may_hold_spaces() {
        let name: AlarmName = "web: too few tasks".parse().unwrap();
        assert_eq!(name.as_str(), "web: too few tasks");
        assert!("EC2 Spot".parse::<AutoScalingGroupName>().is_ok());
        assert!("".parse::<AlarmName>().is_err());
        assert!("web\n".parse::<AlarmName>().is_err());
        assert!("web\u{2028}".parse::<AutoScalingGroupName>().is_err());
    }

    #[test]
    fn container_instance_ids_are_the_last_part() {
        for path in ["container-demo/a59c", "a59c"] {
            let arn: ContainerInstanceArn =
                format!("arn:aws:ecs:us-west-2:111122223333:container-instance/{path}")
                    .parse()
                    .unwrap();
            assert_eq!(arn.id(), "a59c");
        }
    }

    #[test]
    fn providers_come_from_arns_or_names() {
        let arn = "arn:aws:ecs:us-west-2:111122223333:capacity-provider/FARGATE_SPOT";
        assert_eq!(
            CapacityProviderName::from_arn_or_name(arn)
                .unwrap()
                .as_str(),
            "FARGATE_SPOT"
        );
        assert_eq!(
            CapacityProviderName::from_arn_or_name("FARGATE")
                .unwrap()
                .as_str(),
            "FARGATE"
        );
        assert!(CapacityProviderName::from_arn_or_name("arn:aws:ecs:r:a:cluster/FARGATE").is_err());
    }
}
