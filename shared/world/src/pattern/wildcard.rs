//! The content filter `wildcard`: `*` stands for any characters, `\*` and `\\` for themselves.

/// A wildcard, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// What stands before the first `*`.
    head: String,
    /// What stands after each `*`, in order; empty when there is no `*`.
    tails: Vec<String>,
}

impl Wildcard {
    /// Reads a wildcard. The error is what the filter takes instead.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut head = String::new();
        let mut tails: Vec<String> = Vec::new();
        let mut after_star = false;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' if after_star => return Err("a string without two `*` in a row"),
                '*' => {
                    after_star = true;
                    tails.push(String::new());
                    continue;
                }
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => escaped,
                    Some(_) | None => {
                        return Err("a string in which `\\` stands before `*` or `\\` only");
                    }
                },
                other => other,
            };
            after_star = false;
            tails.last_mut().unwrap_or(&mut head).push(literal);
        }
        Ok(Self { head, tails })
    }

    /// Whether the whole text is of this form.
    pub(super) fn matches(&self, text: &str) -> bool {
        let Some((last, middle)) = self.tails.split_last() else {
            return text == self.head;
        };
        let Some(mut rest) = text.strip_prefix(self.head.as_str()) else {
            return false;
        };
        // The earliest place for each middle part leaves the most room for those behind it.
        for part in middle {
            match rest.split_once(part.as_str()) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tries every split of the text at each `*`: slow, and obviously right.
    fn matches_by_trying(wildcard: &[char], text: &[char]) -> bool {
        match (wildcard, text) {
            ([], text) => text.is_empty(),
            (['*', behind @ ..], text) => {
                (0..=text.len()).any(|skipped| matches_by_trying(behind, &text[skipped..]))
            }
            (['\\', literal, behind @ ..], [first, rest @ ..])
            | ([literal, behind @ ..], [first, rest @ ..]) => {
                literal == first && matches_by_trying(behind, rest)
            }
            ([_, ..], []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_wildcard_matches_what_some_split_of_the_text_matches(
            // Few letters, so that parts overlap and repeat.
            wildcard in r"([ab]|\\\*|\\\\|\*){0,8}",
            text in r"[ab*\\]{0,12}",
        ) {
            let characters: Vec<char> = wildcard.chars().collect();
            let text_characters: Vec<char> = text.chars().collect();
            match Wildcard::parse(&wildcard) {
                Ok(parsed) => prop_assert_eq!(
                    parsed.matches(&text),
                    matches_by_trying(&characters, &text_characters),
                    "{:?} against {:?}", wildcard, text
                ),
                Err(why) => prop_assert!(wildcard.contains("**"), "{:?}: {}", wildcard, why),
            }
        }
    }
}
