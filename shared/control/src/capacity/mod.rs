//! The duty of cluster-scaler: the Auto Scaling group capacity providers of clusters.

mod events;

/// Looks after capacity providers.
#[derive(Debug)]
pub struct Capacity {}
