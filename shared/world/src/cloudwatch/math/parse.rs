//! Reading an expression.

use super::FUNCTIONS;
use super::value::ONE;

/// The deepest nesting that is read.
const DEPTH_MAX: usize = 32;

/// An operator between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Plus,
    Minus,
    Times,
    Over,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
    /// A number, in billionths.
    Number(i128),
    /// Another query.
    Id(String),
    /// A word in capitals, such as `REPEAT`.
    Word(String),
    /// A text in quotes.
    Text(String),
    /// An array of expressions.
    List(Vec<Expr>),
    /// Less than nothing.
    Negative(Box<Expr>),
    /// Two operands.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// A function.
    Call(String, Vec<Expr>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Number(i128),
    Name(String),
    Text(String),
    Sign(&'static str),
}

/// The signs, longer ones first.
const SIGNS: [&str; 18] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "^",
];

/// Reads an expression.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse(text: &str) -> Result<Expr, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let expr = parser.either()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(format!("Unexpected {}", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Number(_) => "number".to_owned(),
        Token::Name(name) => format!("'{name}'"),
        Token::Text(text) => format!("\"{text}\""),
        Token::Sign(sign) => format!("'{sign}'"),
    }
}

/// A decimal, in billionths; what is finer is cut off.
fn number(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    whole.checked_mul(ONE)?.checked_add(digits.parse().ok()?)
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let take = |is_part: fn(char) -> bool| {
            let end = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
            rest.split_at(end)
        };
        let (token, after) = if first.is_ascii_digit() || first == '.' {
            let (text, after) = take(|it| it.is_ascii_digit() || it == '.');
            let number = number(text).ok_or_else(|| format!("'{text}' is not a number"))?;
            (Token::Number(number), after)
        } else if first.is_ascii_alphabetic() {
            let (text, after) = take(|it| it.is_ascii_alphanumeric() || it == '_');
            (Token::Name(text.to_owned()), after)
        } else if let Some(quoted) = rest.strip_prefix(['"', '\'']) {
            let (text, after) = quoted
                .split_once(first)
                .ok_or_else(|| "A text has no end".to_owned())?;
            (Token::Text(text.to_owned()), after)
        } else {
            let sign = SIGNS.iter().find(|it| rest.starts_with(**it));
            let sign = sign.ok_or_else(|| format!("Unexpected character '{first}'"))?;
            (Token::Sign(sign), rest.strip_prefix(*sign).unwrap_or(""))
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

type Operators = &'static [(&'static str, Operator)];

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    /// Takes a sign if it is the next token.
    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        if is_next {
            self.at += 1;
        }
        is_next
    }

    fn wants(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "end".to_owned(), shown);
        Err(format!("Expected '{sign}', found {found}"))
    }

    /// Operands with operators of one rank between them, from left to right.
    fn chain(
        &mut self,
        operators: Operators,
        operand: fn(&mut Self) -> Result<Expr, String>,
    ) -> Result<Expr, String> {
        let mut left = operand(self)?;
        while let Some(operator) = self.operator(operators) {
            self.at += 1;
            let right = operand(self)?;
            left = Expr::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operator(&self, operators: Operators) -> Option<Operator> {
        let word = match self.peek()? {
            Token::Sign(sign) => *sign,
            Token::Name(name) => name.as_str(),
            Token::Number(_) | Token::Text(_) => return None,
        };
        let mut known = operators.iter();
        known.find(|(it, _)| *it == word).map(|it| it.1)
    }

    fn either(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("The expression is nested too deeply".to_owned());
        }
        let expr = self.chain(&[("OR", Operator::Or), ("||", Operator::Or)], Self::both);
        self.depth -= 1;
        expr
    }

    fn both(&mut self) -> Result<Expr, String> {
        self.chain(
            &[("AND", Operator::And), ("&&", Operator::And)],
            Self::comparison,
        )
    }

    fn comparison(&mut self) -> Result<Expr, String> {
        const OPERATORS: Operators = &[
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
        ];
        self.chain(OPERATORS, Self::sum)
    }

    fn sum(&mut self) -> Result<Expr, String> {
        self.chain(
            &[("+", Operator::Plus), ("-", Operator::Minus)],
            Self::product,
        )
    }

    fn product(&mut self) -> Result<Expr, String> {
        self.chain(
            &[("*", Operator::Times), ("/", Operator::Over)],
            Self::signed,
        )
    }

    fn signed(&mut self) -> Result<Expr, String> {
        let mut is_negative = false;
        while self.takes("-") {
            is_negative = !is_negative;
        }
        let operand = self.operand()?;
        Ok(if is_negative {
            Expr::Negative(Box::new(operand))
        } else {
            operand
        })
    }

    fn operand(&mut self) -> Result<Expr, String> {
        if self.takes("(") {
            let inner = self.either()?;
            self.wants(")")?;
            return Ok(inner);
        }
        if self.takes("[") {
            return Ok(Expr::List(self.items("]")?));
        }
        match self.next() {
            Some(Token::Number(number)) => Ok(Expr::Number(number)),
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Name(name)) if self.takes("(") => {
                if !FUNCTIONS.contains(&name.as_str()) {
                    return Err(format!("Unknown function '{name}'"));
                }
                Ok(Expr::Call(name, self.items(")")?))
            }
            Some(Token::Name(name)) if name.starts_with(|it: char| it.is_ascii_lowercase()) => {
                Ok(Expr::Id(name))
            }
            Some(Token::Name(name)) => Ok(Expr::Word(name)),
            Some(token @ Token::Sign(_)) => Err(format!("Unexpected {}", shown(&token))),
            None => Err("Unexpected end of the expression".to_owned()),
        }
    }

    /// Expressions with commas between them, up to a sign.
    fn items(&mut self, end: &str) -> Result<Vec<Expr>, String> {
        let mut items = Vec::new();
        if self.takes(end) {
            return Ok(items);
        }
        loop {
            items.push(self.either()?);
            if !self.takes(",") {
                self.wants(end)?;
                return Ok(items);
            }
        }
    }
}

