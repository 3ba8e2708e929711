//! Which channels are compiled in. The only file that names a channel crate.

use anchorhold_channel::ChannelFactory;
use anchorhold_core::entity::UnknownSenderPolicy;

use crate::config::ChannelType;

/// One channel of this build.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    /// What builds its adapters.
    pub factory: ChannelFactory,
    /// What happens to strangers' messages where the configuration does not say it.
    pub unknown_senders: UnknownSenderPolicy,
}

/// All channels of this build.
pub fn compiled() -> Vec<Compiled> {
    vec![
        Compiled {
            factory: anchorhold_channel_cli::FACTORY,
            // Who can open the socket is its owner: there are no strangers.
            unknown_senders: UnknownSenderPolicy::Public,
        },
        #[cfg(feature = "discord")]
        Compiled {
            factory: anchorhold_channel_discord::FACTORY,
            // Anybody who shares a server with a bot can write to it.
            unknown_senders: UnknownSenderPolicy::Strict,
        },
        #[cfg(feature = "matrix")]
        Compiled {
            factory: anchorhold_channel_matrix::FACTORY,
            // Anybody who is in a room with it can write to it.
            unknown_senders: UnknownSenderPolicy::Strict,
        },
        #[cfg(feature = "slack")]
        Compiled {
            factory: anchorhold_channel_slack::FACTORY,
            // A workspace has guests, and people of other workspaces.
            unknown_senders: UnknownSenderPolicy::Strict,
        },
        #[cfg(feature = "telegram")]
        Compiled {
            factory: anchorhold_channel_telegram::FACTORY,
            // Anybody can find a bot by its name.
            unknown_senders: UnknownSenderPolicy::Strict,
        },
    ]
}

/// The channel types, as the configuration knows them.
pub fn types(compiled: &[Compiled]) -> Vec<ChannelType<'_>> {
    let kind = |channel: &Compiled| ChannelType {
        name: channel.factory.type_name,
        unknown_senders: channel.unknown_senders,
    };
    compiled.iter().map(kind).collect()
}

#[cfg(test)]
mod tests;
