//! GetMetricData: what it takes, rounds, pages and refuses.

use serde_json::{Value, json};
use world::{Config, Fault, FaultRule, MetricKey, Operation, World};

use crate::stage::{at, call, query, refused};

/// A metric with its minute's number in each minute, for so many minutes from the world's start.
fn counted(minutes: i64) -> (World, i64) {
    let mut world = World::new(Config::new(5));
    let from = world.config().start.as_second();
    let now = (from + minutes * 60).to_string();
    world.advance_to(at(now.parse().unwrap()).parse().unwrap());
    let key = MetricKey::new("N", "m", &[]);
    for minute in 0..minutes {
        let time = at(from + minute * 60).parse().unwrap();
        world.put_metric_at(&key, time, false, &[minute * 1_000]);
    }
    (world, from)
}

fn metric(id: &str, stat: &str, period: u32) -> Value {
    let mut query = query("N", "m", json!([]), stat, period);
    query["Id"] = json!(id);
    query
}

fn input(queries: Value, from: i64, to: i64, more: Value) -> Value {
    let mut input = json!({
        "MetricDataQueries": queries, "StartTime": at(from), "EndTime": at(to),
        "ScanBy": "TimestampAscending",
    });
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

fn get(world: &mut World, queries: Value, from: i64, to: i64, more: Value) -> Value {
    call(
        world,
        Operation::GetMetricData,
        input(queries, from, to, more),
    )
}

#[test]
fn the_start_is_part_of_it_the_end_is_not_and_the_start_is_rounded_down() {
    let (mut world, from) = counted(10);
    let m = || json!([metric("q", "Sum", 60)]);
    let result = get(&mut world, m(), from + 60, from + 180, json!({}));
    assert_eq!(result["MetricDataResults"][0]["Values"], json!([1.0, 2.0]));
    let result = get(&mut world, m(), from + 119, from + 181, json!({}));
    assert_eq!(
        result["MetricDataResults"][0]["Values"],
        json!([1.0, 2.0, 3.0])
    );
    let newest_first = json!({"ScanBy": "TimestampDescending"});
    let result = get(&mut world, m(), from + 60, from + 180, newest_first);
    assert_eq!(result["MetricDataResults"][0]["Values"], json!([2.0, 1.0]));
    assert_eq!(
        result["MetricDataResults"][0]["Timestamps"][0],
        json!(at(from + 120))
    );
}

#[test]
fn queries_whose_data_are_not_returned_are_not_there() {
    let (mut world, from) = counted(3);
    let mut hidden = metric("a", "Sum", 60);
    hidden["ReturnData"] = json!(false);
    let mut labelled = metric("b", "Maximum", 60);
    labelled["Label"] = json!("most");
    let sum = json!({"Id": "c", "Expression": "a + b"});
    let queries = json!([hidden, labelled, sum]);
    let answer = get(&mut world, queries, from, from + 180, json!({}));
    let results = answer["MetricDataResults"].as_array().unwrap();
    let told: Vec<(&str, &str)> = results
        .iter()
        .map(|it| (it["Id"].as_str().unwrap(), it["Label"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("b", "most"), ("c", "c")]);
    assert_eq!(results[1]["Values"], json!([0.0, 2.0, 4.0]));
}

#[test]
fn a_metric_that_does_not_exist_has_no_values_and_is_complete() {
    let (mut world, from) = counted(3);
    let nobody = query("N", "nobody", json!([]), "Average", 60);
    let answer = get(&mut world, json!([nobody]), from, from + 180, json!({}));
    let result = &answer["MetricDataResults"][0];
    assert_eq!(
        (&result["Values"], &result["StatusCode"]),
        (&json!([]), &json!("Complete"))
    );
    assert_eq!(answer["Messages"], json!([]));
}

#[test]
fn pages_follow_each_other_until_all_is_told() {
    let (mut world, from) = counted(5);
    let queries = json!([metric("a", "Sum", 60), metric("b", "Sum", 60)]);
    let mut token = Value::Null;
    let mut told = Vec::new();
    for _ in 0..10 {
        let more = if token.is_null() {
            json!({"MaxDatapoints": 4})
        } else {
            json!({"MaxDatapoints": 4, "NextToken": token})
        };
        let answer = get(&mut world, queries.clone(), from, from + 300, more);
        for result in answer["MetricDataResults"].as_array().unwrap() {
            told.push(format!(
                "{} {} {}",
                result["Id"].as_str().unwrap(),
                result["Values"],
                result["StatusCode"].as_str().unwrap()
            ));
        }
        told.push("-".to_owned());
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    expect_test::expect![[r#"
        a [0.0,1.0,2.0,3.0] PartialData
        -
        a [4.0] Complete
        b [0.0,1.0,2.0] PartialData
        -
        b [3.0,4.0] Complete
        -"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn what_is_computed_has_no_next_page() {
    let (mut world, from) = counted(5);
    let queries = json!([metric("a", "Sum", 60), {"Id": "e", "Expression": "a * 2"}]);
    let answer = get(
        &mut world,
        queries,
        from,
        from + 300,
        json!({"MaxDatapoints": 6}),
    );
    assert!(answer.get("NextToken").is_none());
    let result = &answer["MetricDataResults"][1];
    assert_eq!(result["Values"], json!([0.0]));
    assert_eq!(result["StatusCode"], "PartialData");
}

#[test]
fn what_is_wrong_is_refused_in_words() {
    let (mut world, from) = counted(3);
    let many: Vec<Value> = (0..501)
        .map(|it| metric(&format!("q{it}"), "Sum", 60))
        .collect();
    let stat = |change: fn(&mut Value)| {
        let mut query = metric("q", "Sum", 60);
        change(&mut query);
        json!([query])
    };
    for (queries, words) in [
        (json!(many), "must not have a size greater than 500"),
        (json!([]), "MetricDataQueries is required"),
        (
            json!([metric("q", "Sum", 60), metric("q", "Sum", 60)]),
            "are not unique: q",
        ),
        (json!([metric("Q", "Sum", 60)]), "expected pattern"),
        (
            json!([metric("q", "Median", 60)]),
            "The value Median for parameter",
        ),
        (json!([metric("q", "Sum", 90)]), "a multiple of 60"),
        (json!([metric("q", "Sum", 0)]), "a multiple of 60"),
        (
            json!([{"Id": "q"}]),
            "Exactly one of the parameters MetricStat and Expression",
        ),
        (
            stat(|it| it["Expression"] = json!("1")),
            "Exactly one of the parameters",
        ),
        (
            json!([{"Id": "e", "Expression": "m1"}]),
            "Error in expression 'e': Unknown identifier 'm1'",
        ),
        (
            json!([{"Id": "e", "Expression": "SEARCH('x')"}]),
            "Unknown function 'SEARCH'",
        ),
        (
            json!([{"Id": "e", "Expression": "e + 1"}]),
            "'e' needs itself",
        ),
    ] {
        let input = input(queries, from, from + 180, json!({}));
        let said = refused(&mut world, Operation::GetMetricData, input);
        assert!(said.starts_with("ValidationError: "), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    let good = || json!([metric("q", "Sum", 60)]);
    for (more, words) in [
        (json!({"EndTime": at(from)}), "StartTime must be less than"),
        (json!({"ScanBy": "Random"}), "The value Random for ScanBy"),
        (
            json!({"MaxDatapoints": 0}),
            "MaxDatapoints must be from 1 to 100800",
        ),
        (
            json!({"MaxDatapoints": 100_801}),
            "MaxDatapoints must be from 1",
        ),
        (json!({"NextToken": "x"}), "InvalidNextToken"),
    ] {
        let input = input(good(), from, from + 180, more);
        let said = refused(&mut world, Operation::GetMetricData, input);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_result_can_fail_alone() {
    let (mut world, from) = counted(3);
    let rule = FaultRule::times(Operation::GetMetricData, Fault::PartialFailure, 1);
    world.config_mut().faults.rules.push(rule);
    let queries = json!([metric("a", "Sum", 60), metric("b", "Sum", 60)]);
    let answer = get(&mut world, queries.clone(), from, from + 180, json!({}));
    let results = &answer["MetricDataResults"];
    assert_eq!(results[0]["StatusCode"], "Complete");
    assert_eq!(results[1]["StatusCode"], "InternalError");
    assert_eq!(results[1]["Values"], json!([]));
    let answer = get(&mut world, queries, from, from + 180, json!({}));
    assert_eq!(answer["MetricDataResults"][1]["StatusCode"], "Complete");
}
