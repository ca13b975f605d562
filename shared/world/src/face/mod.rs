//! The world's HTTP face: the AWS API for SDKs and the AWS CLI ([`serve`]), and the Lambda Runtime API for functions
//! ([`RuntimeFace`]).
//!
//! Guaranteed: listens on loopback unless told otherwise. The virtual clock moves with each API call by
//! [`crate::Config::api_latency_ms`] and otherwise only when the driver moves it, or by itself at a chosen pace
//! ([`FaceOptions::pace`]) for people who keep a world open.
//!
//! Assumed: the driver holds the world's lock ([`Face::with_world`]) for a short while only; no request is answered meanwhile.
//!
//! Absent: TLS, and any check of who calls.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use crate::World;

mod api;
mod runtime;
mod server;

pub use runtime::{
    FunctionError, INIT_LIMIT, InvocationResult, RESPONSE_BYTES_MAX, RuntimeFace, RuntimeOptions,
};
use server::Server;

/// How often a world that runs by itself catches up with the host's clock.
const PACE_EVERY: Duration = Duration::from_millis(50);

/// The longest stretch of the host's clock that one step catches up with: a host that slept does not make the world leap.
const PACE_STEP_MAX: Duration = Duration::from_secs(1);

/// How the face listens, and whether time runs by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaceOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// How many virtual seconds pass in each second of the host's clock. `None`: the driver alone moves time.
    pub pace: Option<NonZeroU32>,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            pace: None,
        }
    }
}

/// A world that answers over HTTP. Dropping it ends the listener and the running of time.
#[derive(Debug)]
pub struct Face {
    shared: Arc<api::Shared>,
    world: Arc<Mutex<World>>,
    server: Server,
    pace: Option<Pace>,
}

/// Lets a world answer over HTTP.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(world: World, options: FaceOptions) -> io::Result<Face> {
    let world = Arc::new(Mutex::new(world));
    let shared = Arc::new(api::Shared::new(Arc::clone(&world)));
    let for_routes = Arc::clone(&shared);
    let server = Server::start(options.address, |_stopping| api::routes(for_routes)).await?;
    let pace = options
        .pace
        .map(|times| Pace(tokio::spawn(run_at(times, Arc::clone(&shared)))));
    Ok(Face {
        shared,
        world,
        server,
        pace,
    })
}

impl Face {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The same, as `AWS_ENDPOINT_URL` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What a process needs in its environment so that its AWS SDK, or the AWS CLI, talks to this world and to nothing else.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<&'static str, String> {
        let region = self.with_world(|world| world.config().region.to_string());
        BTreeMap::from([
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_REGION", region.clone()),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "not-a-secret".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
        ])
    }

    /// The world itself, for drivers that keep it. Its lock must not be held across an await.
    #[must_use]
    pub fn world(&self) -> Arc<Mutex<World>> {
        Arc::clone(&self.world)
    }

    /// Looks at the world, or changes it, between two requests.
    pub fn with_world<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.shared.world())
    }

    /// How many calls came over HTTP, by IAM action such as `ecs:ListTasks`, refused ones included. What names no operation of
    /// this world is under `unknown`.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.shared.calls()
    }

    /// How many of them got an error, by IAM action and error code, such as `ecs:UpdateService ThrottlingException`.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.shared.errors()
    }

    /// Answers the requests that have arrived, ends, and gives the driver's handle of the world back.
    ///
    /// # Errors
    /// When the listener ended with an error.
    pub async fn shutdown(self) -> io::Result<Arc<Mutex<World>>> {
        drop(self.pace);
        self.server.shutdown().await?;
        Ok(self.world)
    }
}

/// The task that lets time run.
#[derive(Debug)]
struct Pace(JoinHandle<()>);

impl Drop for Pace {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run_at(times: NonZeroU32, shared: Arc<api::Shared>) {
    let mut ticks = tokio::time::interval(PACE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        let tick = ticks.tick().await;
        let passed = paced(tick.saturating_duration_since(last), times);
        last = tick;
        let mut world = shared.world();
        let until = world.now().saturating_add(passed).unwrap_or(Timestamp::MAX);
        world.advance_to(until);
    }
}

/// How much virtual time passes while the host's clock moves by `host`.
fn paced(host: Duration, times: NonZeroU32) -> SignedDuration {
    let passed = host.min(PACE_STEP_MAX).saturating_mul(times.get());
    SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_runs_at_the_pace_and_never_leaps() {
        let times = |times: u32| NonZeroU32::new(times).unwrap();
        for (host_ms, pace, virtual_ms) in [
            (0, 10, 0),
            (50, 1, 50),
            (50, 60, 3_000),
            (1_000, u32::MAX, 4_294_967_295_000),
            (86_400_000, 60, 60_000),
        ] {
            assert_eq!(
                paced(Duration::from_millis(host_ms), times(pace)),
                SignedDuration::from_millis(virtual_ms),
            );
        }
    }
}
