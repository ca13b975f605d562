//! A played world that stays open.

use world::face::Face;

use crate::error::CliError;
use crate::lab::driver::Driver;
use crate::lab::scenario::later;
use crate::lab::story::Story;
use crate::output::Screen;

/// A played scenario: the world is still there.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) face: Face,
    pub(crate) driver: Driver,
    /// A command that shows what the scenario is about.
    pub(crate) command: &'static str,
}

impl Played {
    /// Keeps the world open: its clock runs with the host's, and the functions go on.
    pub(crate) async fn hold(mut self, screen: Screen) -> Result<(), CliError> {
        let exports: Vec<String> = self
            .face
            .environment()
            .into_iter()
            .map(|(name, value)| format!("export {name}={value}"))
            .collect();
        screen.print(&format!(
            "\nThe world stays open until ctrl-c; its clock runs with this computer's. In another shell:\n\n{}\n\n{}",
            exports.join("\n"),
            self.command,
        ))?;
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(1));
        let mut story = Story::of(&self.driver.functions());
        loop {
            ticks.tick().await;
            let until = later(self.driver.world().now(), 1);
            self.driver.run_until(until, |_| false).await?;
            let invoked = std::mem::take(&mut self.driver.invoked);
            let entries = self.driver.world().timeline_mut().take();
            let told = story.tell(&entries, &invoked, screen);
            if !told.is_empty() {
                screen.print(&told)?;
            }
        }
    }
}
