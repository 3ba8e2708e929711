//! Rings and rates.
