//! What alarms watch that tags name.

use std::collections::BTreeSet;

use model::tracking::{Fleet, Part, Reading, Series, TargetName, TrackingSnapshot, UnusableMetric};
use serde_json::{Value, json};

use crate::scene::{Scene, metrics, value};
use crate::support::{Eye, clusters, error, fleet, gaps, recent, services};

fn scene() -> Scene {
    Scene::tracked(1)
        .without_cpu()
        .tag("ballast:target-alarm", "watched")
        .tag("ballast:target-value", "10")
        .tag("ballast:target-measures", "per-task")
}

/// A look at a service that follows this alarm, and what it asked CloudWatch for.
async fn seen(scene: Scene, alarms: Value) -> (TrackingSnapshot, Vec<Value>) {
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAlarms" => described(&alarms, input),
        "GetMetricData" if input.to_string().contains("refused") => {
            error("ValidationError", "Error in expression 'e': refused")
        }
        "GetMetricData" if input.to_string().contains("GROUP BY") => grouped(input),
        _ => scene.answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    let asked = eye.asked().into_iter();
    let asked = asked.filter(|it| it.0 == "GetMetricData");
    (snapshot, asked.map(|it| it.1).collect())
}

/// Those of the alarms that have a type that is asked for.
fn described(alarms: &Value, input: &Value) -> Value {
    let types: Vec<&str> = input["AlarmTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    let mut answer = alarms.clone();
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|name, _| {
            types.iter().any(|it| name.strip_suffix('s') == Some(it)) || name == "error"
        });
    }
    answer
}

/// Two series under the id of the query, one for each group, on one page.
fn grouped(input: &Value) -> Value {
    let mut answer = metrics(input, |query, at| Some(value(query, at)));
    let results = answer["MetricDataResults"].as_array_mut().unwrap();
    let mut other = results[0].clone();
    results[0]["Label"] = json!("web-0");
    other["Label"] = json!("api");
    results.push(other);
    answer
}

fn stat(name: &str, dimensions: &[(&str, &str)], period: i64, stat: &str) -> Value {
    let dimensions: Vec<Value> = dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    json!({
        "Metric": {"Namespace": "Jobs", "MetricName": name, "Dimensions": dimensions},
        "Period": period, "Stat": stat,
    })
}

fn single(period: i64) -> Value {
    json!({
        "AlarmName": "watched", "Namespace": "Jobs", "MetricName": "backlog", "Statistic": "Maximum", "Period": period,
        "Unit": "Count", "Threshold": 100.0, "Dimensions": [{"Name": "Queue", "Value": "jobs"}],
    })
}

fn of(queries: &Value) -> Value {
    json!({"MetricAlarms": [{"AlarmName": "watched", "Metrics": queries}]})
}

#[tokio::test]
async fn a_metric_with_its_statistic_period_and_unit() {
    for (period, points, span_min) in [(60, 45, 45), (300, 9, 45), (10, 270, 45), (3_600, 4, 240)] {
        let alarms = json!({"MetricAlarms": [single(period)]});
        // The task count of a metric for each task is asked for beside it.
        let (snapshot, asked) = seen(scene(), alarms).await;
        assert_eq!(gaps(&snapshot), []);
        let [series] = recent(fleet(&snapshot, "web-0"), TargetName::Alarm) else {
            panic!("{:?}", snapshot.fleets);
        };
        assert_eq!((series.part, series.period.0), (Part::Fleet, period));
        assert_eq!(series.points.len(), points, "{period}");
        let of_alarm = asked.iter().find(|it| it.to_string().contains("backlog"));
        let of_alarm = of_alarm.unwrap();
        let mut want = stat("backlog", &[("Queue", "jobs")], period, "Maximum");
        want["Unit"] = json!("Count");
        assert_eq!(of_alarm["MetricDataQueries"][0]["MetricStat"], want);
        let length =
            crate::scene::secs(&of_alarm["EndTime"]) - crate::scene::secs(&of_alarm["StartTime"]);
        assert!(length >= span_min * 60, "{length}");
    }
}

/// Whether tasks were counted in every minute of these values.
fn are_counted_throughout(counts: &[Series], values: &Series) -> bool {
    let counted: BTreeSet<i64> = counts
        .iter()
        .flat_map(|it| it.points.iter().map(|it| it.at.as_second()))
        .collect();
    let minutes = |at: i64| (at..at + values.period.0).step_by(60);
    let mut minutes = values
        .points
        .iter()
        .flat_map(|it| minutes(it.at.as_second()));
    minutes.all(|it| counted.contains(&it))
}

