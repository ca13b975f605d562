//! Events of AWS Health that name more instances than a look asks about by their ids.

use model::InstanceId;
use model::policy::Mode;
use serde_json::{Value, json};
use world::{GroupSpec, LaunchSpec};

use super::stage::{DRAINS, Scene, Stage};
use super::unregistered::{foreign, opt_in, remembered};
use crate::stage::{acted, batch};

/// How many of them an event names.
const MANY: u32 = 2_500;

/// The calls by which instances are asked about by their ids.
pub(super) const BY_ID: &str = "autoscaling:DescribeAutoScalingInstances";

/// What AWS Health says of instances that it will work on within the hour: one event.
pub(super) fn maintenance<T: AsRef<str>>(stage: &Stage, ids: impl IntoIterator<Item = T>) -> Value {
    let starts_at = model::Seconds(540).after(stage.now());
    let named = |id: T| json!({"entityValue": id.as_ref()});
    json!({
        "version": "0",
        "id": "8b0a6a1c-0000-4000-8000-000000000002",
        "detail-type": "AWS Health Event",
        "source": "aws.health",
        "account": "111122223333",
        "time": stage.now().to_string(),
        "region": "us-west-2",
        "resources": [],
        "detail": {
            "service": "EC2",
            "eventTypeCode": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
            "eventTypeCategory": "scheduledChange",
            "startTime": starts_at.to_string(),
            "statusCode": "upcoming",
            "affectedEntities": ids.into_iter().map(named).collect::<Vec<_>>(),
        },
    })
}

/// A group that is not opted in and that no cluster knows of; its instances.
fn others(stage: &Stage, size: u32) -> Vec<String> {
    stage.face.with_world(|world| {
        let launch = LaunchSpec::spot("others", &["t3.small"]);
        world.declare_auto_scaling_group(GroupSpec::new("others", launch, 0, size, size));
        world.advance_secs(300);
        let members = &world.state().groups["others"].instances;
        let members: Vec<String> = members.iter().cloned().collect();
        assert_eq!(members.len(), usize::try_from(size).unwrap());
        members
    })
}

/// What becomes of one event about these instances: it is done, and asks about none of them by its id. The answer is what was done.
async fn check(stage: &Stage, ids: &[String]) -> Vec<String> {
    let payload = batch([maintenance(stage, ids).to_string()]);
    let handled = stage.handle(Mode::Act, &payload).await;
    assert_eq!(handled.failure, None);
    let failures = handled.record.batch_item_failures.as_deref();
    assert_eq!(failures, Some(&[][..]));
    assert_eq!(stage.face.calls().get(BY_ID), None);
    assert!(handled.record.looked_again.is_empty(), "one look is enough");
    acted(&handled)
}

fn ids_of(events: &[Value]) -> Vec<String> {
    let ids = events.iter().map(|it| &it["detail"]["instance-id"]);
    ids.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// They are nobody's here: it comes to its end although nothing of it is remembered.
#[tokio::test]
async fn an_event_about_many_instances_of_groups_that_are_not_opted_in_is_done_at_once() {
    let stage = Scene::default().open().await;
    opt_in(&stage);
    let ids = others(&stage, MANY);
    assert_eq!(check(&stage, &ids).await, [""; 0]);
    let named: Vec<InstanceId> = ids.iter().map(|it| it.parse().unwrap()).collect();
    let warnings: Vec<Value> = named.iter().map(|it| stage.warning(it)).collect();
    assert_eq!(remembered(&stage, &warnings).await, 0);
    assert_eq!(stage.writes().get(DRAINS), None);
}

#[tokio::test]
async fn of_many_instances_those_of_an_opted_in_group_are_drained() {
    let stage = Scene::default().open().await;
    opt_in(&stage);
    let mut ids = others(&stage, MANY);
    let leaving = stage.in_service().swap_remove(0);
    ids.push(leaving.to_string());
    ids.extend(ids_of(&foreign(&stage, 10)));
    let drained = format!("set `{leaving}` to DRAINING: done");
    assert_eq!(check(&stage, &ids).await, [drained]);
    assert_eq!(stage.draining(), [leaving].into());
    assert_eq!(remembered(&stage, &foreign(&stage, 10)).await, 10);
}

/// Of each of those that may register yet it is remembered; a second time there is nothing to add.
#[tokio::test]
async fn what_an_event_tells_of_many_instances_that_are_registered_nowhere_is_remembered_at_once() {
    let stage = Scene::default().open().await;
    opt_in(&stage);
    let warnings = foreign(&stage, MANY);
    for _ in 0..2 {
        assert_eq!(check(&stage, &ids_of(&warnings)).await, [""; 0]);
        assert_eq!(remembered(&stage, &warnings).await, warnings.len());
    }
}
