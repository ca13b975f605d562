//! CloudWatch over the protocols that older clients speak: Query, and JSON 1.0. `../cli` judges the newest one, CBOR.

use serde_json::json;
use world::face::{Face, FaceOptions, serve};
use world::{Config, World};

use crate::http::{Answer, send};

const TARGET: &str = "GraniteServiceVersion20100801";

async fn face() -> Face {
    serve(World::new(Config::new(1)), FaceOptions::default())
        .await
        .unwrap()
}

async fn form(face: &Face, body: &str) -> Answer {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = format!("Version=2010-08-01&{body}");
    send(face.address(), "POST /", &headers, body.as_bytes()).await
}

async fn old_json(face: &Face, operation: &str, input: &serde_json::Value) -> Answer {
    let target = format!("{TARGET}.{operation}");
    let headers = [
        ("X-Amz-Target", target.as_str()),
        ("Content-Type", "application/x-amz-json-1.0"),
    ];
    send(
        face.address(),
        "POST /",
        &headers,
        input.to_string().as_bytes(),
    )
    .await
}

async fn cbor(face: &Face, path: &str, body: &[u8]) -> Answer {
    let headers = [
        ("Content-Type", "application/cbor"),
        ("smithy-protocol", "rpc-v2-cbor"),
    ];
    send(face.address(), &format!("POST {path}"), &headers, body).await
}

#[tokio::test]
async fn what_goes_in_by_one_protocol_comes_out_by_another() {
    let face = face().await;
    let put = "Action=PutMetricData&Namespace=Ballast&MetricData.member.1.MetricName=m&MetricData.member.1.Value=12.5\
        &MetricData.member.1.Timestamp=2026-03-02T09%3A00%3A30Z&MetricData.member.1.Dimensions.member.1.Name=d\
        &MetricData.member.1.Dimensions.member.1.Value=x";
    let answer = form(&face, put).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.body.contains(
        "<PutMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">"
    ));

    let query = json!({
        "MetricDataQueries": [{
            "Id": "q",
            "MetricStat": {
                "Metric": {"Namespace": "Ballast", "MetricName": "m", "Dimensions": [{"Name": "d", "Value": "x"}]},
                "Period": 60, "Stat": "Sum",
            },
        }],
        "StartTime": 1_772_442_000, "EndTime": 1_772_442_300.0,
    });
    let answer = old_json(&face, "GetMetricData", &query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/x-amz-json-1.0");
    let result = &answer.json()["MetricDataResults"][0];
    assert_eq!(result["Timestamps"], json!([1_772_442_000.0]));
    assert_eq!(result["Values"], json!([12.5]));
}

