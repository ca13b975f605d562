//! Packing, held against judges that share no code with it.

mod exhaustive;
mod judge;
mod laws;
mod random;
mod scenarios;
mod vectors;
