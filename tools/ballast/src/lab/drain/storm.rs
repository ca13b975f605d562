//! A storm: Spot warns many instances at once, while another group terminates some of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::cli::{LabArgs, LabMode, StormArgs};
use crate::error::CliError;
use crate::lab::drain::stage::{DrainedBy, HOOK_TIMEOUT_SECS};
use crate::lab::drain::storm_stage::{StormStage, stage, strike};
use crate::lab::drain::storm_tables::{calls, figures, looks, too_late};
use crate::lab::drain::storm_watch::{StormFigures, StormWatch};
use crate::lab::driver::Driver;
use crate::lab::function::Name;
use crate::lab::hold::Played;
use crate::lab::open::open;
use crate::lab::scenario::later;
use crate::lab::show::Show;
use crate::output::{Screen, Tone};

/// From the beginning to the storm, in seconds: it comes between two looks of the schedule's.
const CALM_SECS: i64 = 90;
/// How long the world is watched after it, in seconds: longer than the hook's timeout.
const WATCHED_SECS: i64 = 420;
/// The goal for the 99th percentile of the age of events at action, in milliseconds.
const AGE_GOAL_MS: u64 = 30_000;

/// What shows the instances in the held world.
const COMMAND: &str = "ballast status --cluster container-demo";

/// Plays the storm with the real function, and without it.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let storm = args.storm;
    if storm.warned > storm.instances {
        return Err(CliError::Argument(format!(
            "`--warned {}` is more than `--instances {}`",
            storm.warned, storm.instances
        )));
    }
    let mut show = Show::new(args, screen)?;
    let StormStage { world, services } = stage(args.seed, storm, DrainedBy::Ballast)?;
    let opened = open(world, args, &[Name::InstanceDrain]).await?;
    let mut driver = opened.driver;
    show.heading(args, &about(storm))?;

    let struck_at = later(driver.world().now(), CALM_SECS);
    show.run_quietly(&mut driver, struck_at, |_| {}).await?;
    let before = opened.face.calls();
    let struck = strike(&mut driver.world(), storm)?;
    let mut watch = StormWatch::new(struck_at, services, &struck);
    let until = later(struck_at, WATCHED_SECS);
    let invoked = show
        .run_quietly(&mut driver, until, |world| watch.look(world))
        .await?;
    let with = watch.figures(&driver.world(), u64::from(HOOK_TIMEOUT_SECS));
    let without = without_ballast(args).await?;
    let made = since(&before, &opened.face.calls());
    show.print(&format!("\n{}", looks(&invoked, screen)))?;
    show.print(&format!("\n{}", figures(&with, &without, screen)))?;
    show.print(&format!("\n{}", too_late(&with, screen)))?;
    let gone = with.warned + with.terminated;
    show.print(&format!("\n{}", calls(&made, gone, screen)))?;
    show.print(&show.counts(&driver))?;
    show.finish()?;
    verdict(args, &with, screen)?;
    Ok(Played {
        face: opened.face,
        driver,
        command: COMMAND,
    })
}

fn about(storm: StormArgs) -> String {
    let StormArgs {
        instances,
        warned,
        terminated,
        lost_per_mille,
        late_per_mille,
    } = storm;
    format!(
        "cluster container-demo; providers EC2Spot ({instances} m5.large, Spot) and EC2 ({} m5.large, on-demand), two tasks on each instance,\n\
         and room for eight. Spot warns {warned} instances at once; at the same time EC2 terminates {terminated}, which wait in the hook ballast-instance-drain.\n\
         Of 1,000 warnings {lost_per_mille} are lost and {late_per_mille} are 5 to 90 s late. Managed draining and the agents' own draining are off.",
        terminated * 2,
    )
}

/// What was called since.
fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = after.iter().map(|(operation, times)| {
        let were = before.get(operation).copied().unwrap_or(0);
        (operation.clone(), times - were)
    });
    grown.collect()
}

/// The figures of the same storm without the function.
async fn without_ballast(args: &LabArgs) -> Result<StormFigures, CliError> {
    let StormStage { world, services } = stage(args.seed, args.storm, DrainedBy::Nobody)?;
    let struck_at = later(world.now(), CALM_SECS);
    let mut driver = Driver::new(Arc::new(Mutex::new(world)), Vec::new())?;
    driver.run_until(struck_at, |_| false).await?;
    let struck = strike(&mut driver.world(), args.storm)?;
    let mut watch = StormWatch::new(struck_at, services, &struck);
    let until = later(struck_at, WATCHED_SECS);
    let look = |world: &world::World| {
        watch.look(world);
        false
    };
    driver.run_until(until, look).await?;
    let found = watch.figures(&driver.world(), u64::from(HOOK_TIMEOUT_SECS));
    Ok(found)
}

/// Whether every instance whose warning came was DRAINING before it went. Warnings that are lost or late on purpose prove nothing.
fn verdict(args: &LabArgs, with: &StormFigures, screen: Screen) -> Result<(), CliError> {
    let p99 = with.age_at_action.map(|it| it.p99);
    let mut faults = Vec::new();
    if with.completed < with.terminated {
        faults.push(format!(
            "{} of {} lifecycle actions were completed",
            with.completed, with.terminated
        ));
    }
    let are_all_told = args.storm.lost_per_mille == 0 && args.storm.late_per_mille == 0;
    if are_all_told && with.too_late > 0 {
        faults.push(format!(
            "{} instances went before they were DRAINING",
            with.too_late
        ));
    }
    if are_all_told && p99.is_none_or(|it| it > AGE_GOAL_MS) {
        faults.push(format!(
            "the 99th percentile of the events' age at action is not below {} s",
            AGE_GOAL_MS / 1_000
        ));
    }
    match args.mode {
        LabMode::Observe => screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act if !faults.is_empty() => Err(CliError::NotKept(faults.join("; "))),
        LabMode::Act => screen.print(&screen.paint(
            Tone::Good,
            &format!(
                "\n{} of {} warned instances were DRAINING before they went, and {} of {} lifecycle actions were completed.",
                with.warned - with.too_late,
                with.warned,
                with.completed,
                with.terminated
            ),
        )),
    }
}
