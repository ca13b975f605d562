//! Metrics that take their time, and that come late, twice or never.

use serde_json::json;
use world::load::{CustomMetric, LoadCurve};
use world::{Config, MetricKey, Operation, RangeMs, World};

use crate::stage::{Stage, at, call, pair, query, refused, values};

/// The number of samples in each of ten minutes, of four tasks.
fn sample_counts(config: Config) -> (Stage, Vec<Option<f64>>) {
    let mut stage = pair(config, 4, 0).loaded(LoadCurve::flat(100));
    stage.world.advance_secs(11 * 60);
    let web = stage.web.clone();
    let query = stage.of_service(&web, "CPUUtilization", "SampleCount", 60);
    let found = stage.values(&query, 11);
    (stage, found)
}

#[test]
fn a_minute_can_be_read_after_its_delay_and_not_before() {
    let mut stage = pair(Config::new(3), 2, 0).loaded(LoadCurve::flat(100));
    let begins = stage.world.now().as_second();
    let web = stage.web.clone();
    let query = stage.of_service(&web, "CPUUtilization", "Average", 60);
    for (secs, wanted) in [(60, None), (49, None), (2, Some(50.0))] {
        stage.world.advance_secs(secs);
        let found = values(&mut stage.world, &query, begins, begins + 60);
        assert_eq!(
            found,
            [wanted],
            "{} s",
            stage.world.now().as_second() - begins
        );
    }
    let mut slow = Config::new(3);
    slow.publishing.delay = RangeMs::new(170_000, 170_000);
    let (_, found) = sample_counts(slow);
    assert_eq!(found.iter().flatten().count(), 8);
    assert_eq!(found[8..], [None; 3]);
}

#[test]
fn the_newest_minute_is_not_there_yet_and_fill_takes_it_for_a_gap() {
    let mut world = World::new(Config::new(3));
    let queue = |name: &str| MetricKey::new("AWS/SQS", name, &[("QueueName", "orders")]);
    world.put_custom_metric(CustomMetric::measured(queue("Visible"), |_| Some(40_000)));
    // Three minutes and 40 s: the third ended less than the 50 s ago that it takes.
    let begins = world.now().as_second();
    world.advance_secs(3 * 60 + 40);
    let mut minutes = |expression: &str| -> Vec<f64> {
        let metric = |id: &str, name: &str| {
            let dimensions = json!([{"Name": "QueueName", "Value": "orders"}]);
            let mut query = query("AWS/SQS", name, dimensions, "Maximum", 60);
            query["Id"] = json!(id);
            query["ReturnData"] = json!(false);
            query
        };
        let result = json!({"Id": "e", "Expression": expression});
        let queries = json!([
            result,
            metric("visible", "Visible"),
            metric("inflight", "InFlight")
        ]);
        let input = json!({
            "MetricDataQueries": queries, "ScanBy": "TimestampAscending",
            "StartTime": at(begins), "EndTime": at(begins + 180),
        });
        let answer = call(&mut world, Operation::GetMetricData, input);
        let found = answer["MetricDataResults"][0]["Values"].as_array().unwrap();
        found.iter().map(|it| it.as_f64().unwrap()).collect()
    };
    // What is missing counts as nothing in a sum, and where all is missing there is no sum.
    assert_eq!(minutes("visible + inflight"), [40.0; 2]);
    let filled = minutes("FILL(visible, 0) + FILL(inflight, 0)");
    assert_eq!(filled, [40.0, 40.0, 0.0]);
}

#[test]
fn gaps_are_minutes_without_a_point() {
    let mut config = Config::new(3);
    config.publishing.gap_per_mille = 400;
    let (_, found) = sample_counts(config);
    let there = found[..10].iter().flatten().count();
    assert!((2..9).contains(&there), "{found:?}");
    assert!(found.iter().flatten().all(|it| *it == 4.0), "{found:?}");
}

#[test]
fn twice_is_twice_as_many_samples_and_the_same_mean() {
    let mut config = Config::new(3);
    config.publishing.duplicate_per_mille = 1_000;
    let (mut stage, found) = sample_counts(config);
    assert_eq!(found[..10], [Some(8.0); 10]);
    let web = stage.web.clone();
    let average = stage.of_service(&web, "CPUUtilization", "Average", 60);
    assert_eq!(stage.values(&average, 11)[..10], [Some(25.0); 10]);
}

