//! What happened, as steps in the order of time.

use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    ids::{AgentGroupId, TaskId},
    sandbox::{ExitStatus, Generation},
};
use anchorhold_store::{
    attempts::AttemptOutcome,
    deliveries::Origin,
    ends::Attempt,
    trace::{
        Event, HeardAs, Receipt, Released,
        story::{Happened, Hearing, Said, Story},
    },
};
use jiff::Timestamp;

use crate::trace::timeline::{Step, moment, nth};

/// For so many seconds at the most a message is believed to have been under way to us.
const LATE_LIMIT: i64 = 30 * 24 * 3600;

/// Steps as they are gathered.
struct Gathered<'a> {
    story: &'a Story,
    steps: Vec<Step>,
}

pub(super) fn steps(story: &Story) -> Vec<Step> {
    let mut gathered = Gathered {
        story,
        steps: Vec::new(),
    };
    for happened in &story.events {
        gathered.of_message(happened);
    }
    for hearing in &story.hearings {
        gathered.of_hearing(hearing);
    }
    for said in &story.by_host {
        gathered.of_said(said, None);
    }
    let mut steps = gathered.steps;
    // Of what happened at one moment, what was added first comes first.
    steps.sort_by_key(|step| step.at);
    if let Some(first) = steps.first().map(|step| step.at) {
        for step in &mut steps {
            step.after_ms = step.at.as_millisecond() - first.as_millisecond();
        }
    }
    steps
}

fn step(at: Timestamp, step: &'static str, what: impl Into<String>) -> Step {
    Step {
        at,
        after_ms: 0,
        agent: None,
        step,
        what: what.into(),
        why: None,
        session: None,
        seq: None,
        delivery: None,
    }
}

fn because(step: Step, why: &str) -> Step {
    Step {
        why: Some(why.to_owned()),
        ..step
    }
}

impl Gathered<'_> {
    fn name(&self, agent: AgentGroupId) -> String {
        let known = self.story.names.get(&agent);
        known.cloned().unwrap_or_else(|| agent.to_string())
    }

    fn of_message(&mut self, happened: &Happened) {
        let at = happened.at;
        let made = match &happened.event {
            Event::Received(receipt) => {
                self.steps.push(received(at, receipt));
                return self.decisions(at, receipt);
            }
            Event::Replayed(receipt) => {
                let what = "it has waited and is decided about anew";
                self.steps.push(step(at, "replayed", what));
                return self.decisions(at, receipt);
            }
            Event::Held { approval } => step(
                at,
                "held",
                format!("waits for somebody's decision ({})", approval.code()),
            ),
            Event::Released { approval, how } => {
                let how = match how {
                    Released::Refused => "was refused",
                    Released::Expired => "was not decided in time",
                    Released::NotCarriedOut => "was approved and could not be carried out",
                };
                let what = format!("waits no more: the request {} {how}", approval.code());
                step(at, "released", what)
            }
            Event::Host { version } => step(
                at,
                "host",
                format!("a host began to run (version {version})"),
            ),
            // What belongs to a session or a delivery is told there.
            Event::Starting { .. }
            | Event::TakenOver { .. }
            | Event::NotStarted { .. }
            | Event::Ended { .. }
            | Event::Pulled { .. }
            | Event::Fired { .. }
            | Event::Retry { .. }
            | Event::Waits { .. }
            | Event::PutOff { .. }
            | Event::SentAgain
            // And this is on record for the next host.
            | Event::SetBack { .. } => return,
        };
        self.steps.push(made);
    }

    fn decisions(&mut self, at: Timestamp, receipt: &Receipt) {
        for decided in &receipt.decisions {
            let (word, what) = match decided.heard {
                HeardAs::Answer => ("routed", "is to answer"),
                HeardAs::Context => ("kept", "keeps it as context"),
                HeardAs::Declined => ("declined", "does not hear it"),
            };
            let made = because(step(at, word, what), &decided.rule);
            self.steps.push(Step {
                agent: Some(self.name(decided.agent)),
                session: decided.session.map(|session| session.to_string()),
                ..made
            });
        }
        if receipt.more > 0 {
            let what = format!("{} more decided; only the first are kept", receipt.more);
            self.steps.push(step(at, "routed", what));
        }
        if let Some(why) = &receipt.declined {
            let made = step(at, "declined", "nobody hears it");
            self.steps.push(because(made, why));
        }
    }

    fn of_hearing(&mut self, hearing: &Hearing) {
        let of = |made: Step| Step {
            agent: Some(hearing.agent.clone()),
            session: Some(hearing.session.to_string()),
            seq: Some(hearing.seq),
            ..made
        };
        let stored = format!("stored in its session as number {}", hearing.seq);
        self.steps
            .push(of(step(hearing.created_at, "stored", stored)));
        let events = hearing.events.iter();
        let events = events.filter_map(|happened| of_session(happened, hearing.seq));
        self.steps.extend(events.map(of));
        if let Some(at) = hearing.ended_at {
            self.steps.push(of(end(at, hearing)));
        }
        for said in &hearing.said {
            self.of_said(said, Some(hearing));
        }
    }

    fn of_said(&mut self, said: &Said, hearing: Option<&Hearing>) {
        let of = |made: Step| Step {
            agent: hearing
                .filter(|_| said.origin == Origin::Agent)
                .map(|hearing| hearing.agent.clone()),
            session: hearing.map(|hearing| hearing.session.to_string()),
            seq: said.seq,
            delivery: Some(said.id.to_string()),
            ..made
        };
        let who = match said.origin {
            Origin::Agent => "the agent says",
            Origin::Host => "the host says",
        };
        let kind = &said.kind;
        let number = said
            .seq
            .map_or_else(String::new, |seq| format!(", its number {seq}"));
        let what = format!("{who} something in answer: a {kind}{number}");
        let mut made = vec![step(said.created_at, "said", what)];
        made.extend(said.events.iter().filter_map(of_delivery));
        for attempt in &said.attempts {
            made.push(begun(attempt));
            made.extend(settled(attempt, said));
        }
        made.extend(ends(said));
        self.steps.extend(made.into_iter().map(of));
    }
}

