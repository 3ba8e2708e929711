//! Talking to the operator at the terminal, for what takes a person and a bot at once.

use async_trait::async_trait;

/// An operator who reads and answers.
#[async_trait]
pub trait Talk: Send + Sync {
    /// Shows a line.
    async fn say(&self, line: &str);

    /// Asks something that is answered with yes or no; anything else, and the end of the input, is no.
    async fn agrees(&self, question: &str) -> bool;
}
