use serde_json::{Value, json};

use super::*;

/// Asserts which of the events a pattern lets through.
fn check(pattern: Value, yes: &[Value], no: &[Value]) {
    let parsed = Pattern::parse(&pattern).unwrap();
    for event in yes {
        assert!(parsed.matches(event), "{pattern} should match {event}");
    }
    for event in no {
        assert!(!parsed.matches(event), "{pattern} should not match {event}");
    }
}

/// Asserts that a pattern is refused at a path, with words.
fn refused(pattern: Value, path: &str, words: &str) {
    let error = Pattern::parse(&pattern).unwrap_err();
    assert_eq!(error.path, path, "{pattern}: {error}");
    assert!(
        error.to_string().contains(words),
        "{pattern}: `{error}` lacks `{words}`"
    );
}

/// A pattern for one leaf of `detail`, against values of it.
fn check_leaf(tests: Value, yes: &[Value], no: &[Value]) {
    let events = |values: &[Value]| -> Vec<Value> {
        values
            .iter()
            .map(|value| json!({"detail": {"x": value, "y": 1}}))
            .collect()
    };
    check(json!({"detail": {"x": tests}}), &events(yes), &events(no));
}

fn spot_stop() -> Value {
    json!({
        "version": "0",
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "resources": ["arn:aws:ecs:us-west-2:111122223333:task/container-demo/1"],
        "detail": {
            "clusterArn": "arn:aws:ecs:us-west-2:111122223333:cluster/container-demo",
            "desiredStatus": "STOPPED",
            "lastStatus": "RUNNING",
            "stopCode": "SpotInterruption",
            "version": 5,
            "attachments": [
                {"type": "eni", "status": "ATTACHED", "details": [{"name": "subnetId", "value": "subnet-1"}]},
                {"type": "elb", "status": "DELETED", "details": []}
            ]
        }
    })
}

#[test]
fn every_field_must_match_and_other_fields_are_ignored() {
    check(
        json!({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"stopCode": ["SpotInterruption", "TerminationNotice"]}}),
        &[spot_stop()],
        &[
            json!({}),
            json!({"source": "aws.ecs"}),
            json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {"stopCode": "EssentialContainerExited"}}),
            json!({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": "text"}),
            json!("aws.ecs"),
            json!(null),
        ],
    );
}

#[test]
fn exact_values_keep_their_type_and_case() {
    check_leaf(
        json!(["a"]),
        &[json!("a"), json!(["b", "a"])],
        &[json!("A"), json!("ab"), json!([]), json!({"a": "a"})],
    );
    check_leaf(
        json!([1]),
        &[json!(1), json!([0, 1])],
        &[json!("1"), json!(1.0), json!(true)],
    );
    check_leaf(
        json!([true]),
        &[json!(true)],
        &[json!("true"), json!(false), json!(1), json!(null)],
    );
    check_leaf(
        json!([null]),
        &[json!(null), json!([null])],
        &[json!("null"), json!(""), json!(false), json!([])],
    );
    check_leaf(json!([""]), &[json!("")], &[json!(null), json!(" ")]);
    check_leaf(
        json!(["a", 1, null]),
        &[json!("a"), json!(1), json!(null)],
        &[json!("b"), json!(2)],
    );
}

#[test]
fn an_absent_field_matches_no_value() {
    check(
        json!({"a": [null]}),
        &[json!({"a": null})],
        &[json!({}), json!({"b": null})],
    );
    check(
        json!({"a": [{"anything-but": "x"}]}),
        &[json!({"a": "y"})],
        &[json!({}), json!({"a": []}), json!({"a": {"b": 1}})],
    );
}

