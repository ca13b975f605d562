//! The sample events in `events/`, the published ones beside the checkout, and anything else at all.

// Marked as tests so that the lints know their helpers for what they are.
#[cfg(test)]
mod alarms;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod large;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod published;
#[cfg(test)]
mod render;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod secrets;
