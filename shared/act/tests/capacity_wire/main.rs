//! What capacity steps send, to the letter, and what becomes of them when the answers are not what they should be.

#[cfg(test)]
mod changes;
#[cfg(test)]
mod raises;
#[cfg(test)]
#[path = "../small_aws/mod.rs"]
mod small_aws;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terminations;
#[cfg(test)]
mod world_face;
