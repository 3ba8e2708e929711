//! The rules by which requests are refused, and what is said inside about it.

use std::fmt;

/// A refusal: the rule, and a sentence for whoever reads it inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// What was asked, as far as it can be repeated; never content.
    pub what: String,
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:literal, $text:literal;)*) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $($(#[$doc])* $variant,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name, by which the manual explains it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status of the answer.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

rules! {
    /// The agent has no model.
    NoModel = "no-model", 403, "this agent has no model configured";
    /// Not one of the calls that are relayed.
    ModelCall = "model-call", 403, "of the model's API only these calls are relayed";
    /// Not the model that is configured.
    ModelName = "model-name", 403, "the call asks for another model than the configured one";
    /// The provider would fetch or run something on the agent's behalf.
    ServerSide = "server-side", 403, "the call has the provider itself reach other places";
    /// The host is not on the list.
    EgressList = "egress-list", 403, "the host is not on this agent's egress list";
    /// The name leads to an address that is not public.
    PrivateAddress = "private-address", 403, "the host has no public address, and its address is not on this agent's egress list";
    /// A request for another host that is not a tunnel.
    PlainHttp = "plain-http", 403, "hosts are reached by CONNECT only, over HTTPS";
    /// Nothing is there.
    NoSuchPlace = "no-such-place", 404, "the broker has nothing at this path";
    /// It can be read in more than one way.
    Malformed = "malformed", 400, "the request can't be understood";
    /// It is too large.
    TooLarge = "too-large", 413, "the request is too large";
    /// It took too long to come.
    TooSlow = "too-slow", 408, "the request took too long to arrive";
    /// The session is not known any more.
    NoSession = "no-session", 403, "this session may not reach anything";
}

impl Rule {
    /// The refusal by this rule.
    pub fn refuses(self, what: impl Into<String>) -> Refusal {
        Refusal {
            rule: self,
            what: what.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, what } = self;
        write!(f, "refused by rule {}: {}", rule.name(), rule.text())?;
        match what.as_str() {
            "" => Ok(()),
            what => write!(f, " ({what})"),
        }
    }
}
