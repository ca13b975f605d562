//! One listener on loopback, and its end.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a shutdown waits for requests that are being answered.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);

/// A listener that serves in the background until it is shut down or dropped.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
}

/// Tells a long poll that its server is about to end.
#[derive(Debug, Clone)]
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Returns once the server is being shut down or is gone.
    pub(super) async fn wait(&mut self) {
        // An error means that the server was dropped, which ends it too.
        let _ended = self.0.wait_for(|stopped| *stopped).await;
    }
}

impl Server {
    /// Listens, and serves the routes that `routes` makes.
    pub(super) async fn start(
        address: SocketAddr,
        routes: impl FnOnce(Stopping) -> Router,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let router = routes(Stopping(stopped.clone()));
        let mut ending = Stopping(stopped);
        let serving = axum::serve(listener, router)
            .with_graceful_shutdown(async move { ending.wait().await });
        let task = tokio::spawn(async move { serving.await });
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers what has arrived and ends; what takes longer than the limit is cut off.
    pub(super) async fn shutdown(mut self) -> io::Result<()> {
        self.stop.send_replace(true);
        match tokio::time::timeout(SHUTDOWN_LIMIT, &mut self.task).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(join)) => Err(io::Error::other(join)),
            Err(_elapsed) => {
                self.task.abort();
                Ok(())
            }
        }
    }
}
