//! The requests of a day: published counts, counts of one's own, or a day by a formula.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use world::load::LoadCurve;

use crate::cli::TrackingArgs;
use crate::error::CliError;

/// The published counts, in the folder `data/workloads`.
const PUBLISHED: &str = "worldcup98_requests_per_min.csv.gz";
/// The day of them that is played by default: two matches, with calm between them.
const DAY_PUBLISHED: &str = "1998-06-24";
/// The environment variable with the folder that holds `data`.
const SHARED: &str = "BALLAST_SHARED";
/// A day, in minutes.
pub(super) const DAY_MINUTES: usize = 24 * 60;
/// A longer text is no file of counts, in bytes: five years of them have less.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The requests of a day, and of the days before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// All requests that are known.
    curve: LoadCurve,
    /// The day's first minute in it.
    first: usize,
    /// Whether it is known to rise faster than a look each minute follows, with the default tags.
    pub(crate) rises_fast: bool,
    /// What it is, for headings.
    pub(crate) title: String,
    /// Where it comes from, for the output.
    pub(crate) source: String,
}

impl Traffic {
    /// What the arguments ask for.
    pub(crate) fn of(args: &TrackingArgs) -> Result<Self, CliError> {
        if let Some(path) = &args.load {
            return Self::of_file(path, args.day.as_deref());
        }
        match published() {
            Some(path) => {
                let day = args.day.as_deref().unwrap_or(DAY_PUBLISHED);
                let counts = Self::of_file(&path, Some(day))?;
                Ok(Self {
                    // The second match's requests more than double within half an hour.
                    rises_fast: day == DAY_PUBLISHED,
                    title: format!("WorldCup98, {day}"),
                    ..counts
                })
            }
            None if args.day.is_some() => Err(CliError::Argument(format!(
                "`--day` needs a file of counts: there is no `data/workloads/{PUBLISHED}` in `{SHARED}` or in a folder `shared` here or above, and no \
                 `--load`"
            ))),
            None => Ok(by_formula()),
        }
    }

    fn of_file(path: &Path, day: Option<&str>) -> Result<Self, CliError> {
        let text = read(path).map_err(|source| CliError::Io {
            what: format!("`{}` cannot be read", path.display()),
            source,
        })?;
        let unusable = |why: String| {
            CliError::Argument(format!("`{}` cannot be played: {why}", path.display()))
        };
        let curve = LoadCurve::parse_csv(&text).map_err(|error| unusable(error.to_string()))?;
        let minutes = curve.minutes();
        if minutes < DAY_MINUTES {
            return Err(unusable(format!(
                "it has {minutes} minutes, and a day has {DAY_MINUTES}"
            )));
        }
        let first = match day {
            None => minutes - DAY_MINUTES,
            Some(day) => curve
                .minute_of(&format!("{day} 00:00:00"))
                .filter(|first| first + DAY_MINUTES <= minutes)
                .ok_or_else(|| unusable(format!("it does not have all of the day `{day}`")))?,
        };
        if curve.window(first, DAY_MINUTES).peak() == 0 {
            return Err(unusable("there are no requests on that day".to_owned()));
        }
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let begins = match (day, curve.starts_at()) {
            (Some(day), _) => day.to_owned(),
            (None, Some(_)) => "its last 24 hours".to_owned(),
            (None, None) => format!("minutes {first} to {}", minutes - 1),
        };
        Ok(Self {
            title: format!("{file}, {begins}"),
            source: format!("{file}, {begins}, one count for each minute"),
            rises_fast: false,
            curve,
            first,
        })
    }

    /// The requests of each minute from so many minutes before the day on; what lies before the first count or after the last goes on at
    /// the other end.
    pub(crate) fn starting_before(&self, minutes_before: usize, minutes: usize) -> LoadCurve {
        let all = self.curve.minutes().max(1);
        let before = minutes_before.checked_rem(all).unwrap_or(0);
        let from = (self.first + all - before).checked_rem(all).unwrap_or(0);
        self.curve.window(from, minutes)
    }

    /// The day's requests in each minute.
    pub(crate) fn day(&self) -> LoadCurve {
        self.starting_before(0, DAY_MINUTES)
    }
}

/// The published counts, where they are there.
fn published() -> Option<PathBuf> {
    let in_shared = |shared: PathBuf| shared.join("data").join("workloads").join(PUBLISHED);
    if let Some(shared) = std::env::var_os(SHARED) {
        return Some(in_shared(shared.into())).filter(|it| it.is_file());
    }
    let here = std::env::current_dir().ok()?;
    let found = here.ancestors().map(|it| in_shared(it.join("shared")));
    found.into_iter().find(|it| it.is_file())
}

fn read(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let mut text = String::new();
    if path.extension().is_some_and(|it| it == "gz") {
        GzDecoder::new(file)
            .take(BYTES_MAX)
            .read_to_string(&mut text)?;
    } else {
        file.take(BYTES_MAX).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// A day that rises to noon and falls again, with a second wave in the evening and some unrest. Every day is the same.
fn by_formula() -> Traffic {
    let minutes = (0_u64..).take(DAY_MINUTES);
    let requests: Vec<u64> = minutes
        .map(|minute| {
            let noon = bump(minute, 0, 1_440);
            let evening = bump(minute, 1_020, 1_320);
            let calm = 2_000 + 14 * noon + 9 * evening;
            // Up to 4 % more, by Knuth's multiplicative hashing.
            let unrest = (minute * 2_654_435_761 / 65_536) % 1_000;
            calm + calm * unrest / 25_000
        })
        .collect();
    Traffic {
        curve: LoadCurve::per_minute(requests),
        first: 0,
        rises_fast: false,
        title: "a day by a formula".to_owned(),
        source: "a day by a formula, for there are no published counts here (`--load`)".to_owned(),
    }
}

/// From 0 at the ends to 1,000 in the middle, smooth at the ends: the square of a parabola.
fn bump(minute: u64, from: u64, to: u64) -> u64 {
    if !(from..to).contains(&minute) {
        return 0;
    }
    let half = (to - from) / 2;
    let height = (minute - from) * (to - minute) * 1_000 / (half * half);
    height * height / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formulas_day_is_high_at_noon_and_has_a_wave_in_the_evening() {
        let day = by_formula().day();
        assert_eq!(day.minutes(), DAY_MINUTES);
        assert!((2_000..2_100).contains(&day.at(0)), "{}", day.at(0));
        assert!((16_000..16_700).contains(&day.at(720)), "{}", day.at(720));
        assert!(
            day.at(1_170) > day.at(1_020) && day.at(1_170) > day.at(1_320),
            "an evening wave"
        );
    }

    #[test]
    fn what_is_before_the_day_comes_from_the_days_before() {
        let counts = (0..3 * 1_440).collect();
        let traffic = Traffic {
            curve: LoadCurve::per_minute(counts),
            first: 2_880,
            rises_fast: false,
            title: String::new(),
            source: String::new(),
        };
        assert_eq!(traffic.day().at(0), 2_880);
        assert_eq!(traffic.starting_before(10, 20).at(0), 2_870);
        // Five days before it there is nothing: the counts are repeated.
        assert_eq!(traffic.starting_before(5 * 1_440, 1).at(0), 0);
        assert_eq!(traffic.starting_before(2 * 1_440, 1).at(0), 0);
        assert_eq!(traffic.starting_before(3 * 1_440, 1).at(0), 2_880);
    }
}
