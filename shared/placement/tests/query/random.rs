//! Random expressions of the test's own: how they are written, and what they mean.

use std::collections::BTreeMap;

use proptest::prelude::*;

/// The attributes that conditions ask for, and the values that they may have.
pub(crate) const NAMES: [&str; 3] = ["x", "ecs.y", "z-z"];
pub(crate) const VALUES: [&str; 4] = ["a", "ab", "b", "two words"];

/// What an instance has under a name: nothing, the bare attribute, or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Has {
    Nothing,
    Bare,
    Value(usize),
}

pub(crate) const POSSIBLE: [Has; 6] = [
    Has::Nothing,
    Has::Bare,
    Has::Value(0),
    Has::Value(1),
    Has::Value(2),
    Has::Value(3),
];

pub(crate) fn has() -> impl Strategy<Value = Has> {
    prop::sample::select(POSSIBLE.to_vec())
}

/// One condition: which attribute, which operator in which spelling, which values.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    name: usize,
    operator: usize,
    values: Vec<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Asked(Asked),
    Not(Box<Tree>, bool),
    And(Box<Tree>, Box<Tree>, bool),
    Or(Box<Tree>, Box<Tree>, bool),
}

const OPERATORS: [&str; 24] = [
    "==",
    "equals",
    "!=",
    "not_equals",
    ">",
    "greater_than",
    ">=",
    "greater_than_equal",
    "<",
    "less_than",
    "<=",
    "less_than_equal",
    "exists",
    "exists",
    "!exists",
    "not_exists",
    "in",
    "in",
    "!in",
    "not_in",
    "=~",
    "matches",
    "!~",
    "not_matches",
];

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let asked = (
        0..NAMES.len(),
        0..OPERATORS.len(),
        prop::collection::vec(0..VALUES.len(), 1..4),
    )
        .prop_map(|(name, operator, values)| {
            Tree::Asked(Asked {
                name,
                operator,
                values,
            })
        });
    asked.prop_recursive(5, 16, 2, |inner| {
        let pair = (inner.clone(), inner.clone(), any::<bool>());
        prop_oneof![
            (inner, any::<bool>()).prop_map(|(inner, sign)| Tree::Not(Box::new(inner), sign)),
            pair.clone()
                .prop_map(|(a, b, sign)| Tree::And(Box::new(a), Box::new(b), sign)),
            pair.prop_map(|(a, b, sign)| Tree::Or(Box::new(a), Box::new(b), sign)),
        ]
    })
}

/// How tightly a part binds: an alternative 0, a conjunction 1, the rest 2.
fn tightness(tree: &Tree) -> u8 {
    match tree {
        Tree::Or(..) => 0,
        Tree::And(..) => 1,
        Tree::Asked(_) | Tree::Not(..) => 2,
    }
}

/// The expression as a text, with no more parentheses than the documented words need.
pub(crate) fn written(tree: &Tree) -> String {
    let part = |part: &Tree, least: u8| {
        if tightness(part) < least {
            format!("({})", written(part))
        } else {
            written(part)
        }
    };
    match tree {
        Tree::Asked(asked) => condition(asked),
        Tree::Not(inner, sign) => format!("{}{}", if *sign { "!" } else { "not " }, part(inner, 2)),
        Tree::And(a, b, sign) => {
            format!(
                "{}{}{}",
                part(a, 1),
                if *sign { "  && " } else { " and " },
                part(b, 2)
            )
        }
        Tree::Or(a, b, sign) => {
            format!(
                "{}{}{}",
                part(a, 0),
                if *sign { " || " } else { " or\t" },
                part(b, 1)
            )
        }
    }
}

fn condition(asked: &Asked) -> String {
    let quoted: Vec<String> = asked
        .values
        .iter()
        .map(|value| format!("'{}'", VALUES[*value]))
        .collect();
    let argument = match asked.operator {
        0..=11 => quoted[0].clone(),
        12..=15 => String::new(),
        16..=19 => format!("[{}]", quoted.join(" ,")),
        // Of several values a pattern of alternatives is made.
        _ => format!(
            "'{}'",
            asked
                .values
                .iter()
                .map(|value| VALUES[*value])
                .collect::<Vec<_>>()
                .join("|")
        ),
    };
    format!(
        "attribute:{} {} {argument}",
        NAMES[asked.name], OPERATORS[asked.operator]
    )
}

/// What the expression means for an instance of which everything is known.
pub(crate) fn meaning(tree: &Tree, instance: [Has; 3]) -> bool {
    match tree {
        Tree::Asked(asked) => asked_meaning(asked, instance[asked.name]),
        Tree::Not(inner, _) => !meaning(inner, instance),
        Tree::And(a, b, _) => meaning(a, instance) & meaning(b, instance),
        Tree::Or(a, b, _) => meaning(a, instance) | meaning(b, instance),
    }
}

/// `VALUES` is sorted, so that places in it compare as the texts do.
fn asked_meaning(asked: &Asked, has: Has) -> bool {
    let first = asked.values[0];
    match (asked.operator / 2, has) {
        (6, has) => has != Has::Nothing,
        (7, has) => has == Has::Nothing,
        (_, Has::Nothing | Has::Bare) => false,
        (0, Has::Value(value)) => value == first,
        (1, Has::Value(value)) => value != first,
        (2, Has::Value(value)) => value > first,
        (3, Has::Value(value)) => value >= first,
        (4, Has::Value(value)) => value < first,
        (5, Has::Value(value)) => value <= first,
        (8 | 10, Has::Value(value)) => asked.values.contains(&value),
        (_, Has::Value(value)) => !asked.values.contains(&value),
    }
}

/// The instance in the form that is observed, without the attributes that are hidden.
pub(crate) fn observed(
    instance: [Has; 3],
    is_hidden: [bool; 3],
) -> BTreeMap<String, Option<String>> {
    NAMES
        .iter()
        .zip(instance)
        .zip(is_hidden)
        .filter(|(_, is_hidden)| !is_hidden)
        .filter_map(|((name, has), _)| match has {
            Has::Nothing => None,
            Has::Bare => Some(((*name).to_owned(), None)),
            Has::Value(value) => Some(((*name).to_owned(), Some(VALUES[value].to_owned()))),
        })
        .collect()
}