impl Expr {
    /// The ids that it names, and whether it takes all metrics.
    pub(crate) fn names<'a>(&'a self, ids: &mut Vec<&'a str>) {
        match self {
            Self::Id(id) => ids.push(id),
            Self::Number(_) | Self::Word(_) | Self::Text(_) => {}
            Self::List(items) | Self::Call(_, items) => {
                for item in items {
                    item.names(ids);
                }
            }
            Self::Negative(inner) => inner.names(ids),
            Self::Binary(_, left, right) => {
                left.names(ids);
                right.names(ids);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_have_their_ranks() {
        let parsed = |text: &str| parse(text).unwrap();
        assert_eq!(parsed("1+2*3"), parsed("1 + (2 * 3)"));
        assert_eq!(parsed("8-2-1"), parsed("(8 - 2) - 1"));
        assert_eq!(
            parsed("a > 1 AND b < 2 OR c"),
            parsed("((a>1) && (b<2)) || c")
        );
        assert_eq!(parsed("--a"), parsed("a"));
        assert_eq!(parsed("-a*b"), parsed("(-a)*b"));
        assert_eq!(parsed("0.5"), Expr::Number(ONE / 2));
        let mut ids = Vec::new();
        let expr = parsed("SUM([m1, m2]) / IF(-q > 1, m3)");
        expr.names(&mut ids);
        assert_eq!(ids, ["m1", "m2", "q", "m3"]);
    }

    #[test]
    fn what_is_no_expression_is_refused_in_words() {
        for (text, words) in [
            ("", "Unexpected end"),
            ("m1 +", "Unexpected end"),
            ("m1 m2", "Unexpected 'm2'"),
            ("(m1", "Expected ')', found end"),
            ("[m1, ]", "Unexpected ']'"),
            ("SEARCH('x')", "Unknown function 'SEARCH'"),
            ("sum(m1)", "Unknown function 'sum'"),
            ("m1 ^ 2", "Unexpected '^'"),
            ("1.2.3", "'1.2.3' is not a number"),
            ("m1 # 2", "Unexpected character '#'"),
            ("METRICS(\"x)", "A text has no end"),
            (&"(".repeat(100), "nested too deeply"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
