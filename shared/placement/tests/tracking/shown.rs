//! Every reason as an operator reads it.

use model::tracking::{TrackingHoldReason, TrackingStepReason};

/// The files whose expectations show plans.
const SHOWN: [&str; 11] = [
    include_str!("bad_input.rs"),
    include_str!("calculations.rs"),
    include_str!("forecast.rs"),
    include_str!("foreign.rs"),
    include_str!("left_alone.rs"),
    include_str!("miscount.rs"),
    include_str!("pair.rs"),
    include_str!("placeable.rs"),
    include_str!("scale_in.rs"),
    include_str!("scale_out.rs"),
    include_str!("warm_up.rs"),
];

#[test]
fn every_reason_is_shown_as_an_operator_reads_it() {
    let is_shown = |kind: &str, name: &str| {
        let lines = SHOWN.iter().flat_map(|it| it.lines());
        let begins = format!("{kind} `");
        let names = format!("` {name}: ");
        let mut lines = lines.map(str::trim_start);
        lines.any(|it| it.starts_with(&begins) && it.contains(&names))
    };
    for name in TrackingStepReason::NAMES {
        assert!(is_shown("step", name), "{name}");
    }
    for name in TrackingHoldReason::NAMES {
        assert!(is_shown("hold", name), "{name}");
    }
}
