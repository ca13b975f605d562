//! Standard output: tables, JSON, and colour where a person looks.

use std::io::{self, IsTerminal, Write};

use comfy_table::{Cell, Color, Table, presets};
use serde::Serialize;

use crate::error::CliError;

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    color: bool,
}

/// What a text means; a screen without colour shows all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    Plain,
    /// As it should be.
    Good,
    /// On its way, or about to go.
    Notice,
    /// Missing.
    Bad,
    /// A heading.
    Strong,
}

impl Tone {
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Notice => Some("33"),
            Self::Bad => Some("31"),
            Self::Strong => Some("1"),
        }
    }

    const fn color(self) -> Option<Color> {
        match self {
            Self::Plain | Self::Strong => None,
            Self::Good => Some(Color::Green),
            Self::Notice => Some(Color::Yellow),
            Self::Bad => Some(Color::Red),
        }
    }
}

impl Screen {
    /// Colour only on a terminal, and not with `NO_COLOR` (<https://no-color.org>) or `TERM=dumb`.
    pub(crate) fn of_this_process() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            color: io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
        }
    }

    /// Without colour.
    #[cfg(test)]
    pub(crate) const fn plain() -> Self {
        Self { color: false }
    }

    /// The text in its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        match tone.code() {
            Some(code) if self.color => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Some(_) | None => text.to_owned(),
        }
    }

    /// An empty table with this header, in the AWS CLI's manner.
    pub(crate) fn table(self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::ASCII_FULL_CONDENSED)
            .set_header(header.to_vec());
        if self.color {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        table
    }

    /// Writes the text, and a line end where it has none.
    pub(crate) fn print(self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| {
                if text.ends_with('\n') {
                    Ok(())
                } else {
                    out.write_all(b"\n")
                }
            })
            .and_then(|()| out.flush())
            .map_err(CliError::Output)
    }

    /// Writes the value as indented JSON.
    pub(crate) fn print_json<T: Serialize>(self, value: &T) -> Result<(), CliError> {
        self.print(&serde_json::to_string_pretty(value)?)
    }
}

/// A cell in its tone.
pub(crate) fn cell(tone: Tone, text: impl ToString) -> Cell {
    let cell = Cell::new(text.to_string());
    match tone.color() {
        Some(color) => cell.fg(color),
        None => cell,
    }
}

/// The table below its title, with a line end.
pub(crate) fn titled(title: &str, table: &Table) -> String {
    format!("{title}\n{}\n", table.trim_fmt())
}
