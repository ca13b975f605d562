//! The HTTP face, byte by byte over loopback.

#[cfg(test)]
mod api;
#[cfg(test)]
mod cloudwatch;
#[cfg(test)]
mod http;
#[cfg(test)]
mod runtime;