/// The look is at 09:00, which is in the middle of a period of two hours, and in the first quarter of one of four: the newest value is of a
/// period that ended an hour ago.
#[tokio::test]
async fn tasks_are_counted_throughout_every_period_of_a_value_for_each_of_them() {
    for (period, points) in [(60, 45), (300, 9), (3_600, 4), (7_200, 4), (14_400, 4)] {
        let alarms = json!({"MetricAlarms": [single(period)]});
        let scene = scene().tag("ballast:forecast", "true");
        let (snapshot, asked) = seen(scene, alarms).await;
        assert_eq!(gaps(&snapshot), []);
        let fleet = fleet(&snapshot, "web-0");
        let Reading::Read { recent, season } = &fleet.readings[&TargetName::Alarm] else {
            panic!("{:?}", fleet.readings);
        };
        assert_eq!(recent[0].points.len(), points, "{period}");
        let is_counted = are_counted_throughout(&fleet.task_counts, &recent[0]);
        assert!(is_counted, "{period}: {:?}", fleet.task_counts);
        let is_counted = are_counted_throughout(&fleet.season_task_counts, &season[0]);
        assert!(is_counted && !season[0].points.is_empty(), "{period}");
        // The values and the counts, now and on three days.
        assert_eq!(asked.len(), 8, "{period}");
    }
}

#[tokio::test]
async fn a_percentile() {
    let mut alarm = single(60);
    alarm["ExtendedStatistic"] = json!("p99.9");
    alarm.as_object_mut().unwrap().remove("Statistic");
    let (snapshot, asked) = seen(scene(), json!({"MetricAlarms": [alarm]})).await;
    assert_eq!(gaps(&snapshot), []);
    assert!(asked.iter().any(|it| it.to_string().contains("p99.9")));
}

#[tokio::test]
async fn an_expression_with_everything_that_it_is_made_of() {
    let queries = json!([
        {"Id": "waiting", "MetricStat": stat("waiting", &[], 60, "Sum"), "ReturnData": false},
        {"Id": "workers", "MetricStat": stat("workers", &[], 300, "Average"), "ReturnData": false},
        {"Id": "each", "Expression": "IF(workers > 0, waiting / workers, waiting)", "ReturnData": true},
    ]);
    let (snapshot, asked) = seen(scene(), of(&queries)).await;
    assert_eq!(gaps(&snapshot), []);
    let [series] = recent(fleet(&snapshot, "web-0"), TargetName::Alarm) else {
        panic!("{:?}", snapshot.fleets);
    };
    // The longest period of what it is made of.
    assert_eq!(series.period.0, 300);
    assert!(!series.points.is_empty());
    let of_alarm = asked.iter().find(|it| it.to_string().contains("waiting"));
    // Asked alone, the ids are the alarm's own.
    assert_eq!(of_alarm.unwrap()["MetricDataQueries"], queries);
}

/// The target of these alarms cannot be followed for this reason, which is no gap; another one can.
async fn check_unusable(answer: Value, why: UnusableMetric) {
    let (snapshot, _) = seen(scene().tag("ballast:target-cpu-percent", "60"), answer).await;
    assert_eq!(gaps(&snapshot), [], "{why:?}");
    let readings = &fleet(&snapshot, "web-0").readings;
    assert_eq!(readings[&TargetName::Alarm], Reading::Unusable { why });
    assert!(matches!(readings[&TargetName::Cpu], Reading::Read { .. }));
}

#[tokio::test]
async fn alarms_that_watch_no_metric_or_a_query_with_groups() {
    let alarm = || "watched".parse().unwrap();
    let promql = json!({"MetricAlarms": [{
        "AlarmName": "watched", "EvaluationInterval": 60,
        "EvaluationCriteria": {"PromQLCriteria": {"Query": "sum(rate(jobs[1m]))"}},
    }]});
    let select = "SELECT AVG(CPUUtilization) FROM SCHEMA(\"AWS/ECS\", ClusterName, ServiceName) GROUP BY ServiceName";
    let grouped = of(&json!([{"Id": "q", "Expression": select, "Period": 60, "Label": "cpu"}]));
    for (answer, why) in [
        (
            promql,
            UnusableMetric::AlarmWatchesNoMetric { alarm: alarm() },
        ),
        (
            json!({"LogAlarms": [{"AlarmName": "watched"}]}),
            UnusableMetric::AlarmWatchesNoMetric { alarm: alarm() },
        ),
        (
            grouped,
            UnusableMetric::AlarmHasSeveralSeries { alarm: alarm() },
        ),
    ] {
        check_unusable(answer, why).await;
    }
}