#[test]
fn fields_asked_of_an_array_of_objects_hold_in_one_element() {
    let pattern = json!({"detail": {"attachments": {"type": ["eni"], "status": ["ATTACHED"]}}});
    check(pattern, &[spot_stop()], &[]);
    check(
        json!({"detail": {"attachments": {"type": ["eni"], "status": ["DELETED"]}}}),
        &[],
        &[spot_stop()],
    );
    check(
        json!({"detail": {"attachments": {"details": {"name": ["subnetId"], "value": [{"prefix": "subnet-"}]}}}}),
        &[spot_stop()],
        &[],
    );
    check(
        json!({"a": {"b": [1]}}),
        &[json!({"a": [[{"b": 1}]]}), json!({"a": [3, {"b": [[1]]}]})],
        &[json!({"a": [1]})],
    );
}

#[test]
fn prefix_and_suffix() {
    check_leaf(
        json!([{"prefix": "us-"}]),
        &[json!("us-west-2"), json!("us-"), json!(["eu", "us-1"])],
        &[json!("US-west"), json!("aus-"), json!(5), json!(null)],
    );
    check_leaf(
        json!([{"prefix": {"equals-ignore-case": "Service:"}}]),
        &[json!("SERVICE:web"), json!("service:")],
        &[json!("svc:web")],
    );
    check_leaf(
        json!([{"suffix": ".png"}]),
        &[json!("a.png")],
        &[json!("a.PNG"), json!("a.png ")],
    );
    check_leaf(
        json!([{"suffix": {"equals-ignore-case": ".png"}}]),
        &[json!("a.PNG"), json!(".pnG")],
        &[json!("a.jpg")],
    );
    check_leaf(
        json!([{"prefix": ""}]),
        &[json!(""), json!("a")],
        &[json!(1)],
    );
}

#[test]
fn equals_ignore_case() {
    check_leaf(
        json!([{"equals-ignore-case": "alarm"}]),
        &[json!("ALARM"), json!("Alarm"), json!(["x", "aLarm"])],
        &[json!("alarms"), json!(null)],
    );
}

#[test]
fn anything_but() {
    check_leaf(
        json!([{"anything-but": "initializing"}]),
        &[
            json!("running"),
            json!(1),
            json!(true),
            json!(null),
            json!(["initializing", "running"]),
        ],
        &[json!("initializing"), json!(["initializing"])],
    );
    check_leaf(
        json!([{"anything-but": 123}]),
        &[json!(456), json!("123")],
        &[json!(123)],
    );
    check_leaf(
        json!([{"anything-but": ["stopped", "overloaded"]}]),
        &[json!("running")],
        &[
            json!("stopped"),
            json!("overloaded"),
            json!(["stopped", "overloaded"]),
        ],
    );
    check_leaf(
        json!([{"anything-but": [100, 200]}]),
        &[json!(300)],
        &[json!(100), json!(200)],
    );
    check_leaf(
        json!([{"anything-but": {"prefix": "init"}}]),
        &[json!("running"), json!(3)],
        &[json!("initializing")],
    );
    check_leaf(
        json!([{"anything-but": {"prefix": ["init", "stop"]}}]),
        &[json!("running")],
        &[json!("initializing"), json!("stopped")],
    );
    check_leaf(
        json!([{"anything-but": {"suffix": [".txt", ".rtf"]}}]),
        &[json!("a.png")],
        &[json!("a.txt"), json!("a.rtf")],
    );
    check_leaf(
        json!([{"anything-but": {"equals-ignore-case": ["initializing", "stopped"]}}]),
        &[json!("running")],
        &[json!("STOPPED"), json!("Initializing")],
    );
    check_leaf(
        json!([{"anything-but": {"wildcard": "*/lib/*"}}]),
        &[json!("/bin/sh")],
        &[json!("/usr/lib/x")],
    );
    check_leaf(
        json!([{"anything-but": "a"}, "a"]),
        &[json!("a"), json!("b")],
        &[],
    );
}

