//! Looks at tracked services with real SDK clients, at a simulated AWS (`world_face`), and at answers that are written down here: services
//! by the number (`scene`), what alarms watch (`alarms`), what fails (`failing`), what is refused (`refused`), what is odd
//! (`odd_answers`), the groups under services (`groups`), earlier days (`season`), and what a look costs (`cost`).

#[cfg(test)]
mod alarms;
#[cfg(test)]
mod cost;
#[cfg(test)]
#[path = "../endpoint/mod.rs"]
mod endpoint;
#[cfg(test)]
mod failing;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod odd_answers;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod season;
#[cfg(test)]
mod support;
#[cfg(test)]
mod world_face;
