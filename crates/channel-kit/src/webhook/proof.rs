//! How a caller proves who they are. Every comparison takes the same time, whatever differs.

use std::time::Duration;

use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Is what was given the secret? Not even its length shows in the time this takes.
pub fn is_secret(given: &[u8], secret: &[u8]) -> bool {
    // Of two equally long digests nothing can be learnt.
    let digest = |text: &[u8]| keyed(b"anchorhold", &[text]);
    digest(given).ct_eq(&digest(secret)).into()
}

/// Is `given`, in hexadecimal, the [`signature`] of `parts` under `key`?
pub fn is_signed(given: &str, key: &[u8], parts: &[&[u8]]) -> bool {
    let expect = signature(key, parts);
    is_secret(given.to_ascii_lowercase().as_bytes(), expect.as_bytes())
}

/// The HMAC-SHA256 of `parts` one after the other under `key`, in hexadecimal.
pub fn signature(key: &[u8], parts: &[&[u8]]) -> String {
    hexadecimal(&keyed(key, parts))
}

/// Was it signed at about `now`? What was recorded and is played again later was not.
pub fn is_fresh(signed_at: Timestamp, now: Timestamp, window: Duration) -> bool {
    now.duration_since(signed_at).unsigned_abs() <= window
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// Bytes in hexadecimal, in small letters.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}

#[cfg(test)]
mod tests;
