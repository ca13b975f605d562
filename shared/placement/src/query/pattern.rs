//! The patterns behind `=~` and `!~`: the part of Java's regular expressions that means the same everywhere.
//! <https://docs.oracle.com/javase/8/docs/api/java/util/regex/Pattern.html>
//!
//! Understood: characters, `.`, `|`, groups `(…)` and `(?:…)`, classes `[a-z]` and `[^a-z]`, the repetitions `*`, `+`, `?` and
//! `{2}`, `{2,}`, `{2,5}`, reluctant ones too, `^`, `$`, `\d`, `\D`, `\s`, `\S`, `\w`, `\W`, and a backslash before a sign.
//!
//! Refused by name: everything else, such as look-around, flags, back references, possessive repetitions and classes within classes.
//!
//! The match itself is `regex-lite`'s, in time linear in pattern and value.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use regex_lite::{Regex, RegexBuilder};

use super::{argument, token};

/// The largest count of a repetition.
const REPETITION_MAX: u32 = 100;
/// The largest compiled pattern, in bytes.
const COMPILED_SIZE_MAX: usize = 256 * 1_024;
/// How deep groups may be nested.
const NEST_MAX: u32 = 32;

/// A pattern, compiled if it is understood. Two patterns are equal when they are written alike.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    compiled: Result<Regex, String>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Pattern {}

impl Pattern {
    pub(super) fn new(source: &str) -> Self {
        let compiled = understood(source).and_then(|()| {
            RegexBuilder::new(&format!("^(?:{source})$"))
                .size_limit(COMPILED_SIZE_MAX)
                .nest_limit(NEST_MAX)
                .build()
                .map_err(|_| source.to_owned())
        });
        Self {
            source: source.to_owned(),
            compiled,
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The part of it that is not understood.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.compiled.as_ref().err().map(String::as_str)
    }

    /// Whether it matches the whole of `value`. None: it is not understood.
    #[must_use]
    pub fn matches(&self, value: &str) -> Option<bool> {
        self.compiled
            .as_ref()
            .ok()
            .map(|compiled| compiled.is_match(value))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if token::is_bare_pattern(&self.source) {
            f.write_str(&self.source)
        } else {
            argument::quoted(&self.source, f)
        }
    }
}

/// What may be repeated, or not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A character, a class or a group.
    Atom,
    /// Nothing: the beginning, an alternative, an anchor, or something that is repeated already.
    Nothing,
}

/// Whether the whole pattern is within what this module understands; otherwise the part that is not.
fn understood(source: &str) -> Result<(), String> {
    let mut rest = source.chars().peekable();
    let mut before = Before::Nothing;
    let mut open = 0_u32;
    while let Some(character) = rest.next() {
        before = match character {
            '\\' => escape(&mut rest)?,
            '[' => class(&mut rest)?,
            '(' => {
                group(&mut rest)?;
                open += 1;
                Before::Nothing
            }
            ')' => {
                open = open.checked_sub(1).ok_or(")")?;
                Before::Atom
            }
            '*' | '+' | '?' | '{' => repetition(character, before, &mut rest)?,
            '|' | '^' | '$' => Before::Nothing,
            ']' | '}' => return Err(character.to_string()),
            _ => Before::Atom,
        };
    }
    if open > 0 {
        return Err("(".to_owned());
    }
    Ok(())
}

fn escape(rest: &mut Peekable<Chars<'_>>) -> Result<Before, String> {
    match rest.next() {
        Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => Ok(Before::Atom),
        Some(sign) if sign.is_ascii_punctuation() && !"<>".contains(sign) => Ok(Before::Atom),
        Some(other) => Err(format!("\\{other}")),
        None => Err("\\".to_owned()),
    }
}

/// After `(`: a plain group, or one that is only not numbered.
fn group(rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    if rest.next_if_eq(&'?').is_none() {
        return Ok(());
    }
    match rest.next() {
        Some(':') => Ok(()),
        Some(kind) => Err(format!("(?{kind}")),
        None => Err("(?".to_owned()),
    }
}

/// After `*`, `+`, `?` or `{`: a count in digits, and perhaps the sign of a reluctant repetition. Since the whole value must match,
/// that sign changes nothing.
fn repetition(
    sign: char,
    before: Before,
    rest: &mut Peekable<Chars<'_>>,
) -> Result<Before, String> {
    let mut part = sign.to_string();
    if sign == '{' {
        for character in rest.by_ref() {
            part.push(character);
            if character == '}' {
                break;
            }
        }
        if !is_count(&part) {
            return Err(part);
        }
    }
    if before == Before::Nothing {
        return Err(part);
    }
    match rest.next_if(|next| "*+?{".contains(*next)) {
        None | Some('?') => Ok(Before::Nothing),
        Some(next) => Err(format!("{part}{next}")),
    }
}

/// `{2}`, `{2,}` or `{2,5}`.
fn is_count(part: &str) -> bool {
    let count = |digits: &str| argument::number(digits).filter(|count| *count <= REPETITION_MAX);
    let Some(inner) = part
        .strip_prefix('{')
        .and_then(|part| part.strip_suffix('}'))
    else {
        return false;
    };
    match inner.split_once(',') {
        None => count(inner).is_some(),
        Some((least, "")) => count(least).is_some(),
        Some((least, most)) => count(least)
            .zip(count(most))
            .is_some_and(|(least, most)| least <= most),
    }
}

/// After `[`: single characters, ranges of letters or digits, and escapes. A hyphen stands for itself only first and last.
fn class(rest: &mut Peekable<Chars<'_>>) -> Result<Before, String> {
    rest.next_if_eq(&'^');
    let mut members = 0_u32;
    while let Some(character) = rest.next() {
        match character {
            ']' if members > 0 => return Ok(Before::Atom),
            ']' | '[' | '&' | '~' | '^' => return Err(format!("[…{character}")),
            '-' if members > 0 && rest.peek() != Some(&']') => return Err("[…-".to_owned()),
            '\\' => {
                escape(rest)?;
            }
            _ => range(character, rest)?,
        }
        members += 1;
    }
    Err("[".to_owned())
}

/// After a character of a class: nothing, or a hyphen and the last character of the range.
fn range(first: char, rest: &mut Peekable<Chars<'_>>) -> Result<(), String> {
    let mut ahead = rest.clone();
    if first == '-' || ahead.next() != Some('-') || ahead.peek() == Some(&']') {
        return Ok(());
    }
    rest.next();
    match rest.next() {
        Some(last)
            if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && first <= last =>
        {
            Ok(())
        }
        Some(last) => Err(format!("[…{first}-{last}")),
        None => Err("[".to_owned()),
    }
}
