//! Times and sizes, as people write them.

use std::time::Duration;

const TIME_UNITS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1000),
    ("m", 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1000),
    ("MB", 1000 * 1000),
    ("GB", 1000 * 1000 * 1000),
    ("TB", 1000 * 1000 * 1000 * 1000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Why a text is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QuantityError {
    #[error("must be a whole number and a unit, one of {units}, without a space")]
    Shape { units: String },
    #[error("is too large")]
    TooLarge,
}

/// Reads `300ms`, `20s`, `5m`, `2h` or `30d`.
pub(super) fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    parse(text, TIME_UNITS).map(Duration::from_millis)
}

/// Reads `512MiB`, `1GiB` or `100kB`.
pub(super) fn parse_size(text: &str) -> Result<u64, QuantityError> {
    parse(text, SIZE_UNITS)
}

/// The shortest way to write a time that [`parse_duration`] reads back.
pub(super) fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    format(ms, TIME_UNITS)
}

/// The shortest way to write a size that [`parse_size`] reads back.
pub(super) fn format_size(bytes: u64) -> String {
    format(bytes, SIZE_UNITS)
}

/// A number of thousandths as a decimal number.
pub(super) fn format_thousandths(number: u32) -> String {
    let (whole, part) = (number / 1000, number % 1000);
    let decimal = format!("{whole}.{part:03}");
    decimal
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, QuantityError> {
    let shape = || QuantityError::Shape {
        units: units
            .iter()
            .map(|(unit, _)| *unit)
            .collect::<Vec<_>>()
            .join(", "),
    };
    let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text.strip_prefix(number).unwrap_or_default();
    let (_, factor) = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(shape)?;
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(shape());
    }
    // Digits only, so the one way to fail is a number beyond the type.
    let number: u64 = number
        .parse()
        .map_err(|_overflow| QuantityError::TooLarge)?;
    number.checked_mul(*factor).ok_or(QuantityError::TooLarge)
}

fn format(amount: u64, units: &[(&str, u64)]) -> String {
    units
        .iter()
        .filter(|(_, factor)| amount.is_multiple_of(*factor))
        .map(|(unit, factor)| (amount / factor, unit))
        .min_by_key(|(number, _)| *number)
        .map_or_else(
            || amount.to_string(),
            |(number, unit)| format!("{number}{unit}"),
        )
}

#[cfg(test)]
mod tests;
