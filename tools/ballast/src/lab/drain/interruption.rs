//! The workshop's interruption with the real functions, and the same worlds where ECS drains by itself, and where nobody does.

use std::sync::{Arc, Mutex};

use model::{ServiceKey, Timestamp};
use world::World;

use crate::cli::{LabArgs, LabMode};
use crate::error::CliError;
use crate::lab::drain::compare::{Runs, table};
use crate::lab::drain::milestones::{Milestones, Watch};
use crate::lab::drain::stage::{
    DEREGISTRATION_DELAY_SECS, DrainedBy, ON_DEMAND, Room, SPOT, STOP_TIMEOUT_SECS, Stage, TASKS,
    TASKS_PER_INSTANCE, Terms, full_instance, full_instances, stage, warn,
};
use crate::lab::driver::Driver;
use crate::lab::ec2::tables::tables;
use crate::lab::function::Name;
use crate::lab::hold::Played;
use crate::lab::open::open;
use crate::lab::scenario::{RETURN_SECS_MAX, later};
use crate::lab::show::Show;
use crate::output::{Screen, Tone};

/// From the beginning to the warning, in seconds. The warning comes between two looks of the schedule's, so that its event is what
/// counts.
const CALM_SECS: i64 = 90;
/// How long a chapter that needs nothing to return is watched after the warning, in seconds.
const WATCHED_SECS: i64 = 300;
/// Spot's notice, in seconds.
const NOTICE_SECS: u64 = 120;
/// The longest from the warning to DRAINING, in seconds: the event takes 1.5 s, the queue's window 1 s.
const DRAINING_SECS_MAX: u64 = 5;
/// The longest from DRAINING until replacements run, in seconds: ECS sees it within 1 s, and starts take up to 16 s.
const RUNNING_SECS_MAX: u64 = 20;
/// How much later than it should something may be, in seconds.
const TOLERANCE_SECS: u64 = 5;

/// What shows the instances in the held world.
const COMMAND: &str = "aws ecs list-container-instances --cluster container-demo\n\
    ballast status --cluster container-demo";

/// A chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Chapter {
    title: &'static str,
    stage: &'static str,
    functions: &'static [Name],
    terms: Terms,
}

const CHAPTERS: [Chapter; 4] = [
    Chapter {
        title: "Chapter 1: headroom for three tasks, minimum healthy 50 %",
        stage: "provider EC2Spot (4 t3.small, Spot, room for 12 tasks); service web, 9 tasks behind a load balancer",
        functions: &[Name::InstanceDrain],
        terms: Terms {
            minimum_healthy_percent: 50,
            room: Room::Free,
        },
    },
    Chapter {
        title: "Chapter 2: headroom for three tasks, minimum healthy 100 %",
        stage: "as chapter 1; ECS deregisters an old target only when its replacement is healthy",
        functions: &[Name::InstanceDrain],
        terms: Terms {
            minimum_healthy_percent: 100,
            room: Room::Free,
        },
    },
    Chapter {
        title: "Chapter 3: no headroom and no other Spot instance, minimum healthy 100 %, a standby on demand",
        stage: "providers EC2Spot (3 t3.small, Spot, full) and EC2 (t3.small, on-demand, none yet), target 100 %, ballast:consolidate=true; service web, 9 tasks\n\
                behind a load balancer on EC2Spot; its standby web-standby on EC2, behind the same",
        functions: &[Name::SpotFallback, Name::ClusterScaler, Name::InstanceDrain],
        terms: Terms {
            minimum_healthy_percent: 100,
            room: Room::Standby,
        },
    },
    Chapter {
        title: "Chapter 4: no headroom, Spot has other instances, no standby, minimum healthy 100 %",
        stage: "provider EC2Spot (3 t3.small, Spot, full, up to 10), target 100 %, ballast:consolidate=true; service web, 9 tasks behind a load balancer",
        functions: &[Name::ClusterScaler, Name::InstanceDrain],
        terms: Terms {
            minimum_healthy_percent: 100,
            room: Room::Spot,
        },
    },
];

