//! The problems that are found while the file is checked.

use camino::{Utf8Path, Utf8PathBuf};

use crate::config::{
    locate::Place,
    problem::{PROBLEMS_LIMIT, Problem, Problems},
    suggest,
};

/// Collects problems and knows where every key stands.
#[derive(Debug)]
pub(super) struct Report {
    file: Utf8PathBuf,
    root: Place,
    list: Vec<Problem>,
    omitted: usize,
}

impl Report {
    pub(super) fn new(file: &Utf8Path, root: Place) -> Self {
        Self {
            file: file.to_owned(),
            root,
            list: Vec::new(),
            omitted: 0,
        }
    }

    /// Adds a problem. Only the first with a key counts: what follows from it helps nobody.
    pub(super) fn add<S: AsRef<str>>(&mut self, at: &[S], what: impl AsRef<str>) {
        if self.is_full() {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let found = self.root.find(at);
        if self.list.iter().all(|problem| problem.key() != found.key) {
            self.list
                .push(Problem::new(&self.file, found, what.as_ref()));
        }
    }

    /// The end of a sentence about `word`: what was probably meant, else what there is.
    ///
    /// Empty once the report is full, for comparing with every name costs time.
    pub(super) fn suggest(&self, word: &str, names: &[&str]) -> String {
        if self.is_full() {
            return String::new();
        }
        suggest::sentence(word, names)
    }

    /// The line of a key.
    pub(super) fn line<S: AsRef<str>>(&self, at: &[S]) -> usize {
        self.root.find(at).line
    }

    /// Gives the lines back if there was no problem.
    pub(super) fn finish(self) -> Result<Place, Problems> {
        match Problems::with_omitted(self.list, self.omitted) {
            Some(problems) => Err(problems),
            None => Ok(self.root),
        }
    }

    fn is_full(&self) -> bool {
        self.list.len() >= PROBLEMS_LIMIT
    }
}