#[test]
fn numeric() {
    check_leaf(
        json!([{"numeric": [">", 0, "<=", 5]}]),
        &[json!(5), json!(0.1), json!(5.0), json!([9, 1])],
        &[json!(0), json!(5.01), json!("3"), json!(null), json!(true)],
    );
    check_leaf(
        json!([{"numeric": ["=", 3.018e2]}]),
        &[json!(301.8)],
        &[json!(301), json!(302)],
    );
    check_leaf(
        json!([{"numeric": ["=", 5]}]),
        &[json!(5), json!(5.0)],
        &[json!(6)],
    );
    check_leaf(
        json!([{"numeric": ["<", 10]}]),
        &[json!(-3), json!(9.99)],
        &[json!(10)],
    );
    check_leaf(
        json!([{"numeric": [">=", -5.0e9]}]),
        &[json!(-5_000_000_000_i64), json!(6e12)],
        &[json!(-6e12)],
    );
}

#[test]
fn exists_sees_leaves_only() {
    check_leaf(
        json!([{"exists": true}]),
        &[json!(""), json!(null), json!(0), json!([1])],
        &[json!({"z": 1}), json!([])],
    );
    check_leaf(
        json!([{"exists": false}]),
        &[json!({"z": 1}), json!([])],
        &[json!(""), json!(null)],
    );
    check(
        json!({"detail": {"stopCode": [{"exists": false}]}}),
        &[json!({"detail": {}}), json!({}), json!({"detail": 5})],
        &[spot_stop()],
    );
    check(
        json!({"a": {"b": [{"exists": false}]}}),
        &[json!({"a": [{"c": 1}]}), json!({"a": []})],
        &[json!({"a": [{"c": 1}, {"b": 2}]})],
    );
    check(
        json!({"a": {"b": [{"exists": false}], "c": [1]}}),
        &[json!({"a": [{"c": 1}, {"b": 2}]})],
        &[json!({"a": [{"c": 1, "b": 2}]})],
    );
    check_leaf(
        json!([{"exists": false}, "none"]),
        &[json!("none"), json!([])],
        &[json!("some")],
    );
}

#[test]
fn wildcards() {
    check_leaf(
        json!([{"wildcard": "arn:*:service/*/web"}]),
        &[
            json!("arn:aws:ecs:r:a:service/c/web"),
            json!("arn::service//web"),
        ],
        &[
            json!("arn:aws:service/web"),
            json!("arn:aws:service/c/web2"),
            json!(5),
        ],
    );
    check_leaf(
        json!([{"wildcard": "*"}]),
        &[json!(""), json!("anything")],
        &[json!(null)],
    );
    check_leaf(
        json!([{"wildcard": "plain"}]),
        &[json!("plain")],
        &[json!("plain ")],
    );
    check_leaf(
        json!([{"wildcard": "a*a"}]),
        &[json!("aa"), json!("aba"), json!("aaa")],
        &[json!("a")],
    );
    check_leaf(
        json!([{"wildcard": "*ab*ab"}]),
        &[json!("abab"), json!("xababab")],
        &[json!("ab"), json!("aba")],
    );
    check_leaf(
        json!([{"wildcard": "a\\*\\\\*"}]),
        &[json!("a*\\"), json!("a*\\z")],
        &[json!("ab\\")],
    );
}

#[test]
fn one_branch_of_or_must_match() {
    check(
        json!({"source": ["aws.cloudwatch"], "$or": [{"detail": {"metric": ["CPU"]}}, {"detail": {"namespace": ["AWS/ECS"], "state": [{"exists": true}]}}]}),
        &[
            json!({"source": "aws.cloudwatch", "detail": {"metric": "CPU"}}),
            json!({"source": "aws.cloudwatch", "detail": {"namespace": "AWS/ECS", "state": "OK"}}),
        ],
        &[
            json!({"source": "aws.cloudwatch", "detail": {"namespace": "AWS/ECS"}}),
            json!({"source": "aws.ecs", "detail": {"metric": "CPU"}}),
        ],
    );
    check(
        json!({"detail": {"$or": [{"c-count": [{"numeric": [">", 0, "<=", 5]}]}, {"d-count": [{"numeric": ["<", 10]}]}, {"x-limit": [{"numeric": ["=", 3.018e2]}]}]}}),
        &[
            json!({"detail": {"c-count": 1}}),
            json!({"detail": {"c-count": 9, "d-count": 9}}),
            json!({"detail": {"x-limit": 301.8}}),
        ],
        &[
            json!({"detail": {"c-count": 6, "d-count": 10}}),
            json!({"detail": {}}),
        ],
    );
}

