//! The command line, read but not run.
