//! A scenario from its beginning to its end, and what is told of it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use indicatif::ProgressBar;
use model::policy::Mode;
use model::{ServiceKey, Timestamp};
use world::World;
use world::face::{Face, FaceOptions, serve};

use crate::cli::{LabArgs, LabMode};
use crate::error::CliError;
use crate::lab::driver::Driver;
use crate::lab::function::{Function, Setup, find_binary};
use crate::lab::meter::Figures;
use crate::lab::scenario::{RETURN_SECS_MAX, Script, later};
use crate::lab::story::Story;
use crate::lab::tables::{clock, tables};
use crate::lab::{figures, scenario};
use crate::output::{Screen, Tone};
use crate::progress::spinner;

/// How long the workshop's services may take to reach their steady state, in seconds.
const STEADY_SECS_MAX: i64 = 900;
/// How long the pair is watched after it came to rest, in seconds.
const REST_SECS: i64 = 120;

/// A played scenario: the world is still there.
#[derive(Debug)]
pub(crate) struct Played {
    face: Face,
    driver: Driver,
}

/// A world with the workshop in its steady state, before anything happens.
#[derive(Debug)]
struct Stage {
    world: World,
    primary: ServiceKey,
    standby: ServiceKey,
    script: Script,
}

/// Plays the scenario with the real function, then the same world without it, and compares the two.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let binary = find_binary(args.binaries.as_deref())?;
    let mut show = Show::new(args, screen)?;
    let stage = stage(args)?;
    let Stage {
        primary,
        standby,
        script,
        ..
    } = &stage;
    let (primary, standby, script) = (primary.clone(), standby.clone(), *script);
    let config = stage.world.config().clone();
    let face = serve(stage.world, FaceOptions::default())
        .await
        .map_err(|source| CliError::Io {
            what: "the world cannot listen on loopback".to_owned(),
            source,
        })?;
    let setup = Setup {
        binary,
        endpoint_url: face.url(),
        mode: mode(args.mode),
    };
    let function = Function::start(setup, &config).await?;
    let mut driver = Driver::new(face.world(), primary, standby, Some(function))?;

    show.heading(args)?;
    show.tables("Before", &driver)?;
    show.run_until(&mut driver, script.during_at).await?;
    show.tables("During", &driver)?;
    show.run_until(&mut driver, script.return_at).await?;
    let at_rest = show
        .run_to_rest(&mut driver, later(script.return_at, RETURN_SECS_MAX))
        .await?;
    show.tables("After", &driver)?;

    let with = driver.figures();
    let end = driver.world().now();
    let desired = desired(&driver);
    let without = without_ballast(args, end).await?;
    let about = show.counts(&driver);
    show.print(&format!(
        "\n{}",
        figures::tables(desired, with, without, &about, screen)
    ))?;
    show.finish()?;
    verdict(args.mode, desired, with, at_rest, screen)?;
    Ok(Played { face, driver })
}

impl Played {
    /// Keeps the world open: its clock runs with the host's, and the function goes on.
    pub(crate) async fn hold(mut self, screen: Screen) -> Result<(), CliError> {
        let exports: Vec<String> = self
            .face
            .environment()
            .into_iter()
            .map(|(name, value)| format!("export {name}={value}"))
            .collect();
        screen.print(&format!(
            "\nThe world stays open until ctrl-c; its clock runs with this computer's. In another shell:\n\n{}\n\n{}",
            exports.join("\n"),
            "aws ecs describe-services --cluster container-demo --services web web-standby",
        ))?;
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut story = Story::default();
        loop {
            ticks.tick().await;
            let until = later(self.driver.world().now(), 1);
            self.driver.run_until(until, |_, _| false).await?;
            let invoked = std::mem::take(&mut self.driver.invoked);
            let entries = self.driver.world().timeline_mut().take();
            let told = story.tell(&entries, &invoked, screen);
            if !told.is_empty() {
                screen.print(&told)?;
            }
        }
    }
}

const fn mode(mode: LabMode) -> Mode {
    match mode {
        LabMode::Observe => Mode::Observe,
        LabMode::Act => Mode::Act,
    }
}

/// Makes the world, and waits until the workshop runs.
fn stage(args: &LabArgs) -> Result<Stage, CliError> {
    let mut world = World::new(args.scenario.config(args.seed));
    let (primary, standby) = world
        .add_workshop()
        .map_err(|error| CliError::Lab(format!("the workshop cannot be set up: {error}")))?;
    let limit = later(world.now(), STEADY_SECS_MAX);
    while world
        .account(&primary)
        .is_none_or(|it| it.serving < it.desired)
    {
        match world.next_event_at() {
            Some(next) if next <= limit => {
                world.advance_to(next);
                // What is sent on the way there is no part of the scenario.
                drop(world.take_due_events());
            }
            Some(_) | None => {
                return Err(CliError::Lab(
                    "the workshop did not reach its steady state".to_owned(),
                ));
            }
        }
    }
    world.advance_secs(30);
    drop(world.take_due_events());
    drop(world.timeline_mut().take());
    world.begin_accounts();
    let script = args.scenario.write(&mut world, args.minutes);
    Ok(Stage {
        world,
        primary,
        standby,
        script,
    })
}

