//! A sign of life for whatever takes longer than a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// A spinner on standard error while something is waited for; nothing where standard error is not a terminal.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
