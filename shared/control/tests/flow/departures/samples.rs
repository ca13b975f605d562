//! Every sample event, and what it may and may not bring about.

use std::path::{Path, PathBuf};

use control::{Concern, Departures, Interest as _};
use model::policy::Mode;
use serde_json::Value;

use super::stage::Scene;
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

/// None is about an instance of the stage's: each is ignored without a call, or looked into and left alone; only what is malformed is an
/// error. Gives how many led to a look.
async fn check(folder: &Path) -> (usize, usize) {
    let mut found = Vec::new();
    files(folder, &mut found);
    let stage = Scene::default().open().await;
    let mut handled_count = (0, 0);
    // Published samples come from all Regions and accounts.
    let invoked = control::Invoked {
        account: None,
        ..invoked()
    };
    for path in found {
        let name = path.display();
        let Some(payload) = payload(&std::fs::read(&path).unwrap()) else {
            continue;
        };
        let before = stage.total_calls();
        let mut controller = stage.controller(Mode::Act);
        controller.region = None;
        let handled = controller.handle(&payload, &invoked).await;
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
        assert_eq!(error_type, want, "{name}");
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

#[tokio::test]
async fn every_sample_drains_nothing_outside_opt_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let (all, looked) = check(&folder).await;
    assert!(all > 200 && looked > 30, "{looked} of {all}");
}

#[tokio::test]
async fn every_published_sample_drains_nothing_outside_opt_in() {
    let shared = std::env::var_os("BALLAST_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = shared.join("fixtures/events");
    if !folder.is_dir() {
        eprintln!(
            "skipped: there are no published samples at {}",
            folder.display()
        );
        return;
    }
    let (all, looked) = check(&folder).await;
    assert!(all > 20 && looked > 5, "{looked} of {all}");
}
