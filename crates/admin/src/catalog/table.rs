//! The catalog's table.

use super::{
    Agents, Field, Kind, Resource, Rule,
    parts::{
        ADMIN_SCOPE, CHANNEL, CHAT, CREATE, DELETE, DESTINATION, ENGAGE, ENGAGE_CHANGE_RULES,
        ENGAGE_RULES, GET, GROUP, GROUP_ID, HANDLE, ID, IGNORED, LIMIT, LIST, MEMBER_FIELDS, MODEL,
        ONLY_GROUP, PATTERN, PERSON, PRIORITY, PROVIDER, REQUEST, ROLE_FIELDS, ROLE_RULES, RUNTIME,
        SENDERS, SESSION, UPDATE, USER, choice, clearable, field, flag, line, named, number,
        platform, read, text, write,
    },
    tasks::TASKS,
};

/// Everything that can be administered.
pub static CATALOG: &[Resource] = &[
    GROUPS,
    CONVERSATIONS,
    WIRINGS,
    USERS,
    ROLES,
    MEMBERS,
    DESTINATIONS,
    SESSIONS,
    DMS,
    DROPPED,
    APPROVALS,
    AUDIT,
    UNDO,
    DEADLETTERS,
    SPEND,
    REQUESTS,
    CHANNELS,
    TRACE,
    TASKS,
    PAIR,
];

const GROUPS: Resource = Resource {
    name: "groups",
    about: "Agents: their identity, folder and how they run",
    verbs: &[
        LIST.about("List agents")
            .agents(Agents::Group("group"))
            .fields(&[GROUP, LIMIT]),
        GET.about("Show one agent")
            .agents(Agents::Group("id"))
            .fields(&[GROUP_ID]),
        CREATE.about("Make an agent, and all it needs").fields(&[
            named("folder", "SLUG", "The folder of its workspace; unique").required(),
            line(
                "name",
                "NAME",
                "The name it goes by; the folder's if absent",
            ),
            PROVIDER,
            MODEL,
            RUNTIME,
            ADMIN_SCOPE,
        ]),
        UPDATE
            .about("Change an agent")
            .agents(Agents::Group("id"))
            .fields(&[
                GROUP_ID,
                line("name", "NAME", "The name it goes by"),
                PROVIDER,
                MODEL,
                RUNTIME,
                ADMIN_SCOPE,
                number("prompt-messages", 1, 200, "The most messages of one prompt"),
                number("tries", 1, 20, "How often a message is tried"),
                clearable(
                    "assistant-name",
                    "NAME",
                    "What it calls itself; empty for its name",
                ),
            ])
            .rules(&[Rule::Change]),
        DELETE
            .about("Delete an agent and what goes with it")
            .agents(Agents::Group("id"))
            .fields(&[GROUP_ID]),
        write("restart")
            .about("End an agent's sandboxes, and start those that have work")
            .agents(Agents::Group("id"))
            .fields(&[
                GROUP_ID,
                text("message", "What the fresh sandboxes are told first"),
            ]),
    ],
};

const CONVERSATIONS: Resource = Resource {
    name: "conversations",
    about: "Chats that are known",
    verbs: &[
        LIST.about("List conversations").fields(&[CHANNEL, LIMIT]),
        GET.about("Show one conversation").fields(&[ID]),
        UPDATE
            .about("Change a conversation")
            .fields(&[
                ID,
                clearable("name", "NAME", "Its name; empty for none"),
                choice(
                    "unknown-senders",
                    &["strict", "request_approval", "public"],
                    "What happens to strangers' messages",
                ),
                Field {
                    kind: Kind::Bool,
                    ..field(
                        "declined",
                        "BOOL",
                        "Whether nobody is asked about it any more",
                    )
                },
            ])
            .rules(&[Rule::Change]),
        DELETE
            .about("Forget a conversation and what goes with it")
            .fields(&[ID]),
    ],
};

