//! From text to expression: recursive descent, one function a rule.

use super::argument::{self, Comparison, Literal, Version};
use super::error::QueryError;
use super::expression::{Condition, Expression, TextTest};
use super::pattern::Pattern;
use super::token::{self, Broken, Token};
use super::{DEPTH_MAX, EXPRESSION_LENGTH_MAX};

/// How much of the text an error quotes, in characters.
const QUOTED_MAX: usize = 40;
/// The longest attribute name.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Attribute.html>
const ATTRIBUTE_NAME_LENGTH_MAX: usize = 128;

const SUBJECT: &str = "a subject (`attribute:` and a name, `agentConnected`, `agentVersion`, `ec2InstanceId`, `registeredAt`, \
    `runningTasksCount` or `task:group`)";
const OPERATOR: &str = "an operator (`==`, `!=`, `>`, `>=`, `<`, `<=`, `exists`, `!exists`, `in`, `!in`, `=~` or `!~`)";
const EQUALITY_LISTS_PATTERNS: &str = "`==`, `!=`, `in`, `!in`, `=~` or `!~`";
const COMPARISONS: &str = "`==`, `!=`, `>`, `>=`, `<` or `<=`";

/// Reads an expression.
///
/// # Errors
///
/// The first fault, with its position.
pub fn parse(text: &str) -> Result<Expression, QueryError> {
    let length = text.chars().count();
    if length > EXPRESSION_LENGTH_MAX {
        return Err(QueryError::TooLong { length });
    }
    let mut parser = Parser {
        text,
        rest: text,
        depth: 0,
    };
    if parser.peek()? == Token::End {
        return Err(QueryError::Empty);
    }
    let expression = parser.or()?;
    match parser.peek()? {
        Token::End => Ok(expression),
        Token::Word(_) | Token::Quoted(_) | Token::Sign(_) => {
            Err(parser.unexpected("`and`, `or` or the end"))
        }
    }
}

