//! A day from its beginning to its end, and what is told of it.

use std::path::Path;

use model::Timestamp;
use model::policy::{TAG_STANDBY, TAG_STANDBY_OF};
use tokio::task::JoinHandle;
use world::{AlarmState, World};

use crate::cli::{LabArgs, LabMode};
use crate::error::CliError;
use crate::lab::driver::Invoked;
use crate::lab::function::Name;
use crate::lab::hold::Played;
use crate::lab::open::open;
use crate::lab::show::Show;
use crate::lab::tracking::decisions::Decisions;
use crate::lab::tracking::figures::{self, DayFigures, day};
use crate::lab::tracking::hours;
use crate::lab::tracking::picture::{Picture, Point};
use crate::lab::tracking::stage::{
    ALARM, CountedBy, FLEET, LIMIT_PERCENT, START_UP_SECS, Stage, TARGET_PERCENT, TASKS_AT_PEAK,
    TASKS_MAX, TASKS_MIN, Times, WINDOW_SECS, requests_per_task_min, stage, tasks_for,
};
use crate::lab::tracking::traffic::Traffic;
use crate::lab::tracking::verdict::{self, Shown};
use crate::output::{Screen, Tone};

/// What shows the pair in the held world.
const COMMAND: &str =
    "aws ecs describe-services --cluster container-demo --services web web-standby";

/// The kind of a trigger that an alarm's change is.
const ALARM_CHANGED: &str = "alarm_changed";
const HOURS_OF_DAY: u32 = 24;

/// Plays the day with the real functions, then with fixed counts and without them, and draws it.
pub(crate) async fn play(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    let path = args.tracking.picture.as_path();
    if path.extension().is_none_or(|it| it != "svg") {
        return Err(CliError::Argument(format!(
            "`--picture {}` must end in `.svg`: the picture is SVG",
            path.display()
        )));
    }
    let traffic = Traffic::of(&args.tracking)?;
    let times = Times::of(args.tracking.hours, args.minutes())?;
    let mut show = Show::new(args, screen)?;
    let fixed = in_the_meantime(&traffic, times, args);
    let by = CountedBy::Ballast(args.tracking.warm_up_secs);
    let staged = stage(args.seed, &traffic, times, by)?;
    let Stage { world, standby } = staged;
    let names = args.scenario.functions();
    let opened = open(world, args, names).await?;
    let mut driver = opened.driver;
    for name in names {
        driver.schedule_from(*name, second(args.seed, *name));
    }
    show.heading(args, &about(&traffic, args))?;
    let mut rings = Rings::default();
    let invoked = show
        .run_quietly(&mut driver, times.end, |world| rings.look(world))
        .await?;
    let decisions = Decisions::of(&invoked);

    let (shown, by_hours, picture) = {
        let world = driver.world();
        let shown = Shown {
            figures: DayFigures::of(&world, &standby, times),
            is_whole_day: args.tracking.hours == HOURS_OF_DAY,
            covers: decisions.steps(Name::SpotFallback, "cover"),
            give_backs: decisions.steps(Name::SpotFallback, "give_back"),
            still_lent: world.service(&standby).map_or(0, |it| it.desired_count),
            broken: show.broken(&driver),
            alarms: rings.times,
            woken: woken(&invoked),
            has_to_ring: traffic.rises_fast
                && args.tracking.hours == HOURS_OF_DAY
                && args.tracking.warm_up_secs.is_none(),
        };
        let by_hours = hours::table(&world, times, screen) + &hours::above(&world, times, screen);
        (shown, by_hours, drawn(&world, times, &traffic, args))
    };
    let fixed = fixed.await.map_err(|error| {
        CliError::Lab(format!("the days with fixed counts broke off: {error}"))
    })??;
    show.print(&format!("\n{by_hours}"))?;
    show.print(&format!("\n{}", decisions.table(screen)))?;
    let counts = show.counts(&driver);
    let table = figures::table(shown.figures, &fixed, &counts, times, screen);
    show.print(&format!("\n{table}"))?;
    write(path, &picture.draw()?)?;
    show.print(&format!("The picture is in {}.", path.display()))?;
    show.finish()?;
    verdict(args, &shown, screen)?;
    Ok(Played {
        face: opened.face,
        driver,
        command: COMMAND,
    })
}

/// How often the alarm went to ALARM.
#[derive(Debug, Default)]
struct Rings {
    times: u64,
    rings: bool,
}

impl Rings {
    fn look(&mut self, world: &World) {
        let state = world.alarm(ALARM).map(|it| it.status.state);
        let rings = state == Some(AlarmState::Alarm);
        self.times += u64::from(rings && !self.rings);
        self.rings = rings;
    }
}

/// How many invocations of service-scaler an alarm woke.
fn woken(invoked: &[Invoked]) -> u64 {
    let of_scaler = invoked
        .iter()
        .filter(|it| it.function == Name::ServiceScaler);
    let told = of_scaler.filter_map(|it| it.told.as_ref());
    let woken = told.filter(|it| it.telling.kinds.contains(ALARM_CHANGED));
    u64::try_from(woken.count()).unwrap_or(u64::MAX)
}

