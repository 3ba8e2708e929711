//! Every text that the host says to people.

use anchorhold_core::ids::{ChannelName, ChatId};

use super::*;

#[test]
fn causes() {
    let check = |of: Cause, expect: &str| assert_eq!(cause(&of), expect);
    check(
        Cause::Died(ExitStatus::Code(1)),
        "the agent stopped in the middle of its work (exit status 1)",
    );
    check(
        Cause::Died(ExitStatus::Signal(9)),
        "the agent stopped in the middle of its work (signal 9)",
    );
    check(
        Cause::Died(ExitStatus::OutOfMemory),
        "the agent stopped in the middle of its work (out of memory)",
    );
    check(
        Cause::Died(ExitStatus::Unknown),
        "the agent stopped in the middle of its work (an unknown cause)",
    );
    check(
        Cause::Stopped(Verdict::Overlong),
        "the agent's work took too long",
    );
    check(
        Cause::Stopped(Verdict::NeverStarted),
        "the agent did not come up",
    );
    check(
        Cause::Stopped(Verdict::Stalled),
        "the agent made no progress",
    );
    check(Cause::Untrusted, "the agent's files were damaged");
}

#[test]
fn texts() {
    let check = |text: String, expect: &str| assert_eq!(text, expect);
    check(
        given_up("the agent did not come up", 1),
        "Your message could not be answered: the agent did not come up. \
         It was tried once and is now given up.",
    );
    check(
        given_up("the agent did not come up", 5),
        "Your message could not be answered: the agent did not come up. \
         It was tried 5 times and is now given up.",
    );
    check(
        failed("the model has no more credit"),
        "Your message could not be answered: the model has no more credit",
    );
    check(
        rejected("this channel takes no files"),
        "Something the agent wanted to send could not be taken: this channel takes no files",
    );
    check(
        engine_down(),
        "The engine that runs the agent does not answer at the moment. \
         Your message is kept and will be answered when it is back.",
    );
    check(
        can_not_start(),
        "The agent can't be started at the moment. \
         Your message is kept, and its operator is told what to mend.",
    );
}

#[test]
fn what_did_not_arrive_is_told_with_why_and_how_often() {
    let lane = Address {
        channel: ChannelName::parse("one").unwrap(),
        chat: ChatId::parse("c").unwrap(),
        thread: None,
    };
    let lost = Undelivered {
        kind: "edit",
        why: "the channel says:\nno.",
        tries: 3,
        parts_sent: 0,
        uncertain: false,
    };
    assert_eq!(
        not_delivered(&lost),
        "A change of a message of the agent's could not be delivered here: \
         the channel says: no. It was tried 3 times and is now given up."
    );
    let split = Undelivered {
        kind: "post",
        parts_sent: 2,
        uncertain: true,
        ..lost
    };
    assert_eq!(
        to_agent(&split, Some(5), false),
        "What you said as number 5 (a message) may not have arrived: the channel says: no. \
         It is not sent again, since it might come twice. Its first 2 parts have arrived. \
         Nothing is said about it in the conversation."
    );
    let long = "x".repeat(1000);
    let long = Undelivered { why: &long, ..lost };
    let told = to_owner(&long, &lane, true);
    assert!(
        told.starts_with("A change of a message of the host's could"),
        "{told}"
    );
    assert!(told.contains("conversation `c` on `one`: xxx"), "{told}");
    assert!(told.len() < 700, "{told}");
}