#[test]
fn faults_name_their_path() {
    refused(json!("aws.ecs"), "$", "JSON object");
    refused(json!([]), "$", "JSON object");
    refused(json!({}), "$", "must have a field");
    refused(json!({"source": "aws.ecs"}), "source", "array of values");
    refused(json!({"source": null}), "source", "array of values");
    refused(
        json!({"detail": {"a": {}}}),
        "detail.a",
        "must have a field",
    );
    refused(
        json!({"detail": {"a": []}}),
        "detail.a",
        "must have a value",
    );
    refused(
        json!({"detail": {"a": [["b"]]}}),
        "detail.a",
        "content filter",
    );
    refused(json!({"detail": {"a": [{}]}}), "detail.a", "this one has 0");
    refused(
        json!({"detail": {"a": [{"prefix": "a", "suffix": "b"}]}}),
        "detail.a",
        "this one has 2",
    );
    refused(
        json!({"detail": {"a": [{"regex": "a"}]}}),
        "detail.a",
        "no content filter `regex`",
    );
    refused(
        json!({"detail": {"ip": [{"cidr": "10.0.0.0/24"}]}}),
        "detail.ip",
        "`cidr` is not supported",
    );
    refused(json!({"a": [{"exists": "yes"}]}), "a", "true or false");
    refused(json!({"a": [{"prefix": 5}]}), "a", "a string");
    refused(
        json!({"a": [{"suffix": {"prefix": "x"}}]}),
        "a",
        "`suffix` takes",
    );
    refused(
        json!({"a": [{"equals-ignore-case": ["x"]}]}),
        "a",
        "a string",
    );
    refused(
        json!({"$or": [{"a": [1]}, {"b": {"c": 5}}]}),
        "$or.1.b.c",
        "array of values",
    );
}

#[test]
fn faulty_filters_say_what_they_take() {
    for value in [
        json!(true),
        json!(null),
        json!([]),
        json!(["a", 1]),
        json!([null]),
        json!({"numeric": ["=", 1]}),
        json!({"prefix": []}),
        json!({"cidr": "x"}),
    ] {
        refused(
            json!({"a": [{"anything-but": value}]}),
            "a",
            "`anything-but` takes",
        );
    }
    for value in [
        json!(5),
        json!([]),
        json!(["="]),
        json!(["~", 5]),
        json!(["=", "5"]),
        json!(["<", 5, ">", 0]),
        json!([">", 5, "<", 5]),
        json!([">", 0, "<", 5, "="]),
        json!(["=", 5.1e9]),
        json!([5, "="]),
    ] {
        refused(json!({"a": [{"numeric": value}]}), "a", "`numeric` takes");
    }
    for value in [json!(5), json!("a**b"), json!("a\\b"), json!("a\\")] {
        refused(json!({"a": [{"wildcard": value}]}), "a", "`wildcard` takes");
    }
    for value in [
        json!({"a": [1]}),
        json!([]),
        json!([{"a": [1]}]),
        json!(["x", "y"]),
    ] {
        refused(json!({"$or": value}), "$or", "two or more objects");
    }
}

#[test]
fn or_combinations_are_bounded() {
    let branches = |count: usize| -> Value {
        (0..count)
            .map(|index| json!({format!("f{index}"): [index]}))
            .collect()
    };
    let pattern = |second: usize| json!({"$or": branches(10), "a": {"$or": branches(10), "b": {"$or": branches(second)}}});
    assert!(Pattern::parse(&pattern(10)).is_ok());
    refused(pattern(11), "$", "1100 combinations");
}