fn received(at: Timestamp, receipt: &Receipt) -> Step {
    let files = match receipt.files {
        0 => String::new(),
        files => format!(", {files} files"),
    };
    let late = receipt.sent_at.map_or(0, |sent_at| {
        (at.as_millisecond() - sent_at.as_millisecond()) / 1000
    });
    // A platform whose clock is off by more has told nothing.
    let late = match late {
        1..=LATE_LIMIT => format!(", {late} s after it was sent"),
        _ => String::new(),
    };
    let what = format!(
        "received: {} bytes of text{files}{late}",
        receipt.text_bytes
    );
    match &receipt.by_host {
        Some(by_host) => because(
            step(at, "received", what),
            &format!("for the host: {by_host}"),
        ),
        None => step(at, "received", what),
    }
}

fn end(at: Timestamp, hearing: &Hearing) -> Step {
    let why = hearing.last_error.as_deref();
    match (hearing.status, why) {
        (MessageStatus::Failed, Some(why)) => because(step(at, "failed", "was given up"), why),
        (MessageStatus::Failed, None) => step(at, "failed", "was given up"),
        (MessageStatus::Done, Some(why)) => {
            because(step(at, "done", "ended without an answer"), why)
        }
        (MessageStatus::Done | MessageStatus::Context | MessageStatus::Pending, _) => {
            step(at, "done", "a turn that saw it has ended well")
        }
    }
}

fn of_session(happened: &Happened, seq: i64) -> Option<Step> {
    let at = happened.at;
    Some(match &happened.event {
        Event::Starting { generation } => {
            step(at, "sandbox", format!("sandbox {generation} is started"))
        }
        Event::TakenOver { generation } => step(
            at,
            "sandbox",
            format!("sandbox {generation}, which ran on, is taken over"),
        ),
        Event::NotStarted { why } => {
            because(step(at, "sandbox", "a sandbox could not be started"), why)
        }
        Event::Ended {
            generation,
            status,
            why,
            taken,
        } => {
            let held = taken.contains(&seq);
            let what = ended_sandbox(*generation, *status, held);
            let made = step(at, "sandbox", what);
            match why {
                Some(why) => because(made, &format!("the host ended it: {why}")),
                None => made,
            }
        }
        Event::Pulled {
            generation,
            said,
            refused,
            ..
        } => step(at, "pulled", pulled(*generation, said.len(), refused.len())),
        Event::Fired {
            task,
            number,
            due_at,
            missed,
        } => {
            let what = fired(*task, *number, *due_at, *missed);
            step(at, "task", what)
        }
        Event::Retry {
            tries,
            next_at,
            why,
        } => {
            let what = format!(
                "will be tried again at {}, for the {} time",
                moment(*next_at),
                nth(tries.saturating_add(1))
            );
            because(step(at, "retry", what), why)
        }
        Event::Waits { next_at, why } => {
            let what = format!("waits for its provider until {}", moment(*next_at));
            because(step(at, "waits", what), why)
        }
        Event::Received(_)
        | Event::Replayed(_)
        | Event::Held { .. }
        | Event::Released { .. }
        | Event::PutOff { .. }
        | Event::SentAgain
        | Event::Host { .. }
        | Event::SetBack { .. } => return None,
    })
}

