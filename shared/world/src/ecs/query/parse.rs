//! Reading a query, by descent.

use super::pattern::Pattern;
use super::{Comparison, Field, Node, QueryError, Subject, Test};

/// How deep brackets and `not` may nest.
const DEPTH_MAX: usize = 32;

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

/// Reads a whole query.
pub(super) fn query(text: &str) -> Result<Node, QueryError> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let node = reader.any()?;
    reader.skip_blanks();
    if reader.rest().is_empty() {
        Ok(node)
    } else {
        Err(reader.error("`and`, `or` or the end is missing"))
    }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn error(&self, problem: &'static str) -> QueryError {
        QueryError {
            text: self.text.chars().take(200).collect(),
            problem,
            at: self.at,
        }
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes a sign, such as `&&`.
    fn sign(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    /// Takes a word, such as `and`; what follows it must not be a part of it.
    fn word(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let Some(after) = self.rest().strip_prefix(word) else {
            return false;
        };
        let ends = after
            .chars()
            .next()
            .is_none_or(|it| it.is_whitespace() || matches!(it, '(' | '[' | '\''));
        if ends {
            self.at += word.len();
        }
        ends
    }

    fn any(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.all()?];
        while self.sign("||") || self.word("or") {
            nodes.push(self.all()?);
        }
        Ok(joined(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        let mut nodes = vec![self.one()?];
        while self.sign("&&") || self.word("and") {
            nodes.push(self.one()?);
        }
        Ok(joined(nodes, Node::All))
    }

    fn one(&mut self) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error("too many brackets"));
        }
        let node = if self.word("not") || self.sign("!") {
            Node::Not(Box::new(self.one()?))
        } else if self.sign("(") {
            let node = self.any()?;
            if !self.sign(")") {
                return Err(self.error("`)` is missing"));
            }
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, QueryError> {
        let subject = self.subject()?;
        let test = self.operator(&subject)?;
        Ok(test)
    }

    fn subject(&mut self) -> Result<Subject, QueryError> {
        self.skip_blanks();
        let name = self.name();
        if let Some(attribute) = name.strip_prefix("attribute:") {
            if attribute.is_empty() {
                return Err(self.error("an attribute's name is missing"));
            }
            self.at += name.len();
            return Ok(Subject::Attribute(attribute.to_owned()));
        }
        let field = Field::ALL.iter().find(|(known, _)| *known == name);
        let Some((_, field)) = field else {
            return Err(self.error("an attribute or a known field is missing"));
        };
        self.at += name.len();
        Ok(Subject::Field(*field))
    }

    fn name(&self) -> &'a str {
        let rest = self.rest();
        let is_part = |it: char| it.is_alphanumeric() || matches!(it, ':' | '.' | '-' | '_' | '/');
        let end = rest.find(|it| !is_part(it)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or("")
    }

    fn operator(&mut self, subject: &Subject) -> Result<Node, QueryError> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let plain = |test| Node::Test(subject.clone(), test);
        let negated = |test| Node::Not(Box::new(Node::Test(subject.clone(), test)));
        if self.word("exists") {
            return Ok(plain(Test::Exists));
        }
        if self.word("!exists") || self.word("not_exists") {
            return Ok(negated(Test::Exists));
        }
        if self.word("in") {
            return Ok(plain(Test::In(self.list()?)));
        }
        if self.word("!in") || self.word("not_in") {
            return Ok(negated(Test::In(self.list()?)));
        }
        if self.sign("=~") || self.word("matches") {
            return Ok(plain(Test::Matches(self.pattern()?)));
        }
        if self.sign("!~") || self.word("not_matches") {
            return Ok(negated(Test::Matches(self.pattern()?)));
        }
        // The longer signs first: `<` begins `<=`.
        for (sign, word, comparison) in [
            ("==", "equals", Equal),
            ("!=", "not_equals", NotEqual),
            (">=", "greater_than_equal", GreaterOrEqual),
            ("<=", "less_than_equal", LessOrEqual),
            (">", "greater_than", Greater),
            ("<", "less_than", Less),
        ] {
            if self.sign(sign) || self.word(word) {
                return Ok(plain(Test::Compare(comparison, self.value()?)));
            }
        }
        Err(self.error("an operator is missing"))
    }

    fn list(&mut self) -> Result<Vec<String>, QueryError> {
        if !self.sign("[") {
            return Err(self.error("`[` is missing"));
        }
        let mut values = vec![self.value()?];
        while self.sign(",") {
            values.push(self.value()?);
        }
        if self.sign("]") {
            Ok(values)
        } else {
            Err(self.error("`]` is missing"))
        }
    }

    fn pattern(&mut self) -> Result<Pattern, QueryError> {
        self.skip_blanks();
        let start = self.at;
        let text = if self.rest().starts_with(['\'', '"']) {
            self.value()?
        } else {
            let rest = self.rest();
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            self.at += end;
            rest.get(..end).unwrap_or("").to_owned()
        };
        // A bracket that closes around the whole test is not the pattern's.
        let own = unclosed(&text);
        self.at -= text.len() - own.len();
        Pattern::parse(own).ok_or_else(|| QueryError {
            at: start,
            ..self.error("a pattern of the supported kind is missing")
        })
    }

    /// A value: quoted, or up to what cannot be a part of one.
    fn value(&mut self) -> Result<String, QueryError> {
        self.skip_blanks();
        let rest = self.rest();
        if let Some(quote) = rest.chars().next().filter(|it| matches!(it, '\'' | '"')) {
            let inner = rest.get(1..).unwrap_or("");
            let Some(end) = inner.find(quote) else {
                return Err(self.error("the closing quote is missing"));
            };
            self.at += end + 2;
            return Ok(inner.get(..end).unwrap_or("").to_owned());
        }
        let is_end = |it: char| it.is_whitespace() || matches!(it, ',' | ']' | '[' | '(' | ')');
        let end = rest.find(is_end).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.error("a value is missing"));
        }
        self.at += end;
        Ok(rest.get(..end).unwrap_or("").to_owned())
    }
}

/// A pattern up to the first bracket that closes none of its own.
fn unclosed(text: &str) -> &str {
    let mut open = 0_usize;
    for (index, it) in text.char_indices() {
        match it {
            '(' => open += 1,
            ')' if open == 0 => return text.get(..index).unwrap_or(text),
            ')' => open -= 1,
            _ => {}
        }
    }
    text
}

fn joined(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => node,
        (_, last) => {
            nodes.extend(last);
            join(nodes)
        }
    }
}