#[test]
fn late_points_come_in_the_end() {
    let mut config = Config::new(3);
    config.publishing.late_per_mille = 500;
    config.publishing.late = RangeMs::new(120_000, 240_000);
    let (mut stage, early) = sample_counts(config);
    let missing = early[5..10].iter().filter(|it| it.is_none()).count();
    assert!(missing > 0, "{early:?}");
    stage.world.advance_secs(300);
    let web = stage.web.clone();
    let query = stage.of_service(&web, "CPUUtilization", "SampleCount", 60);
    let later = stage.values(&query, 16);
    assert_eq!(later[..10], [Some(4.0); 10]);
}

#[test]
fn two_writes_of_the_same_minute_add_up() {
    let mut world = World::new(Config::new(3));
    let key = MetricKey::new("N", "m", &[]);
    let now = world.now();
    world.put_metric_at(&key, now, false, &[1_000, 3_000]);
    world.put_metric_at(&key, now, false, &[8_000]);
    let of = |world: &mut World, stat: &str| {
        let from = now.as_second();
        values(
            world,
            &query("N", "m", json!([]), stat, 60),
            from,
            from + 60,
        )[0]
    };
    assert_eq!(of(&mut world, "Average"), Some(4.0));
    assert_eq!(of(&mut world, "Maximum"), Some(8.0));
    assert_eq!(of(&mut world, "p50"), Some(3.0));
}

fn put(datum: serde_json::Value) -> serde_json::Value {
    json!({"Namespace": "N", "MetricData": [datum]})
}

#[test]
fn what_is_no_number_is_refused_and_nothing_of_the_call_is_kept() {
    let mut world = World::new(Config::new(3));
    for (datum, words) in [
        (
            json!({"MetricName": "m", "Value": "NaN"}),
            "InvalidParameterValue: The value NaN for parameter MetricData.member.Value is invalid.",
        ),
        (
            json!({"MetricName": "m", "Values": [1, "Infinity"]}),
            "The value Infinity",
        ),
        (
            json!({"MetricName": "m", "StatisticValues": {"SampleCount": 1, "Sum": "-Infinity", "Minimum": 0, "Maximum": 1}}),
            "StatisticValues.Sum is invalid",
        ),
        (json!({"MetricName": "m"}), "MissingParameter"),
        (
            json!({"MetricName": "m", "Values": [1, 2], "Counts": [1]}),
            "must be of the same size",
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Timestamp": "2026-02-10T00:00:00Z"}),
            "past two weeks",
        ),
        (
            json!({"MetricName": "m", "Value": 1, "Timestamp": "2026-03-02T12:00:00Z"}),
            "next two hours",
        ),
    ] {
        let good = json!({"MetricName": "m", "Value": 1});
        let both = json!({"Namespace": "N", "MetricData": [good, datum]});
        let said = refused(&mut world, Operation::PutMetricData, both);
        assert!(said.contains(words), "{datum}: {said}");
    }
    assert!(world.state().metrics.is_empty());
    call(
        &mut world,
        Operation::PutMetricData,
        put(json!({"MetricName": "m", "Value": 1})),
    );
    assert_eq!(world.state().metrics.len(), 1);
}

#[test]
fn values_with_counts_have_percentiles_and_high_resolution_has_seconds() {
    let mut world = World::new(Config::new(3));
    let datum = json!({
        "MetricName": "m", "Values": [1, 2, 10], "Counts": [90, 9, 1], "StorageResolution": 1,
        "Timestamp": "2026-03-02T09:00:25Z",
    });
    call(&mut world, Operation::PutMetricData, put(datum));
    let from = world.config().start.as_second();
    let mut of = |stat: &str, period: u32| {
        let query = query("N", "m", json!([]), stat, period);
        values(&mut world, &query, from, from + 60)
    };
    assert_eq!(of("p90", 60), [Some(1.0)]);
    assert_eq!(of("p95", 60), [Some(2.0)]);
    assert_eq!(of("p99.9", 60), [Some(10.0)]);
    assert_eq!(of("SampleCount", 60), [Some(100.0)]);
    assert_eq!(of("SampleCount", 20), [None, Some(100.0), None]);
    assert_eq!(of("Sum", 30), [Some(118.0), None]);
}
