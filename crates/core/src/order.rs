//! Numbers of messages in a session: even from the host, odd from the agent, one increasing order.

/// No number is believed above this one.
pub const HIGHEST: i64 = 1 << 53;

/// An agent's number is believed up to so far above the highest that the host knows.
pub const JUMP_LIMIT: i64 = 1_000_000;

/// The host's next number: even, and above `known`, the highest that it has on record, and `said`,
/// the highest that the agent's own file shows, as far as an agent can have come to that.
pub fn next_of_host(known: i64, said: i64) -> i64 {
    let known = known.clamp(0, HIGHEST);
    let said = if said <= known.saturating_add(JUMP_LIMIT) {
        said.clamp(0, HIGHEST)
    } else {
        0
    };
    let highest = known.max(said);
    highest + 2 - highest % 2
}

#[cfg(test)]
mod tests;
