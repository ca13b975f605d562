//! The lab's day of traffic, from end to end: the real service-scaler and spot-fallback, through the command line, over loopback.
//!
//! The functions' binaries are built by `cargo test --workspace` or `make build`, and are found beside `ballast`. Published counts are
//! read from `../shared` or where `BALLAST_SHARED` says; without them the test of them is skipped and says so.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::{Expect, expect};
use jiff::Timestamp;
use roxmltree::{Document, Node};
use serde_json::Value;

/// The minutes that are played, and those of the shortage, which begins in their middle.
const HOURS: usize = 3;
const MINUTES: usize = HOURS * 60;
const SHORT_MINUTES: usize = 40;

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn ballast(arguments: &[&str], shared: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ballast"))
        .args(["lab", "tracking"])
        .args(arguments)
        .env_remove("AWS_ENDPOINT_URL")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .env("BALLAST_SHARED", shared)
        .output()
        .unwrap()
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    shown: String,
    records: Vec<Value>,
    picture: String,
}

/// Plays it to its good end.
fn play(name: &str, arguments: &[&str], shared: &Path) -> Ran {
    let records = scratch(&format!("{name}.jsonl"));
    let picture = scratch(&format!("{name}.svg"));
    let files = [
        "--records",
        records.to_str().unwrap(),
        "--picture",
        picture.to_str().unwrap(),
    ];
    let output = ballast(&[arguments, &files].concat(), shared);
    let shown = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}\n{said}");
    let lines = std::fs::read_to_string(&records).unwrap();
    let read = |line| serde_json::from_str(line).unwrap();
    Ran {
        shown: shown.replace(picture.to_str().unwrap(), "PICTURE"),
        records: lines.lines().map(read).collect(),
        picture: std::fs::read_to_string(&picture).unwrap(),
    }
}

/// Counts that rise from the first hour to the shortage, stay, and fall in the last half hour; the rest of the day is as its end.
fn counts() -> PathBuf {
    let file = scratch("tracking-counts.csv");
    let mut text = "minute,requests\n".to_owned();
    for minute in 0..1_440_u64 {
        let requests = match minute {
            0..60 => 3_000,
            60..110 => 3_000 + (minute - 60) * 140,
            110..150 => 10_000,
            150..160 => 10_000 - (minute - 150) * 600,
            _ => 4_000,
        };
        // The same little unrest in every run.
        writeln!(text, "{minute},{}", requests + minute * 7_919 % 97).unwrap();
    }
    std::fs::write(&file, text).unwrap();
    file
}

