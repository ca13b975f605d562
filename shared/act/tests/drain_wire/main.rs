//! What steps of departures send, to the letter, and what becomes of them when the answers are not what they should be.

#[cfg(test)]
mod instances;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
#[path = "../small_aws/mod.rs"]
mod small_aws;
#[cfg(test)]
mod stops;
#[cfg(test)]
mod support;
#[cfg(test)]
mod whole;
#[cfg(test)]
mod world_face;