#[tokio::test]
async fn alarms_that_lead_to_no_series() {
    let alarm = || "watched".parse().unwrap();
    let anomaly = json!({"MetricAlarms": [{
        "AlarmName": "watched", "ThresholdMetricId": "band", "Metrics": [
            {"Id": "m", "MetricStat": stat("waiting", &[], 60, "Sum"), "ReturnData": true},
            {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m)", "ReturnData": true},
        ],
    }]});
    let two = of(&json!([
        {"Id": "a", "MetricStat": stat("waiting", &[], 60, "Sum")},
        {"Id": "b", "MetricStat": stat("workers", &[], 60, "Sum")},
    ]));
    let refused = of(&json!([
        {"Id": "m", "MetricStat": stat("waiting", &[], 60, "Sum"), "ReturnData": false},
        {"Id": "e", "Expression": "refused(m)", "ReturnData": true},
    ]));
    let other = [("ClusterName", "demo"), ("ServiceName", "api")];
    let another = of(&json!([{"Id": "m", "MetricStat": stat("cpu", &other, 60, "Average")}]));
    for (answer, why) in [
        (
            json!({"MetricAlarms": []}),
            UnusableMetric::AlarmNotFound { alarm: alarm() },
        ),
        (
            json!({"CompositeAlarms": [{"AlarmName": "watched", "AlarmRule": "ALARM(a)"}]}),
            UnusableMetric::AlarmIsComposite { alarm: alarm() },
        ),
        (
            anomaly,
            UnusableMetric::AlarmHasSeveralSeries { alarm: alarm() },
        ),
        (
            two,
            UnusableMetric::AlarmHasSeveralSeries { alarm: alarm() },
        ),
        (
            another,
            UnusableMetric::AlarmOfAnotherService {
                alarm: alarm(),
                service: "demo/api".parse().unwrap(),
            },
        ),
        (
            refused,
            UnusableMetric::QueryRefused {
                alarm: alarm(),
                detail: "ValidationError: Error in expression 'e': refused".to_owned(),
            },
        ),
    ] {
        check_unusable(answer, why).await;
    }
}

/// Where CloudWatch does not know alarms on logs, there is none.
#[tokio::test]
async fn whether_an_alarm_is_on_logs_is_asked_where_there_is_none_and_may_fail() {
    let asks_for_logs = |input: &Value| input.to_string().contains("LogAlarm");
    let eye = Eye::on(move |operation, input| match operation {
        "DescribeAlarms" if asks_for_logs(input) => error(
            "ValidationError",
            "Value 'LogAlarm' is not one of the types",
        ),
        "DescribeAlarms" => json!({"MetricAlarms": []}),
        _ => scene().answer(operation, input),
    })
    .await;
    let snapshot = eye.look(&services(&["web-0"])).await;
    assert_eq!(gaps(&snapshot), []);
    let why = UnusableMetric::AlarmNotFound {
        alarm: "watched".parse().unwrap(),
    };
    let readings = &fleet(&snapshot, "web-0").readings;
    assert_eq!(readings[&TargetName::Alarm], Reading::Unusable { why });
    let mut asked = eye.asked();
    asked.retain(|it| it.0 == "DescribeAlarms");
    let asked: Vec<bool> = asked.iter().map(|it| asks_for_logs(&it.1)).collect();
    assert_eq!(asked, [false, true]);
}

/// Two pages of one query whose second is of another group.
#[tokio::test]
async fn a_group_on_each_page_is_several_series_too() {
    for (second, is_several) in [("web", false), ("api", true)] {
        let select = "SELECT MAX(waiting) FROM Jobs GROUP BY Queue";
        let alarms = of(&json!([{"Id": "q", "Expression": select, "Period": 60}]));
        let eye = Eye::on(move |operation, input| match operation {
            "DescribeAlarms" => described(&alarms, input),
            "GetMetricData" => {
                let mut answer = metrics(input, |query, at| Some(value(query, at)));
                let is_second = input["NextToken"].is_string();
                answer["MetricDataResults"][0]["Label"] =
                    json!(if is_second { second } else { "web" });
                if !is_second {
                    answer["NextToken"] = json!("more");
                }
                answer
            }
            _ => scene()
                .tag("ballast:target-measures", "total")
                .answer(operation, input),
        })
        .await;
        let snapshot = eye.look(&services(&["web-0"])).await;
        assert_eq!(gaps(&snapshot), [], "{second}");
        let reading = &fleet(&snapshot, "web-0").readings[&TargetName::Alarm];
        let got = matches!(
            reading,
            Reading::Unusable {
                why: UnusableMetric::AlarmHasSeveralSeries { .. }
            }
        );
        assert_eq!(got, is_several, "{second}: {reading:?}");
    }
}

