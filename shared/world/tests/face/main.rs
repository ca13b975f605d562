//! The HTTP face, byte by byte over loopback.

mod api;
mod http;
mod runtime;