/// What is the same in every chapter.
fn settings() -> String {
    format!(
        "cluster container-demo; target group web: deregistration delay {DEREGISTRATION_DELAY_SECS} s, a check every 30 s, healthy after 2; stop\n\
         timeout {STOP_TIMEOUT_SECS} s. Spot takes an instance with {TASKS_PER_INSTANCE} tasks, {NOTICE_SECS} s after its warning. Ballast: managed draining and the agents' own draining are off; tag ballast:instance-drain=act, the others at\n\
         their defaults, and the hook ballast-instance-drain. Beside it the same world where both are on (chapters 3 and 4 with managed scaling), and where\n\
         nobody drains."
    )
}

/// Plays every chapter.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let mut show = Show::new(args, screen)?;
    let mut played = None;
    let mut faults = Vec::new();
    for (index, chapter) in CHAPTERS.iter().enumerate() {
        // The world of the last chapter is the one that is held.
        drop(played.take());
        let stage = stage(args.seed, chapter.terms, DrainedBy::Ballast)?;
        let opened = open(stage.world, args, chapter.functions).await?;
        if index == 0 {
            show.heading(args, &settings())?;
        }
        show.begin_anew(chapter.functions);
        let title = screen.paint(Tone::Strong, chapter.title);
        show.print(&format!("\n{title}\n{}", chapter.stage))?;
        let mut run = Run {
            chapter,
            service: stage.service,
            standby: stage.standby,
            driver: opened.driver,
            minutes: args.minutes(),
        };
        faults.append(&mut run.play(args, &mut show).await?);
        played = Some(Played {
            face: opened.face,
            driver: run.driver,
            command: COMMAND,
        });
    }
    show.finish()?;
    verdict(args.mode, &faults, screen)?;
    played.ok_or_else(|| CliError::Lab("there is no chapter".to_owned()))
}

/// A chapter's world on its way.
#[derive(Debug)]
struct Run<'a> {
    chapter: &'a Chapter,
    service: ServiceKey,
    standby: Option<ServiceKey>,
    driver: Driver,
    minutes: u32,
}

