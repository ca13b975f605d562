//! One file for each command.

pub(crate) mod describe;
pub(crate) mod lab;
pub(crate) mod looks_at;
pub(crate) mod plan;
pub(crate) mod replay;
pub(crate) mod split;
pub(crate) mod status;
