//! `AWS Health Event`: what AWS Health says about an account's resources. Ours are the scheduled changes of EC2, which name the
//! instances that AWS will work on, often weeks ahead. Their delivery is best effort.
//! <https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html>
//!
//! An event with many entities comes in pages, each with the instances of its own. Any of them may be sent again when its state or
//! its time changed: then it may be over for some of its instances, and go on for others. A copy of each goes to a second Region, and to the management account of an organisation.

use std::collections::BTreeSet;

use jiff::fmt::rfc2822::DateTimeParser;
use model::trigger::{Ignored, InstanceNotice, Notice, TriggerKind};
use model::{InstanceId, Timestamp};
use serde_json::Value;

use crate::arn;
use crate::envelope;
use crate::error::{Problem, TriggerError};
use crate::event::{Detail, Event};
use crate::text::{EVENT_NAME_CHARS_MAX, cut};

/// The most affected entities of an event that are read: a bound, above what fits into a message of SQS. That has at most 1 MiB, and an entity at
/// least 38 bytes. AWS Health itself begins a new page at 256 KB.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
/// <https://docs.aws.amazon.com/health/latest/ug/pagnation-of-health-events.html>
pub const ENTITIES_MAX: usize = 30_000;

/// The longest text that is tried as a time. The form that AWS Health uses has 29 characters.
const TIME_CHARS_MAX: usize = 64;

/// A day's name that does not fit its date was published, so the name does not count.
static RFC_2822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// Reads an event of AWS Health. What it is about comes first: an event about something else may be as odd as it likes.
pub(crate) fn event(event: &Event<'_>) -> Result<TriggerKind, TriggerError> {
    let detail = event.detail()?;
    let needed = |field: &str, path: &'static str| {
        detail
            .text(field)
            .ok_or_else(|| event.unusable(path, Problem::with(detail.fields.get(field), "a text")))
    };
    if needed("service", "detail.service")? != "EC2"
        || needed("eventTypeCategory", "detail.eventTypeCategory")? != "scheduledChange"
    {
        return Ok(TriggerKind::Ignored(Ignored::NotAScheduledChange));
    }
    if is_elsewhere(event, &detail) {
        return Ok(TriggerKind::Ignored(Ignored::Elsewhere));
    }
    let code = cut(
        detail.text("eventTypeCode").unwrap_or_default(),
        EVENT_NAME_CHARS_MAX,
    );
    let Entities { open, resolved } = entities(event, &detail)?;
    let is_closed = detail
        .text("statusCode")
        .is_some_and(|status| status.eq_ignore_ascii_case("closed"));
    let is_over = is_closed || open.is_empty();
    let (instances, resolved) = if is_over {
        (&open | &resolved, BTreeSet::new())
    } else {
        // One that is listed twice, with something left to be done about it, is not resolved.
        let resolved = &resolved - &open;
        (open, resolved)
    };
    if instances.is_empty() {
        return Ok(TriggerKind::Ignored(Ignored::NamesNoInstance));
    }
    Ok(TriggerKind::InstanceNoticed(InstanceNotice {
        instances,
        resolved,
        notice: Notice::Maintenance {
            health_event: detail
                .text("eventArn")
                .and_then(|arn| health_event(arn, &code)),
            code,
            starts_at: detail.fields.get("startTime").and_then(time),
            is_over,
        },
    }))
}

/// Whether the event is a copy that was sent to another account or another Region than the one that it is about.
fn is_elsewhere(event: &Event<'_>, detail: &Detail<'_>) -> bool {
    let other_account = match (&event.envelope.account, detail.text("affectedAccount")) {
        (Some(account), Some(affected)) => account.as_str() != affected,
        (None, _) | (_, None) => false,
    };
    // A zone is in its Region too.
    let other_region = match (&event.envelope.region, detail.text("eventRegion")) {
        (Some(region), Some(affected)) => !affected.starts_with(region.as_str()),
        (None, _) | (_, None) => false,
    };
    other_account || other_region
}