#[tokio::test]
async fn expressions_over_metrics_with_dimensions_go_by_query() {
    let face = face().await;
    let put = "Action=PutMetricData&Namespace=Ballast&MetricData.member.1.MetricName=m&MetricData.member.1.Value=12.5\
        &MetricData.member.1.Timestamp=2026-03-02T09%3A00%3A30Z&MetricData.member.1.Dimensions.member.1.Name=d\
        &MetricData.member.1.Dimensions.member.1.Value=x";
    assert_eq!(form(&face, put).await.status, 200);
    let query = "MetricDataQueries.member.1.Id=m1&MetricDataQueries.member.1.ReturnData=false\
        &MetricDataQueries.member.1.MetricStat.Metric.Namespace=Ballast\
        &MetricDataQueries.member.1.MetricStat.Metric.MetricName=m\
        &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Name=d\
        &MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.1.Value=x\
        &MetricDataQueries.member.1.MetricStat.Period=60&MetricDataQueries.member.1.MetricStat.Stat=Average\
        &MetricDataQueries.member.2.Id=e1&MetricDataQueries.member.2.Expression=m1+*+2";
    let query = query.replace("m1+*+2", "m1%20*%202");
    let times =
        "StartTime=2026-03-02T09%3A00%3A00Z&EndTime=2026-03-02T09%3A05%3A00Z&MaxDatapoints=10";
    let answer = form(&face, &format!("Action=GetMetricData&{times}&{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    expect_test::expect![[r#"<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult><Messages></Messages><MetricDataResults><member><Id>e1</Id><Label>e1</Label><StatusCode>Complete</StatusCode><Timestamps><member>2026-03-02T09:00:00Z</member></Timestamps><Values><member>25.0</member></Values></member></MetricDataResults></GetMetricDataResult><ResponseMetadata><RequestId>00000000-0000-4000-9000-000000000002</RequestId></ResponseMetadata></GetMetricDataResponse>"#]].assert_eq(&answer.body);
}

#[tokio::test]
async fn what_is_no_number_is_refused_in_each_protocol() {
    let face = face().await;
    let put = "Action=PutMetricData&Namespace=Ballast&MetricData.member.1.MetricName=m&MetricData.member.1.Value=NaN";
    let answer = form(&face, put).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("<Code>InvalidParameterValue</Code>"),
        "{answer:?}"
    );
    let text = |it: &str| ciborium::Value::Text(it.to_owned());
    let datum = ciborium::Value::Map(vec![
        (text("MetricName"), text("m")),
        (text("Value"), ciborium::Value::Float(f64::NAN)),
    ]);
    let input = ciborium::Value::Map(vec![
        (text("Namespace"), text("Ballast")),
        (text("MetricData"), ciborium::Value::Array(vec![datum])),
    ]);
    let mut body = Vec::new();
    ciborium::into_writer(&input, &mut body).unwrap();
    let path = format!("/service/{TARGET}/operation/PutMetricData");
    let answer = cbor(&face, &path, &body).await;
    assert_eq!(
        answer.headers["x-amzn-query-error"],
        "InvalidParameterValue;Sender"
    );
}

#[tokio::test]
async fn alarms_are_put_by_query_and_their_errors_are_told_in_each_protocol() {
    let face = face().await;
    let alarm = "Action=PutMetricAlarm&AlarmName=hot&Namespace=Ballast&MetricName=m&Statistic=Average&Period=60\
        &EvaluationPeriods=1&Threshold=10.5&ComparisonOperator=GreaterThanThreshold&ActionsEnabled=false";
    assert_eq!(form(&face, alarm).await.status, 200);
    let answer = old_json(&face, "DescribeAlarms", &json!({"AlarmNames": ["hot"]})).await;
    let shown = &answer.json()["MetricAlarms"][0];
    assert_eq!(shown["Threshold"], 10.5);
    assert_eq!(shown["ActionsEnabled"], false);
    assert!(shown["StateUpdatedTimestamp"].is_number());

    let missing = form(
        &face,
        "Action=SetAlarmState&AlarmName=x&StateValue=OK&StateReason=y",
    )
    .await;
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("<Code>ResourceNotFound</Code>"));
    let input = json!({"AlarmName": "x", "StateValue": "OK", "StateReason": "y"});
    let missing = old_json(&face, "SetAlarmState", &input).await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.json()["__type"], "ResourceNotFound");
    assert_eq!(
        missing.headers["x-amzn-query-error"],
        "ResourceNotFound;Sender"
    );
}

#[tokio::test]
async fn odd_cbor_requests_are_refused_and_end_nothing() {
    let face = face().await;
    let good = format!("/service/{TARGET}/operation/DescribeAlarms");
    for (path, body, code) in [
        (
            good.as_str(),
            b"\xff\x00".as_slice(),
            "SerializationException",
        ),
        (good.as_str(), b"\x01", "SerializationException"),
        (
            &format!("/service/{TARGET}/operation/PutDashboard"),
            b"",
            "UnknownOperationException",
        ),
        (
            "/service/Other/operation/DescribeAlarms",
            b"",
            "UnknownOperationException",
        ),
        ("/", b"", "UnknownOperationException"),
    ] {
        let answer = cbor(&face, path, body).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
        assert_eq!(answer.headers["smithy-protocol"], "rpc-v2-cbor");
        let said = &answer.headers["x-amzn-query-error"];
        // The Query protocol's own word for input that cannot be read.
        let code = if code == "SerializationException" {
            "ValidationError"
        } else {
            code
        };
        assert_eq!(said, &format!("{code};Sender"), "{path}");
    }
    let answer = cbor(&face, &good, b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/cbor");
}
