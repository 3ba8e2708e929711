//! What a platform can do, as plain data.
//!
//! Nothing here has a default: whoever adds an adapter has to answer each question.

/// What one platform can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelCaps {
    /// The longest text of one message.
    pub text: TextLimit,
    /// How text is marked up.
    pub markup: Markup,
    /// Are there threads inside a chat?
    pub threads: Support,
    /// Can a sent message be changed?
    pub edits: Support,
    /// Can a sent message be taken back?
    pub deletes: Support,
    /// Can a reaction be put on a message?
    pub reactions: Support,
    /// Can it be shown that an answer is being made?
    pub typing: Support,
    /// How a question with fixed answers is asked.
    pub questions: Questions,
    /// Can the bot open a direct chat and write to a person first?
    pub opens_directs: Support,
    /// Which files can be sent.
    pub files: FilesOut,
    /// Is a second send with the same key the same message, and never a second one?
    /// Decides whether an ambiguous send can be repeated.
    pub dedupes_by_key: Support,
    /// Does a message wait for its reader on the platform?
    pub reader: Reader,
}

/// Does the platform have it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does.
    Yes,
    /// It doesn't; the operation fails with `Permanent`.
    No,
}

impl Support {
    /// True for [`Support::Yes`].
    pub fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// A limit of text in the unit that the platform counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextLimit {
    /// Unicode scalar values.
    Chars(usize),
    /// UTF-16 code units.
    Utf16(usize),
    /// Bytes of UTF-8.
    Bytes(usize),
    /// No limit below the host's own.
    Unlimited,
}

/// How text is marked up on the way out; the host always hands over `CommonMark`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Shown as it is, marks included.
    Plain,
    /// The platform shows `CommonMark` itself.
    Markdown,
    /// The adapter renders `CommonMark` into the platform's own markup.
    Rendered,
}

/// How a question with fixed answers is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Questions {
    /// With the platform's own buttons or list.
    Native {
        /// More options than this are asked as text.
        max_options: usize,
    },
    /// As text with numbered answers, which the host writes.
    Text,
}

/// Which files can be sent with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesOut {
    /// None at all.
    None,
    /// So many, of such a size. The host makes several messages of more.
    UpTo {
        /// The longest text that one message has beside its files; a longer one goes first, as
        /// messages of its own.
        text: TextLimit,
        /// The most files of one message.
        count: usize,
        /// The largest file, in bytes.
        each_bytes: u64,
        /// The most of all files of one message together, in bytes.
        total_bytes: u64,
    },
}

/// Does a message wait for its reader on the platform?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The platform keeps messages, people scroll back: nobody is ever absent.
    ScrollsBack,
    /// Only who is connected gets a message: `send` fails with `Absent` when nobody is.
    MayBeAbsent,
}