#[tokio::test]
async fn an_alarm_without_what_it_must_have_is_a_gap() {
    for field in ["Namespace", "MetricName", "Statistic", "Period"] {
        let mut alarm = single(60);
        alarm.as_object_mut().unwrap().remove(field);
        let (snapshot, _) = seen(scene(), json!({"MetricAlarms": [alarm]})).await;
        assert_eq!(gaps(&snapshot).len(), 1, "{field}");
        let readings = &fleet(&snapshot, "web-0").readings;
        assert_eq!(readings[&TargetName::Alarm], Reading::Unread);
    }
}

#[tokio::test]
async fn an_alarm_on_the_service_and_its_standby_is_this_fleets() {
    let of_service = |name: &str| {
        stat(
            "cpu",
            &[("ClusterName", "demo"), ("ServiceName", name)],
            60,
            "Sum",
        )
    };
    let queries = json!([
        {"Id": "a", "MetricStat": of_service("web-0"), "ReturnData": false},
        {"Id": "b", "MetricStat": of_service("web-0-standby"), "ReturnData": false},
        {"Id": "both", "Expression": "SUM([a, b])"},
    ]);
    let (snapshot, _) = seen(scene().paired(), of(&queries)).await;
    assert_eq!(gaps(&snapshot), []);
    assert_eq!(
        recent(fleet(&snapshot, "web-0"), TargetName::Alarm).len(),
        1
    );
}

/// Fifty services with an alarm each: their expressions go into one call, whose ids are told apart, but for those that speak of all
/// metrics.
#[tokio::test]
async fn the_alarms_of_many_services_are_asked_together() {
    let alarm = |index: usize, expression: &str| {
        json!({"AlarmName": format!("watched-{index}"), "Metrics": [
            {"Id": "m1", "MetricStat": stat(&format!("waiting-{index}"), &[], 60, "Sum"), "ReturnData": false},
            {"Id": "e", "Expression": expression, "ReturnData": true},
        ]})
    };
    for (odd, get_metric_data) in [
        // The task counts, and the alarms.
        ("m1 * 3", 2),
        // One more for the expression that stands alone.
        ("SUM(METRICS())", 3),
    ] {
        let eye = Eye::on(move |operation, input| match operation {
            "DescribeAlarms" => {
                let alarms = (0..50).map(|it| alarm(it, if it == 7 { odd } else { "m1 * 2" }));
                json!({"MetricAlarms": alarms.collect::<Vec<_>>()})
            }
            "DescribeServices" => {
                let mut answer = scene().answer(operation, input);
                for service in answer["services"].as_array_mut().unwrap() {
                    let name = service["serviceName"].as_str().unwrap();
                    let alarm = name.replace("web-", "watched-");
                    let tags = service["tags"].as_array_mut().unwrap();
                    let tag = tags
                        .iter_mut()
                        .find(|it| it["key"] == "ballast:target-alarm");
                    tag.unwrap()["value"] = json!(alarm);
                }
                answer
            }
            "GetMetricData" => {
                let queries = input["MetricDataQueries"].as_array().unwrap();
                let ids = queries.iter().map(|it| it["Id"].as_str().unwrap());
                let ids: std::collections::BTreeSet<&str> = ids.collect();
                assert_eq!(ids.len(), queries.len());
                metrics(input, |query, at| Some(value(query, at)))
            }
            _ => Scene {
                services: 50,
                ..scene()
            }
            .answer(operation, input),
        })
        .await;
        let snapshot = eye.look(&clusters(&["demo"])).await;
        assert_eq!(gaps(&snapshot), [], "{odd}");
        let is_read = |it: &Fleet| matches!(it.readings[&TargetName::Alarm], Reading::Read { .. });
        assert!(snapshot.fleets.values().all(is_read), "{odd}");
        let counts = eye.counts();
        assert!(
            counts.contains(&format!("{get_metric_data} GetMetricData")),
            "{odd}: {counts}"
        );
        assert!(counts.contains("1 DescribeAlarms"), "{odd}: {counts}");
    }
}

/// A metric of the whole fleet needs no count of its tasks.
#[tokio::test]
async fn of_a_metric_of_the_whole_fleet_no_tasks_are_counted() {
    let alarms = json!({"MetricAlarms": [single(60)]});
    let (snapshot, asked) = seen(scene().tag("ballast:target-measures", "total"), alarms).await;
    assert_eq!(gaps(&snapshot), []);
    assert_eq!(asked.len(), 1);
    assert!(fleet(&snapshot, "web-0").task_counts.is_empty());
}