impl Run<'_> {
    /// Plays the chapter with the functions. Returns what was not as it should be.
    async fn play(&mut self, args: &LabArgs, show: &mut Show) -> Result<Vec<String>, CliError> {
        let warn_at = later(self.driver.world().now(), CALM_SECS);
        show.run_until(&mut self.driver, warn_at, |_| false).await?;
        self.tables("Before the warning", show)?;
        let mut watch = self.warn()?;
        let mut look = |world: &World| {
            watch.look(world);
            false
        };
        let until = self.watched_until(warn_at);
        show.run_until(&mut self.driver, until, &mut look).await?;
        self.tables("After it", show)?;
        let ballast = watch.found(&self.driver.world());
        let rest = self.run_to_rest(warn_at, show).await?;
        let end = until;
        let runs = Runs {
            ballast,
            ecs: self.without(args.seed, DrainedBy::Ecs, end).await?,
            nobody: self.without(args.seed, DrainedBy::Nobody, end).await?,
        };
        let predicted: Vec<&str> = show.predicted.iter().map(String::as_str).collect();
        let about = format!(
            "The record predicted, when it set the instance to DRAINING: {}.\n{}{}",
            if predicted.is_empty() {
                "nothing that ECS would not move in time".to_owned()
            } else {
                predicted.join("; ")
            },
            self.surplus_told(rest),
            show.counts(&self.driver),
        );
        let text = table(TASKS, TASKS_PER_INSTANCE, &runs, &about, show.screen);
        show.print(&format!("\n{text}"))?;
        Ok(self.faults(&ballast, rest.is_some()))
    }

    /// Spot warns an instance with three tasks.
    fn warn(&self) -> Result<Watch, CliError> {
        let mut world = self.driver.world();
        let instance = full_instance(&world)
            .ok_or_else(|| CliError::Lab(format!("no instance has {TASKS_PER_INSTANCE} tasks")))?;
        let watch = Watch::new(&world, &self.service, self.standby.as_ref(), &instance);
        let return_at = self.watched_until(world.now());
        warn(&mut world, &instance, self.chapter.terms, return_at);
        Ok(watch)
    }

    /// Until when the chapter is watched: with a standby until Spot returns.
    fn watched_until(&self, warned_at: Timestamp) -> Timestamp {
        match self.chapter.terms.room {
            Room::Free | Room::Spot => later(warned_at, WATCHED_SECS),
            Room::Standby => later(warned_at, i64::from(self.minutes) * 60),
        }
    }

    /// Where tasks were lent, runs until the standby and its instances are gone; where an instance was bought, until there is none too
    /// many. Returns how long after the warning that came, in seconds; `None` where it did not.
    async fn run_to_rest(
        &mut self,
        warned_at: Timestamp,
        show: &mut Show,
    ) -> Result<Option<i64>, CliError> {
        let title = match self.chapter.terms.room {
            Room::Free => return Ok(Some(0)),
            Room::Standby => "After Spot returned",
            Room::Spot => "After the scale-in",
        };
        let limit = later(self.driver.world().now(), RETURN_SECS_MAX);
        let service = self.service.clone();
        let standby = self.standby.clone();
        let is_at_rest = |world: &World| {
            let is_whole = world
                .account(&service)
                .is_some_and(|it| it.serving >= it.desired);
            is_whole
                && match &standby {
                    Some(standby) => is_given_back(world, standby),
                    None => is_as_before(world),
                }
        };
        let came = show.run_until(&mut self.driver, limit, is_at_rest).await?;
        let secs = self.driver.world().now().duration_since(warned_at);
        self.tables(title, show)?;
        Ok(came.then_some(secs.as_secs()))
    }

    /// What became of the instance that was bought, where one was.
    fn surplus_told(&self, rest: Option<i64>) -> String {
        match (self.chapter.terms.room, rest) {
            (Room::Spot, Some(secs)) => {
                let full = full_instances();
                format!("The group was back at its {full} instances {secs} s after the warning.\n")
            }
            (Room::Spot, None) | (Room::Free | Room::Standby, _) => String::new(),
        }
    }

    fn tables(&self, title: &str, show: &mut Show) -> Result<(), CliError> {
        let text = {
            let world = self.driver.world();
            let services: Vec<&ServiceKey> = [Some(&self.service), self.standby.as_ref()]
                .into_iter()
                .flatten()
                .collect();
            tables(title, world.state(), &services, world.now(), show.screen)
        };
        show.tables(&text)
    }

    /// The milestones of the same chapter without the functions.
    async fn without(
        &self,
        seed: u64,
        by: DrainedBy,
        end: Timestamp,
    ) -> Result<Milestones, CliError> {
        let Stage {
            world,
            service,
            standby,
        } = stage(seed, self.chapter.terms, by)?;
        let warn_at = later(world.now(), CALM_SECS);
        let mut run = Run {
            chapter: self.chapter,
            service,
            standby,
            driver: Driver::new(Arc::new(Mutex::new(world)), Vec::new())?,
            minutes: self.minutes,
        };
        run.driver.run_until(warn_at, |_| false).await?;
        let mut watch = run.warn()?;
        let look = |world: &World| {
            watch.look(world);
            false
        };
        run.driver.run_until(end, look).await?;
        let found = watch.found(&run.driver.world());
        Ok(found)
    }

    /// What did not come as it should with the functions.
    fn faults(&self, found: &Milestones, at_rest: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |is_so: bool, what: String| {
            if !is_so {
                faults.push(format!("{}: {what}", self.chapter.title));
            }
        };
        let by = |mark: Option<u64>, limit: u64| mark.is_some_and(|secs| secs <= limit);
        let text = |mark: Option<u64>| {
            mark.map_or_else(|| "never".to_owned(), |it| format!("after {it} s"))
        };
        expect(
            by(found.draining, DRAINING_SECS_MAX),
            format!("DRAINING {}", text(found.draining)),
        );
        let running_max = DRAINING_SECS_MAX + RUNNING_SECS_MAX;
        let gone_max = DRAINING_SECS_MAX + u64::from(DEREGISTRATION_DELAY_SECS) + TOLERANCE_SECS;
        match (
            self.chapter.terms.room,
            self.chapter.terms.minimum_healthy_percent,
        ) {
            (Room::Free, 100) => {
                expect(
                    by(found.running, running_max),
                    format!("replacements RUNNING {}", text(found.running)),
                );
                expect(
                    found.lowest_serving >= TASKS && found.cut_serving == 0,
                    format!("{} tasks served at least", found.lowest_serving),
                );
            }
            (Room::Free, _) => {
                expect(
                    by(found.running, running_max),
                    format!("replacements RUNNING {}", text(found.running)),
                );
                expect(
                    by(found.targets_gone, gone_max),
                    format!("old targets gone {}", text(found.targets_gone)),
                );
                expect(
                    by(found.steady, NOTICE_SECS - 1),
                    format!("steady {}", text(found.steady)),
                );
                expect(
                    found.cut_serving + found.cut_leaving == 0,
                    format!(
                        "{} tasks were cut off",
                        found.cut_serving + found.cut_leaving
                    ),
                );
            }
            (Room::Standby | Room::Spot, _) => {
                for (is_so, what) in self.without_headroom(found, at_rest) {
                    expect(is_so, what);
                }
            }
        }
        faults
    }

    /// What is to be so where nothing was free, each with what is said where it is not.
    fn without_headroom(&self, found: &Milestones, at_rest: bool) -> Vec<(bool, String)> {
        let all = |until: &str| format!("there were fewer than {TASKS} tasks until {until}");
        let is_in_time = |mark: Option<u64>| mark.is_some_and(|secs| secs < NOTICE_SECS);
        match self.chapter.terms.room {
            Room::Free => Vec::new(),
            Room::Standby => vec![
                (found.replaced.is_some(), all("Spot returned")),
                (
                    at_rest,
                    "the standby or its instances did not go after Spot returned".to_owned(),
                ),
            ],
            Room::Spot => vec![
                (
                    is_in_time(found.registered),
                    "the room was not there before the instance went".to_owned(),
                ),
                (
                    is_in_time(found.running),
                    "the replacements did not run before the instance went".to_owned(),
                ),
                (found.replaced.is_some(), all("the end")),
                (
                    at_rest,
                    "the instance that is too many did not go".to_owned(),
                ),
            ],
        }
    }
}

