//! A cluster as large as AWS allows.
