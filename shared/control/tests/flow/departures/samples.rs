//! Every sample event, and what it may and may not bring about.

use std::path::{Path, PathBuf};

use control::{Concern, Departures, Interest as _};
use model::drain::DrainKey;
use model::policy::Mode;
use model::{InstanceId, Timestamp};
use serde_json::{Value, json};

use super::stage::{Handled, Scene, Stage, group_key};
use super::unregistered::opt_in;
use crate::stage::invoked;

/// The JSON files in a folder and those below it.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "json") {
            found.push(path);
        }
    }
    found.sort();
}

/// What Lambda hands to the function: a file that is not JSON never gets that far.
fn payload(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok()
}

/// Hands every sample in a folder to the function, after a change: each is ignored without a call, or looked into and left alone; only what is
/// malformed is an error. Gives how many there were and how many led to a look.
async fn check(stage: &Stage, folder: &Path, change: impl Fn(Value) -> Value) -> (usize, usize) {
    let mut found = Vec::new();
    files(folder, &mut found);
    let mut handled_count = (0, 0);
    for path in found {
        let name = path.display();
        let Some(payload) = payload(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        let payload = change(payload);
        // AWS's rates allow for one after the other.
        stage.advance_secs(4);
        let before = stage.total_calls();
        let handled = handle(stage, Mode::Act, &payload).await;
        let record = &handled.record;
        let invocation = trigger::parse(&payload);
        let read = |it: &trigger::Item| it.read.as_ref().ok().map(|it| it.kind.clone());
        let looks = |kind| matches!(Departures::concern(&kind), Concern::Look(_));
        let asks_for_a_look = invocation.items.iter().filter_map(read).any(looks);
        let malformed = invocation
            .items
            .iter()
            .filter(|it| it.read.is_err())
            .count();
        let handed_back = record.batch_item_failures.as_ref().map_or(0, Vec::len);
        let error_type = handled.failure.as_ref().map(control::Failure::as_str);
        let want = (malformed > handed_back).then_some("MalformedEvent");
        assert_eq!(error_type, want, "{name}: {:?}", handled.failure);
        assert_eq!(record.triggers.faults_count as usize, malformed, "{name}");
        assert_eq!(record.snapshot.is_some(), asks_for_a_look, "{name}");
        assert_eq!(stage.total_calls() > before, asks_for_a_look, "{name}");
        assert_eq!(record.plan.steps, [], "{name}");
        for secret in ["environment", "overrides", "SECRET", "password", "oken"] {
            assert!(!record.line().contains(secret), "{name}: {secret}");
        }
        handled_count.0 += 1;
        handled_count.1 += usize::from(asks_for_a_look);
    }
    assert_eq!(stage.writes().len(), 0);
    assert_eq!(stage.draining(), [].into());
    handled_count
}

async fn handle(stage: &Stage, mode: Mode, payload: &Value) -> Handled {
    // Published samples come from all Regions and accounts.
    let invoked = control::Invoked {
        account: None,
        ..invoked()
    };
    let mut controller = stage.controller(mode);
    controller.region = None;
    controller.handle(payload, &invoked).await
}

/// Whose an instance is.
#[derive(Debug, Clone, Copy)]
enum Whose {
    Group,
    Cluster,
}

/// A stage in which nothing is opted in, or what the instance belongs to is; and the instance, on which tasks run.
async fn with_an_instance(whose: Whose, is_opted_in: bool) -> (Stage, InstanceId) {
    let mut scene = Scene::default();
    scene.tags.retain(|_| false);
    if let (Whose::Group, true) = (whose, is_opted_in) {
        scene = scene.tag("ballast:instance-drain", "act");
    }
    let stage = scene.open().await;
    let id = stage.in_service().swap_remove(0);
    if let Whose::Cluster = whose {
        let detached = stage
            .face
            .with_world(|world| world.detach_instance(id.as_str(), true));
        detached.unwrap();
        if is_opted_in {
            opt_in(&stage);
        }
    }
    assert!(stage.tasks_on(&id) > 0);
    (stage, id)
}

/// The sample as one about this instance, of this moment.
fn about_ours(value: Value, id: &InstanceId, now: Timestamp) -> Value {
    let change = |it| about_ours(it, id, now);
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            // The body of a message.
            Ok(body @ Value::Object(_)) => Value::String(change(body).to_string()),
            Ok(_) | Err(_) => Value::String(with_id(&text, id.as_str())),
        },
        Value::Array(items) => items.into_iter().map(change).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| {
                let is_time = |it: &str| it.parse::<Timestamp>().is_ok();
                let is_time = ["time", "Time"].contains(&name.as_str())
                    && value.as_str().is_some_and(is_time);
                let value = if is_time {
                    json!(now.to_string())
                } else {
                    change(value)
                };
                (name, value)
            });
            Value::Object(fields.collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

/// The text with this id in place of each that stands in it: `i-` and eight or more hexadecimal digits.
fn with_id(text: &str, id: &str) -> String {
    let mut changed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("i-") {
        let (before, found) = rest.split_at(at);
        let digits = &found[2..];
        let length = digits
            .find(|it: char| !it.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        let begins = !before.ends_with(|it: char| it.is_ascii_alphanumeric() || it == '-');
        changed.push_str(before);
        changed.push_str(if begins && length >= 8 {
            id
        } else {
            &found[..2 + length]
        });
        rest = &digits[length..];
    }
    changed + rest
}

/// Of what of the instance something is remembered.
async fn remembered(stage: &Stage, id: &InstanceId) -> Vec<DrainKey> {
    let keys = [
        group_key(),
        DrainKey::Cluster {
            cluster: stage.cast.cluster.clone(),
        },
        DrainKey::Instance {
            instance: id.clone(),
        },
    ];
    let recalled = stage.ledger.recall(&keys.into(), invoked().deadline).await;
    let known = recalled.known.into_iter();
    let known = known.filter(|(_, (memory, _))| !memory.is_empty());
    known.map(|(key, _)| key).collect()
}

/// Samples about an instance of the stage, which nobody has opted in: nothing is drained, and nothing remembered.
async fn check_ours(folder: &Path) {
    for whose in [Whose::Group, Whose::Cluster] {
        let (stage, id) = with_an_instance(whose, false).await;
        check(&stage, folder, |it| about_ours(it, &id, stage.now())).await;
        assert_eq!(remembered(&stage, &id).await, [], "{whose:?}");
    }
}

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

/// The published samples. `None`, and said, where they are not there.
fn published() -> Option<PathBuf> {
    let shared = std::env::var_os("BALLAST_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("fixtures/events");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: there are no published samples at {}",
        folder.display()
    );
    None
}

#[tokio::test]
async fn every_sample_drains_nothing_outside_opt_in() {
    let stage = Scene::default().open().await;
    let (all, looked) = check(&stage, &events(), |it| it).await;
    assert!(all > 200 && looked > 30, "{looked} of {all}");
    check_ours(&events()).await;
}

#[tokio::test]
async fn every_published_sample_drains_nothing_outside_opt_in() {
    let Some(folder) = published() else { return };
    let stage = Scene::default().open().await;
    let (all, looked) = check(&stage, &folder, |it| it).await;
    assert!(all > 20 && looked > 5, "{looked} of {all}");
    check_ours(&folder).await;
}

/// The same samples about an instance that is opted in: what the tests above do not find would be there.
#[tokio::test]
async fn of_what_is_opted_in_the_same_samples_lead_to_drains() {
    for whose in [Whose::Group, Whose::Cluster] {
        let mut paths = Vec::new();
        files(&events(), &mut paths);
        let mut planned = Vec::new();
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let tells = [
                "interruption-warning",
                "state-change-notification",
                "health",
            ];
            let is_told = tells.iter().any(|it| name.contains(it));
            let Some(payload) = payload(&std::fs::read(&path).unwrap()).filter(|_| is_told) else {
                continue;
            };
            let (stage, id) = with_an_instance(whose, true).await;
            let payload = about_ours(payload, &id, stage.now());
            let handled = handle(&stage, Mode::Act, &payload).await;
            if !handled.record.plan.steps.is_empty() {
                assert_eq!(stage.draining(), [id.clone()].into(), "{name}");
                assert!(!remembered(&stage, &id).await.is_empty(), "{name}");
                planned.push(name);
            }
        }
        assert!(planned.len() > 3, "{whose:?}: {planned:#?}");
    }
}