/// Whether nothing is lent any more, and no instance is there for it.
fn is_given_back(world: &World, standby: &ServiceKey) -> bool {
    let service = world.state().services.get(standby);
    service.is_some_and(|it| it.desired_count == 0)
        && !world.tasks_of(standby).iter().any(|it| it.is_live())
        && world.instance_account(ON_DEMAND).instances == 0
}

/// Whether the Spot group has as many instances as the tasks need, and is asked for no more.
fn is_as_before(world: &World) -> bool {
    let group = world.state().groups.get(SPOT);
    group.is_some_and(|it| it.desired_capacity == full_instances())
        && world.instance_account(SPOT).instances == full_instances()
}

/// Whether the milestones came. In mode observe nothing is written, and they do not.
fn verdict(mode: LabMode, faults: &[String], screen: Screen) -> Result<(), CliError> {
    match mode {
        LabMode::Observe => screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act if faults.is_empty() => {
            let line = "\nThe workshop's milestones came in each chapter: with headroom and 50 % everything before the instance went; at 100 % no task was \
                        missing;\nwithout headroom the standby took over, and gave back; where Spot had instances, the replacements ran before the \
                        instance went.";
            screen.print(&screen.paint(Tone::Good, line))
        }
        LabMode::Act => Err(CliError::NotKept(faults.join("; "))),
    }
}
