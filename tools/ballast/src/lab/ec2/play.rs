//! The workshop's chapters on EC2 from their beginning to their end, and what is told of them.

use std::sync::{Arc, Mutex};

use model::capacity::{Consent, GroupPolicy};
use model::{ServiceKey, Timestamp};
use world::{ScaledBy, WorkshopEc2, World};

use crate::cli::{LabArgs, LabMode};
use crate::error::CliError;
use crate::lab::driver::Driver;
use crate::lab::ec2::chapter::{CHAPTERS, Chapter, FEW, Shape, shape_of};
use crate::lab::ec2::compare;
use crate::lab::ec2::tables::tables;
use crate::lab::ec2::watch::{Ec2Figures, Watch};
use crate::lab::hold::Played;
use crate::lab::open::open;
use crate::lab::scenario::{CALM_SECS, later};
use crate::lab::show::Show;
use crate::output::{Screen, Tone};

/// How long the groups are watched after the tasks were taken away, in seconds.
const BACK_SECS: i64 = 3_600;

/// What shows the instances in the held world.
const COMMAND: &str = "aws ecs list-container-instances --cluster container-demo\n\
    ballast status --cluster container-demo";

/// When a chapter's tasks are ordered, when they are taken away, and when the chapter ends.
#[derive(Debug, Clone, Copy)]
struct Times {
    many: Timestamp,
    few: Timestamp,
    end: Timestamp,
}

impl Times {
    fn of(world: &World, minutes: u32) -> Self {
        let many = later(world.now(), CALM_SECS);
        let few = later(many, i64::from(minutes) * 60);
        Self {
            many,
            few,
            end: later(few, BACK_SECS),
        }
    }
}

/// Plays every chapter with the real function, and its world under managed scaling, and compares the two.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let mut show = Show::new(args, screen)?;
    let mut played = None;
    let mut faults = Vec::new();
    for (index, chapter) in CHAPTERS.iter().enumerate() {
        // The world of the last chapter is the one that is held.
        drop(played.take());
        let (world, names) = chapter.stage(args.seed, ScaledBy::Ballast)?;
        let opened = open(world, args, args.scenario.functions()).await?;
        if index == 0 {
            show.heading(args, &settings())?;
        }
        show.begin_anew(args.scenario.functions());
        let title = screen.paint(Tone::Strong, chapter.title);
        show.print(&format!("\n{title}\n{}", chapter.stage))?;
        let (driver, mut said) =
            play_chapter(args, chapter, &names, opened.driver, &mut show).await?;
        faults.append(&mut said);
        played = Some(Played {
            face: opened.face,
            driver,
            command: COMMAND,
        });
    }
    show.finish()?;
    verdict(args.mode, &faults, screen)?;
    played.ok_or_else(|| CliError::Lab("there is no chapter".to_owned()))
}

/// What the groups' tags say, so that the comparison can be judged.
fn settings() -> String {
    let policy = GroupPolicy::with_defaults(Consent::Act);
    format!(
        "Ballast: managed scaling DISABLED; tags ballast:cluster-scaler=act (EC2 also ballast:instance-types=t3.small), the others at \
         their defaults:\nfewer instances wanted for {} s before one is removed, at least {} s old, {} % of a group at a time. Managed \
         scaling: ECS's own,\nwith target tracking and managed draining, in a world with the same seed.",
        policy.scale_in_delay.0, policy.minimum_age.0, policy.disruption_percent,
    )
}

/// Plays one chapter with the function. Returns what was not as the workshop has it.
async fn play_chapter(
    args: &LabArgs,
    chapter: &Chapter,
    names: &WorkshopEc2,
    mut driver: Driver,
    show: &mut Show,
) -> Result<(Driver, Vec<String>), CliError> {
    let times = Times::of(&driver.world(), args.minutes());
    let groups = chapter.groups().map(|(group, _)| group);
    let mut watch = Watch::new(&driver.world(), names.service.clone(), groups);
    let mut faults = Vec::new();
    let mut table = |title: &str, want: &[Shape], driver: &Driver, show: &mut Show| {
        let (text, found) = {
            let world = driver.world();
            let services: [&ServiceKey; 1] = [&names.service];
            let text = tables(title, world.state(), &services, world.now(), show.screen);
            let found = want.iter().map(|it| shape_of(world.state(), it.provider));
            (text, found.collect::<Vec<_>>())
        };
        for (want, found) in want.iter().zip(found) {
            if *want != found {
                faults.push(format!("{title}: {found}; the workshop has {want}"));
            }
        }
        show.tables(&text)
    };
    let mut look = |world: &World| {
        watch.look(world);
        false
    };

    show.run_until(&mut driver, times.many, &mut look).await?;
    table("With one task", chapter.with_few, &driver, show)?;
    order(&driver, &names.service, chapter.many)?;
    show.run_until(&mut driver, times.few, &mut look).await?;
    let title = format!("With {} tasks", chapter.many);
    table(&title, chapter.with_many, &driver, show)?;
    watch.tasks_go(&driver.world(), times.many);
    order(&driver, &names.service, FEW)?;
    let mut look = |world: &World| {
        watch.look(world);
        false
    };
    show.run_until(&mut driver, times.end, &mut look).await?;
    table("With one task again", chapter.with_few, &driver, show)?;

    let with = watch.figures(&driver.world());
    let managed = under_managed_scaling(args, chapter).await?;
    let about = show.counts(&driver);
    let text = compare::table(chapter.many, with, managed, &about, show.screen);
    show.print(&format!("\n{text}"))?;
    Ok((driver, faults))
}

/// The figures of the same chapter under ECS's managed scaling.
async fn under_managed_scaling(args: &LabArgs, chapter: &Chapter) -> Result<Ec2Figures, CliError> {
    let (world, names) = chapter.stage(args.seed, ScaledBy::Ecs)?;
    let times = Times::of(&world, args.minutes());
    let groups = chapter.groups().map(|(group, _)| group);
    let mut watch = Watch::new(&world, names.service.clone(), groups);
    let mut driver = Driver::new(Arc::new(Mutex::new(world)), Vec::new())?;
    for (until, count) in [
        (times.many, Some(chapter.many)),
        (times.few, Some(FEW)),
        (times.end, None),
    ] {
        let look = |world: &World| {
            watch.look(world);
            false
        };
        driver.run_until(until, look).await?;
        if until == times.few {
            watch.tasks_go(&driver.world(), times.many);
        }
        if let Some(count) = count {
            order(&driver, &names.service, count)?;
        }
    }
    let figures = watch.figures(&driver.world());
    Ok(figures)
}

/// The service's owner asks for so many tasks.
fn order(driver: &Driver, service: &ServiceKey, count: u32) -> Result<(), CliError> {
    driver
        .world()
        .set_desired_count(service, count)
        .map_err(|error| CliError::Lab(format!("`{service}` cannot be changed: {error}")))
}

/// Whether the workshop's tables came out. In mode observe nothing is written, and they do not.
fn verdict(mode: LabMode, faults: &[String], screen: Screen) -> Result<(), CliError> {
    match mode {
        LabMode::Observe => screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act if faults.is_empty() => {
            let told: Vec<String> = CHAPTERS
                .iter()
                .flat_map(|it| it.with_many)
                .map(ToString::to_string)
                .collect();
            let line = format!("\nThe workshop's tables came out: {}.", told.join("; "));
            screen.print(&screen.paint(Tone::Good, &line))
        }
        LabMode::Act => Err(CliError::NotKept(faults.join("; "))),
    }
}
