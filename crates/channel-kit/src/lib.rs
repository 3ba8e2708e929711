//! What the adapters of real platforms share, written once.
//!
//! **For**: HTTP with bounds, failures told apart ([`http`]), `CommonMark` into a platform's own markup
//! ([`markup`]), whom a limit is about ([`limits`]), files from the network ([`media`]), webhooks
//! ([`webhook`]), ids of edits ([`revision`]), and pauses after what can't be read ([`pace`]).
//!
//! **Deliberately not**: any platform, any policy. Text is split by `anchorhold_channel::fit` before
//! an adapter sees it, and questions that a platform can't ask are put in words by the host.
//!
//! **Must stay true**: no error and no log has a URL, a header or a body in it, because tokens travel in
//! all three; nothing is read without a limit; nothing of a webhook is parsed before its sender is
//! proven; a listener opens on this machine alone unless its configuration says otherwise.
//!
//! **Start at** [`http`]. A new adapter's tests run `anchorhold_channel::conformance`.
#![warn(missing_docs)]

pub mod http;
pub mod limits;
pub mod markup;
pub mod media;
pub mod pace;
pub mod revision;
pub mod webhook;
