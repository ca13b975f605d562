//! What an operator reads when a constraint is not understood.

use expect_test::{Expect, expect};
use placement::query::{DEPTH_MAX, EXPRESSION_LENGTH_MAX, parse};

/// Each text and its error, one pair of lines each.
fn check(texts: &[&str], want: Expect) {
    let lines: String = texts
        .iter()
        .map(|text| format!("{text}\n  {}\n", parse(text).unwrap_err()))
        .collect();
    want.assert_eq(&lines);
}

#[test]
fn faults_of_form_name_the_position_and_what_was_expected() {
    check(
        &[
            "stack == prod",
            "attribute: == prod",
            "attribute:st@ck == prod",
            "Attribute:stack == prod",
            "'attribute:stack' == prod",
            "attribute:stack",
            "attribute:stack prod",
            "attribute:stack = prod",
            "attribute:stack ! exists",
            "attribute:stack !existsnot",
        ],
        expect![[r#"
            stack == prod
              character 1: expected a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, `runningTasksCount` or `task:group`), found `stack`
            attribute: == prod
              character 1: expected an attribute's name (1 to 128 letters, digits and signs of `-_./\`), found `attribute:`
            attribute:st@ck == prod
              character 1: expected an attribute's name (1 to 128 letters, digits and signs of `-_./\`), found `attribute:st@ck`
            Attribute:stack == prod
              character 1: expected a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, `runningTasksCount` or `task:group`), found `Attribute:stack`
            'attribute:stack' == prod
              character 1: expected a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, `runningTasksCount` or `task:group`), found `'attribute:stack'`
            attribute:stack
              character 16: expected an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`), found the end
            attribute:stack prod
              character 17: expected an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`), found `prod`
            attribute:stack = prod
              character 17: expected an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`), found `=`
            attribute:stack ! exists
              character 17: expected an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`), found `!`
            attribute:stack !existsnot
              character 17: expected an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`), found `!`
        "#]],
    );
}

#[test]
fn faults_behind_an_operator_are_named_too() {
    check(
        &[
            "attribute:stack ==",
            "attribute:stack == and attribute:team == web",
            "attribute:stack == prod AND attribute:team == web",
            "attribute:stack == prod team",
            "attribute:stack == 'prod",
            "attribute:stack == prod & attribute:team == web",
            "attribute:stack in prod",
            "attribute:stack in []",
            "attribute:stack in [a b]",
            "attribute:stack in [a,",
            "attribute:stack =~",
            "attribute:stack =~ or attribute:team exists",
            "(attribute:stack exists",
            "attribute:stack exists)",
            "()",
            "not",
            "attribute:größe == 'ä'",
        ],
        expect![[r#"
            attribute:stack ==
              character 19: expected a value, found the end
            attribute:stack == and attribute:team == web
              character 20: expected a value, found `and`
            attribute:stack == prod AND attribute:team == web
              character 25: expected `and`, `or` or the end, found `AND`
            attribute:stack == prod team
              character 25: expected `and`, `or` or the end, found `team`
            attribute:stack == 'prod
              character 20: the quotation mark has no partner
            attribute:stack == prod & attribute:team == web
              character 25: expected a word, a value in quotation marks or an operator, found `&`
            attribute:stack in prod
              character 20: expected a list in brackets, found `prod`
            attribute:stack in []
              character 21: expected a value, found `]`
            attribute:stack in [a b]
              character 23: expected `,` or `]`, found `b`
            attribute:stack in [a,
              character 23: expected a value, found the end
            attribute:stack =~
              character 19: expected a pattern, found the end
            attribute:stack =~ or attribute:team exists
              character 20: expected a pattern, found `or`
            (attribute:stack exists
              character 24: expected `and`, `or` or `)`, found the end
            attribute:stack exists)
              character 23: expected `and`, `or` or the end, found `)`
            ()
              character 2: expected a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, `runningTasksCount` or `task:group`), found `)`
            not
              character 4: expected a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, `runningTasksCount` or `task:group`), found the end
            attribute:größe == 'ä'
              character 1: expected an attribute's name (1 to 128 letters, digits and signs of `-_./\`), found `attribute:größe`
        "#]],
    );
}

#[test]
fn an_empty_text_is_no_expression() {
    for text in ["", " ", "\t\n"] {
        let error = parse(text).unwrap_err().to_string();
        assert_eq!(error, "the expression is empty", "{text:?}");
    }
}

#[test]
fn a_control_character_is_not_repeated() {
    let error = parse("attribute:a == 'größe' or\u{7}").unwrap_err();
    assert_eq!(
        error.to_string(),
        "character 26: expected a word, a value in quotation marks or an operator, found `\u{fffd}`"
    );
}

#[test]
fn a_subject_says_what_it_takes() {
    check(
        &[
            "agentConnected > true",
            "agentConnected exists",
            "agentConnected == yes",
            "agentConnected in [true, maybe]",
            "agentVersion in [1.14.5]",
            "agentVersion < latest",
            "agentVersion < 1.2.3.4.5",
            "ec2InstanceId >= i-1",
            "registeredAt < yesterday",
            "registeredAt < 2018-02-30",
            "registeredAt !exists",
            "runningTasksCount == +1",
            "runningTasksCount == 'many tasks'",
            "runningTasksCount =~ 1.*",
        ],
        expect![[r#"
            agentConnected > true
              character 16: `agentConnected` does not take `>`: use `==`, `!=`, `in`, `!in`, `=~` or `!~`
            agentConnected exists
              character 16: `agentConnected` does not take `exists`: use `==`, `!=`, `in`, `!in`, `=~` or `!~`
            agentConnected == yes
              character 19: `agentConnected` is not compared with `yes`: use `true` or `false`
            agentConnected in [true, maybe]
              character 19: `agentConnected` is not compared with `maybe`: use `true` or `false`
            agentVersion in [1.14.5]
              character 14: `agentVersion` does not take `in`: use `==`, `!=`, `>`, `>=`, `<` or `<=`
            agentVersion < latest
              character 16: `agentVersion` is not compared with `latest`: use whole numbers between periods, such as 1.14.5
            agentVersion < 1.2.3.4.5
              character 16: `agentVersion` is not compared with `1.2.3.4.5`: use whole numbers between periods, such as 1.14.5
            ec2InstanceId >= i-1
              character 15: `ec2InstanceId` does not take `>=`: use `==`, `!=`, `in`, `!in`, `=~` or `!~`
            registeredAt < yesterday
              character 16: `registeredAt` is not compared with `yesterday`: use a time such as 2018-06-18T22:28:28Z or 2018-06-18
            registeredAt < 2018-02-30
              character 16: `registeredAt` is not compared with `2018-02-30`: use a time such as 2018-06-18T22:28:28Z or 2018-06-18
            registeredAt !exists
              character 14: `registeredAt` does not take `!exists`: use `==`, `!=`, `>`, `>=`, `<` or `<=`
            runningTasksCount == +1
              character 22: `runningTasksCount` is not compared with `+1`: use a whole number
            runningTasksCount == 'many tasks'
              character 22: `runningTasksCount` is not compared with `'many tasks'`: use a whole number
            runningTasksCount =~ 1.*
              character 19: `runningTasksCount` does not take `=~`: use `==`, `!=`, `>`, `>=`, `<` or `<=`
        "#]],
    );
}

#[test]
fn an_expression_has_at_most_the_documented_length() {
    let long = |length: usize| format!("attribute:a == {}", "x".repeat(length - 15));
    assert!(parse(&long(EXPRESSION_LENGTH_MAX)).is_ok());
    assert_eq!(
        parse(&long(EXPRESSION_LENGTH_MAX + 1))
            .unwrap_err()
            .to_string(),
        "the expression has 2001 characters, at most 2000 are allowed"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |open: &str, close: &str, depth: usize| {
        format!(
            "{}attribute:a exists{}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for (open, close) in [("(", ")"), ("not ", ""), ("!", "")] {
        assert!(parse(&nested(open, close, DEPTH_MAX)).is_ok());
        let error = parse(&nested(open, close, DEPTH_MAX + 1))
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("nested deeper than 32"), "{error}");
    }
}