/// When a record's look was taken.
fn taken_at(record: &Value) -> Timestamp {
    record["snapshot"]["taken_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap()
}

/// The desired counts that were written to the primary, in order: the minute of the day, from and to.
fn writes(records: &[Value]) -> Vec<(usize, u64, u64)> {
    let of_scaler = records
        .iter()
        .filter(|it| it.get("function").unwrap() == "service-scaler");
    let steps = of_scaler.flat_map(|record| {
        let steps = record.pointer("/plan/steps").unwrap().as_array().unwrap();
        steps.iter().map(move |it| (record, it))
    });
    steps
        .map(|(record, step)| {
            assert_eq!(
                step.get("subject").unwrap(),
                "container-demo/web",
                "the standby is not its business: {step}"
            );
            let number = |name: &str| step.pointer(&format!("/action/{name}")).unwrap().as_u64();
            let minute = taken_at(record).as_second().rem_euclid(86_400) / 60;
            let minute = usize::try_from(minute).unwrap();
            (minute, number("from").unwrap(), number("to").unwrap())
        })
        .collect()
}

/// The primary's desired count at the end of each minute, as it was written.
fn written(writes: &[(usize, u64, u64)]) -> Vec<u64> {
    let mut count = writes[0].1;
    let mut writes = writes.iter().peekable();
    let at_end = |minute| {
        while let Some((_, from, to)) = writes.next_if(|it| it.0 == minute) {
            assert_eq!(*from, count, "somebody else wrote before minute {minute}");
            count = *to;
        }
        count
    };
    (0..MINUTES).map(at_end).collect()
}

/// A line of the picture that is no legend's: the points of the longest one with this colour.
fn longest(document: &Document<'_>, tag: &str, colour: (&str, &str)) -> Vec<(i64, i64)> {
    let of_colour = |node: &Node<'_, '_>| {
        node.has_tag_name(("http://www.w3.org/2000/svg", tag))
            && node.attribute(colour.0) == Some(colour.1)
    };
    let lines = document.descendants().filter(of_colour).map(|node| {
        let points = node.attribute("points").unwrap().split_whitespace();
        points
            .map(|point| {
                let (x, y) = point.split_once(',').unwrap();
                (x.parse().unwrap(), y.parse().unwrap())
            })
            .collect::<Vec<(i64, i64)>>()
    });
    lines
        .max_by_key(Vec::len)
        .unwrap_or_else(|| panic!("no {tag} of {colour:?}"))
}

fn texts(document: &Document<'_>) -> String {
    let texts = document
        .descendants()
        .filter(|it| it.has_tag_name(("http://www.w3.org/2000/svg", "text")));
    let texts = texts.filter_map(|it| Some(it.text()?.trim().to_owned()));
    // The axes' numbers are left out.
    let words = texts.filter(|it| !it.chars().all(|c| c.is_ascii_digit() || c == ':'));
    words.collect::<Vec<_>>().join("\n")
}

fn check(found: &str, want: Expect) {
    let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
    want.assert_eq(&format!("{}\n", lines.join("\n")));
}

/// The schedules come at any second of the minute but its first, by the seed, and each at its own.
fn check_schedules(ran: &Ran, want: [(&str, i64); 2]) {
    let said = want.map(|(name, second)| format!("{name} at second {second}"));
    let said = format!("schedules, in each minute: {};", said.join(", "));
    assert!(ran.shown.contains(&said), "{}", ran.shown);
    for (name, second) in want {
        let of_function = ran.records.iter().filter(|it| it["function"] == name);
        let by_schedule = of_function.filter(|it| it["triggers"]["is_sweep"] == true);
        let seconds: Vec<i64> = by_schedule
            .map(|it| {
                it["snapshot"]["taken_at"]
                    .as_str()
                    .unwrap()
                    .parse::<Timestamp>()
                    .unwrap()
            })
            .map(|it| it.as_second().rem_euclid(60))
            .collect();
        assert!(seconds.len() > 60, "{name}: {seconds:?}");
        let at = seconds.iter().filter(|it| **it == second).count();
        assert!(at * 10 > seconds.len() * 9, "{name}: {seconds:?}");
    }
}

/// The tables, without the heading above them.
fn tables(shown: &str) -> &str {
    let at = shown.find("The day by hours").unwrap();
    shown.get(at..).unwrap()
}

/// The three hours, played twice at once: what was shown, drawn and recorded is the same.
fn played_twice() -> Ran {
    let file = counts();
    let (hours, minutes) = (HOURS.to_string(), SHORT_MINUTES.to_string());
    let arguments = [
        "--load",
        file.to_str().unwrap(),
        "--hours",
        &hours,
        "--minutes",
        &minutes,
    ];
    let nowhere = scratch("");
    let (first, again) = std::thread::scope(|scope| {
        let again = scope.spawn(|| play("tracking-again", &arguments, &nowhere));
        (
            play("tracking", &arguments, &nowhere),
            again.join().unwrap(),
        )
    });
    assert_eq!(first.shown, again.shown);
    assert_eq!(first.picture, again.picture);
    first
}

#[test]
fn the_desired_count_follows_the_load_through_a_shortage() {
    let first = played_twice();
    check_schedules(&first, [("spot-fallback", 37), ("service-scaler", 4)]);
    for record in &first.records {
        assert_eq!(record.pointer("/failures/0"), None, "{record}");
    }
    check(
        tables(&first.shown),
        expect![[r#"
            The day by hours
            +----------+----------+--------------+----------+---------------+-----------------+---------------------+
            | from     | requests | tasks needed | desired  | ready on Spot | ready on demand | requests above 80 % |
            +=======================================================================================================+
            | 00:00:00 | 182846   | 18 to 19     | 24 to 28 | 21 to 28      | 0               | 0                   |
            | 01:00:00 | 424349   | 18 to 60     | 24 to 71 | 0 to 52       | 0 to 71         | 0                   |
            | 02:00:00 | 455949   | 24 to 60     | 32 to 71 | 0 to 71       | 0 to 71         | 0                   |
            +----------+----------+--------------+----------+---------------+-----------------+---------------------+

            Decisions by reason
            +----------------+------+-----------------------+-------+
            | function       | what | reason                | times |
            +=======================================================+
            | spot-fallback  | step | cover                 | 10    |
            | spot-fallback  | step | give_back             | 2     |
            | spot-fallback  | hold | at_rest               | 141   |
            | spot-fallback  | hold | covered               | 87    |
            | spot-fallback  | hold | covering              | 17    |
            | spot-fallback  | hold | starting              | 4     |
            | spot-fallback  | hold | waiting_for_deadline  | 1     |
            | spot-fallback  | hold | waiting_for_hold_down | 11    |
            | service-scaler | step | scale_in              | 8     |
            | service-scaler | step | scale_out             | 24    |
            | service-scaler | hold | on_target             | 137   |
            | service-scaler | hold | waiting_for_window    | 11    |
            | service-scaler | hold | waiting_to_turn       | 1     |
            +----------------+------+-----------------------+-------+

            Figures
            +---------------------------------------------+-------------------+--------------------------------+--------------------------------+
            |                                             | Ballast           | without: always 60, the peak's | without: always 26, the mean's |
            +===================================================================================================================================+
            | task-minutes                                | 8610              | 8411                           | 3645                           |
            | task-minutes over the required ones         | 1.348x            | 1.317x                         | 0.571x                         |
            | requests above 80 % CPU, in percent         | 0.000             | 35.468                         | 71.725                         |
            | the same before 01:30:00 and after 02:10:00 | 0.000             | 0.987                          | 55.835                         |
            | changes of direction                        | 2                 | 0                              | 0                              |
            | lowest ready tasks over the required ones   | 114 % at 01:03:00 | 0 % at 01:31:00                | 0 % at 01:31:00                |
            | on-demand task-minutes                      | 3457              | 0                              | 0                              |
            +---------------------------------------------+-------------------+--------------------------------+--------------------------------+
            1621 events, 343 of them for the functions; 454 invocations, 0 with failures, 0 ended in an error; 0 messages in the dead-letter queue
            The picture is in PICTURE.

            Bounds
            +--------------------------------------------------+---------+-----------------+
            | what is to be shown                              | found   | bound           |
            +==============================================================================+
            | requests above 80 % CPU while Spot had room      | 0.000 % | at most 0.100 % |
            | requests above 80 % CPU                          | 0.000 % | at most 0.200 % |
            | changes of direction                             | 2       | at most 8       |
            | ready tasks over the required ones, at the least | 114 %   | at least 90 %   |
            | times that the standby was asked for more        | 10      | at least 1      |
            | times that the standby gave tasks back           | 2       | at least 1      |
            | tasks that the standby is asked for at the end   | 0       | at most 0       |
            | failures, errors and dead letters                | 0       | at most 0       |
            | times that the alarm rang                        | 1       | at least 1      |
            | invocations of service-scaler that it woke       | 1       | at least 1      |
            +--------------------------------------------------+---------+-----------------+
            The desired count followed the load, and the standby lent what Spot lacked.
        "#]],
    );
    let writes = writes(&first.records);
    check_picture(&first.picture, &writes);
}

/// The picture is well-formed, names what it shows, and shows what happened.
fn check_picture(picture: &str, writes: &[(usize, u64, u64)]) {
    let document = Document::parse(picture).unwrap();
    assert!(
        document
            .root_element()
            .has_tag_name(("http://www.w3.org/2000/svg", "svg"))
    );
    check(
        &texts(&document),
        expect![[r#"
            tracking-counts.csv, minutes 0 to 1439: service-scaler and spot-fallback
            tasks
            time of day, UTC
            Spot is short
            ready on Spot
            ready on demand, on top of it
            desired (primary)
            load: tasks needed at 80 % CPU
        "#]],
    );

    let desired = longest(&document, "polyline", ("stroke", "#0072B2"));
    let needed = longest(&document, "polyline", ("stroke", "#000000"));
    assert_eq!((desired.len(), needed.len()), (MINUTES, MINUTES));
    // The higher the count, the higher the line, and the smaller the number of its point.
    let drawn = desired.windows(2).map(|it| it[0].1.cmp(&it[1].1));
    let counts = written(writes);
    let wanted = counts.windows(2).map(|it| it[1].cmp(&it[0]));
    assert!(
        drawn.eq(wanted),
        "not as it was written: {counts:?} {desired:?}"
    );

    // An area's outline goes along its upper side and back along its lower one.
    let sides = |colour: &str| {
        let outline = longest(&document, "polygon", ("fill", colour));
        assert_eq!(outline.len(), 2 * MINUTES, "{colour}");
        let (upper, lower) = outline.split_at(MINUTES);
        let lower = lower.iter().rev().copied().collect::<Vec<_>>();
        (upper.to_vec(), lower)
    };
    let (spot_top, ground) = sides("#8CD3BC");
    let (demand_top, demand_foot) = sides("#F0B040");
    assert_eq!(spot_top, demand_foot, "one area stands on the other");
    let middle = MINUTES / 2 + SHORT_MINUTES / 2;
    assert_eq!(spot_top[middle], ground[middle], "nothing is ready on Spot");
    assert!(
        demand_top[middle].1 <= desired[middle].1,
        "all is ready on demand"
    );
    let calm = MINUTES / 4;
    assert_eq!(demand_top[calm], spot_top[calm], "nothing is on demand");

    let shade = document
        .descendants()
        .find(|it| it.attribute("fill") == Some("#E4E4E4"))
        .unwrap();
    let number = |name: &str| shade.attribute(name).unwrap().parse::<i64>().unwrap();
    let (from, width) = (number("x"), number("width"));
    assert_eq!(from, desired[MINUTES / 2].0, "where the shortage begins");
    let until = desired[MINUTES / 2 + SHORT_MINUTES].0;
    assert!((from + width - until).abs() <= 1, "where it ends");
}

#[test]
fn without_published_counts_a_formula_makes_the_day_and_observe_writes_nothing() {
    let arguments = [
        "--hours",
        "2",
        "--minutes",
        "20",
        "--mode",
        "observe",
        "--seed",
        "2",
    ];
    let ran = play("tracking-observe", &arguments, &scratch(""));
    assert!(
        ran.shown
            .contains("requests: a day by a formula, for there are no published counts here"),
        "{}",
        ran.shown
    );
    let outcomes = ran
        .records
        .iter()
        .filter_map(|record| record.get("outcomes")?.as_array())
        .flatten();
    let results: Vec<&Value> = outcomes.map(|it| it.get("result").unwrap()).collect();
    assert!(!results.is_empty(), "nothing would have been written");
    assert!(results.iter().all(|it| *it == "not_written"), "{results:?}");
    let document = Document::parse(&ran.picture).unwrap();
    let desired = longest(&document, "polyline", ("stroke", "#0072B2"));
    assert!(desired.iter().all(|it| it.1 == desired[0].1), "unchanged");
    let last = "The mode was observe: nothing was written.\n";
    assert!(ran.shown.ends_with(last), "{}", ran.shown);
}

#[test]
fn two_hours_of_worldcup98() {
    let shared = std::env::var_os("BALLAST_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let counts = shared.join("data/workloads/worldcup98_requests_per_min.csv.gz");
    if !counts.is_file() {
        eprintln!("skipped: `{}` is not there", counts.display());
        return;
    }
    let arguments = ["--hours", "2", "--minutes", "30"];
    let ran = play("tracking-worldcup98", &arguments, &shared);
    assert!(
        ran.shown
            .contains("requests: worldcup98_requests_per_min.csv.gz, 1998-06-24"),
        "{}",
        ran.shown
    );
    assert!(texts(&Document::parse(&ran.picture).unwrap()).contains("WorldCup98, 1998-06-24"));
    for record in &ran.records {
        assert_eq!(record.pointer("/failures/0"), None, "{record}");
    }
}

#[test]
fn what_cannot_be_played_is_refused_before_anything_runs() {
    let short = scratch("tracking-short.csv");
    std::fs::write(&short, "minute,requests\n0,1\n1,2\n").unwrap();
    let other = scratch("tracking-other.csv");
    std::fs::write(&other, "time,load\n0,1\n").unwrap();
    let file = counts();
    let [short, other, file] = [&short, &other, &file].map(|it| it.to_str().unwrap());
    let mut found = String::new();
    for arguments in [
        &["--picture", "day.png"][..],
        &["--load", short],
        &["--load", other],
        &["--load", file, "--day", "1998-06-24"],
        &["--day", "1998-06-24"],
        &["--load", file, "--hours", "2", "--minutes", "60"],
    ] {
        let output = ballast(arguments, &scratch(""));
        let said = String::from_utf8(output.stderr).unwrap();
        let said = said.replace(env!("CARGO_TARGET_TMPDIR"), "DIR");
        writeln!(found, "{}: {}", output.status.code().unwrap(), said.trim()).unwrap();
    }
    check(
        &found,
        expect![[r#"
        2: ballast: `--picture day.png` must end in `.svg`: the picture is SVG
        2: ballast: `DIR/tracking-short.csv` cannot be played: it has 2 minutes, and a day has 1440
        2: ballast: `DIR/tracking-other.csv` cannot be played: the first line is "time,load", it must be `period,count` or `minute,requests`
        2: ballast: `DIR/tracking-counts.csv` cannot be played: it does not have all of the day `1998-06-24`
        2: ballast: `--day` needs a file of counts: there is no `data/workloads/worldcup98_requests_per_min.csv.gz` in `BALLAST_SHARED` or in a folder `shared` here or above, and no `--load`
        2: ballast: `--minutes 60` is too long: the shortage begins in the middle of 2 hours, and must end within them
    "#]],
    );
}
