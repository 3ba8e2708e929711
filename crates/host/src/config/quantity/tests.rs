//! Times and sizes there and back.

use std::time::Duration;

use proptest::prelude::{any, prop_assert_eq, proptest};

use crate::config::quantity::{
    QuantityError, format_duration, format_size, format_thousandths, parse_duration, parse_size,
};

#[test]
fn times_are_read() {
    let cases = [
        ("300ms", Some(300)),
        ("20s", Some(20_000)),
        ("5m", Some(300_000)),
        ("2h", Some(7_200_000)),
        ("0s", Some(0)),
        ("007s", Some(7000)),
        ("", None),
        ("s", None),
        ("20", None),
        ("20 s", None),
        (" 20s", None),
        ("20S", None),
        ("1h30m", None),
        ("1.5h", None),
        ("-1s", None),
        ("+1s", None),
        ("１s", None),
        ("20d", Some(1_728_000_000)),
        ("20w", None),
    ];
    for (text, expect) in cases {
        let ms = parse_duration(text)
            .ok()
            .map(|duration| duration.as_millis());
        assert_eq!(ms, expect, "{text:?}");
    }
    let huge = ["18446744073709551616s", "18446744073709551615h"];
    for text in huge {
        assert_eq!(parse_duration(text), Err(QuantityError::TooLarge), "{text}");
    }
}

#[test]
fn sizes_are_read() {
    let cases = [
        ("512MiB", Some(512 << 20)),
        ("1GiB", Some(1 << 30)),
        ("100kB", Some(100_000)),
        ("7B", Some(7)),
        ("1KB", None),
        ("1K", None),
        ("1kib", None),
        ("MiB", None),
    ];
    for (text, expect) in cases {
        assert_eq!(parse_size(text).ok(), expect, "{text:?}");
    }
}

#[test]
fn quantities_are_written_short() {
    assert_eq!(format_size(512 << 20), "512MiB");
    assert_eq!(format_size(1_000_000), "1MB");
    assert_eq!(format_size(1025), "1025B");
    assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    assert_eq!(format_duration(Duration::from_hours(2)), "2h");
    assert_eq!(format_thousandths(50), "0.05");
    assert_eq!(format_thousandths(256_000), "256");
    assert_eq!(format_thousandths(1500), "1.5");
}

proptest! {
    #[test]
    fn what_is_written_reads_back(amount in any::<u64>()) {
        prop_assert_eq!(parse_size(&format_size(amount)), Ok(amount));
        let duration = Duration::from_millis(amount);
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }
}
