//! What was last, up to a limit: who asks for something older is told that it is not known.

use std::collections::VecDeque;

/// The newest pairs of a key and a value.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    pairs: VecDeque<(K, V)>,
    limit: usize,
}

impl<K: PartialEq, V> Recent<K, V> {
    /// At most `limit` of them.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            pairs: VecDeque::new(),
            limit,
        }
    }

    /// Notes a value, in place of an earlier one of the same key.
    pub(crate) fn note(&mut self, key: K, value: V) {
        self.forget(&key);
        self.pairs.push_back((key, value));
        if self.pairs.len() > self.limit {
            self.pairs.pop_front();
        }
    }

    /// The value of a key. The newest are found first.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let found = self.pairs.iter().rev().find(|(known, _)| known == key);
        found.map(|(_, value)| value)
    }

    /// Forgets a key.
    pub(crate) fn forget(&mut self, key: &K) {
        self.pairs.retain(|(known, _)| known != key);
    }
}