/// The second of the minute at which a function's schedule comes, from 1 to 59. `rate(1 minute)` begins whenever its rule is made
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html>), and tasks that come and go within a minute are counted in
/// it: the first second alone would show none of that. It follows from the seed.
fn second(seed: u64, name: Name) -> i64 {
    let bytes = seed.to_le_bytes().into_iter().chain(name.as_str().bytes());
    // FNV-1a.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let second = (hash >> 32).checked_rem(59).unwrap_or(0);
    i64::try_from(second).unwrap_or(0) + 1
}

fn about(traffic: &Traffic, args: &LabArgs) -> String {
    let per_task = requests_per_task_min(&traffic.day());
    let names = args.scenario.functions().iter();
    let seconds = names.map(|it| format!("{} at second {}", it.as_str(), second(args.seed, *it)));
    format!(
        "requests: {}; {per_task} a minute make a task 100 % busy, so that {TASKS_AT_PEAK} tasks at {LIMIT_PERCENT} % serve the day's peak;\n\
         cluster container-demo; service web on FARGATE_SPOT behind a load balancer; its standby web-standby on FARGATE, behind the same;\n\
         tags of web: ballast:service-scaler=act, target-cpu-percent={TARGET_PERCENT}, min-tasks={TASKS_MIN}, max-tasks={TASKS_MAX}, scale-in-window-secs={WINDOW_SECS},\n\
         start-up-secs={START_UP_SECS}, forecast=true, {}=web-standby; web-standby: {}=web; an alarm on the CPU of both wakes service-scaler;\n\
         schedules, in each minute: {};\n\
         {} hours are played; from their middle on Spot takes every task and has no room, for {} minutes",
        traffic.source,
        TAG_STANDBY.name.trim_start_matches("ballast:"),
        TAG_STANDBY_OF.name,
        seconds.collect::<Vec<_>>().join(", "),
        args.tracking.hours,
        args.minutes(),
    )
}

/// The days with fixed counts, on a thread of their own: no function is called for them, and the day with the functions takes minutes.
fn in_the_meantime(
    traffic: &Traffic,
    times: Times,
    args: &LabArgs,
) -> JoinHandle<Result<Vec<(String, DayFigures)>, CliError>> {
    let traffic = traffic.clone();
    let seed = args.seed;
    tokio::task::spawn_blocking(move || fixed_counts(&traffic, times, seed))
}

/// The same day without the functions: as many tasks as the peak needs, and as many as the day needs on average.
fn fixed_counts(
    traffic: &Traffic,
    times: Times,
    seed: u64,
) -> Result<Vec<(String, DayFigures)>, CliError> {
    let day = traffic.day();
    let per_task = requests_per_task_min(&day);
    let minutes = u64::try_from(day.minutes()).unwrap_or(u64::MAX);
    let mean = day.requests().iter().sum::<u64>() / minutes.max(1);
    let mean = tasks_for(mean, per_task, LIMIT_PERCENT);
    let mut found = Vec::new();
    for (name, tasks) in [("the peak's", TASKS_AT_PEAK), ("the mean's", mean)] {
        let staged = stage(seed, traffic, times, CountedBy::Nobody(tasks))?;
        let Stage { mut world, standby } = staged;
        world.advance_to(times.end);
        let figures = DayFigures::of(&world, &standby, times);
        found.push((format!("without: always {tasks}, {name}"), figures));
    }
    Ok(found)
}

fn drawn(world: &World, times: Times, traffic: &Traffic, args: &LabArgs) -> Picture {
    let count = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
    let points = day(world, times).iter().map(|it| Point {
        needed: count(
            world
                .fleet(FLEET)
                .map_or(0, |fleet| it.required_tasks(fleet)),
        ),
        desired: count(it.desired.into()),
        on_spot: count(it.ready_spot.into()),
        on_demand: count(it.ready_on_demand.into()),
    });
    let minute = |at: Timestamp| {
        let passed = at.duration_since(times.begin).as_secs() / 60;
        i32::try_from(passed).unwrap_or(i32::MAX)
    };
    Picture {
        title: format!(
            "{}: service-scaler and spot-fallback{}",
            traffic.title,
            match args.mode {
                LabMode::Act => "",
                LabMode::Observe => ", which only observe",
            }
        ),
        needed_name: format!("load: tasks needed at {LIMIT_PERCENT} % CPU"),
        points: points.collect(),
        short: (minute(times.short), minute(times.back)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    std::fs::write(path, text).map_err(|source| CliError::Io {
        what: format!("`{}` cannot be written", path.display()),
        source,
    })
}

/// Whether the day showed what it is there to show. In mode observe there is nothing to show.
fn verdict(args: &LabArgs, shown: &Shown, screen: Screen) -> Result<(), CliError> {
    match args.mode {
        LabMode::Observe => return screen.print("\nThe mode was observe: nothing was written."),
        LabMode::Act => {}
    }
    let checks = verdict::checks(shown);
    screen.print(&format!("\n{}", verdict::table(&checks, screen)))?;
    verdict::faults(&checks).map_or_else(
        || {
            screen.print(&screen.paint(
                Tone::Good,
                "The desired count followed the load, and the standby lent what Spot lacked.",
            ))
        },
        |faults| Err(CliError::NotKept(faults)),
    )
}
