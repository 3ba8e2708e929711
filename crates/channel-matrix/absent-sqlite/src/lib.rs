//! **For**: standing in the lockfile where matrix-sdk names its SQLite store, which is switched off.
//!
//! **Deliberately not**: anything. No code is here, and nothing compiles it.
//!
//! **Must stay true**: its version is that of matrix-sdk, and its features are those that matrix-sdk
//! names. **Start at** `docs/adr/0035-matrix-keeps-its-own-keys.md`.
