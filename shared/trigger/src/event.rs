//! Access to an event's fields. A field that is absent and a field of an odd type are told apart only where it matters: in an error.

use model::trigger::Envelope;
use model::{AutoScalingGroupName, ClusterName, IdError, InstanceId, ServiceKey};
use serde_json::{Map, Value};

use crate::arn;
use crate::error::{Problem, Subject, TriggerError};
use crate::text::is_plain_name;

/// The most entries of `resources` that are looked at. The events of the table have one.
pub const RESOURCES_MAX: usize = 64;

/// An event whose source and detail-type have a row in the table.
pub(crate) struct Event<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) fields: &'a Map<String, Value>,
}

impl<'a> Event<'a> {
    /// `detail`, which must be an object.
    pub(crate) fn detail(&self) -> Result<Detail<'a>, TriggerError> {
        self.object("detail")
    }

    /// A field of the event that must be an object.
    pub(crate) fn object(&self, field: &'static str) -> Result<Detail<'a>, TriggerError> {
        match self.fields.get(field) {
            Some(Value::Object(fields)) => Ok(Detail { fields }),
            other => Err(self.unusable(field, Problem::with(other, "an object"))),
        }
    }

    /// The texts in `resources`, at most [`RESOURCES_MAX`] of them.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.fields
            .get("resources")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .take(RESOURCES_MAX)
            .filter_map(Value::as_str)
    }

    /// The service that the event's resources name. Its ARN may lack the cluster; then `detail.clusterArn` must name it.
    pub(crate) fn service(&self, detail: &Detail<'a>) -> Result<ServiceKey, TriggerError> {
        let Some(service_arn) = self.resources().find(|text| arn::is_service(text)) else {
            let problem = match self.fields.get("resources") {
                Some(Value::Array(_)) => Problem::NoServiceArn,
                other => Problem::with(other, "a list"),
            };
            return Err(self.unusable("resources", problem));
        };
        let cluster = self.cluster(detail);
        let key = match ServiceKey::from_service_arn(service_arn, cluster.as_ref().ok()) {
            Ok(key) => key,
            // An old ARN and no cluster: what is wrong with the cluster is the useful thing to say.
            Err(IdError::NotAnArn { .. }) => {
                cluster?;
                return Err(self.unusable("resources", Problem::NoServiceArn));
            }
            Err(IdError::Empty { .. } | IdError::TooLong { .. } | IdError::BadCharacter { .. }) => {
                return Err(self.unusable("resources", Problem::NotAName));
            }
        };
        if arn::is_name(key.cluster.as_str()) && arn::is_name(key.service.as_str()) {
            Ok(key)
        } else {
            Err(self.unusable("resources", Problem::NotAName))
        }
    }

    /// The cluster that `detail.clusterArn` names.
    pub(crate) fn cluster(&self, detail: &Detail<'a>) -> Result<ClusterName, TriggerError> {
        const FIELD: &str = "detail.clusterArn";
        let Some(text) = detail.text("clusterArn") else {
            let problem = Problem::with(detail.fields.get("clusterArn"), "a text");
            return Err(self.unusable(FIELD, problem));
        };
        let one_line = !text.chars().any(|c| c.is_control() || c.is_whitespace());
        match ClusterName::from_arn_or_name(text) {
            Ok(name) if arn::is_name(name.as_str()) => Ok(name),
            // Only what looks like an ARN is repeated.
            Err(source @ IdError::NotAnArn { .. }) if one_line => Err(TriggerError::Id {
                subject: Box::new(Subject::from(self.envelope)),
                field: FIELD,
                source,
            }),
            Ok(_) | Err(_) => Err(self.unusable(FIELD, Problem::NotAName)),
        }
    }

    /// The Auto Scaling group that the fields name; `path` is what an error calls it.
    pub(crate) fn group(
        &self,
        fields: &Detail<'a>,
        path: &'static str,
    ) -> Result<AutoScalingGroupName, TriggerError> {
        let Some(text) = fields.text("AutoScalingGroupName") else {
            let problem = Problem::with(fields.fields.get("AutoScalingGroupName"), "a text");
            return Err(self.unusable(path, problem));
        };
        text.parse()
            .ok()
            .filter(|_| is_plain_name(text))
            .ok_or_else(|| self.unusable(path, Problem::NotAPlainName))
    }

    /// The EC2 instance that a field names; `path` is what an error calls it.
    pub(crate) fn instance(
        &self,
        fields: &Detail<'a>,
        field: &str,
        path: &'static str,
    ) -> Result<InstanceId, TriggerError> {
        let Some(text) = fields.text(field) else {
            let problem = Problem::with(fields.fields.get(field), "a text");
            return Err(self.unusable(path, problem));
        };
        arn::instance(text).ok_or_else(|| self.unusable(path, Problem::NotAnInstanceId))
    }

    /// An error about a field of this event.
    pub(crate) fn unusable(&self, field: &'static str, problem: Problem) -> TriggerError {
        TriggerError::Field {
            subject: Box::new(Subject::from(self.envelope)),
            field,
            problem,
        }
    }
}

/// An event's `detail`, or what stands in its place.
pub(crate) struct Detail<'a> {
    pub(crate) fields: &'a Map<String, Value>,
}

impl<'a> Detail<'a> {
    /// A field's text; nothing when the field is absent or holds no text.
    pub(crate) fn text(&self, field: &str) -> Option<&'a str> {
        self.fields.get(field).and_then(Value::as_str)
    }
}
