//! The part of Java's regular expressions that queries use; a pattern matches a whole value.

/// How many steps a match may take: a pattern with nested repeats is given up rather than tried for ever.
const STEPS_MAX: usize = 100_000;

/// A pattern: alternatives of sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Vec<Piece>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    atom: Atom,
    min: usize,
    max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Atom {
    Char(char),
    AnyChar,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Group(Pattern),
    /// `^` and `$`: a pattern matches the whole value anyway.
    Edge,
}

impl Pattern {
    /// Reads a pattern; `None` where it is not of the supported kind.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let pattern = alternatives(&chars, &mut at, 0)?;
        (at == chars.len()).then_some(pattern)
    }

    /// Whether the whole text matches.
    pub(super) fn matches(&self, text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let mut steps = 0;
        self.ends(&chars, 0, &mut steps).contains(&chars.len())
    }

    /// Where a match that begins at a place may end.
    fn ends(&self, text: &[char], from: usize, steps: &mut usize) -> Vec<usize> {
        let mut all = Vec::new();
        for sequence in &self.0 {
            let mut places = vec![from];
            for piece in sequence {
                places = piece.ends(text, &places, steps);
            }
            all.extend(places);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Piece {
    fn ends(&self, text: &[char], from: &[usize], steps: &mut usize) -> Vec<usize> {
        let mut reached: Vec<usize> = if self.min == 0 {
            from.to_vec()
        } else {
            Vec::new()
        };
        let mut places = from.to_vec();
        for round in 1..=self.max {
            *steps += places.len();
            if places.is_empty() || *steps > STEPS_MAX {
                break;
            }
            let mut next: Vec<usize> = places
                .iter()
                .flat_map(|place| self.atom.ends(text, *place, steps))
                .collect();
            next.sort_unstable();
            next.dedup();
            // What was reached before leads nowhere new.
            if round > self.min {
                next.retain(|it| !reached.contains(it));
            }
            if round >= self.min {
                reached.extend(&next);
            }
            places = next;
        }
        reached.sort_unstable();
        reached.dedup();
        reached
    }
}

impl Atom {
    fn ends(&self, text: &[char], at: usize, steps: &mut usize) -> Vec<usize> {
        let here = text.get(at).copied();
        let taken = match self {
            Self::Edge => return vec![at],
            Self::Group(pattern) => return pattern.ends(text, at, steps),
            Self::Char(wanted) => here == Some(*wanted),
            Self::AnyChar => here.is_some(),
            Self::Class { negated, ranges } => here.is_some_and(|it| {
                let inside = ranges.iter().any(|(from, to)| (*from..=*to).contains(&it));
                inside != *negated
            }),
        };
        if taken { vec![at + 1] } else { Vec::new() }
    }
}

fn alternatives(chars: &[char], at: &mut usize, depth: usize) -> Option<Pattern> {
    if depth > 16 {
        return None;
    }
    let mut all = vec![Vec::new()];
    while let Some(&it) = chars.get(*at) {
        match it {
            ')' if depth > 0 => break,
            '|' => {
                *at += 1;
                all.push(Vec::new());
            }
            _ => {
                let piece = piece(chars, at, depth)?;
                all.last_mut()?.push(piece);
            }
        }
    }
    Some(Pattern(all))
}

fn piece(chars: &[char], at: &mut usize, depth: usize) -> Option<Piece> {
    let first = *chars.get(*at)?;
    *at += 1;
    let atom = match first {
        '.' => Atom::AnyChar,
        '^' | '$' => Atom::Edge,
        '[' => class(chars, at)?,
        '(' => {
            let group = alternatives(chars, at, depth + 1)?;
            if chars.get(*at) != Some(&')') {
                return None;
            }
            *at += 1;
            Atom::Group(group)
        }
        '\\' => escaped(chars, at)?,
        '*' | '+' | '?' | ')' | '{' | '}' => return None,
        other => Atom::Char(other),
    };
    let (min, max) = match chars.get(*at) {
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('?') => (0, 1),
        Some('{') => return None,
        Some(_) | None => {
            return Some(Piece {
                atom,
                min: 1,
                max: 1,
            });
        }
    };
    *at += 1;
    Some(Piece { atom, min, max })
}

fn escaped(chars: &[char], at: &mut usize) -> Option<Atom> {
    let it = *chars.get(*at)?;
    *at += 1;
    let class = |negated, ranges: &[(char, char)]| Atom::Class {
        negated,
        ranges: ranges.to_vec(),
    };
    let word = [('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')];
    Some(match it {
        'd' => class(false, &[('0', '9')]),
        'D' => class(true, &[('0', '9')]),
        'w' => class(false, &word),
        'W' => class(true, &word),
        other if other.is_alphanumeric() => return None,
        other => Atom::Char(other),
    })
}

fn class(chars: &[char], at: &mut usize) -> Option<Atom> {
    let negated = chars.get(*at) == Some(&'^');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let mut from = *chars.get(*at)?;
        *at += 1;
        if from == ']' && !ranges.is_empty() {
            return Some(Atom::Class { negated, ranges });
        }
        if from == '\\' {
            from = *chars.get(*at)?;
            *at += 1;
        }
        let is_range = chars.get(*at) == Some(&'-') && chars.get(*at + 1) != Some(&']');
        let to = if is_range {
            *at += 2;
            *chars.get(*at - 1)?
        } else {
            from
        };
        ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, want: bool) {
        let pattern_read = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern_read.matches(text), want, "{pattern} on {text}");
    }

    #[test]
    fn patterns_match_whole_values() {
        for (pattern, text, want) in [
            ("m5.large", "m5.large", true),
            ("m5.large", "m5xlarge", true),
            ("m5\\.large", "m5xlarge", false),
            ("m5", "m5.large", false),
            ("m[45]\\..*", "m4.xlarge", true),
            ("[^t].*", "t3.small", false),
            ("(t2|t3)\\.(small|large)", "t3.large", true),
            ("(t2|t3)\\.(small|large)", "t4.large", false),
            ("^a+b?$", "aaa", true),
            ("^a+b?$", "b", false),
            ("\\d+", "42", true),
            ("(ab)*", "ababab", true),
            ("(ab)*", "aba", false),
            ("[a-c-]+", "a-c", true),
        ] {
            check(pattern, text, want);
        }
    }

    #[test]
    fn a_pattern_that_explodes_ends() {
        let text = "a".repeat(200);
        check("(a*)*(a*)*(a*)*b", &text, false);
    }
}
