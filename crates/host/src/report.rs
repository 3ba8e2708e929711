//! Errors for people and logs: the whole chain in one line.

use std::{error::Error, fmt};

/// Shows an error with its causes, `a: b: c`; for log fields and messages.
pub fn report<E: Error + ?Sized>(error: &E) -> Report<'_, E> {
    Report(error)
}

/// See [`report`].
#[derive(Debug)]
pub struct Report<'a, E: ?Sized>(&'a E);

impl<E: Error + ?Sized> fmt::Display for Report<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}
