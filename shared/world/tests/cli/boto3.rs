//! botocore's reading of every answer: shapes, pages, times and errors. The judgement is in `../judges/boto3_ecs.py`.

use std::path::Path;

use model::strategy::Market;
use serde_json::json;
use world::{GroupProvider, Operation};

use crate::judge::{ask, call, face, programs_with};

#[tokio::test]
async fn botocore_reads_what_the_world_answers() {
    let Some(programs) = programs_with("python") else {
        return;
    };
    let face = face().await;
    face.with_world(|world| {
        for number in 0..3 {
            world.declare_group(
                &format!("EC2-{number}"),
                GroupProvider {
                    group: format!("group-{number}"),
                    market: if number == 0 {
                        Market::OnDemand
                    } else {
                        Market::Spot
                    },
                    instance_types: vec!["m5.large".to_owned(), "m5d.large".to_owned()],
                },
            );
        }
        let strategy = json!([
            {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
            {"capacityProvider": "FARGATE_SPOT", "weight": 4},
        ]);
        call(
            world,
            Operation::PutClusterCapacityProviders,
            json!({
                "cluster": "container-demo",
                "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
                "defaultCapacityProviderStrategy": strategy,
            }),
        );
        // More services than one page of ListServices holds, most of them without tasks.
        for number in 0..23 {
            let desired = if number == 0 { 10 } else { 0 };
            call(
                world,
                Operation::CreateService,
                json!({
                    "cluster": "container-demo",
                    "serviceName": format!("web-{number:02}"),
                    "taskDefinition": "web:1",
                    "desiredCount": desired,
                    "tags": [{"key": "ballast:standby", "value": "x"}],
                }),
            );
        }
        call(
            world,
            Operation::RegisterScalableTarget,
            json!({
                "ServiceNamespace": "ecs",
                "ResourceId": "service/container-demo/web-00",
                "ScalableDimension": "ecs:service:DesiredCount",
                "MinCapacity": 1,
                "MaxCapacity": 20,
            }),
        );
        world.advance_secs(600);
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/boto3_ecs.py");
    let script = script.to_str().unwrap();
    let output = ask(&face, &programs, "python", &[script, "-v"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("\nOK\n"), "{said}");
    eprintln!("{said}");
}
