//! The table's part about tasks.

use super::{
    Agents, Field, Resource, Rule,
    parts::{
        CHANNEL, CHAT, GROUP, ID, LIMIT, LIST, ONLY_GROUP, UPDATE, flag, line, named, number,
        platform, read, text, write,
    },
};

pub(super) const TASKS: Resource = Resource {
    name: "tasks",
    about: "What agents do at times",
    verbs: &[
        LIST.about("List tasks, the next due first")
            .agents(Agents::Own("group"))
            .fields(&[
                GROUP,
                CHANNEL,
                flag("all", "Those that have ended, too"),
                LIMIT,
            ]),
        read("show")
            .about("Show one task, with its runs")
            .agents(Agents::Own("group"))
            .fields(&[TASK, ONLY_GROUP]),
        write("add")
            .about("Have an agent do something at a time, or again and again")
            .agents(Agents::Own("group"))
            .fields(&[
                GROUP.required(),
                text("prompt", "What the agent is to do").required(),
                TASK_NAME,
                TASK_AT,
                TASK_IN,
                TASK_CRON,
                TASK_ZONE,
                TASK_SCRIPT,
                named(
                    "to",
                    "SLUG",
                    "Where the answers go: a destination of the agent",
                ),
                Field {
                    host_only: true,
                    ..CHANNEL
                },
                Field {
                    host_only: true,
                    ..CHAT
                },
                Field {
                    host_only: true,
                    ..platform("thread", "THREAD", "In which thread there")
                },
                flag(
                    "in-conversation",
                    "It runs in the memory of that conversation, not in one of its own",
                ),
                number(
                    "message",
                    1,
                    i64::MAX,
                    "The number of the message that asks for it: there the answers go",
                ),
            ])
            .rules(&[
                Rule::One(TIMES),
                Rule::AtMostOne(&[&["to"], &["channel", "conversation"]]),
                Rule::AtMostOne(&[&["to"], &["message"]]),
            ]),
        UPDATE
            .about("Change what a task does, or when")
            .agents(Agents::Own("group"))
            .fields(&[
                TASK,
                ONLY_GROUP,
                TASK_NAME,
                text("prompt", "What the agent is to do"),
                TASK_AT,
                TASK_IN,
                TASK_CRON,
                TASK_ZONE,
                TASK_SCRIPT,
            ])
            .rules(&[Rule::AtMostOne(TIMES)]),
        write("pause")
            .about("Let a task rest")
            .agents(Agents::Own("group"))
            .fields(&[TASK, ONLY_GROUP]),
        write("resume")
            .about("Let a task run again that rests")
            .agents(Agents::Own("group"))
            .fields(&[TASK, ONLY_GROUP]),
        write("run-now")
            .about("Run a task now, besides its times")
            .agents(Agents::Never)
            .fields(&[TASK, ONLY_GROUP]),
        write("cancel")
            .about("End a task; it stays on record for a while")
            .agents(Agents::Own("group"))
            .fields(&[TASK, ONLY_GROUP]),
    ],
};

const TASK: Field = Field {
    value: "ID|NAME",
    about: "Its id, or its name",
    ..ID
};
const TASK_NAME: Field = named(
    "name",
    "NAME",
    "What it is called; made of what it does if absent",
);
const TASK_AT: Field = line(
    "at",
    "TIME",
    "Once at this time, e.g. `2026-12-24 18:30`: local in --zone if it has no offset",
);
const TASK_IN: Field = line("in", "SPAN", "Once after this time, e.g. `20 minutes`");
const TASK_CRON: Field = line(
    "cron",
    "CRON",
    "Again and again: minute, hour, day, month, weekday, e.g. `30 9 * * 1-5`",
);
const TASK_ZONE: Field = line(
    "zone",
    "ZONE",
    "The time zone it is meant in, e.g. `Europe/Berlin` [default: UTC]",
);
const TASK_SCRIPT: Field = text(
    "script",
    "A command run in the sandbox first, whose last line says whether to wake the agent; empty for none",
);
const TIMES: &[&[&str]] = &[&["at"], &["in"], &["cron"]];