/// An operator of the language.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Compare(Comparison),
    Exists,
    NotExists,
    In,
    NotIn,
    Matches,
    NotMatches,
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Expression, QueryError> {
        self.joined("or", "||", Self::and, Expression::Or)
    }

    fn and(&mut self) -> Result<Expression, QueryError> {
        self.joined("and", "&&", Self::unary, Expression::And)
    }

    /// One or more parts with a word or a sign between them.
    fn joined(
        &mut self,
        word: &str,
        sign: &'static str,
        part: fn(&mut Self) -> Result<Expression, QueryError>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, QueryError> {
        let first = part(self)?;
        let mut more = Vec::new();
        while matches!(self.peek()?, Token::Word(found) if found == word)
            || self.peek()? == Token::Sign(sign)
        {
            self.next()?;
            more.push(part(self)?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(join(more))
    }

    fn unary(&mut self) -> Result<Expression, QueryError> {
        let negates = match self.peek()? {
            Token::Word("not") | Token::Sign("!") => true,
            Token::Sign("(") => false,
            Token::End | Token::Word(_) | Token::Quoted(_) | Token::Sign(_) => {
                return self.condition().map(Expression::Condition);
            }
        };
        if self.depth >= DEPTH_MAX {
            return Err(QueryError::TooDeep {
                position: self.position(),
            });
        }
        self.next()?;
        self.depth += 1;
        let expression = if negates {
            Expression::Not(Box::new(self.unary()?))
        } else {
            let inner = self.or()?;
            self.sign(")", "`and`, `or` or `)`")?;
            inner
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn condition(&mut self) -> Result<Condition, QueryError> {
        let Token::Word(subject) = self.peek()? else {
            return Err(self.unexpected(SUBJECT));
        };
        if let Some(name) = subject.strip_prefix("attribute:") {
            if !is_attribute_name(name) {
                return Err(self.unexpected(
                    "an attribute's name (1 to 128 letters, digits and signs of `-_./\\`)",
                ));
            }
            self.next()?;
            let (operator, _) = self.operator()?;
            let test = self.text_test(operator)?;
            return Ok(Condition::Attribute {
                name: name.to_owned(),
                test,
            });
        }
        match subject {
            "agentConnected" => self.next_then(Self::agent_connected),
            "agentVersion" => self.next_then(Self::agent_version),
            "ec2InstanceId" => self.next_then(Self::ec2_instance_id),
            "registeredAt" => self.next_then(Self::registered_at),
            "runningTasksCount" => self.next_then(Self::running_tasks_count),
            "task:group" => self.next_then(|parser| {
                let (operator, _) = parser.operator()?;
                parser.text_test(operator).map(Condition::TaskGroup)
            }),
            _ => Err(self.unexpected(SUBJECT)),
        }
    }

    fn next_then(
        &mut self,
        then: fn(&mut Self) -> Result<Condition, QueryError>,
    ) -> Result<Condition, QueryError> {
        self.next()?;
        then(self)
    }

    fn agent_connected(&mut self) -> Result<Condition, QueryError> {
        let test = self.equality_list_or_pattern("agentConnected", |literal| {
            matches!(literal.as_str(), "true" | "false")
        })?;
        Ok(Condition::AgentConnected(test))
    }

    fn ec2_instance_id(&mut self) -> Result<Condition, QueryError> {
        self.equality_list_or_pattern("ec2InstanceId", |_| true)
            .map(Condition::Ec2InstanceId)
    }

    fn agent_version(&mut self) -> Result<Condition, QueryError> {
        let allowed = "whole numbers between periods, such as 1.14.5";
        let (comparison, version) = self.compared("agentVersion", allowed, Version::parse)?;
        Ok(Condition::AgentVersion(comparison, version))
    }

    fn registered_at(&mut self) -> Result<Condition, QueryError> {
        let allowed = "a time such as 2018-06-18T22:28:28Z or 2018-06-18";
        let (comparison, at) = self.compared("registeredAt", allowed, argument::moment)?;
        Ok(Condition::RegisteredAt(comparison, at))
    }

    fn running_tasks_count(&mut self) -> Result<Condition, QueryError> {
        let (comparison, count) =
            self.compared("runningTasksCount", "a whole number", argument::number)?;
        Ok(Condition::RunningTasksCount(comparison, count))
    }

    /// A comparison with a value of the subject's own kind.
    fn compared<T>(
        &mut self,
        subject: &'static str,
        allowed: &'static str,
        read: fn(&str) -> Option<T>,
    ) -> Result<(Comparison, T), QueryError> {
        let position = self.position();
        let (operator, written) = self.operator()?;
        let Operator::Compare(comparison) = operator else {
            return Err(QueryError::OperatorNotAllowed {
                position,
                subject,
                operator: written.to_owned(),
                allowed: COMPARISONS,
            });
        };
        let (position, found) = (self.position(), self.found());
        let literal = self.literal()?;
        match read(literal.as_str()) {
            Some(value) => Ok((comparison, value)),
            None => Err(QueryError::BadArgument {
                position,
                subject,
                found,
                allowed,
            }),
        }
    }

    fn equality_list_or_pattern(
        &mut self,
        subject: &'static str,
        is_allowed: fn(&Literal) -> bool,
    ) -> Result<TextTest, QueryError> {
        let position = self.position();
        let (operator, written) = self.operator()?;
        match operator {
            Operator::Compare(Comparison::Equal | Comparison::NotEqual)
            | Operator::In
            | Operator::NotIn
            | Operator::Matches
            | Operator::NotMatches => {}
            Operator::Compare(
                Comparison::Greater
                | Comparison::GreaterEqual
                | Comparison::Less
                | Comparison::LessEqual,
            )
            | Operator::Exists
            | Operator::NotExists => {
                return Err(QueryError::OperatorNotAllowed {
                    position,
                    subject,
                    operator: written.to_owned(),
                    allowed: EQUALITY_LISTS_PATTERNS,
                });
            }
        }
        let position = self.position();
        let test = self.text_test(operator)?;
        let literals = match &test {
            TextTest::Compare(_, literal) => std::slice::from_ref(literal),
            TextTest::In(list) | TextTest::NotIn(list) => list.as_slice(),
            TextTest::Exists
            | TextTest::NotExists
            | TextTest::Matches(_)
            | TextTest::NotMatches(_) => &[],
        };
        if let Some(literal) = literals.iter().find(|literal| !is_allowed(literal)) {
            return Err(QueryError::BadArgument {
                position,
                subject,
                found: quoted(&literal.to_string()),
                allowed: "`true` or `false`",
            });
        }
        Ok(test)
    }

    /// The operator, and how it was written.
    fn operator(&mut self) -> Result<(Operator, &'a str), QueryError> {
        let before = self.rest;
        let Ok(token) = self.peek() else {
            return Err(self.unexpected(OPERATOR));
        };
        let operator = match token {
            Token::Sign("==") | Token::Word("equals") => Operator::Compare(Comparison::Equal),
            Token::Sign("!=") | Token::Word("not_equals") => {
                Operator::Compare(Comparison::NotEqual)
            }
            Token::Sign(">") | Token::Word("greater_than") => {
                Operator::Compare(Comparison::Greater)
            }
            Token::Sign(">=") | Token::Word("greater_than_equal") => {
                Operator::Compare(Comparison::GreaterEqual)
            }
            Token::Sign("<") | Token::Word("less_than") => Operator::Compare(Comparison::Less),
            Token::Sign("<=") | Token::Word("less_than_equal") => {
                Operator::Compare(Comparison::LessEqual)
            }
            Token::Word("exists") => Operator::Exists,
            Token::Word("not_exists") => Operator::NotExists,
            Token::Word("in") => Operator::In,
            Token::Word("not_in") => Operator::NotIn,
            Token::Sign("=~") | Token::Word("matches") => Operator::Matches,
            Token::Sign("!~") | Token::Word("not_matches") => Operator::NotMatches,
            Token::Sign("!") => return self.negated_operator(),
            Token::End | Token::Word(_) | Token::Quoted(_) | Token::Sign(_) => {
                return Err(self.unexpected(OPERATOR));
            }
        };
        self.next()?;
        Ok((operator, self.consumed(before)))
    }

    /// `!exists` or `!in`, in one piece.
    fn negated_operator(&mut self) -> Result<(Operator, &'a str), QueryError> {
        let before = self.rest;
        for (written, operator) in [("!exists", Operator::NotExists), ("!in", Operator::NotIn)] {
            if let Some(rest) = before.strip_prefix(written)
                && !token::goes_on(rest)
            {
                self.rest = rest.trim_start();
                return Ok((operator, self.consumed(before)));
            }
        }
        Err(self.unexpected(OPERATOR))
    }

    fn text_test(&mut self, operator: Operator) -> Result<TextTest, QueryError> {
        Ok(match operator {
            Operator::Compare(comparison) => TextTest::Compare(comparison, self.literal()?),
            Operator::Exists => TextTest::Exists,
            Operator::NotExists => TextTest::NotExists,
            Operator::In => TextTest::In(self.list()?),
            Operator::NotIn => TextTest::NotIn(self.list()?),
            Operator::Matches => TextTest::Matches(self.pattern()?),
            Operator::NotMatches => TextTest::NotMatches(self.pattern()?),
        })
    }

    fn literal(&mut self) -> Result<Literal, QueryError> {
        let literal = match self.peek()? {
            Token::Word(word) if !token::is_joining(word) => Literal::new(word),
            Token::Quoted(text) => Literal::new(text),
            Token::End | Token::Word(_) | Token::Sign(_) => return Err(self.unexpected("a value")),
        };
        self.next()?;
        Ok(literal)
    }

    fn list(&mut self) -> Result<Vec<Literal>, QueryError> {
        self.sign("[", "a list in brackets")?;
        let mut list = vec![self.literal()?];
        while self.peek()? == Token::Sign(",") {
            self.next()?;
            list.push(self.literal()?);
        }
        self.sign("]", "`,` or `]`")?;
        Ok(list)
    }

    fn pattern(&mut self) -> Result<Pattern, QueryError> {
        self.rest = self.rest.trim_start();
        let (pattern, rest) = token::pattern(self.rest).map_err(|broken| self.broken(broken))?;
        let is_quoted = self.rest.starts_with(['\'', '"']);
        if pattern.is_empty() || (!is_quoted && token::is_joining(pattern)) {
            return Err(self.unexpected("a pattern"));
        }
        self.rest = rest.trim_start();
        Ok(Pattern::new(pattern))
    }

    fn sign(&mut self, sign: &'static str, expected: &'static str) -> Result<(), QueryError> {
        if self.peek()? != Token::Sign(sign) {
            return Err(self.unexpected(expected));
        }
        self.next()
    }

    fn peek(&mut self) -> Result<Token<'a>, QueryError> {
        self.rest = self.rest.trim_start();
        match token::first(self.rest) {
            Ok((token, _)) => Ok(token),
            Err(broken) => Err(self.broken(broken)),
        }
    }

    fn next(&mut self) -> Result<(), QueryError> {
        match token::first(self.rest) {
            Ok((_, rest)) => {
                self.rest = rest.trim_start();
                Ok(())
            }
            Err(broken) => Err(self.broken(broken)),
        }
    }

    fn broken(&self, broken: Broken) -> QueryError {
        let position = self.position();
        match broken {
            Broken::Unterminated => QueryError::Unterminated { position },
            Broken::Character(character) => QueryError::Unexpected {
                position,
                expected: "a word, a value in quotation marks or an operator",
                found: quoted(&character.to_string()),
            },
        }
    }

    fn unexpected(&self, expected: &'static str) -> QueryError {
        QueryError::Unexpected {
            position: self.position(),
            expected,
            found: self.found(),
        }
    }

    /// The token that stands here, for an error.
    fn found(&self) -> String {
        match token::first(self.rest) {
            Ok((Token::End, _)) => "the end".to_owned(),
            Ok((_, rest)) => quoted(self.before(rest)),
            Err(_) => quoted(&self.rest.chars().take(1).collect::<String>()),
        }
    }

    /// What stands between here and `later`, a later rest of the same text.
    fn before(&self, later: &str) -> &'a str {
        let length = self.rest.len().saturating_sub(later.len());
        self.rest.get(..length).unwrap_or_default()
    }

    /// What stands between `before`, an earlier rest, and here.
    fn consumed(&self, before: &'a str) -> &'a str {
        let length = before.len().saturating_sub(self.rest.len());
        before.get(..length).unwrap_or_default().trim_end()
    }

    /// The next token's place in the text, in characters, from 1.
    fn position(&self) -> usize {
        let passed = self.text.len().saturating_sub(self.rest.len());
        self.text.get(..passed).unwrap_or_default().chars().count() + 1
    }
}

/// A piece of the text as an error shows it: cut, and on one line.
fn quoted(text: &str) -> String {
    let shown = text.chars().take(QUOTED_MAX).map(|character| {
        if character.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            character
        }
    });
    format!("`{}`", shown.collect::<String>())
}

fn is_attribute_name(name: &str) -> bool {
    let in_name =
        |character: char| character.is_ascii_alphanumeric() || "-_./\\".contains(character);
    (1..=ATTRIBUTE_NAME_LENGTH_MAX).contains(&name.chars().count()) && name.chars().all(in_name)
}
