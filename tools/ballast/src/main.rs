//! `ballast`: the command line.
//!
//! Guaranteed: what is asked for goes to standard output and nothing else does; `split`, `status` and `replay` write nothing to
//! AWS. It exits with 0 when all is well, with 2 when an argument or an input file cannot be used, and with 1 for any other
//! failure.
//!
//! Absent: decisions. They are made by the crates that the functions use, and only shown here.

mod aws;
mod cli;
mod commands;
mod error;
mod lab;
mod output;
mod progress;
mod record;
mod status;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::error::CliError;
use crate::output::Screen;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are errors to clap too, with the exit code 0.
        Err(shown) => {
            let code = u8::try_from(shown.exit_code()).unwrap_or(1);
            return match shown.print() {
                Ok(()) => ExitCode::from(code),
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                    ExitCode::from(code)
                }
                Err(_) => ExitCode::from(code.max(1)),
            };
        }
    };
    let screen = Screen::of_this_process();
    match run(cli, &screen) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of a pipe went away: there is nobody left to tell.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                eprintln!("ballast: {line}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli, screen: &Screen) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::Io {
            what: "the runtime could not be started".to_owned(),
            source,
        })?;
    match cli.command {
        Command::Split(args) => commands::split::run(&args, screen),
        Command::Status(args) => runtime.block_on(commands::status::run(&args, screen)),
        Command::Replay(args) => runtime.block_on(commands::replay::run(&args, screen)),
        Command::Lab(args) => runtime.block_on(commands::lab::run(&args, screen)),
    }
}
