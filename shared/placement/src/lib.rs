//! stub

pub mod strategy;
