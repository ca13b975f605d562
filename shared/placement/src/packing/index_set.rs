//! A set of small numbers, as bits.

/// A set of indexes.
///
/// Two sets of the same indexes are equal, however they came about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IndexSet {
    // The last word is never zero, so that equality is the set's.
    words: Vec<u64>,
}

impl IndexSet {
    /// Whether the index is in it.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.words
            .get(index / 64)
            .is_some_and(|word| (word >> (index % 64)) & 1 == 1)
    }

    /// Adds an index.
    pub fn insert(&mut self, index: usize) {
        if index / 64 >= self.words.len() {
            self.words.resize(index / 64 + 1, 0);
        }
        if let Some(word) = self.words.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether it has no index.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl FromIterator<usize> for IndexSet {
    fn from_iter<I: IntoIterator<Item = usize>>(indexes: I) -> Self {
        let mut set = Self::default();
        for index in indexes {
            set.insert(index);
        }
        set
    }
}
