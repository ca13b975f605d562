//! Metric math, with the tables that AWS documents.

use serde_json::{Value, json};
use world::{Config, MetricKey, Operation, World};

use crate::stage::{at, call};

/// Five minutes with the metrics a to d; `None` is a minute without a value.
const METRICS: [(&str, [Option<i64>; 5]); 4] = [
    ("a", [Some(1), Some(1), Some(0), Some(0), None]),
    ("b", [Some(30), None, Some(0), Some(0), Some(30)]),
    ("c", [Some(0), Some(0), Some(20), None, Some(20)]),
    ("d", [Some(10), None, None, Some(40), None]),
];

fn evaluate(expression: &str) -> Value {
    let mut world = World::new(Config::new(5));
    let from = world.config().start.as_second();
    world.advance_secs(600);
    let mut queries = vec![json!({"Id": "e", "Expression": expression})];
    for (id, values) in METRICS {
        let key = MetricKey::new("N", id, &[]);
        for (minute, value) in (0..).zip(values) {
            if let Some(value) = value {
                let time = at(from + minute * 60).parse().unwrap();
                world.put_metric_at(&key, time, false, &[value * 1_000]);
            }
        }
        queries.push(json!({
            "Id": id, "ReturnData": false,
            "MetricStat": {"Metric": {"Namespace": "N", "MetricName": id}, "Period": 60, "Stat": "Sum"},
        }));
    }
    let input = json!({
        "MetricDataQueries": queries, "StartTime": at(from), "EndTime": at(from + 300),
        "ScanBy": "TimestampAscending",
    });
    match world.call(Operation::GetMetricData, input) {
        Ok(answer) => {
            let results = answer["MetricDataResults"].as_array().unwrap();
            let shown = results.iter().map(|result| {
                let times = result["Timestamps"].as_array().unwrap();
                let minutes = (0..5).map(|minute| {
                    let time = json!(at(from + minute * 60));
                    let index = times.iter().position(|it| *it == time);
                    index.map_or("-".to_owned(), |it| result["Values"][it].to_string())
                });
                let line = minutes.collect::<Vec<_>>().join(" ");
                let dropped = result.get("Messages").is_some();
                if dropped {
                    format!("{line} dropped")
                } else {
                    line
                }
            });
            json!(shown.collect::<Vec<_>>().join(" | "))
        }
        Err(error) => json!(error.message),
    }
}

fn check(expression: &str, wanted: &str) {
    assert_eq!(evaluate(expression), wanted, "{expression}");
}

#[test]
fn arithmetic_takes_what_is_missing_for_nothing() {
    check("a + b", "31.0 1.0 0.0 0.0 30.0");
    check("c - b", "-30.0 0.0 20.0 0.0 -10.0");
    check("-d", "-10.0 - - -40.0 -");
    check("2 * d + 1", "21.0 - - 81.0 -");
    check("d / 3", "3.333333333 - - 13.333333333 -");
    check(
        "100 / [b, c]",
        "3.333333333 - - - 3.333333333 dropped | - - 5.0 - 5.0 dropped",
    );
}

#[test]
fn a_division_by_zero_drops_the_point_and_says_so() {
    check("b / c", "- - 0.0 - 1.5 dropped");
    check("b / a", "30.0 0.0 - - - dropped");
    check("d / 0", "- - - - - dropped");
    // What another query has dropped is dropped here as well.
    check("FILL(b / a, 7)", "30.0 0.0 7.0 7.0 7.0 dropped");
}

#[test]
fn comparisons_are_ones_and_zeros() {
    check("b < c", "0.0 0.0 1.0 0.0 0.0");
    check("d >= 10", "1.0 - - 1.0 -");
    check("d > 10 OR d < 5", "0.0 - - 1.0 -");
    check("b > 15 AND c > 15", "0.0 0.0 0.0 0.0 1.0");
    check("(a == 1) + (a != 1)", "1.0 1.0 1.0 1.0 -");
}

#[test]
fn ifs_are_as_the_tables_have_them() {
    check("IF(a, b, c)", "30.0 0.0 20.0 - -");
    check("IF(a, 5, c)", "5.0 5.0 20.0 - -");
    check("IF(a, b, 5)", "30.0 0.0 5.0 5.0 -");
    check("IF(a, b)", "30.0 0.0 - - -");
    check("IF(d < 20, d)", "10.0 - - - -");
    check("IF(1 > 2, b, c)", "0.0 0.0 20.0 - 20.0");
}

