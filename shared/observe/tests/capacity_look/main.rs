//! Looks at EC2 capacity with real SDK clients, at a simulated AWS (`world_face`), and at answers that are written down here: a small cluster at rest (`scene`), what fails
//! (`failing`), what is odd (`odd_answers`), and what a look costs (`cost`).

#[cfg(test)]
mod cost;
#[cfg(test)]
#[path = "../endpoint/mod.rs"]
mod endpoint;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod odd_answers;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod show;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world_face;
