//! A world that listens on loopback, with the functions of the scenario.

use model::policy::Mode;
use world::World;
use world::face::{Face, FaceOptions, serve};

use crate::cli::{LabArgs, LabMode};
use crate::error::CliError;
use crate::lab::driver::Driver;
use crate::lab::function::{Function, Name, Setup, find_binary};

/// A world that answers, and what drives it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) face: Face,
    pub(crate) driver: Driver,
}

/// Opens the world, and starts these functions.
pub(crate) async fn open(world: World, args: &LabArgs, names: &[Name]) -> Result<Opened, CliError> {
    let folder = args.binaries.as_deref();
    let binaries = names.iter().map(|name| find_binary(*name, folder));
    let binaries = binaries.collect::<Result<Vec<_>, CliError>>()?;
    let config = world.config().clone();
    let face = serve(world, FaceOptions::default())
        .await
        .map_err(|source| CliError::Io {
            what: "the world cannot listen on loopback".to_owned(),
            source,
        })?;
    let mut functions = Vec::new();
    for (name, binary) in names.iter().zip(binaries) {
        let setup = Setup {
            name: *name,
            binary,
            endpoint_url: face.url(),
            mode: mode(args.mode),
        };
        functions.push(Function::start(setup, &config).await?);
    }
    let driver = Driver::new(face.world(), functions)?;
    Ok(Opened { face, driver })
}

const fn mode(mode: LabMode) -> Mode {
    match mode {
        LabMode::Observe => Mode::Observe,
        LabMode::Act => Mode::Act,
    }
}
