//! Looks with real SDK clients: at a simulated AWS (`world_face`), and at answers that no simulation gives (`odd_answers`).

#[cfg(test)]
mod odd_answers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world_face;
