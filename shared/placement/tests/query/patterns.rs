//! The patterns of `=~`: what is understood, what is refused, and a matcher of the test's own to compare with.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use placement::query::{Cause, Expression, Unlisted, parse};
use proptest::prelude::*;

use crate::{attributes, known, verdict};

fn refusals(expression: &Expression) -> String {
    expression
        .unsupported()
        .iter()
        .map(|part| match &part.cause {
            Cause::Pattern { part } => part.clone(),
            Cause::TaskGroup | Cause::EqualTimes | Cause::NumbersOrTexts | Cause::NotKnown => {
                format!("{:?}", part.cause)
            }
        })
        .collect()
}

/// Each pattern, and the part of it that is refused.
fn check_refused(patterns: &[&str], want: Expect) {
    let lines: String = patterns
        .iter()
        .map(|pattern| {
            let expression = parse(&format!("attribute:a =~ \"{pattern}\"")).unwrap();
            format!("{pattern}  ->  {}\n", refusals(&expression))
        })
        .collect();
    want.assert_eq(&lines);
}

#[test]
fn a_pattern_matches_the_whole_value() {
    let attributes = attributes("t=c5.2xlarge");
    for (pattern, want) in [
        ("c5.*", "yes"),
        ("c5", "no"),
        (".*xlarge", "yes"),
        ("xlarge", "no"),
        ("^c5.*$", "yes"),
        ("c5|m5", "no"),
        ("m5.*|c5.*", "yes"),
        ("[cm][56].[0-9]+xlarge", "yes"),
        ("[^cm]5.*", "no"),
        (r"c5\.\dx\w+", "yes"),
        (r"c5\-.*", "no"),
        ("c{1}5.{3,20}", "yes"),
        ("c5.*?", "yes"),
        ("'(c|m)(?:5|6).*'", "yes"),
        ("c5[-.]2.*", "yes"),
        ("c5[.-]2.*", "yes"),
        ("C5.*", "no"),
    ] {
        assert_eq!(
            verdict(&format!("attribute:t =~ {pattern}"), &known(&attributes)),
            want,
            "{pattern}"
        );
        let opposite = if want == "yes" { "no" } else { "yes" };
        assert_eq!(
            verdict(&format!("attribute:t !~ {pattern}"), &known(&attributes)),
            opposite,
            "{pattern}"
        );
    }
}

