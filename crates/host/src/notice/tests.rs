//! Every text that the host says to people.

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
