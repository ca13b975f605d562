//! `ballast lab`: the real functions against a simulated AWS on this computer.

use crate::cli::{LabArgs, Scenario};
use crate::error::CliError;
use crate::lab::hold::Played;
use crate::lab::{drain, ec2, play, tracking};
use crate::output::Screen;

/// Runs the command. Whatever ends it, the functions' processes end with it.
pub(crate) async fn run(args: &LabArgs, screen: &Screen) -> Result<(), CliError> {
    let mut end = std::pin::pin!(asked_to_end());
    let played = tokio::select! {
        played = play_scenario(args, *screen) => played?,
        asked = &mut end => {
            asked?;
            return Err(CliError::Interrupted);
        }
    };
    if !args.hold {
        return Ok(());
    }
    tokio::select! {
        held = played.hold(*screen) => held,
        asked = &mut end => asked,
    }
}

async fn play_scenario(args: &LabArgs, screen: Screen) -> Result<Played, CliError> {
    match args.scenario {
        Scenario::Workshop
        | Scenario::DroughtFlap
        | Scenario::Lossy
        | Scenario::Throttled
        | Scenario::Ec2Drought => play::play(args, screen).await,
        Scenario::WorkshopEc2 => ec2::play::play(args, screen).await,
        Scenario::WorkshopInterruption => drain::interruption::play(args, screen).await,
        Scenario::InterruptionStorm => drain::storm::play(args, screen).await,
        Scenario::Tracking => tracking::day::play(args, screen).await,
    }
}

/// Waits for ctrl-c or, where there is such a thing, for the signal that asks a process to end.
async fn asked_to_end() -> Result<(), CliError> {
    let failed = |source| CliError::Io {
        what: "signals cannot be waited for".to_owned(),
        source,
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        tokio::select! {
            pressed = tokio::signal::ctrl_c() => pressed.map_err(failed),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(failed)
}
