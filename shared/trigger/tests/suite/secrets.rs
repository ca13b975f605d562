//! Nothing of a task's overrides gets out: neither into a trigger nor into an error.

use std::error::Error;

use serde_json::Value;
use trigger::Invocation;

use crate::{render, samples};

/// The sample whose overrides are full of secrets, none of them real.
pub(crate) const FILE: &str =
    "aws.ecs--ecs-task-state-change--spot-interruption-secrets-in-overrides.json";

/// The samples with secrets, none of them real, where people may put them: attributes of an instance, descriptions and reasons of
/// an alarm, the metadata of a lifecycle hook.
const OTHER_FILES: [&str; 3] = [
    "aws.autoscaling--ec2-instance-terminate-lifecycle-action--secrets-in-metadata.json",
    "aws.cloudwatch--cloudwatch-alarm-state-change--secrets-in-description.json",
    "aws.ecs--ecs-container-instance-state-change--secrets-in-attributes.json",
];

/// Every text in the overrides of the sample, but the container's name, which is also its image's, and the secrets of the others.
pub(crate) fn needles() -> Vec<String> {
    let mut found = Vec::new();
    texts(&samples::one(FILE)["detail"]["overrides"], &mut found);
    found.retain(|text| text != "web");
    assert!(found.len() >= 10, "the sample holds secrets: {found:?}");
    for file in OTHER_FILES {
        let mut others = Vec::new();
        texts(&samples::one(file)["detail"], &mut others);
        others.retain(|text| text.contains("not-a-real"));
        assert!(others.len() >= 4, "{file} holds secrets: {others:?}");
        found.extend(others);
    }
    found
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Everything that can be printed of an invocation: text, JSON, `Debug`, and every cause of every error.
pub(crate) fn printed(read: &Result<Invocation, trigger::TriggerError>) -> String {
    let mut all = format!("{read:?}\n{read:#?}\n{}", render::invocation(read));
    for item in read.iter().flat_map(|invocation| &invocation.items) {
        match &item.read {
            Ok(trigger) => all.push_str(&serde_json::to_string(trigger).unwrap()),
            Err(failure) => {
                let mut cause: Option<&dyn Error> = Some(failure);
                while let Some(next) = cause {
                    all.push_str(&format!("{next} {next:?}"));
                    cause = next.source();
                }
            }
        }
    }
    all
}

/// Fails when one of the needles is in what can be printed.
pub(crate) fn assert_silent(needles: &[String], read: &Result<Invocation, trigger::TriggerError>) {
    let printed = printed(read);
    for needle in needles {
        assert!(
            !printed.contains(needle.as_str()),
            "{needle} is in {printed}"
        );
    }
}

#[test]
fn no_sample_gives_a_secret_away() {
    let needles = needles();
    let mut with_secrets = 0;
    for (_, bytes) in samples::all() {
        let text = String::from_utf8_lossy(&bytes);
        with_secrets += usize::from(text.contains(needles[0].as_str()));
        assert_silent(&needles, &trigger::parse_bytes(&bytes));
    }
    assert!(with_secrets >= 5, "{with_secrets}");
}

/// The sample cut off at every place is no JSON, and says nothing but where it ends.
#[test]
fn a_cut_off_sample_gives_no_secret_away() {
    let needles = needles();
    let bytes = serde_json::to_vec(&samples::one(FILE)).unwrap();
    for end in (0..bytes.len()).step_by(7) {
        assert_silent(&needles, &trigger::parse_bytes(&bytes[..end]));
        let body = String::from_utf8_lossy(&bytes[..end]);
        let batch = serde_json::json!({"Records": [{"messageId": "m-1", "body": body}]});
        assert_silent(&needles, &Ok(trigger::parse(&batch)));
    }
}

/// The overrides of a task, as an object, in the place of anything in an event of another kind.
#[test]
fn overrides_in_other_events_stay_unsaid() {
    let needles = needles();
    let overrides = &samples::one(FILE)["detail"]["overrides"];
    let (mut errors, mut triggers) = (0, 0);
    for (_, sample) in samples::all_json() {
        // A metric's dimensions are names and values of anyone's choice, and are kept as such.
        let pointers = pointers(&sample);
        for pointer in pointers.iter().filter(|it| !it.ends_with("/dimensions")) {
            let mut event = sample.clone();
            *event.pointer_mut(pointer).unwrap() = overrides.clone();
            let read = Ok(trigger::parse(&event));
            match render::kind(&read) {
                "error" => errors += 1,
                _ => triggers += 1,
            }
            assert_silent(&needles, &read);
        }
    }
    assert!(errors > 100 && triggers > 100, "{errors} {triggers}");
}

/// The way to every value below this one.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| (format!("/{at}"), item))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| {
                let escaped = name.replace('~', "~0").replace('/', "~1");
                (format!("/{escaped}"), field)
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    children
        .into_iter()
        .flat_map(|(step, child)| {
            let below: Vec<_> = pointers(child)
                .into_iter()
                .map(|rest| format!("{step}{rest}"))
                .collect();
            std::iter::once(step).chain(below)
        })
        .collect()
}

/// The whole overrides in the place of any field of the detail: an error may name the field, never what is in it.
#[test]
fn overrides_in_the_place_of_a_field_stay_unsaid() {
    let needles = needles();
    let sample = samples::one(FILE);
    let overrides = &sample["detail"]["overrides"];
    let mut errors = 0;
    for field in sample["detail"].as_object().unwrap().keys() {
        for odd in [overrides.clone(), Value::from(overrides.to_string())] {
            let mut event = sample.clone();
            event["resources"] = Value::Null;
            event["detail"][field.as_str()] = odd;
            let read = Ok(trigger::parse(&event));
            errors += usize::from(render::kind(&read) == "error");
            assert_silent(&needles, &read);
        }
    }
    assert!(errors >= 2, "{errors}");
}