fn pulled(generation: Generation, said: usize, refused: usize) -> String {
    let refused = match refused {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    format!("what sandbox {generation} had to say was taken over: {said} said{refused}")
}

fn fired(task: TaskId, number: u32, due_at: Timestamp, missed: u32) -> String {
    let missed = match missed {
        0 => String::new(),
        missed => format!(", for {missed} that were missed, too"),
    };
    let due = moment(due_at);
    format!("run {number} of the task {task}, due at {due}{missed}")
}

fn ended_sandbox(generation: Generation, status: ExitStatus, held: bool) -> String {
    let held = if held {
        " with the message in its hands"
    } else {
        ""
    };
    format!("sandbox {generation} ended{held}: {status}")
}

fn of_delivery(happened: &Happened) -> Option<Step> {
    let at = happened.at;
    match &happened.event {
        Event::PutOff { next_at, why } => {
            let until = next_at.map_or_else(String::new, |at| format!(" until {}", moment(at)));
            Some(because(step(at, "put off", format!("waits{until}")), why))
        }
        Event::SentAgain => Some(step(at, "again", "the operator had it sent again")),
        Event::Received(_)
        | Event::Held { .. }
        | Event::Released { .. }
        | Event::Replayed(_)
        | Event::Starting { .. }
        | Event::TakenOver { .. }
        | Event::NotStarted { .. }
        | Event::Ended { .. }
        | Event::Pulled { .. }
        | Event::Fired { .. }
        | Event::Retry { .. }
        | Event::Waits { .. }
        | Event::Host { .. }
        | Event::SetBack { .. } => None,
    }
}

fn begun(attempt: &Attempt) -> Step {
    let what = format!(
        "try {} begins (part {})",
        attempt.number,
        attempt.part.saturating_add(1)
    );
    step(attempt.began_at, "attempt", what)
}

fn settled(attempt: &Attempt, said: &Said) -> Option<Step> {
    let (at, outcome) = (attempt.ended_at?, attempt.outcome?);
    let number = attempt.number;
    let (word, what) = match outcome {
        AttemptOutcome::Sent => {
            let id = said
                .platform_message_id
                .as_ref()
                .filter(|_| attempt.part == 0);
            let named = id.map_or_else(String::new, |id| format!(" as {id}"));
            (
                "sent",
                format!("the platform took it{named} (try {number})"),
            )
        }
        AttemptOutcome::RateLimited => (
            "attempt",
            format!("try {number}: the platform asks to wait"),
        ),
        AttemptOutcome::Transient => ("attempt", format!("try {number} failed, which may pass")),
        AttemptOutcome::Ambiguous => (
            "attempt",
            format!("try {number}: nobody can say whether the platform took it"),
        ),
        AttemptOutcome::Permanent => (
            "attempt",
            format!("try {number}: the platform will not take it"),
        ),
        AttemptOutcome::Unauthorized => (
            "attempt",
            format!("try {number}: the platform does not accept the bot"),
        ),
        AttemptOutcome::Absent => (
            "attempt",
            format!("try {number}: nobody was there to take it"),
        ),
        AttemptOutcome::Interrupted => {
            ("attempt", format!("try {number}: the host died during it"))
        }
    };
    let made = step(at, word, what);
    Some(match &attempt.detail {
        Some(why) => because(made, why),
        None => made,
    })
}

/// How a delivery ended that was not sent, and who was told.
fn ends(said: &Said) -> Vec<Step> {
    let mut made = Vec::new();
    let why = said.last_error.as_deref().unwrap_or("nobody knows why");
    if let Some(at) = said.ended_at {
        match said.status {
            DeliveryStatus::Dead => {
                made.push(because(step(at, "dead", "its delivery was given up"), why));
            }
            DeliveryStatus::Unknown => made.push(because(
                step(at, "unknown", "nobody can say whether it arrived"),
                why,
            )),
            DeliveryStatus::Pending | DeliveryStatus::Sent => {}
        }
    }
    if let Some(at) = said.told_at {
        let agent = said.note_seq.map(|seq| format!("the agent (number {seq})"));
        let people = match said.owners_told_at {
            Some(_) => "the owners",
            None => "the conversation, where it could be",
        };
        let told: Vec<String> = agent.into_iter().chain([people.to_owned()]).collect();
        made.push(step(
            at,
            "told",
            format!("told of that: {}", told.join(", ")),
        ));
    }
    if let Some(at) = said.discarded_at {
        made.push(step(at, "discarded", "the operator took it off the list"));
    }
    made
}
