//! What AWS Health announces: scheduled changes of instances, such as the retirement of the hardware under them.
//! <https://docs.aws.amazon.com/health/latest/ug/cloudwatch-events-health.html>

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::{Value, json};

use super::Ec2Due;
use crate::world::{Happening, World};

/// The code of a retirement that an owner can still move away from.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/schedevents_actions_retire.html>
const RETIREMENT: &str = "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED";

/// How far a scheduled change is.
/// <https://docs.aws.amazon.com/health/latest/APIReference/API_Event.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthStatus {
    /// It goes on.
    Open,
    /// It was done, or given up.
    Closed,
    /// It will be.
    Upcoming,
}

impl HealthStatus {
    /// AWS's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Upcoming => "upcoming",
        }
    }
}

/// What AWS Health says of some instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthNotice {
    /// Such as `AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED`.
    pub event_type_code: String,
    /// Such as `scheduledChange`, `issue` or `accountNotification`.
    pub event_type_category: String,
    /// How far it is.
    pub status: HealthStatus,
    /// The ids of the instances.
    pub instances: Vec<String>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it ends, where that is said.
    pub ends_at: Option<Timestamp>,
}

impl HealthNotice {
    /// The hardware under some instances is retired at a time.
    #[must_use]
    pub fn retirement(instances: &[&str], at: Timestamp) -> Self {
        Self {
            event_type_code: RETIREMENT.to_owned(),
            event_type_category: "scheduledChange".to_owned(),
            status: HealthStatus::Upcoming,
            instances: instances.iter().map(|it| (*it).to_owned()).collect(),
            starts_at: at,
            ends_at: None,
        }
    }

    /// The same, as it is told afterwards.
    #[must_use]
    pub const fn closed(mut self) -> Self {
        self.status = HealthStatus::Closed;
        self
    }
}

impl World {
    /// Sends an AWS Health event. It only tells; [`World::retire_instances`] also does.
    pub fn send_health_event(&mut self, notice: &HealthNotice) {
        let code = notice.event_type_code.as_str();
        let first = notice.instances.first().map_or("", String::as_str);
        let subject = format!("{code}/{first}");
        let hex = self.dice.hex(12, "health event", &subject, 0);
        let region = self.config.region.as_str();
        let entities: Vec<Value> = notice
            .instances
            .iter()
            .map(|it| json!({ "entityValue": it, "status": "PENDING", "tags": {} }))
            .collect();
        let mut detail = json!({
            "eventArn": format!("arn:aws:health:{region}::event/EC2/{code}/{code}_{hex}"),
            "service": "EC2",
            "eventScopeCode": "ACCOUNT_SPECIFIC",
            "communicationId": hex,
            "eventTypeCode": code,
            "eventTypeCategory": notice.event_type_category,
            "lastUpdatedTime": http_date(self.now),
            "startTime": http_date(notice.starts_at),
            "statusCode": notice.status.as_str(),
            "eventRegion": region,
            "eventDescription": [{
                "language": "en_US",
                "latestDescription": "EC2 has scheduled a change of the hardware that hosts your instances.",
            }],
            "affectedEntities": entities,
            "affectedAccount": self.config.account.as_str(),
            "page": "1",
            "totalPages": "1",
        });
        if let (Some(at), Some(fields)) = (notice.ends_at, detail.as_object_mut()) {
            fields.insert("endTime".to_owned(), json!(http_date(at)));
        }
        let text = format!(
            "AWS Health says {code} ({}) of {}",
            notice.status.as_str(),
            notice.instances.join(", ")
        );
        self.timeline.note(self.now, text);
        let number = self.now.as_millisecond().unsigned_abs();
        self.send(
            "aws.health",
            "AWS Health Event",
            &notice.instances,
            detail,
            &subject,
            number,
        );
    }

    /// Announces that the hardware under some instances is retired at a time, and stops those that are still there then.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/schedevents_actions_retire.html>
    pub fn retire_instances(&mut self, instances: &[&str], at: Timestamp) {
        self.send_health_event(&HealthNotice::retirement(instances, at));
        for id in instances {
            let id = (*id).to_owned();
            self.plan(at.max(self.now), Happening::Ec2(Ec2Due::Retire { id }));
        }
    }

    pub(super) fn instance_retired(&mut self, id: &str) {
        // One that is gone, or stopped, by then has left the hardware.
        let _stopped = self.stop_instance(id);
    }
}

/// Such as `Sat, 05 Jun 2016 15:10:09 GMT`. Only years outside 0 to 9999 cannot be written.
fn http_date(at: Timestamp) -> String {
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at)
        .unwrap_or_default()
}
