//! The schedule's looks at other seconds of the minute than its first. Tasks then come and go within a minute that they are counted in.

use world::load::LoadCurve;

use super::pair::{Minutes, both, dry_out, refill};
use super::stage::Scene;

/// How long after the beginning of a minute the looks come.
const SECONDS: [u32; 3] = [5, 25, 45];

/// The load of twenty tasks becomes that of eight, and twelve or so go at once.
#[tokio::test]
async fn tasks_that_a_lowering_stops_within_a_minute_raise_nothing() {
    for second in SECONDS {
        let scene = Scene {
            tasks: 20,
            load: LoadCurve::step(20 * 60, 8 * 60, 20, 600),
            ..Scene::default()
        };
        let stage = scene.open().await;
        stage.advance_secs(second);
        let mut desired = Vec::new();
        for _ in 0..30 {
            let handled = stage.sweep_for(1).await;
            assert_eq!(handled.failure, None, "{:#?}", handled.record);
            desired.push(stage.desired().0);
        }
        let what = format!("second {second}: {desired:?}");
        assert_eq!(desired.first(), Some(&20), "{what}");
        assert!((8..=9).contains(desired.last().unwrap()), "{what}");
        assert!(desired.is_sorted_by(|a, b| a >= b), "{what}");
        assert_eq!(stage.over_limit_requests(), 0, "{what}");
    }
}

/// Twelve tasks on demand stop within a minute in which twelve run on Spot as well.
#[tokio::test]
async fn tasks_of_a_standby_that_are_given_back_within_a_minute_raise_nothing() {
    for second in SECONDS {
        let scene = Scene {
            tasks: 12,
            ..Scene::steady(12)
        };
        let stage = scene.open().await;
        stage.advance_secs(second);
        let mut seen = Minutes::new();
        both(&stage, 5, &mut seen).await;
        stage.face.with_world(dry_out);
        both(&stage, 15, &mut seen).await;
        stage.face.with_world(refill);
        both(&stage, 40, &mut seen).await;
        let what = format!("second {second}: {seen:?}");
        let lent = seen.iter().rposition(|it| it.1 > 0).unwrap();
        assert!(seen[lent].1 >= 12 && lent < 50, "{what}");
        let since: Vec<u32> = seen[lent..].iter().map(|it| it.0).collect();
        assert!(since.is_sorted_by(|a, b| a >= b), "{what}");
        assert!(seen.iter().all(|it| (12..=14).contains(&it.0)), "{what}");
    }
}
