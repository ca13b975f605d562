//! Laws: expressions mean what they say, nothing is guessed, what is written is read back, and no text breaks the reader.

use std::collections::BTreeSet;

use placement::query::{Facts, Unlisted, Verdict, matches, parse};
use proptest::prelude::*;

use crate::known;
use crate::random::{Has, NAMES, POSSIBLE, VALUES, has, meaning, observed, tree, written};

#[test]
fn the_values_are_sorted() {
    assert!(
        VALUES.is_sorted(),
        "the oracle compares places instead of texts"
    );
}

/// Every instance that agrees with what is seen.
fn completions(instance: [Has; 3], is_hidden: [bool; 3]) -> Vec<[Has; 3]> {
    let choices = |at: usize| {
        if is_hidden[at] {
            POSSIBLE.to_vec()
        } else {
            vec![instance[at]]
        }
    };
    let mut all = Vec::new();
    for x in choices(0) {
        for y in choices(1) {
            for z in choices(2) {
                all.push([x, y, z]);
            }
        }
    }
    all
}

/// Pieces of the language in no order.
fn soup() -> impl Strategy<Value = String> {
    let pieces = vec![
        "attribute:a",
        "agentVersion",
        "task:group",
        "registeredAt",
        "==",
        "=~",
        "!~",
        "!",
        "!in",
        "!exists",
        "in",
        "exists",
        "not",
        "and",
        "or",
        "&&",
        "||",
        "(",
        ")",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "1.2.3",
        "2018-02-13",
        "x",
        "t2.*",
        "[a-z]{2}",
        "\\",
        "(?i)",
        "é",
        "\u{2028}",
        " ",
        "\t",
    ];
    prop::collection::vec((prop::sample::select(pieces), any::<bool>()), 0..40).prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, space)| format!("{piece}{}", if space { " " } else { "" }))
            .collect()
    })
}

/// Whatever can be read is written so that it is read as the same, and written the same again.
fn round_trip(text: &str) -> Result<(), TestCaseError> {
    if let Ok(expression) = parse(text) {
        let back = expression.to_string();
        let again = parse(&back);
        prop_assert_eq!(Ok(&expression), again.as_ref(), "{} from {:?}", back, text);
        prop_assert_eq!(parse(&back).unwrap().to_string(), back);
        let _ = matches(&expression, &known(&crate::attributes("a=x")));
    }
    Ok(())
}

proptest! {
    #[test]
    fn expressions_mean_what_they_say(tree in tree(), instance in [has(), has(), has()]) {
        let attributes = observed(instance, [false; 3]);
        let text = written(&tree);
        let want = if meaning(&tree, instance) { Verdict::Yes } else { Verdict::No };
        prop_assert_eq!(matches(&parse(&text).unwrap(), &known(&attributes)), want, "{}", text);
    }

    #[test]
    fn a_verdict_holds_whatever_the_unknown_may_be(
        tree in tree(),
        instance in [has(), has(), has()],
        is_hidden in [any::<bool>(), any::<bool>(), any::<bool>()],
    ) {
        let attributes = observed(instance, is_hidden);
        let hidden: BTreeSet<String> =
            NAMES.iter().zip(is_hidden).filter(|(_, is_hidden)| *is_hidden).map(|(name, _)| (*name).to_owned()).collect();
        let facts = Facts { unlisted: Unlisted::AbsentExcept(&hidden), ..known(&attributes) };
        let text = written(&tree);
        let possible: BTreeSet<bool> =
            completions(instance, is_hidden).into_iter().map(|instance| meaning(&tree, instance)).collect();
        match matches(&parse(&text).unwrap(), &facts) {
            Verdict::Yes => prop_assert_eq!(possible, BTreeSet::from([true]), "{}", text),
            Verdict::No => prop_assert_eq!(possible, BTreeSet::from([false]), "{}", text),
            Verdict::Unknown(part) => {
                prop_assert!(hidden.iter().any(|name| part.part.contains(name)), "{} in {}", part, text);
            }
        }
    }

    #[test]
    fn a_random_expression_is_written_and_read_back(tree in tree()) {
        let text = written(&tree);
        prop_assert!(parse(&text).is_ok(), "{}", text);
        round_trip(&text)?;
    }

    #[test]
    fn no_text_breaks_the_reader(text in any::<String>()) {
        round_trip(&text)?;
    }

    #[test]
    fn no_order_of_pieces_breaks_the_reader(text in soup()) {
        round_trip(&text)?;
    }

    #[test]
    fn no_pattern_breaks_the_reader(pattern in "[ab.*+?{}\\[\\]()|^$\\\\,0-9&~dwsp:=!<>-]{0,24}", value in "[ab]{0,4}") {
        let attributes = [("a".to_owned(), Some(value))].into();
        let text = format!("attribute:a =~ '{pattern}'");
        round_trip(&text)?;
        if let Ok(expression) = parse(&text) {
            let is_refused = !expression.unsupported().is_empty();
            let is_unknown = matches!(matches(&expression, &known(&attributes)), Verdict::Unknown(_));
            prop_assert_eq!(is_refused, is_unknown);
        }
    }
}
