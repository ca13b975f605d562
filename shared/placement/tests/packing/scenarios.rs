//! Single cases, as operators meet them.