const WIRINGS: Resource = Resource {
    name: "wirings",
    about: "Which agent hears which conversation",
    verbs: &[
        LIST.about("List wirings")
            .agents(Agents::Group("group"))
            .fields(&[CHANNEL, GROUP, LIMIT]),
        GET.about("Show one wiring")
            .agents(Agents::Group("group"))
            .fields(&[ID, ONLY_GROUP]),
        CREATE
            .about("Wire a conversation to an agent, which may then write there")
            .fields(&[
                CHANNEL.required(),
                platform(
                    "conversation",
                    "CHAT",
                    "The platform's id of the chat, or `*` for every chat",
                )
                .required(),
                GROUP.required(),
                ENGAGE,
                PATTERN,
                SENDERS,
                IGNORED,
                SESSION,
                PRIORITY,
            ])
            .rules(ENGAGE_RULES),
        UPDATE
            .about("Change how an agent hears a conversation")
            .fields(&[ID, ENGAGE, PATTERN, SENDERS, IGNORED, SESSION, PRIORITY])
            .rules(ENGAGE_CHANGE_RULES),
        DELETE
            .about("Take a wiring away, with the destination it implied")
            .fields(&[ID]),
        read("explain")
            .about("Say what would become of a message, and by which rule, without doing it")
            .agents(Agents::Group("group"))
            .fields(&[
                CHANNEL.required(),
                CHAT.required(),
                text("text", "What the message says").required(),
                flag("mention", "The bot is addressed"),
                platform("from", "HANDLE", "Who writes"),
                platform("thread", "THREAD", "In which thread"),
                flag("direct", "The chat is a direct one"),
                ONLY_GROUP,
            ]),
    ],
};

const USERS: Resource = Resource {
    name: "users",
    about: "People, one for each account on a channel",
    verbs: &[
        LIST.about("List users").fields(&[CHANNEL, LIMIT]),
        GET.about("Show one user").fields(&[ID]),
        CREATE.about("Make a user known").fields(&[
            CHANNEL.required(),
            HANDLE.required(),
            line("name", "NAME", "The name to show"),
        ]),
        UPDATE
            .about("Rename a user")
            .fields(&[ID, line("name", "NAME", "The name to show").required()]),
        DELETE
            .about("Forget a user, with roles and memberships")
            .fields(&[ID]),
    ],
};

const ROLES: Resource = Resource {
    name: "roles",
    about: "Who owns or administers",
    verbs: &[
        LIST.about("List roles")
            .fields(&[USER, CHANNEL, HANDLE, GROUP, LIMIT])
            .rules(&[Rule::AtMostOne(PERSON)]),
        write("grant")
            .about("Give somebody a role")
            .fields(ROLE_FIELDS)
            .rules(ROLE_RULES),
        write("revoke")
            .about("Take a role away")
            .fields(ROLE_FIELDS)
            .rules(ROLE_RULES),
    ],
};

const MEMBERS: Resource = Resource {
    name: "members",
    about: "Who may talk to an agent",
    verbs: &[
        LIST.about("List members")
            .agents(Agents::Group("group"))
            .fields(&[GROUP, USER, CHANNEL, HANDLE, LIMIT])
            .rules(&[Rule::AtMostOne(PERSON)]),
        write("add")
            .about("Let somebody talk to an agent")
            .agents(Agents::Group("group"))
            .fields(MEMBER_FIELDS)
            .rules(&[Rule::One(PERSON)]),
        write("remove")
            .about("Take a membership away")
            .agents(Agents::Group("group"))
            .fields(MEMBER_FIELDS)
            .rules(&[Rule::One(PERSON)]),
    ],
};

const DESTINATIONS: Resource = Resource {
    name: "destinations",
    about: "Whom an agent may write to, and by what name",
    verbs: &[
        LIST.about("List destinations")
            .agents(Agents::Group("group"))
            .fields(&[GROUP, LIMIT]),
        write("add")
            .about("Let an agent write to a chat or to another agent")
            .agents(Agents::Group("group"))
            .fields(&[
                GROUP.required(),
                DESTINATION.required(),
                CHANNEL,
                CHAT,
                named(
                    "to-group",
                    "FOLDER",
                    "The agent to write to, by folder or id",
                ),
            ])
            .rules(&[Rule::One(&[&["channel", "conversation"], &["to-group"]])]),
        write("remove")
            .about("Take a destination away")
            .agents(Agents::Group("group"))
            .fields(&[GROUP.required(), DESTINATION.required()]),
    ],
};

const SESSIONS: Resource = Resource {
    name: "sessions",
    about: "Agents' memories of conversations",
    verbs: &[
        LIST.about("List sessions, the latest active first")
            .agents(Agents::Group("group"))
            .fields(&[GROUP, flag("all", "Closed ones, too"), LIMIT]),
        GET.about("Show one session")
            .agents(Agents::Group("group"))
            .fields(&[ID, ONLY_GROUP]),
        write("close")
            .about("Close a session; what comes next begins a fresh one")
            .agents(Agents::Group("group"))
            .fields(&[ID, ONLY_GROUP]),
    ],
};

const DMS: Resource = Resource {
    name: "dms",
    about: "Where people can be reached first",
    verbs: &[LIST.about("List direct chats").fields(&[LIMIT])],
};

