//! The words and signs of an expression.

/// A word or a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// The end of the text.
    End,
    /// A text without quotation marks.
    Word(&'a str),
    /// A text in quotation marks, without them.
    Quoted(&'a str),
    /// One of [`SIGNS`].
    Sign(&'static str),
}

/// Why the text here is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quotation mark without its partner.
    Unterminated,
    /// A character that begins nothing.
    Character(char),
}

/// Longer signs come before those that they begin with.
const SIGNS: [&str; 16] = [
    "==", "=~", "!=", "!~", ">=", "<=", "&&", "||", ">", "<", "!", "(", ")", "[", "]", ",",
];

/// The words that join expressions, and so are no arguments without quotation marks.
const JOINING: [&str; 3] = ["and", "not", "or"];

fn in_word(character: char) -> bool {
    !(character.is_whitespace() || character.is_control() || "()[],'\"=!<>&|~".contains(character))
}

/// Whether a word goes on here.
pub(super) fn goes_on(text: &str) -> bool {
    text.starts_with(in_word)
}

/// Whether the text can be an argument without quotation marks.
pub(super) fn is_bare(text: &str) -> bool {
    !text.is_empty() && text.chars().all(in_word) && !is_joining(text)
}

pub(super) fn is_joining(word: &str) -> bool {
    JOINING.contains(&word)
}

/// The first token of a text that begins with no white space, and what comes after it.
pub(super) fn first(text: &str) -> Result<(Token<'_>, &str), Broken> {
    let Some(begin) = text.chars().next() else {
        return Ok((Token::End, text));
    };
    if let Some((sign, rest)) = SIGNS
        .iter()
        .find_map(|sign| Some((*sign, text.strip_prefix(sign)?)))
    {
        return Ok((Token::Sign(sign), rest));
    }
    if let Some(quoted) = quoted(text) {
        let (inner, rest) = quoted?;
        return Ok((Token::Quoted(inner), rest));
    }
    let end = text
        .find(|character| !in_word(character))
        .unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((word, rest)) if !word.is_empty() => Ok((Token::Word(word), rest)),
        Some(_) | None => Err(Broken::Character(begin)),
    }
}

/// A text in quotation marks, if the text begins with one; and what comes after it.
fn quoted(text: &str) -> Option<Result<(&str, &str), Broken>> {
    ['\'', '"'].into_iter().find_map(|mark| {
        let inner = text.strip_prefix(mark)?;
        Some(inner.split_once(mark).ok_or(Broken::Unterminated))
    })
}

/// A pattern, and what comes after it. Without quotation marks it goes on to white space, a parenthesis, a quotation mark, `&&` or
/// `||`: unlike in other arguments, brackets, commas and the single signs belong to it.
pub(super) fn pattern(text: &str) -> Result<(&str, &str), Broken> {
    if let Some(quoted) = quoted(text) {
        return quoted;
    }
    let stops = |character: char| {
        character.is_whitespace() || character.is_control() || "()'\"".contains(character)
    };
    let ends = [
        text.find(stops),
        text.find("&&"),
        text.find("||"),
        Some(text.len()),
    ];
    let end = ends.into_iter().flatten().min().unwrap_or(text.len());
    text.split_at_checked(end)
        .ok_or_else(|| Broken::Character(text.chars().next().unwrap_or(' ')))
}

/// Whether the text can be a pattern without quotation marks.
pub(super) fn is_bare_pattern(text: &str) -> bool {
    !text.is_empty() && !is_joining(text) && pattern(text) == Ok((text, ""))
}
