//! What the fields of a request become, or why they become nothing.
