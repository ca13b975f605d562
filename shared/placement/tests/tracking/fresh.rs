//! How long a value is new enough: `model` says it, for the decision and for how far back the days before are read.

use model::Seconds;
use model::tracking::{Measures, Part, Point, TargetName, fresh_for};

use super::scene::{Scene, series, target};

/// The desired count that a load of 20 tasks comes to, of 10, with a single value whose period ended so long ago.
fn followed(period: Seconds, ended_secs_ago: i64) -> u32 {
    let mut scene = Scene::new(10);
    scene.track(TargetName::Requests, target(100, Measures::Total));
    let at = period.before(scene.ago(ended_secs_ago));
    let point = Point {
        at,
        value_milli: 2_000_000,
    };
    let mut of_fleet = series(Part::Fleet, vec![point]);
    of_fleet.period = period;
    scene.recent(TargetName::Requests).push(of_fleet);
    scene.act();
    scene.primary().desired_count
}

#[test]
fn a_value_is_followed_for_as_long_as_the_days_are_read_for() {
    for (period, lasts_secs) in [
        (20, 300),
        (60, 300),
        (100, 300),
        (300, 900),
        (3_600, 10_800),
    ] {
        let period = Seconds(period);
        assert_eq!(fresh_for(period), Seconds(lasts_secs));
        assert_eq!(followed(period, lasts_secs), 20, "{period}");
        assert_eq!(followed(period, lasts_secs + 1), 10, "{period}");
    }
}
