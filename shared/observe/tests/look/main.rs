//! Looks with real SDK clients: at a simulated AWS (`world_face`), at answers that no simulation gives (`odd_answers`), and
//! at clusters that are too large for one look (`large`); the instances of tasks on Spot are in `instances`.

#[cfg(test)]
mod instances;
#[cfg(test)]
mod large;
#[cfg(test)]
mod odd_answers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world_face;