#[test]
fn what_is_not_understood_of_a_pattern_is_named() {
    check_refused(
        &[
            "(?i)t2.*",
            "(?=t2).*",
            "(?<name>t2)",
            "t2.*+",
            "t2.**",
            "*",
            "a|*",
            "^*",
            "a{",
            "a{x}",
            "a{101}",
            "a{3,2}",
            r"\bt2",
            r"\p{Alpha}",
            r"(t)\1",
            r"\Qt2\E",
            "t2\\\\",
            "[a-z&&[aeiou]]",
            "[a-c-e]",
            "[z-a]",
            r"[a-\d]",
            "[]a]",
            "[a",
            "a]",
            "a}",
            "(a",
            "a)",
            "t2\\",
            "((((((((((a{100}){100}){100}){100}){100}){100}){100}){100}){100}){100})",
        ],
        expect![[r#"
            (?i)t2.*  ->  (?i
            (?=t2).*  ->  (?=
            (?<name>t2)  ->  (?<
            t2.*+  ->  *+
            t2.**  ->  **
            *  ->  *
            a|*  ->  *
            ^*  ->  *
            a{  ->  {
            a{x}  ->  {x}
            a{101}  ->  {101}
            a{3,2}  ->  {3,2}
            \bt2  ->  \b
            \p{Alpha}  ->  \p
            (t)\1  ->  \1
            \Qt2\E  ->  \Q
            t2\\  ->  
            [a-z&&[aeiou]]  ->  […&
            [a-c-e]  ->  […-
            [z-a]  ->  […z-a
            [a-\d]  ->  […a-\
            []a]  ->  […]
            [a  ->  [
            a]  ->  ]
            a}  ->  }
            (a  ->  (
            a)  ->  )
            t2\  ->  \
            ((((((((((a{100}){100}){100}){100}){100}){100}){100}){100}){100}){100})  ->  ((((((((((a{100}){100}){100}){100}){100}){100}){100}){100}){100}){100})
        "#]],
    );
}

#[test]
fn a_refused_pattern_matters_only_where_it_decides() {
    let attributes = attributes("stack=prod");
    let mut facts = known(&attributes);
    assert_eq!(
        verdict("attribute:stack == prod or attribute:t =~ '(?i)X'", &facts),
        "yes"
    );
    assert_eq!(
        verdict("attribute:stack == dev and attribute:t =~ '(?i)X'", &facts),
        "no"
    );
    let refused = "`attribute:t =~ '(?i)X'` cannot be decided: `(?i` in a pattern is not supported";
    assert_eq!(
        verdict("attribute:stack == prod and attribute:t =~ '(?i)X'", &facts),
        refused
    );
    facts.unlisted = Unlisted::Unknown;
    assert_eq!(verdict("attribute:t =~ '(?i)X'", &facts), refused);
}

/// A pattern of the test's own.
#[derive(Debug, Clone)]
enum Tree {
    Character(char),
    Any,
    OneOf(Vec<char>, bool),
    Then(Box<Tree>, Box<Tree>),
    Either(Box<Tree>, Box<Tree>),
    Repeated(Box<Tree>, u32, Option<u32>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let character = prop::sample::select(vec!['a', 'b', '.', '-', '5']);
    let leaf = prop_oneof![
        character.clone().prop_map(Tree::Character),
        Just(Tree::Any),
        (prop::collection::vec(character, 1..4), any::<bool>())
            .prop_map(|(members, negated)| Tree::OneOf(members, negated)),
    ];
    leaf.prop_recursive(4, 12, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone()
                .prop_map(|(a, b)| Tree::Then(Box::new(a), Box::new(b))),
            pair.prop_map(|(a, b)| Tree::Either(Box::new(a), Box::new(b))),
            (inner, 0..3_u32, prop::option::of(0..3_u32)).prop_map(|(inner, least, more)| {
                Tree::Repeated(Box::new(inner), least, more.map(|more| least + more))
            }),
        ]
    })
}

fn written(tree: &Tree) -> String {
    let escaped = |character: &char| match character {
        '.' | '-' => format!("\\{character}"),
        character => character.to_string(),
    };
    match tree {
        Tree::Character(character) => escaped(character),
        Tree::Any => ".".to_owned(),
        Tree::OneOf(members, negated) => {
            let members: String = members.iter().map(escaped).collect();
            format!("[{}{members}]", if *negated { "^" } else { "" })
        }
        Tree::Then(a, b) => format!("{}{}", written(a), written(b)),
        Tree::Either(a, b) => format!("({}|{})", written(a), written(b)),
        Tree::Repeated(inner, 0, None) => format!("(?:{})*", written(inner)),
        Tree::Repeated(inner, 1, None) => format!("({})+", written(inner)),
        Tree::Repeated(inner, 0, Some(1)) => format!("({})?", written(inner)),
        Tree::Repeated(inner, least, None) => format!("({}){{{least},}}", written(inner)),
        Tree::Repeated(inner, least, Some(most)) => {
            format!("({}){{{least},{most}}}", written(inner))
        }
    }
}

/// Where a match that begins at `at` may end: plain sets of places, no automaton.
fn ends(tree: &Tree, value: &[char], at: usize) -> BTreeSet<usize> {
    let one = |passes: bool| passes.then_some(at + 1).into_iter().collect();
    let here = value.get(at);
    match tree {
        Tree::Character(character) => one(here == Some(character)),
        Tree::Any => one(here.is_some()),
        Tree::OneOf(members, negated) => {
            one(here.is_some_and(|here| members.contains(here) != *negated))
        }
        Tree::Then(a, b) => ends(a, value, at)
            .into_iter()
            .flat_map(|middle| ends(b, value, middle))
            .collect(),
        Tree::Either(a, b) => ends(a, value, at)
            .union(&ends(b, value, at))
            .copied()
            .collect(),
        Tree::Repeated(inner, least, most) => {
            let mut reached = BTreeSet::from([at]);
            let mut found = BTreeSet::new();
            // More rounds than characters reach nothing new.
            let rounds = most.unwrap_or(least + u32::try_from(value.len()).unwrap() + 1);
            for round in 0..=rounds {
                if round >= *least {
                    found.extend(reached.iter().copied());
                }
                reached = reached
                    .iter()
                    .flat_map(|place| ends(inner, value, *place))
                    .collect();
            }
            found
        }
    }
}

proptest! {
    #[test]
    fn the_matcher_agrees_with_a_naive_one(tree in tree(), value in "[ab.\\-5]{0,6}") {
        let attributes = [("t".to_owned(), Some(value.clone()))].into();
        let characters: Vec<char> = value.chars().collect();
        let want = if ends(&tree, &characters, 0).contains(&characters.len()) { "yes" } else { "no" };
        let text = format!("attribute:t =~ '{}'", written(&tree));
        prop_assert_eq!(verdict(&text, &known(&attributes)), want, "{} on {:?}", text, value);
    }
}
