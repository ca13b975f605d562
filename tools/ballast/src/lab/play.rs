//! A scenario from its beginning to its end, and what is told of it.

use std::sync::{Arc, Mutex};

use model::{ServiceKey, Timestamp};
use world::{ScaledBy, World};

use crate::cli::{LabArgs, LabMode, Scenario};
use crate::error::CliError;
use crate::lab::driver::Driver;
use crate::lab::ec2::drought;
use crate::lab::ec2::tables::instance_table;
use crate::lab::figures;
use crate::lab::hold::Played;
use crate::lab::meter::{Figures, Meter, Seen};
use crate::lab::open::{Opened, open};
use crate::lab::scenario::{RETURN_SECS_MAX, Script, later};
use crate::lab::show::Show;
use crate::lab::tables::tables;
use crate::output::{Screen, Tone};

/// How long the workshop's services may take to reach their steady state, in seconds.
const STEADY_SECS_MAX: i64 = 900;
/// How long the pair is watched after it came to rest, in seconds.
const REST_SECS: i64 = 120;

/// A world with the workshop in its steady state, before anything happens.
#[derive(Debug)]
struct Stage {
    world: World,
    primary: ServiceKey,
    standby: ServiceKey,
    script: Script,
}

/// What the scenario plays on.
const STAGE: &str = "cluster container-demo; service web, 10 tasks at FARGATE 1/1, FARGATE_SPOT 0/4; standby web-standby on FARGATE";

/// What shows the pair in the held world.
const COMMAND: &str =
    "aws ecs describe-services --cluster container-demo --services web web-standby";

/// Plays the scenario with the real function, then the same world without it, and compares the two.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let mut show = Show::new(args, screen)?;
    let Stage {
        world,
        primary,
        standby,
        script,
    } = stage(args, ScaledBy::Ballast)?;
    let Opened { face, driver } = open(world, args, args.scenario.functions()).await?;
    let meter = Meter::new(primary, standby);
    let mut watched = Watched { driver, meter };

    let is_on_ec2 = args.scenario == Scenario::Ec2Drought;
    show.heading(args, if is_on_ec2 { drought::STAGE } else { STAGE })?;
    watched.tables("Before", &mut show)?;
    watched.run_until(&mut show, script.during_at).await?;
    watched.tables("During", &mut show)?;
    watched.run_until(&mut show, script.return_at).await?;
    let limit = later(script.return_at, RETURN_SECS_MAX);
    let at_rest = watched.run_to_rest(&mut show, limit).await?;
    watched.tables("After", &mut show)?;

    let with = watched.figures();
    let Watched { driver, meter } = watched;
    let end = driver.world().now();
    let desired = desired(&driver, &meter);
    let without = without_ballast(args, end).await?;
    let about = show.counts(&driver);
    show.print(&format!(
        "\n{}",
        figures::tables(desired, with, without, &about, screen)
    ))?;
    show.finish()?;
    verdict(args, desired, with, at_rest, screen)?;
    Ok(Played {
        face,
        driver,
        command: COMMAND,
    })
}

/// A world whose pair is looked at whenever something happens.
#[derive(Debug)]
struct Watched {
    driver: Driver,
    meter: Meter,
}

impl Watched {
    /// The figures until now.
    fn figures(&self) -> Figures {
        self.meter.figures(&self.driver.world())
    }

    fn tables(&self, title: &str, show: &mut Show) -> Result<(), CliError> {
        let (primary, standby) = self.meter.pair();
        let text = {
            let world = self.driver.world();
            let screen = show.screen;
            let (state, now) = (world.state(), world.now());
            let tasks = tables(title, state, primary, standby, now, screen);
            if state.container_instances.is_empty() {
                tasks
            } else {
                format!("{tasks}\n{}", instance_table(state, screen))
            }
        };
        show.tables(&text)
    }

