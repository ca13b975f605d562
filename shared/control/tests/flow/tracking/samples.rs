//! Every sample event, and what is looked at because of it.

use std::collections::BTreeMap;

use control::{Home, Tracking, coalesce};
use expect_test::expect;
use model::snapshot::Scope;
use serde_json::Value;

/// What is looked at because of a payload.
fn looked_at(payload: &Value) -> String {
    let joined = coalesce::<Tracking>(&trigger::parse(payload), &Home::default());
    match joined.scope {
        None => {
            let why: Vec<&String> = joined.triggers.ignored.keys().collect();
            format!("nothing: {why:?}")
        }
        Some(Scope::Clusters(_)) => "everything".to_owned(),
        Some(Scope::Services(keys)) => {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            keys.join(" ")
        }
        Some(scope @ Scope::Departures { .. }) => panic!("{scope:?}"),
    }
}

fn samples() -> BTreeMap<String, Value> {
    let folder = format!("{}/../../events", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap());
    let read = files.filter_map(|file| {
        let name = file.file_name().into_string().unwrap();
        let name = name.strip_suffix(".json")?.to_owned();
        let bytes = std::fs::read(file.path()).unwrap();
        Some((name, serde_json::from_slice(&bytes).ok()?))
    });
    read.collect()
}

/// Of all the other samples only the schedule's, and alarms that are about nothing in particular, lead to a look.
#[test]
fn alarms_of_services_lead_to_a_look_at_them() {
    let mut text = String::new();
    let mut looks = 0;
    for (name, payload) in samples() {
        let looked_at = looked_at(&payload);
        let short = name.replace("aws.cloudwatch--cloudwatch-alarm-", "");
        let short = short.replace("aws.cloudwatch--unknown--", "");
        if short.contains("tracked") || short.contains("service-") && name.contains("cloudwatch") {
            text.push_str(&format!("{short}: {looked_at}\n"));
        }
        let is_look = !looked_at.starts_with("nothing");
        let may_be = name.contains("alarm") || name.contains("schedule") || name.contains("batch");
        assert!(may_be || !is_look, "{name}: {looked_at}");
        looks += usize::from(is_look);
    }
    assert!(looks > 10, "{looks}");
    expect![[r#"
        configuration-change--tracked-reconfigured: nothing: ["not_ours"]
        state-change--service-cpu: container-demo/web
        state-change--service-without-cluster: everything
        state-change--tracked-backlog: everything
        state-change--tracked-composite: everything
        state-change--tracked-cpu-20-seconds: container-demo/web
        state-change--tracked-cpu-of-pair: container-demo/web container-demo/web-standby
        state-change--tracked-cpu-ok: container-demo/web
        state-change--tracked-memory-of-pair: container-demo/web container-demo/web-standby
        state-change--tracked-requests: everything
        state-change--tracked-without-data: nothing: ["alarm_without_data"]
        alarm-direct-tracked-composite: everything
        alarm-direct-tracked-cpu: container-demo/web
        alarm-direct-tracked-cpu-20-seconds: container-demo/web
        alarm-direct-tracked-cpu-of-pair: container-demo/web container-demo/web-standby
    "#]]
    .assert_eq(&text);
}