#[test]
fn of_one_series_a_number_of_several_a_series() {
    check("d - AVG(d)", "-15.0 - - 15.0 -");
    check("a * SUM(d)", "50.0 50.0 0.0 0.0 -");
    check("a * MAX(d) - MIN(d)", "30.0 30.0 -10.0 -10.0 -");
    check("a * DATAPOINT_COUNT(d)", "2.0 2.0 0.0 0.0 -");
    check("SUM([a, b, c])", "31.0 1.0 20.0 0.0 50.0");
    check("SUM(METRICS())", "41.0 1.0 20.0 40.0 50.0");
    check("MAX([b, d])", "30.0 - 0.0 40.0 30.0");
    check("MIN([b, d])", "10.0 - 0.0 0.0 30.0");
    // What is missing counts for 0 in a mean.
    check("AVG([b, d])", "20.0 - 0.0 20.0 15.0");
    check("a / METRIC_COUNT([a, b])", "0.5 0.5 0.0 0.0 -");
    check("METRICS(\"d\")", "10.0 - - 40.0 -");
}

#[test]
fn gaps_are_filled_as_asked() {
    check("FILL(d, 0)", "10.0 0.0 0.0 40.0 0.0");
    check("FILL(d, REPEAT)", "10.0 10.0 10.0 40.0 40.0");
    check("FILL(d, LINEAR)", "10.0 20.0 30.0 40.0 -");
    check("FILL(d, MAX(d))", "10.0 40.0 40.0 40.0 40.0");
    check("FILL(d, c)", "10.0 0.0 20.0 40.0 20.0");
    check("FILL(a, REPEAT) + FILL(d, 0)", "11.0 1.0 0.0 40.0 0.0");
}

#[test]
fn changes_and_periods() {
    check("DIFF(d)", "- - - 30.0 -");
    check("RATE(d)", "- - - 0.166666667 -");
    check("b / PERIOD(b)", "0.5 - 0.0 0.0 0.5");
    check("TIME_SERIES(3)", "3.0 3.0 3.0 3.0 3.0");
    check("CEIL(d / 3)", "4.0 - - 14.0 -");
    check("FLOOR(-d / 3)", "-4.0 - - -14.0 -");
    check("ABS(c - b)", "30.0 0.0 20.0 0.0 10.0");
}

#[test]
fn what_is_no_series_is_refused() {
    for (expression, wanted) in [
        (
            "AVG(a)",
            "The result must be a time series or an array of time series",
        ),
        ("1 + 2", "The result must be a time series"),
        ("1 / 0", "A number is divided by zero"),
        ("[1, a]", "An array must hold time series"),
        ("SUM(1)", "The arguments of SUM are not of its form"),
        (
            "PERIOD(a + b)",
            "The arguments of PERIOD are not of its form",
        ),
        ("REPEAT", "Unexpected 'REPEAT'"),
        ("[a, b] + [a]", "as many time series"),
        ("IF(1, 2, 3)", "IF needs a time series"),
    ] {
        let said = evaluate(expression);
        assert!(
            said.as_str().unwrap().contains(wanted),
            "{expression}: {said}"
        );
    }
}

#[test]
fn an_expression_takes_others_and_a_long_chain_of_them_is_no_labour() {
    let mut world = World::new(Config::new(5));
    let from = world.config().start.as_second();
    world.put_metric("N", "m", &[], 1_000);
    world.advance_secs(60);
    let mut queries = vec![json!({
        "Id": "e0", "ReturnData": false,
        "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
    })];
    for number in 1..=40 {
        let before = number - 1;
        let expression = format!("(e{before} + e{before}) / 2");
        queries.push(json!({"Id": format!("e{number}"), "Expression": expression, "ReturnData": number == 40}));
    }
    let input =
        json!({"MetricDataQueries": queries, "StartTime": at(from), "EndTime": at(from + 60)});
    let answer = call(&mut world, Operation::GetMetricData, input);
    assert_eq!(answer["MetricDataResults"][0]["Values"], json!([1.0]));
}
