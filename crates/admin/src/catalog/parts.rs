//! What the catalog's table is made of: verbs and fields that come up again, and short ways to say
//! them.

use super::{Access, Agents, Field, Kind, ROWS_LIMIT, Rule, Verb};

pub(super) const LIST: Verb = read("list");
pub(super) const GET: Verb = read("get");
pub(super) const CREATE: Verb = write("create");
pub(super) const UPDATE: Verb = write("update");
pub(super) const DELETE: Verb = write("delete");

pub(super) const LIMIT: Field = number("limit", 1, ROWS_LIMIT, "The most rows [default: 200]");
pub(super) const ID: Field = Field {
    positional: true,
    ..named("id", "ID", "Its id").required()
};
pub(super) const REQUEST: Field = Field {
    value: "ID|CODE",
    about: "Its id, or its code",
    ..ID
};
pub(super) const GROUP_ID: Field = Field {
    value: "GROUP",
    about: "The agent, by folder or id",
    ..ID
};
pub(super) const GROUP: Field = named("group", "FOLDER", "The agent, by folder or id");
pub(super) const ONLY_GROUP: Field = Field {
    about: "Look only at what is this agent's",
    ..GROUP
};
pub(super) const CHANNEL: Field = named("channel", "CHANNEL", "The channel instance");
pub(super) const CHAT: Field = platform("conversation", "CHAT", "The platform's id of the chat");
pub(super) const HANDLE: Field = platform("handle", "HANDLE", "The platform's id of the person");
pub(super) const USER: Field = named(
    "user",
    "ID",
    "The user's id; or give --channel and --handle",
);
pub(super) const DESTINATION: Field = named("name", "SLUG", "The name the agent uses for it");
pub(super) const PROVIDER: Field = named("provider", "PROVIDER", "Who runs its turns");
pub(super) const MODEL: Field = clearable(
    "model",
    "MODEL",
    "Which model; empty for the provider's own",
);
pub(super) const RUNTIME: Field = choice(
    "runtime",
    &["auto", "docker", "sandbox"],
    "Which wall it lives behind",
);
pub(super) const ADMIN_SCOPE: Field = Field {
    host_only: true,
    ..choice(
        "admin-scope",
        &["disabled", "group", "global"],
        "How far its agents may administer",
    )
};
pub(super) const ENGAGE: Field = choice(
    "engage",
    &["always", "pattern", "mention", "mention-sticky"],
    "When the agent is woken",
);
pub(super) const PATTERN: Field = line(
    "pattern",
    "RE",
    "A regular expression; alone it means `--engage pattern`",
);
pub(super) const SENDERS: Field = choice("senders", &["all", "known"], "Whose messages count");
pub(super) const IGNORED: Field = choice(
    "ignored",
    &["drop", "accumulate"],
    "What becomes of messages that did not wake it",
);
pub(super) const SESSION: Field = choice(
    "session",
    &["shared", "per-thread", "agent-shared"],
    "Which memory they belong to",
);
pub(super) const PRIORITY: Field = number(
    "priority",
    -1000,
    1000,
    "Who is asked first; the higher, the earlier",
);

pub(super) const PERSON: &[&[&str]] = &[&["user"], &["channel", "handle"]];
pub(super) const MEMBER_FIELDS: &[Field] = &[GROUP.required(), USER, CHANNEL, HANDLE];
pub(super) const ROLE_FIELDS: &[Field] = &[
    USER,
    CHANNEL,
    HANDLE,
    choice("role", &["owner", "admin"], "The role").required(),
    Field {
        about: "The agent that is administered; all if absent",
        ..GROUP
    },
];
pub(super) const ROLE_RULES: &[Rule] = &[
    Rule::One(PERSON),
    Rule::When {
        field: "role",
        value: "owner",
        needs: &[],
        excludes: &["group"],
    },
];
pub(super) const ENGAGE_RULES: &[Rule] = &[
    ENGAGE_PATTERN,
    without_pattern("always"),
    without_pattern("mention"),
    without_pattern("mention-sticky"),
];
pub(super) const ENGAGE_CHANGE_RULES: &[Rule] = &[
    Rule::Change,
    ENGAGE_PATTERN,
    without_pattern("always"),
    without_pattern("mention"),
    without_pattern("mention-sticky"),
];
const ENGAGE_PATTERN: Rule = Rule::When {
    field: "engage",
    value: "pattern",
    needs: &["pattern"],
    excludes: &[],
};

const fn without_pattern(value: &'static str) -> Rule {
    Rule::When {
        field: "engage",
        value,
        needs: &[],
        excludes: &["pattern"],
    }
}

pub(super) const fn read(name: &'static str) -> Verb {
    Verb {
        access: Access::Read,
        ..write(name)
    }
}

pub(super) const fn write(name: &'static str) -> Verb {
    Verb {
        name,
        about: "",
        access: Access::Write,
        agents: Agents::Global,
        fields: &[],
        rules: &[],
    }
}

impl Verb {
    pub(super) const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    pub(super) const fn agents(self, agents: Agents) -> Self {
        Self { agents, ..self }
    }

    pub(super) const fn fields(self, fields: &'static [Field]) -> Self {
        Self { fields, ..self }
    }

    pub(super) const fn rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }
}

impl Field {
    pub(super) const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }
}

pub(super) const fn field(name: &'static str, value: &'static str, about: &'static str) -> Field {
    Field {
        name,
        value,
        kind: Kind::Text,
        about,
        required: false,
        positional: false,
        host_only: false,
    }
}

pub(super) const fn text(name: &'static str, about: &'static str) -> Field {
    field(name, "TEXT", about)
}

pub(super) const fn line(name: &'static str, value: &'static str, about: &'static str) -> Field {
    Field {
        kind: Kind::Line,
        ..field(name, value, about)
    }
}

pub(super) const fn clearable(
    name: &'static str,
    value: &'static str,
    about: &'static str,
) -> Field {
    Field {
        kind: Kind::Clearable,
        ..field(name, value, about)
    }
}

pub(super) const fn named(name: &'static str, value: &'static str, about: &'static str) -> Field {
    Field {
        kind: Kind::Name,
        ..field(name, value, about)
    }
}

pub(super) const fn platform(
    name: &'static str,
    value: &'static str,
    about: &'static str,
) -> Field {
    Field {
        kind: Kind::PlatformId,
        ..field(name, value, about)
    }
}

pub(super) const fn number(name: &'static str, min: i64, max: i64, about: &'static str) -> Field {
    Field {
        kind: Kind::Integer { min, max },
        ..field(name, "N", about)
    }
}

pub(super) const fn flag(name: &'static str, about: &'static str) -> Field {
    Field {
        kind: Kind::Flag,
        ..field(name, "BOOL", about)
    }
}

pub(super) const fn choice(
    name: &'static str,
    values: &'static [&'static str],
    about: &'static str,
) -> Field {
    Field {
        kind: Kind::Choice(values),
        ..field(name, "WHICH", about)
    }
}