/// What tells the event from others of its code: the end of its ARN, `arn:aws:health:…::event/EC2/CODE/CODE_ID`, without the code. A word without a code is about
/// every kind of maintenance, and so about every event.
/// <https://docs.aws.amazon.com/health/latest/APIReference/API_Event.html>
fn health_event(arn: &str, code: &str) -> Option<String> {
    let id = arn.rsplit('/').next().filter(|_| !code.is_empty())?;
    let id = id.strip_prefix(code).unwrap_or(id);
    let id = id.trim_start_matches('_').trim();
    // Events of one code differ at the end of their ids.
    let chars = id.chars().count();
    let skipped = chars.saturating_sub(EVENT_NAME_CHARS_MAX);
    let end: String = id.chars().skip(skipped).collect();
    (chars > 0).then(|| cut(&end, EVENT_NAME_CHARS_MAX))
}

/// The instances of an event.
#[derive(Default)]
struct Entities {
    /// Those that something is to be done about, or that nothing is said of.
    open: BTreeSet<InstanceId>,
    /// Those that nothing is to be done about any more.
    resolved: BTreeSet<InstanceId>,
}

/// The instances among the affected entities. Others are left out: an event may name hosts, volumes and reservations too.
fn entities(event: &Event<'_>, detail: &Detail<'_>) -> Result<Entities, TriggerError> {
    let listed = match detail.fields.get("affectedEntities") {
        None | Some(Value::Null) => return Ok(Entities::default()),
        Some(Value::Array(listed)) => listed,
        other => {
            let problem = Problem::with(other, "a list");
            return Err(event.unusable("detail.affectedEntities", problem));
        }
    };
    let mut entities = Entities::default();
    for entity in listed.iter().take(ENTITIES_MAX) {
        let text = |field| entity.get(field).and_then(Value::as_str);
        let Some(instance) = text("entityValue").and_then(arn::instance) else {
            continue;
        };
        match text("status") {
            Some("RESOLVED") => entities.resolved.insert(instance),
            Some(_) | None => entities.open.insert(instance),
        };
    }
    Ok(entities)
}

/// A time as AWS Health writes it, `Sat, 05 Jun 2016 15:10:09 GMT`, or as other events have it; nothing when it is neither.
fn time(value: &Value) -> Option<Timestamp> {
    let text = value.as_str()?;
    if text.len() > TIME_CHARS_MAX {
        return None;
    }
    RFC_2822
        .parse_timestamp(text)
        .ok()
        .or_else(|| envelope::time(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_aws_health_writes_them() {
        let want: Timestamp = "2016-06-05T15:10:09Z".parse().unwrap();
        for text in [
            "Sun, 05 Jun 2016 15:10:09 GMT",
            // That day was a Sunday.
            "Sat, 05 Jun 2016 15:10:09 GMT",
            "Sun, 5 Jun 2016 15:10:09 GMT",
            "Sun, 05 Jun 2016 15:10:09 +0000",
            "05 Jun 2016 17:10:09 +0200",
            "2016-06-05T15:10:09Z",
        ] {
            assert_eq!(time(&Value::from(text)), Some(want), "{text}");
        }
    }

    #[test]
    fn the_end_of_its_arn_tells_an_event_from_others_of_its_code() {
        let code = "AWS_EC2_INSTANCE_STOP_SCHEDULED";
        let arn = |id: &str| format!("arn:aws:health:us-west-2::event/EC2/{code}/{id}");
        let long = format!("{code}_{}-1", "a".repeat(1_000));
        let want_long = format!("{}-1", "a".repeat(EVENT_NAME_CHARS_MAX - 2));
        for (arn, code, want) in [
            (arn(&format!("{code}_1a-2b")), code, Some("1a-2b")),
            (arn("other-id"), code, Some("other-id")),
            ("no arn".to_owned(), code, Some("no arn")),
            (arn("1\n2"), code, Some("1 2")),
            (arn(&long), code, Some(want_long.as_str())),
            (arn(code), code, None),
            (arn(""), code, None),
            (String::new(), code, None),
            (arn("1a-2b"), "", None),
        ] {
            assert_eq!(health_event(&arn, code).as_deref(), want, "{arn}");
        }
    }

    #[test]
    fn other_texts_are_no_times() {
        for value in [
            Value::from(""),
            Value::from("soon"),
            Value::from("Sun, 05 Jun 2016"),
            Value::from("Sun, 31 Feb 2016 15:10:09 GMT"),
            Value::from("Sun, 05 Jun 2016 15:10:09 GMT".repeat(100_000)),
            Value::from(1_465_139_409),
            Value::Null,
        ] {
            assert_eq!(time(&value), None);
        }
    }
}
