//! The rule of a composite alarm.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html>

use crate::state::AlarmState;

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 32;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rule {
    Always(bool),
    /// An alarm, by name, is in a state.
    Is(AlarmState, String),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            rest: text.trim(),
            depth: 0,
        };
        let rule = parser.either()?;
        if parser.rest.is_empty() {
            Ok(rule)
        } else {
            Err(parser.unexpected())
        }
    }

    /// The names of the alarms that it looks at.
    pub(crate) fn alarms(&self) -> Vec<&str> {
        match self {
            Self::Always(_) => Vec::new(),
            Self::Is(_, name) => vec![name],
            Self::Not(inner) => inner.alarms(),
            Self::And(left, right) | Self::Or(left, right) => {
                let mut names = left.alarms();
                names.extend(right.alarms());
                names
            }
        }
    }

    /// Whether it is true, of alarms in these states. An alarm that is not there is in none.
    pub(crate) fn is_true(&self, state_of: &impl Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Always(flag) => *flag,
            Self::Is(state, name) => state_of(name) == Some(*state),
            Self::Not(inner) => !inner.is_true(state_of),
            Self::And(left, right) => left.is_true(state_of) && right.is_true(state_of),
            Self::Or(left, right) => left.is_true(state_of) || right.is_true(state_of),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn unexpected(&self) -> String {
        let found: String = self.rest.chars().take(20).collect();
        let found = if found.is_empty() {
            "its end".to_owned()
        } else {
            format!("'{found}'")
        };
        format!("AlarmRule must not contain {found} there")
    }

    /// Takes a sign or a word if it is next; a word ends where no letter follows.
    fn takes(&mut self, word: &str) -> bool {
        let Some(head) = self.rest.get(..word.len()) else {
            return false;
        };
        let after = self.rest.get(word.len()..).unwrap_or("");
        let is_word = word.starts_with(|it: char| it.is_ascii_alphabetic());
        let goes_on = after.starts_with(|it: char| it.is_ascii_alphanumeric() || it == '_');
        if !head.eq_ignore_ascii_case(word) || (is_word && goes_on) {
            return false;
        }
        self.rest = after.trim_start();
        true
    }

    fn either(&mut self) -> Result<Rule, String> {
        let mut left = self.both()?;
        while self.takes("OR") {
            left = Rule::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Rule, String> {
        let mut left = self.one()?;
        while self.takes("AND") {
            left = Rule::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Rule, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("AlarmRule is nested too deeply".to_owned());
        }
        let rule = self.unbounded();
        self.depth -= 1;
        rule
    }

    fn unbounded(&mut self) -> Result<Rule, String> {
        if self.takes("NOT") {
            return Ok(Rule::Not(Box::new(self.one()?)));
        }
        if self.takes("(") {
            let inner = self.either()?;
            return if self.takes(")") {
                Ok(inner)
            } else {
                Err(self.unexpected())
            };
        }
        for (word, flag) in [("TRUE", true), ("FALSE", false)] {
            if self.takes(word) {
                return Ok(Rule::Always(flag));
            }
        }
        for state in AlarmState::ALL {
            if self.takes(state.as_str()) {
                return self.name().map(|name| Rule::Is(*state, name));
            }
        }
        Err(self.unexpected())
    }

    /// The name or ARN of an alarm, in parentheses.
    fn name(&mut self) -> Result<String, String> {
        if !self.takes("(") {
            return Err(self.unexpected());
        }
        let (name, after) = match self.rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"'),
            None => self.rest.find(')').map(|end| self.rest.split_at(end)),
        }
        .ok_or_else(|| self.unexpected())?;
        let name = name.trim();
        // An ARN ends in the name, which may hold colons itself.
        let short = name
            .strip_prefix("arn:")
            .and_then(|it| it.split_once(":alarm:"))
            .map_or(name, |it| it.1)
            .to_owned();
        self.rest = after.trim_start();
        if short.is_empty() || !self.takes(")") {
            return Err(self.unexpected());
        }
        Ok(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alarms whose names begin with `a` are in ALARM, those with `o` in OK, those with `i` have insufficient data.
    fn check(text: &str, wanted: bool) {
        let rule = Rule::parse(text).unwrap();
        let state_of = |name: &str| match name.chars().next() {
            Some('a') => Some(AlarmState::Alarm),
            Some('o') => Some(AlarmState::Ok),
            Some('i') => Some(AlarmState::InsufficientData),
            _ => None,
        };
        assert_eq!(rule.is_true(&state_of), wanted, "{text}");
    }

    #[test]
    fn rules_are_what_they_say() {
        check("ALARM(a1)", true);
        check("ALARM(\"a name (with) signs\")", true);
        check(
            "ALARM(arn:aws:cloudwatch:us-west-2:111122223333:alarm:a:1)",
            true,
        );
        check("OK(a1)", false);
        check("INSUFFICIENT_DATA(i1) AND OK(o1)", true);
        check("ALARM(o1) OR OK(o1) AND ALARM(o2)", false);
        check("(ALARM(o1) OR OK(o1)) AND ALARM(a2)", true);
        check("NOT ALARM(x)", true);
        check("NOT (TRUE AND NOT FALSE)", false);
        check("true", true);
        let rule = Rule::parse("ALARM(a1) AND NOT (OK(o1) OR ALARM(a2))").unwrap();
        assert_eq!(rule.alarms(), ["a1", "o1", "a2"]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "ALARM",
            "ALARM()",
            "ALARM(a",
            "ALARM(a) OK(b)",
            "ALARM(a) AND",
            "NOT",
            "(TRUE",
            "WARNING(a)",
            "TRUEISH",
        ] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
        let deep = "NOT ".repeat(1_000) + "TRUE";
        assert!(Rule::parse(&deep).unwrap_err().contains("too deeply"));
    }
}
