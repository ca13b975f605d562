//! AWS's own examples, and how expressions are written back.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>

use expect_test::{Expect, expect};
use placement::query::parse;

/// Each expression, one a line, as it is written back.
fn check(texts: &[&str], want: Expect) {
    let lines: String = texts
        .iter()
        .map(|text| match parse(text) {
            Ok(expression) => format!("{expression}\n"),
            Err(error) => format!("{text}: {error}\n"),
        })
        .collect();
    want.assert_eq(&lines);
}

#[test]
fn every_published_example_is_read() {
    check(
        &[
            "attribute:ecs.instance-type == t2.small",
            "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
            "attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d",
            "task:group == service:production",
            "not(task:group == database)",
            "runningTasksCount == 1",
            "agentVersion < 1.14.5",
            "registeredAt < 2018-02-13",
            "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
        ],
        expect![[r#"
            attribute:ecs.instance-type == t2.small
            attribute:ecs.availability-zone in [us-east-1a, us-east-1b]
            attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d
            task:group == service:production
            not task:group == database
            runningTasksCount == 1
            agentVersion < 1.14.5
            registeredAt < 2018-02-13T00:00:00Z
            ec2InstanceId in [i-abcd1234, i-wxyx7890]
        "#]],
    );
}

#[test]
fn signs_and_words_are_the_same() {
    for (sign, word) in [
        ("==", "equals"),
        ("!=", "not_equals"),
        (">", "greater_than"),
        (">=", "greater_than_equal"),
        ("<", "less_than"),
        ("<=", "less_than_equal"),
        ("=~", "matches"),
        ("!~", "not_matches"),
    ] {
        let with = |operator: &str| parse(&format!("attribute:stack {operator} prod")).unwrap();
        assert_eq!(with(sign), with(word), "{sign}");
    }
    let same = |a: &str, b: &str| assert_eq!(parse(a).unwrap(), parse(b).unwrap(), "{a}");
    same("attribute:a !exists", "attribute:a not_exists");
    same("attribute:a in [x]", "attribute:a in['x' ]");
    same("attribute:a !in [x, y]", "attribute:a not_in [x,y]");
    same(
        "attribute:a==x&&attribute:b!=y",
        "attribute:a == x and attribute:b != y",
    );
    same(
        "attribute:a==x||!attribute:b exists",
        "attribute:a == x or not attribute:b exists",
    );
    same(
        "attribute:a =~ x||attribute:b exists",
        "attribute:a =~ x or attribute:b exists",
    );
    same(
        "registeredAt > 2018-06-18",
        "registeredAt > 2018-06-18T00:00:00",
    );
    same(
        "registeredAt > 2018-06-18T22:28:28Z",
        "registeredAt > 2018-06-18T22:28:28+00:00",
    );
    same("((attribute:a exists))", "attribute:a exists");
}

#[test]
fn parentheses_are_written_only_where_they_are_needed() {
    check(
        &[
            "attribute:a exists or attribute:b exists and attribute:c exists",
            "attribute:a exists or (attribute:b exists and attribute:c exists)",
            "(attribute:a exists or attribute:b exists) and attribute:c exists",
            "not attribute:a exists and attribute:b exists",
            "not (attribute:a exists and attribute:b exists)",
            "!(!(attribute:a exists))",
            "attribute:a exists and (attribute:b exists and attribute:c exists)",
            "(attribute:a exists or attribute:b exists) or attribute:c exists",
        ],
        expect![[r#"
            attribute:a exists or attribute:b exists and attribute:c exists
            attribute:a exists or attribute:b exists and attribute:c exists
            (attribute:a exists or attribute:b exists) and attribute:c exists
            not attribute:a exists and attribute:b exists
            not (attribute:a exists and attribute:b exists)
            not not attribute:a exists
            attribute:a exists and (attribute:b exists and attribute:c exists)
            (attribute:a exists or attribute:b exists) or attribute:c exists
        "#]],
    );
}

#[test]
fn quotation_marks_are_written_only_where_they_are_needed() {
    check(
        &[
            r#"attribute:a == "x""#,
            r#"attribute:a == 'two words'"#,
            r#"attribute:a == "it's""#,
            r#"attribute:a in ['and', "x,y", '']"#,
            r#"attribute:a =~ 'x(y|z)'"#,
            r#"attribute:a =~ [mc]5.*,x|y"#,
            r#"attribute:a =~ "not""#,
            r#"attribute:a == team:x/y\z@example.org"#,
        ],
        expect![[r#"
            attribute:a == x
            attribute:a == 'two words'
            attribute:a == "it's"
            attribute:a in ['and', 'x,y', '']
            attribute:a =~ 'x(y|z)'
            attribute:a =~ [mc]5.*,x|y
            attribute:a =~ 'not'
            attribute:a == team:x/y\z@example.org
        "#]],
    );
}