const DROPPED: Resource = Resource {
    name: "dropped",
    about: "What was not answered, and why",
    verbs: &[LIST
        .about("List what was declined")
        .fields(&[CHANNEL, LIMIT])],
};

const APPROVALS: Resource = Resource {
    name: "approvals",
    about: "Acts that wait for a person's word",
    verbs: &[
        LIST.about("List requests for approval")
            .agents(Agents::Group("group"))
            .fields(&[flag("all", "Decided ones, too"), GROUP, LIMIT]),
        GET.about("Show one request").fields(&[REQUEST]),
        write("approve")
            .about("Let it happen")
            .agents(Agents::Never)
            .fields(&[
                REQUEST,
                named(
                    "connect",
                    "FOLDER",
                    "Of a conversation that nobody hears: the agent that is to hear it",
                ),
                flag(
                    "new-agent",
                    "Of a conversation that nobody hears: a new agent is to hear it",
                ),
            ])
            .rules(&[Rule::AtMostOne(&[&["connect"], &["new-agent"]])]),
        write("reject")
            .about("Refuse it")
            .agents(Agents::Never)
            .fields(&[REQUEST]),
    ],
};

const AUDIT: Resource = Resource {
    name: "audit",
    about: "Privileged acts, and what was decided about them",
    verbs: &[LIST.about("List acts, the latest first").fields(&[LIMIT])],
};

const UNDO: Resource = Resource {
    name: "undo",
    about: "What was deleted, to be had back",
    verbs: &[
        LIST.about("List what was deleted")
            .fields(&[flag("all", "What is restored already, too"), LIMIT]),
        write("restore")
            .about("Bring it back")
            .agents(Agents::Never)
            .fields(&[ID]),
    ],
};

const DEADLETTERS: Resource = Resource {
    name: "deadletters",
    about: "What was not delivered, or may not have been",
    verbs: &[
        LIST.about("List what was not delivered, the latest first")
            .agents(Agents::Never)
            .fields(&[GROUP, CHANNEL, flag("all", "What is discarded, too"), LIMIT]),
        read("show")
            .about("Show one delivery and each try to send it, without its text")
            .agents(Agents::Never)
            .fields(&[ID]),
        write("retry")
            .about("Send it again at once, before what came after it")
            .agents(Agents::Never)
            .fields(&[
                ID,
                flag(
                    "even-if-it-arrived",
                    "Also where nobody can say whether it arrived; it may then come twice",
                ),
            ]),
        write("discard")
            .about("Take it off the list; it is not sent any more and stays on record")
            .agents(Agents::Never)
            .fields(&[ID]),
    ],
};

const SPEND: Resource = Resource {
    name: "spend",
    about: "What calls of models took: tokens and dollars",
    verbs: &[read("")
        .about("Sum up what calls of models took")
        .agents(Agents::Group("group"))
        .fields(&[
            choice(
                "by",
                &["day", "agent", "session", "turn"],
                "What is summed up by [default: day]",
            ),
            number(
                "days",
                1,
                3650,
                "So many days, today included [default: 30]",
            ),
            GROUP,
            LIMIT,
        ])],
};

const REQUESTS: Resource = Resource {
    name: "requests",
    about: "What agents asked the outside for, and what was refused",
    verbs: &[LIST
        .about("List requests to the outside that were not answered, the latest first")
        .agents(Agents::Group("group"))
        .fields(&[GROUP, flag("all", "Those that were answered, too"), LIMIT])],
};

const CHANNELS: Resource = Resource {
    name: "channels",
    about: "How the channel instances fare",
    verbs: &[LIST
        .about("List the instances: since when they are up or not, and what last proved it")
        .fields(&[LIMIT])],
};

const TRACE: Resource = Resource {
    name: "trace",
    about: "What became of a message, step by step",
    verbs: &[read("")
        .about("Tell what became of a message, step by step, and who has it now")
        .agents(Agents::Group("group"))
        .fields(&[
            Field {
                positional: true,
                ..platform(
                    "id",
                    "ID|last",
                    "The platform's id, ours, an answer's, SESSION:SEQ, or `last`",
                )
                .required()
            },
            platform(
                "conversation",
                "WHERE",
                "Its conversation: CHANNEL:CHAT, its id or its name; needed for `last`",
            ),
            ONLY_GROUP,
        ])],
};

const PAIR: Resource = Resource {
    name: "pair",
    about: "Become the owner by a one-time code",
    verbs: &[write("")
        .about("Print a one-time code; who sends it to the bot in a direct message is the owner")
        .agents(Agents::Never)
        .fields(&[Field {
            positional: true,
            ..CHANNEL.required()
        }])],
};