/// The figures of the same world, to the same end, without the function.
async fn without_ballast(args: &LabArgs, end: Timestamp) -> Result<Figures, CliError> {
    let Stage {
        world,
        primary,
        standby,
        ..
    } = stage(args)?;
    let mut driver = Driver::new(Arc::new(Mutex::new(world)), primary, standby, None)?;
    driver.run_until(end, |_, _| false).await?;
    Ok(driver.figures())
}

fn desired(driver: &Driver) -> u32 {
    let (primary, _) = driver.meter.pair();
    driver
        .world()
        .state()
        .services
        .get(primary)
        .map_or(0, |it| it.desired_count)
}

/// Whether the scenario showed what it is there to show. In mode observe there is nothing to show.
fn verdict(
    mode: LabMode,
    desired: u32,
    with: Figures,
    at_rest: bool,
    screen: Screen,
) -> Result<(), CliError> {
    let lowest = with.lowest_running;
    match mode {
        LabMode::Observe => screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act if lowest < desired => Err(CliError::NotKept(format!(
            "running tasks fell to {lowest}, below the desired count of {desired}"
        ))),
        LabMode::Act if !at_rest => Err(CliError::NotKept(
            "the standby did not go back to 0 after Spot returned".to_owned(),
        )),
        LabMode::Act => screen.print(&screen.paint(
            Tone::Good,
            &format!("\nRunning tasks never fell below {desired}, and the standby is back at 0."),
        )),
    }
}

/// What is shown while the scenario runs.
#[derive(Debug)]
struct Show {
    screen: Screen,
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
}

impl Show {
    fn new(args: &LabArgs, screen: Screen) -> Result<Self, CliError> {
        let records = args.records.as_deref().map(create).transpose()?;
        Ok(Self {
            screen,
            story: Story::default(),
            records,
            bar: spinner("setting up"),
            has_title: false,
            invocations: 0,
            failures: 0,
            errors: 0,
        })
    }

    fn print(&self, text: &str) -> Result<(), CliError> {
        self.bar.suspend(|| self.screen.print(text))
    }

    fn heading(&self, args: &LabArgs) -> Result<(), CliError> {
        let name = scenario::name(args.scenario);
        let line = format!(
            "Scenario {name}, seed {}: {}",
            args.seed,
            args.scenario.about()
        );
        let heading = self.screen.paint(Tone::Strong, &line);
        self.print(&format!(
            "{heading}\ncluster container-demo; service web, 10 tasks at FARGATE 1/1, FARGATE_SPOT 0/4; standby web-standby on FARGATE"
        ))
    }

    fn tables(&mut self, title: &str, driver: &Driver) -> Result<(), CliError> {
        self.has_title = false;
        let (primary, standby) = driver.meter.pair();
        let text = {
            let world = driver.world();
            tables(
                title,
                world.state(),
                primary,
                standby,
                world.now(),
                self.screen,
            )
        };
        self.print(&format!("\n{text}"))
    }

    async fn run_until(&mut self, driver: &mut Driver, until: Timestamp) -> Result<(), CliError> {
        let bar = self.bar.clone();
        let run = driver.run_until(until, |world, _| {
            bar.set_message(format!("{} in the world", clock(world.now())));
            false
        });
        let ran = run.await;
        self.tell(driver)?;
        ran.map(|_| ())
    }

    /// Runs until nothing is missing and nothing is lent, and a little longer. Returns whether that came.
    async fn run_to_rest(
        &mut self,
        driver: &mut Driver,
        limit: Timestamp,
    ) -> Result<bool, CliError> {
        let bar = self.bar.clone();
        let run = driver.run_until(limit, |world, seen| {
            bar.set_message(format!("{} in the world", clock(world.now())));
            seen.primary_ready >= seen.desired
                && seen.standby_desired == 0
                && seen.standby_ready == 0
        });
        let ran = run.await;
        self.tell(driver)?;
        let came = ran?;
        let until = later(driver.world().now(), REST_SECS);
        self.run_until(driver, until).await?;
        Ok(came)
    }

    fn tell(&mut self, driver: &mut Driver) -> Result<(), CliError> {
        let invoked = std::mem::take(&mut driver.invoked);
        let entries = driver.world().timeline_mut().take();
        for one in &invoked {
            self.invocations += 1;
            // An invocation with a batch names the messages that it could not deal with, and ends without an error.
            let in_record = one
                .told
                .as_ref()
                .is_some_and(|it| !it.record.failures.is_empty());
            self.failures += u64::from(one.failure.is_some() || in_record);
            self.errors += u64::from(one.failure.is_some());
            if let (Some(file), Some(told)) = (&mut self.records, &one.told) {
                writeln!(file, "{}", told.line).map_err(|source| CliError::Io {
                    what: "the decision records cannot be written".to_owned(),
                    source,
                })?;
            }
        }
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

    /// What the function did for its figures.
    fn counts(&self, driver: &Driver) -> String {
        format!(
            "{} events, {} of them for the function; {} invocations, {} with failures, {} ended in an error; {} messages in the dead-letter queue",
            driver.delivered,
            driver.matched,
            self.invocations,
            self.failures,
            self.errors,
            driver.dead_letters(),
        )
    }

    fn finish(&mut self) -> Result<(), CliError> {
        self.bar.finish_and_clear();
        match &mut self.records {
            None => Ok(()),
            Some(file) => file.flush().map_err(|source| CliError::Io {
                what: "the decision records cannot be written".to_owned(),
                source,
            }),
        }
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