    async fn run_until(&mut self, show: &mut Show, until: Timestamp) -> Result<(), CliError> {
        let Self { driver, meter } = self;
        let look = |world: &World| {
            let _seen: Seen = meter.look(world);
            false
        };
        show.run_until(driver, until, look).await.map(|_| ())
    }

    /// Runs until nothing is missing and nothing is lent, and a little longer. Returns whether that came.
    async fn run_to_rest(&mut self, show: &mut Show, limit: Timestamp) -> Result<bool, CliError> {
        let Self { driver, meter } = self;
        let look = |world: &World| {
            let seen = meter.look(world);
            seen.primary_ready >= seen.desired
                && seen.standby_desired == 0
                && seen.standby_ready == 0
        };
        let came = show.run_until(driver, limit, look).await?;
        let until = later(self.driver.world().now(), REST_SECS);
        self.run_until(show, until).await?;
        Ok(came)
    }
}

/// Makes the world, and waits until the workshop runs.
fn stage(args: &LabArgs, scaled_by: ScaledBy) -> Result<Stage, CliError> {
    let (mut world, primary, standby) = match args.scenario {
        Scenario::Ec2Drought => drought::stage(args.seed, scaled_by)?,
        Scenario::Workshop
        | Scenario::DroughtFlap
        | Scenario::Lossy
        | Scenario::Throttled
        | Scenario::WorkshopEc2
        | Scenario::WorkshopInterruption
        | Scenario::InterruptionStorm
        | Scenario::Tracking => on_fargate(args)?,
    };
    let script = args.scenario.write(&mut world, args.minutes());
    Ok(Stage {
        world,
        primary,
        standby,
        script,
    })
}

fn on_fargate(args: &LabArgs) -> Result<(World, ServiceKey, ServiceKey), CliError> {
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
    Ok((world, primary, standby))
}

/// The figures of the same world, to the same end, without the function.
async fn without_ballast(args: &LabArgs, end: Timestamp) -> Result<Figures, CliError> {
    let Stage {
        world,
        primary,
        standby,
        ..
    } = stage(args, ScaledBy::Ecs)?;
    let mut driver = Driver::new(Arc::new(Mutex::new(world)), Vec::new())?;
    let mut meter = Meter::new(primary, standby);
    let look = |world: &World| {
        let _seen: Seen = meter.look(world);
        false
    };
    driver.run_until(end, look).await?;
    Ok(meter.figures(&driver.world()))
}

fn desired(driver: &Driver, meter: &Meter) -> u32 {
    let (primary, _) = meter.pair();
    driver
        .world()
        .state()
        .services
        .get(primary)
        .map_or(0, |it| it.desired_count)
}

/// Whether the scenario showed what it is there to show. In mode observe there is nothing to show.
fn verdict(
    args: &LabArgs,
    desired: u32,
    with: Figures,
    at_rest: bool,
    screen: Screen,
) -> Result<(), CliError> {
    let lowest = with.lowest_running;
    let dry_secs = u64::from(args.minutes()) * 60;
    let cover = with.warning_to_cover_secs.filter(|it| *it < dry_secs);
    match args.mode {
        LabMode::Observe => screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act if !at_rest => Err(CliError::NotKept(
            "the standby did not go back to 0 after Spot returned".to_owned(),
        )),
        // The first tasks that are lent wait for instances to boot, longer than Spot's notice.
        LabMode::Act if args.scenario == Scenario::Ec2Drought => match cover {
            None => Err(CliError::NotKept(format!(
                "there were fewer than {desired} tasks until Spot returned"
            ))),
            Some(secs) => screen.print(&screen.paint(
                Tone::Good,
                &format!("\n{desired} tasks ran again {secs} s after Spot's warning, and the standby is back at 0."),
            )),
        },
        LabMode::Act if lowest < desired => Err(CliError::NotKept(format!(
            "running tasks fell to {lowest}, below the desired count of {desired}"
        ))),
        LabMode::Act => screen.print(&screen.paint(
            Tone::Good,
            &format!("\nRunning tasks never fell below {desired}, and the standby is back at 0."),
        )),
    }
}
