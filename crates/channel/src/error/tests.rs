use std::error::Error as _;

use super::*;

#[test]
fn each_failure_has_one_disposition() {
    let source = || Source::from("boom");
    let wait = Duration::from_secs(7);
    let cases = [
        (
            ChannelError::RateLimited {
                retry_after: wait,
                scope: LimitScope::Chat,
            },
            Disposition::RetryAfter {
                wait,
                scope: LimitScope::Chat,
            },
        ),
        (
            ChannelError::Transient {
                doing: "connect",
                source: source(),
            },
            Disposition::Backoff,
        ),
        (
            ChannelError::Ambiguous {
                doing: "post",
                source: source(),
            },
            Disposition::SettleUnknownOrResend,
        ),
        (
            ChannelError::Permanent {
                reason: "no such chat".into(),
            },
            Disposition::Dead,
        ),
        (
            ChannelError::Unauthorized {
                reason: "revoked".into(),
            },
            Disposition::ParkInstance,
        ),
        (ChannelError::Absent, Disposition::ParkUntilPresent),
    ];
    for (error, expect) in cases {
        assert_eq!(error.disposition(), expect, "{error}");
    }
}

#[test]
fn an_error_does_not_print_its_source() {
    let error = ChannelError::Transient {
        doing: "connect",
        source: Source::from("boom"),
    };
    assert_eq!(error.to_string(), "connect failed for now");
    assert_eq!(error.source().map(ToString::to_string), Some("boom".into()));
}
