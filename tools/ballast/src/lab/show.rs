//! What is shown of a scenario while it runs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use indicatif::ProgressBar;
use model::Timestamp;
use world::World;

use crate::cli::LabArgs;
use crate::error::CliError;
use crate::lab::driver::{Driver, Invoked};
use crate::lab::function::Name;
use crate::lab::scenario;
use crate::lab::story::Story;
use crate::lab::tables::clock;
use crate::output::{Screen, Tone};
use crate::progress::spinner;

/// What is shown, and where the decision records go.
#[derive(Debug)]
pub(crate) struct Show {
    pub(crate) screen: Screen,
    story: Story,
    records: Option<BufWriter<File>>,
    bar: ProgressBar,
    /// Whether the story goes on below its title: no table has come between.
    has_title: bool,
    invocations: u64,
    /// Invocations that something went wrong in.
    failures: u64,
    /// Those of them that ended in an error.
    errors: u64,
    /// What the records predicted when instances were set to DRAINING, each once.
    pub(crate) predicted: BTreeSet<String>,
}

impl Show {
    pub(crate) fn new(args: &LabArgs, screen: Screen) -> Result<Self, CliError> {
        let records = args.records.as_deref().map(create).transpose()?;
        Ok(Self {
            screen,
            story: Story::of(args.scenario.functions()),
            records,
            bar: spinner("setting up"),
            has_title: false,
            invocations: 0,
            failures: 0,
            errors: 0,
            predicted: BTreeSet::new(),
        })
    }

    pub(crate) fn print(&self, text: &str) -> Result<(), CliError> {
        self.bar.suspend(|| self.screen.print(text))
    }

    /// The scenario, and what it plays on.
    pub(crate) fn heading(&self, args: &LabArgs, stage: &str) -> Result<(), CliError> {
        let name = scenario::name(args.scenario);
        let line = format!(
            "Scenario {name}, seed {}: {}",
            args.seed,
            args.scenario.about()
        );
        let heading = self.screen.paint(Tone::Strong, &line);
        self.print(&format!("{heading}\n{stage}"))
    }

    /// Tables, which end a part of the story.
    pub(crate) fn tables(&mut self, tables: &str) -> Result<(), CliError> {
        self.has_title = false;
        self.print(&format!("\n{tables}"))
    }

    /// Another world begins: its story and its counts are its own.
    pub(crate) fn begin_anew(&mut self, functions: &[Name]) {
        self.story = Story::of(functions);
        (self.invocations, self.failures, self.errors) = (0, 0, 0);
        self.predicted.clear();
    }

    /// Lets time pass until `until`, or until `done` says so, and tells what happened. Returns whether `done` did.
    pub(crate) async fn run_until(
        &mut self,
        driver: &mut Driver,
        until: Timestamp,
        mut done: impl FnMut(&World) -> bool,
    ) -> Result<bool, CliError> {
        let bar = self.bar.clone();
        let run = driver.run_until(until, |world| {
            bar.set_message(format!("{} in the world", clock(world.now())));
            done(world)
        });
        let ran = run.await;
        self.tell(driver)?;
        ran
    }

    /// The same, without a story: what happened to hundreds of instances fills pages. The invocations are the answer.
    pub(crate) async fn run_quietly(
        &mut self,
        driver: &mut Driver,
        until: Timestamp,
        mut look: impl FnMut(&World),
    ) -> Result<Vec<Invoked>, CliError> {
        let bar = self.bar.clone();
        let run = driver.run_until(until, |world| {
            bar.set_message(format!("{} in the world", clock(world.now())));
            look(world);
            false
        });
        let ran = run.await;
        drop(driver.world().timeline_mut().take());
        let invoked = self.keep(driver)?;
        ran.map(|_| invoked)
    }

    /// Takes the invocations since the last call, counts them, and writes their records.
    fn keep(&mut self, driver: &mut Driver) -> Result<Vec<Invoked>, CliError> {
        let invoked = std::mem::take(&mut driver.invoked);
        for one in &invoked {
            self.invocations += 1;
            // An invocation with a batch names the messages that it could not deal with, and ends without an error.
            let in_record = one.told.as_ref().is_some_and(|it| it.telling.names_failure);
            self.failures += u64::from(one.failure.is_some() || in_record);
            self.errors += u64::from(one.failure.is_some());
            let predicted = one.told.iter().flat_map(|it| &it.telling.predicted);
            self.predicted.extend(predicted.cloned());
            if let (Some(file), Some(told)) = (&mut self.records, &one.told) {
                writeln!(file, "{}", told.line).map_err(unwritten)?;
            }
        }
        Ok(invoked)
    }

    fn tell(&mut self, driver: &mut Driver) -> Result<(), CliError> {
        let entries = driver.world().timeline_mut().take();
        let invoked = self.keep(driver)?;
        let told = self.story.tell(&entries, &invoked, self.screen);
        if told.is_empty() {
            return Ok(());
        }
        if std::mem::replace(&mut self.has_title, true) {
            return self.print(&told);
        }
        let title = self
            .screen
            .paint(Tone::Strong, "What happened, and the decisions");
        self.print(&format!("\n{title}\n{told}"))
    }

    /// What the functions did for the figures.
    pub(crate) fn counts(&self, driver: &Driver) -> String {
        let function = match driver.functions().len() {
            1 => "function",
            _ => "functions",
        };
        format!(
            "{} events, {} of them for the {function}; {} invocations, {} with failures, {} ended in an error; {} messages in the dead-letter queue",
            driver.delivered,
            driver.matched,
            self.invocations,
            self.failures,
            self.errors,
            driver.dead_letters(),
        )
    }

    /// Invocations with failures, invocations that ended in an error, and messages that no function could handle.
    pub(crate) fn broken(&self, driver: &Driver) -> u64 {
        self.failures + self.errors + driver.dead_letters()
    }

    pub(crate) fn finish(&mut self) -> Result<(), CliError> {
        self.bar.finish_and_clear();
        match &mut self.records {
            None => Ok(()),
            Some(file) => file.flush().map_err(unwritten),
        }
    }
}

fn unwritten(source: std::io::Error) -> CliError {
    CliError::Io {
        what: "the decision records cannot be written".to_owned(),
        source,
    }
}

fn create(path: &Path) -> Result<BufWriter<File>, CliError> {
    File::create(path)
        .map(BufWriter::new)
        .map_err(|source| CliError::Io {
            what: format!("`{}` cannot be written", path.display()),
            source,
        })
}
