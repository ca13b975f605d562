//! Looks at instances that are going away with real SDK clients, at a simulated AWS (`world_face`), and at answers that are written down
//! here: a small cluster (`scene`), what fails (`failing`), what is odd (`odd_answers`), whose it is (`whose`), what drains in nothing
//! that is opted in (`outside`), what waits in warm pools (`pools`), and what a look costs (`cost`).

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
mod outside;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod show;
#[cfg(test)]
mod support;
#[cfg(test)]
mod whose;
#[cfg(test)]
mod world_face;
