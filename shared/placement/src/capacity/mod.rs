//! Sizing the groups under EC2 capacity providers, and choosing what to remove.

mod case;
pub mod settle;

pub(crate) use case::{Case, Look, Member, MemberState, Removal};
