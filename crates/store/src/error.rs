//! Everything that can fail here: one variant for each operation.

use std::path::PathBuf;

use anchorhold_core::{
    access::Role,
    address::Address,
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, FolderName, Handle, MessageId,
        OutboundId, PlatformMessageId, QuestionId, SessionId, TaskId, UserId, WiringId,
    },
};
use sqlx::{error::ErrorKind, migrate::MigrateError};

use crate::{
    attempts::{AttemptId, Refusal},
    reconcile::conflict::Conflict,
    undo::What,
    views::View,
};

/// Writes the enum, with one line for each operation; every one of them has the database's own
/// error as its source.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* } = $text:literal $(, $argument:expr)?;)*) => {
        /// An operation that failed. Nothing of it was done.
        #[derive(Debug, thiserror::Error)]
        pub enum Error {
            /// The schema could not be brought up to date; see [`crate::Store::open`].
            #[error("could not bring the schema of {} up to date", path.display())]
            Migrate {
                /// The file.
                path: PathBuf,
                /// What the migration says.
                #[source]
                source: MigrateError,
            },
            /// A newer program made the file what it is; see [`crate::Store::open`]. Nothing was
            /// changed.
            #[error(
                "the database {} has schema version {found}, this program knows {known}: use the \
                 newer program, or go back to a copy that was made before the update",
                path.display()
            )]
            Newer {
                /// The file.
                path: PathBuf,
                /// The version it has.
                found: i64,
                /// The newest that is known.
                known: i64,
            },
            /// The configuration file wants what can't be done; see
            /// [`crate::Store::reconcile_file`].
            #[error("the configuration file is in conflict with the database: {}", listed(conflicts))]
            Conflicts {
                /// Each of them.
                conflicts: Vec<Conflict>,
            },
            /// The attempt must not be made; see [`crate::Store::begin_attempt`].
            #[error("no attempt at delivery {delivery} may begin: {why}")]
            AttemptRefused {
                /// The delivery.
                delivery: OutboundId,
                /// Why.
                why: Refusal,
            },
            /// The stored act of an approval is not the one that was asked for: somebody changed it
            /// behind the host's back. See [`crate::Store::approval`].
            #[error("the act of approval {approval} was changed after it was asked for")]
            ActChanged {
                /// The approval.
                approval: QuestionId,
            },
            /// The configuration file has it, or something that depends on it, and would want it
            /// back; see [`crate::Store::delete_with_copy`].
            #[error("{what} is in the configuration file, and is removed there")]
            OwnedByFile {
                /// What was to be deleted.
                what: What,
            },
            $(
                $(#[$doc])*
                #[error($text $(, $argument)?)]
                $name {
                    $(
                        #[doc = concat!("The ", stringify!($field), " that it was about.")]
                        $field: $type,
                    )*
                    /// What the database says.
                    #[source]
                    source: sqlx::Error,
                },
            )*
        }

        impl Error {
            /// What a caller can do about it.
            pub fn disposition(&self) -> Disposition {
                match self {
                    Self::Conflicts { .. }
                    | Self::AttemptRefused { .. }
                    | Self::OwnedByFile { .. } => Disposition::Refused,
                    Self::Migrate { .. } | Self::Newer { .. } | Self::ActChanged { .. } => {
                        Disposition::Damaged
                    }
                    $(Self::$name { source, .. } => disposition(source),)*
                }
            }
        }
    };
}

operations! {
    /// See [`crate::Store::open`].
    Open { path: PathBuf } = "could not open the database {}", path.display();
    /// See [`crate::Store::open`] and [`crate::Store::copy_to`].
    KeepCopy { path: PathBuf } = "could not copy the database to {}", path.display();
    /// See [`crate::Store::install_id`].
    InstallId {} = "could not read or set the id of the installation";
    /// See [`crate::Store::health`].
    Health {} = "could not check the database";
    /// See [`crate::Store::reconcile_file`].
    Reconcile {} = "could not bring the configuration file into the database";
    /// See [`crate::Store::entities`].
    Entities {} = "could not read what the database holds of the configuration";
    /// See [`crate::Store::groups`].
    Groups {} = "could not list agent groups";
    /// See [`crate::Store::group`].
    Group { group: AgentGroupId } = "could not read agent group {group}";
    /// See [`crate::Store::group_by_folder`].
    GroupByFolder { folder: FolderName } = "could not read the agent group with folder {folder}";
    /// See [`crate::Store::add_group`].
    AddGroup { group: AgentGroupId } = "could not add agent group {group}";
    /// See [`crate::Store::delete_group`].
    DeleteGroup { group: AgentGroupId } = "could not delete agent group {group}";
    /// See [`crate::Store::group_config`].
    GroupConfig { group: AgentGroupId } = "could not read the configuration of agent group {group}";
    /// See [`crate::Store::set_group_config`].
    SetGroupConfig { group: AgentGroupId } = "could not set the configuration of agent group {group}";
    /// See [`crate::Store::update_group`].
    UpdateGroup { group: AgentGroupId } = "could not change agent group {group}";
    /// See [`crate::Store::admin_scope`].
    AdminScope { group: AgentGroupId } = "could not read how far agents of group {group} may ask";
    /// See [`crate::Store::destinations`].
    Destinations { group: AgentGroupId } = "could not list the destinations of agent group {group}";
    /// See [`crate::Store::add_destination`].
    AddDestination { group: AgentGroupId, name: FolderName } = "could not add destination {name} of agent group {group}";
    /// See [`crate::Store::remove_destination`].
    RemoveDestination { group: AgentGroupId, name: FolderName } = "could not remove destination {name} of agent group {group}";
    /// See [`crate::Store::conversation`].
    Conversation { channel: ChannelName, chat: ChatId } = "could not read the conversation {chat} of {channel}";
    /// See [`crate::Store::ensure_conversation`].
    EnsureConversation { channel: ChannelName, chat: ChatId } = "could not find or make the conversation {chat} of {channel}";
    /// See [`crate::Store::set_unknown_senders`].
    SetUnknownSenders { conversation: ConversationId } = "could not set the policy of conversation {conversation}";
    /// See [`crate::Store::conversation_by_id`].
    ConversationById { conversation: ConversationId } = "could not read conversation {conversation}";
    /// See [`crate::Store::change_conversation`].
    ChangeConversation { conversation: ConversationId } = "could not change conversation {conversation}";
    /// See [`crate::Store::wirings_for`].
    WiringsFor { channel: ChannelName, chat: ChatId } = "could not read the wirings of {chat} of {channel}";
    /// See [`crate::Store::add_wiring`].
    AddWiring { wiring: WiringId } = "could not add wiring {wiring}";
    /// See [`crate::Store::remove_wiring`].
    RemoveWiring { wiring: WiringId } = "could not remove wiring {wiring}";
    /// See [`crate::Store::wirings_of_group`].
    WiringsOfGroup { group: AgentGroupId } = "could not list the wirings of agent group {group}";
    /// See [`crate::Store::wiring`].
    Wiring { wiring: WiringId } = "could not read wiring {wiring}";
    /// See [`crate::Store::update_wiring`].
    UpdateWiring { wiring: WiringId } = "could not change wiring {wiring}";
    /// See [`crate::Store::ensure_user`].
    EnsureUser { channel: ChannelName, handle: Handle } = "could not find or make the user {handle} of {channel}";
    /// See [`crate::Store::user`].
    User { user: UserId } = "could not read user {user}";
    /// See [`crate::Store::find_user`].
    FindUser { channel: ChannelName, handle: Handle } = "could not look up the user {handle} of {channel}";
    /// See [`crate::Store::rename_user`].
    RenameUser { user: UserId } = "could not rename user {user}";
    /// See [`crate::Store::standing`].
    Standing { user: UserId } = "could not read what user {user} may do";
    /// See [`crate::Store::role_holders`].
    RoleHolders {} = "could not list who has a role";
    /// See [`crate::Store::has_owner`].
    HasOwner {} = "could not look up whether there is an owner";
    /// See [`crate::Store::direct_chat`].
    DirectChat { user: UserId } = "could not look up where user {user} can be reached";
    /// See [`crate::Store::set_direct_chat`].
    SetDirectChat { user: UserId, conversation: ConversationId } = "could not note that user {user} can be reached in conversation {conversation}";
    /// See [`crate::Store::sender_known`].
    SenderKnown { user: UserId, group: AgentGroupId } = "could not look up whether agent group {group} knows user {user}";
    /// See [`crate::Store::grant_role`].
    GrantRole { user: UserId, role: Role } = "could not grant user {user} the role {role:?}";
    /// See [`crate::Store::revoke_role`].
    RevokeRole { user: UserId, role: Role } = "could not revoke the role {role:?} of user {user}";
    /// See [`crate::Store::add_member`].
    AddMember { user: UserId, group: AgentGroupId } = "could not add user {user} to agent group {group}";
    /// See [`crate::Store::remove_member`].
    RemoveMember { user: UserId, group: AgentGroupId } = "could not remove user {user} from agent group {group}";
    /// See [`crate::Store::subscribe`].
    Subscribe { group: AgentGroupId, conversation: ConversationId } = "could not subscribe agent group {group} to conversation {conversation}";
    /// See [`crate::Store::is_subscribed`].
    IsSubscribed { group: AgentGroupId, conversation: ConversationId } = "could not look up whether agent group {group} follows conversation {conversation}";
    /// See [`crate::Store::unsubscribe`].
    Unsubscribe { group: AgentGroupId, conversation: ConversationId } = "could not unsubscribe agent group {group} from conversation {conversation}";
    /// See [`crate::Store::session_for`].
    SessionFor { group: AgentGroupId, conversation: Option<ConversationId> } = "could not find or make a session of agent group {group}";
    /// See [`crate::Store::session`].
    Session { session: SessionId } = "could not read session {session}";
    /// See [`crate::Store::session_by_key`].
    SessionByKey { group: AgentGroupId } = "could not look up a session of agent group {group}";
    /// See [`crate::Store::group_sessions`].
    GroupSessions { group: AgentGroupId } = "could not list the sessions of agent group {group}";
    /// See [`crate::Store::answered`].
    Answered { session: SessionId } = "could not count what session {session} has answered";
    /// See [`crate::Store::sessions`].
    Sessions {} = "could not list sessions";
    /// See [`crate::Store::close_session`].
    CloseSession { session: SessionId } = "could not close session {session}";
    /// See [`crate::Store::begin_generation`].
    BeginGeneration { session: SessionId } = "could not begin a generation of session {session}";
    /// See [`crate::Store::generation`].
    Generation { session: SessionId } = "could not read the generation of session {session}";
    /// See [`crate::Store::set_fault`].
    SetFault { session: SessionId } = "could not note a fault of session {session}";
    /// See [`crate::Store::clear_fault`].
    ClearFault { session: SessionId } = "could not clear the fault of session {session}";
    /// See [`crate::Store::faulted_sessions`].
    FaultedSessions {} = "could not list sessions with a fault";
    /// See [`crate::Store::event_seen`].
    EventSeen { channel: ChannelName, message: PlatformMessageId } = "could not look up event {message} of {channel}";
    /// See [`crate::Store::enter`].
    Enter { entries: usize } = "could not record {entries} events and messages";
    /// See [`crate::Store::reserve`].
    Reserve { session: SessionId } = "could not reserve a number of session {session}";
    /// See [`crate::journal`].
    Journal { session: SessionId } = "could not read or mark the journal of session {session}";
    /// See [`crate::journal`].
    Journals {} = "could not find sessions whose files are to be written";
    /// See [`crate::Store::note_boot`].
    NoteBoot {} = "could not note that the machine was started anew";
    /// See [`crate::Store::set_back`].
    SetBack {} = "could not make up for a clock that was set back";
    /// See [`crate::Store::note_reply`].
    NoteReply { session: SessionId } = "could not note a reply to session {session}";
    /// See [`crate::Store::heard_by`].
    HeardBy { group: AgentGroupId, message: PlatformMessageId } = "could not look up whether agent group {group} heard message {message}";
    /// See [`crate::Store::replayed`].
    Replayed { channel: ChannelName, message: PlatformMessageId } = "could not note that event {message} of {channel} was heard after all";
    /// See [`crate::Store::dropped`].
    Dropped {} = "could not list declined messages";
    /// See [`crate::Store::prune_events`].
    PruneEvents {} = "could not forget old events";
    /// See [`crate::Store::sessions_to_tend`].
    SessionsToTend {} = "could not find sessions to look after";
    /// See [`crate::retention`]: what concerns one session.
    TendSession { session: SessionId } = "could not look after session {session}";
    /// See [`crate::retention`]: what concerns no session.
    Forget {} = "could not forget what is old";
    /// See [`crate::Store::add_task`].
    AddTask { task: TaskId } = "could not add task {task}";
    /// See [`crate::Store::task`].
    Task { task: TaskId } = "could not read task {task}";
    /// See [`crate::Store::save_task`].
    SaveTask { task: TaskId } = "could not change task {task}";
    /// See [`crate::Store::task_named`].
    Tasks { group: AgentGroupId } = "could not read tasks of agent group {group}";
    /// See [`crate::Store::due_tasks`].
    DueTasks {} = "could not find tasks that are due";
    /// See [`crate::Store::runs_over`].
    RunsOver {} = "could not find runs of tasks that are over";
    /// See [`crate::Store::settle_run`].
    SettleRun { task: TaskId } = "could not put the end of a run of task {task} on record";
    /// See [`crate::Store::due_sessions`].
    DueSessions {} = "could not find sessions that are due";
    /// See [`crate::Store::next_due_at`].
    NextDueAt {} = "could not find when the next message is due";
    /// See [`crate::Store::session_work`].
    SessionWork { session: SessionId } = "could not read the work of session {session}";
    /// See [`crate::Store::message`].
    Message { session: SessionId, seq: i64 } = "could not read message {seq} of session {session}";
    /// See [`crate::Store::fold_log`].
    FoldLog {} = "could not fold the write-ahead log into the database";
    /// See [`crate::Store::platform_message_id`].
    PlatformMessageId { message: MessageId } = "could not read the platform's id of message {message}";
    /// See [`crate::Store::pending_messages`].
    PendingMessages { session: SessionId } = "could not list the pending messages of session {session}";
    /// See [`crate::Store::set_tries`].
    SetTries { session: SessionId, seq: i64 } = "could not plan the next try of message {seq} of session {session}";
    /// See [`crate::Store::fail_message`].
    FailMessage { session: SessionId, seq: i64 } = "could not give up message {seq} of session {session}";
    /// See [`crate::Store::end_pending`].
    EndPending { session: SessionId } = "could not end the messages of session {session}";
    /// See [`crate::Store::mark_context_done`].
    MarkContextDone { session: SessionId } = "could not end context of session {session}";
    /// See [`crate::Store::channel_health`].
    ChannelHealth { channel: ChannelName } = "could not read or write down how channel {channel} fares";
    /// See [`crate::Store::add_requests_out`].
    AddRequestsOut {} = "could not put requests to the outside on record";
    /// See [`crate::Store::spend`].
    Spend {} = "could not sum up what was spent";
    /// See [`crate::Store::group_in_session`].
    GroupInSession { session: SessionId } = "could not read the agent group of session {session}";
    /// See [`crate::Store::note`].
    Note {} = "could not put on record what happened";
    /// See [`crate::Store::find_traced`].
    FindTraced {} = "could not look for the message that is meant";
    /// See [`crate::Store::story`].
    Story {} = "could not read what became of a message";
    /// See [`crate::Store::accept`].
    Accept { session: SessionId } = "could not take over what was pulled from session {session}";
    /// See [`crate::Store::rejected`].
    Rejected {} = "could not list rejected rows";
    /// See [`crate::Store::new_delivery`].
    NewDelivery { delivery: OutboundId } = "could not put delivery {delivery} on its way";
    /// See [`crate::Store::delivery`].
    Delivery { delivery: OutboundId } = "could not read delivery {delivery}";
    /// See [`crate::Store::delivery_by_seq`].
    DeliveryBySeq { session: SessionId, seq: i64 } = "could not read the delivery of row {seq} of session {session}";
    /// See [`crate::Store::due_lanes`].
    DueLanes {} = "could not find lanes that are due";
    /// See [`crate::Store::oldest_deliveries`].
    OldestDeliveries { lane: Address } = "could not read the oldest deliveries of a lane of {}", lane.channel;
    /// See [`crate::Store::next_delivery_at`].
    NextDeliveryAt {} = "could not find when the next delivery is due";
    /// See [`crate::Store::unpark`].
    Unpark { channel: ChannelName, chat: ChatId } = "could not unpark the deliveries to {chat} of {channel}";
    /// See [`crate::Store::park_channel_until`].
    ParkChannel { channel: ChannelName } = "could not park the deliveries of {channel}";
    /// See [`crate::Store::cited`].
    Cited { session: SessionId } = "could not look for what a person refers to in session {session}";
    /// See [`crate::Store::put_off_chat`].
    PutOffChat { channel: ChannelName, chat: ChatId } = "could not put off the deliveries to {chat} on {channel}";
    /// See [`crate::Store::unpark_channel`].
    UnparkChannel { channel: ChannelName } = "could not unpark the deliveries of {channel}";
    /// See [`crate::Store::failed_deliveries`].
    FailedDeliveries {} = "could not list failed deliveries";
    /// See [`crate::Store::untold_ends`].
    UntoldEnds {} = "could not list the ends that nobody was told of";
    /// See [`crate::Store::end_told`].
    EndTold { delivery: OutboundId } = "could not record that the end of delivery {delivery} was told";
    /// See [`crate::Store::owners_told_since`].
    OwnersTold { channel: ChannelName, chat: ChatId } = "could not look what owners were told of {chat} on {channel}";
    /// See [`crate::Store::retry_delivery`].
    RetryDelivery { delivery: OutboundId } = "could not have delivery {delivery} sent again";
    /// See [`crate::Store::discard_delivery`].
    DiscardDelivery { delivery: OutboundId } = "could not discard delivery {delivery}";
    /// See [`crate::Store::attempts_of`].
    AttemptsOf { delivery: OutboundId } = "could not list the attempts at delivery {delivery}";
    /// See [`crate::Store::begin_attempt`].
    BeginAttempt { delivery: OutboundId } = "could not begin an attempt at delivery {delivery}";
    /// See [`crate::Store::advance`].
    Advance { lanes: usize } = "could not take the next steps of {lanes} lanes";
    /// See [`crate::Store::settle_attempt`].
    SettleAttempt { attempt: AttemptId } = "could not settle attempt {attempt}";
    /// See [`crate::Store::settle_unattempted`].
    SettleUnattempted { delivery: OutboundId } = "could not settle delivery {delivery} without an attempt";
    /// See [`crate::Store::interrupted_attempts`].
    InterruptedAttempts {} = "could not list interrupted attempts";
    /// See [`crate::Store::cursor`].
    Cursor { channel: ChannelName, name: String } = "could not read the cursor {name} of {channel}";
    /// See [`crate::Store::set_cursor`].
    SetCursor { channel: ChannelName, name: String } = "could not set the cursor {name} of {channel}";
    /// See [`crate::Store::open_approval`].
    OpenApproval { approval: QuestionId } = "could not ask for approval {approval}";
    /// See [`crate::Store::approval`].
    Approval { approval: QuestionId } = "could not read approval {approval}";
    /// See [`crate::Store::approval_by_code`].
    ApprovalByCode {} = "could not look up an approval by its code";
    /// See [`crate::Store::set_approvers`].
    SetApprovers { approval: QuestionId } = "could not note who was asked for approval {approval}";
    /// See [`crate::Store::decide_approval`].
    DecideApproval { approval: QuestionId } = "could not decide approval {approval}";
    /// See [`crate::Store::withdraw_approval`].
    WithdrawApproval { approval: QuestionId } = "could not withdraw approval {approval}";
    /// See [`crate::Store::pending_approvals`].
    PendingApprovals {} = "could not list approvals that wait";
    /// See [`crate::Store::approvals_to_carry_out`].
    ApprovalsToCarryOut {} = "could not list approvals that are to be carried out";
    /// See [`crate::Store::carried_out`].
    CarriedOut { approval: QuestionId } = "could not note that approval {approval} was carried out";
    /// See [`crate::Store::expire_approvals`].
    ExpireApprovals {} = "could not expire approvals";
    /// See [`crate::Store::hold_event`].
    HoldEvent { approval: QuestionId } = "could not hold a message for approval {approval}";
    /// See [`crate::Store::held_events`].
    HeldEvents { approval: QuestionId } = "could not list the messages that wait for approval {approval}";
    /// See [`crate::Store::drop_held`].
    DropHeld { approval: QuestionId } = "could not let go of messages that wait for approval {approval}";
    /// See [`crate::Store::open_question`].
    OpenQuestion { question: QuestionId } = "could not record question {question}";
    /// See [`crate::Store::question`].
    Question { question: QuestionId } = "could not read question {question}";
    /// See [`crate::Store::question_by_code`].
    QuestionByCode {} = "could not look up a question by its code";
    /// See [`crate::Store::answer_question`].
    AnswerQuestion { question: QuestionId } = "could not record the answer to question {question}";
    /// See [`crate::Store::close_question`].
    CloseQuestion { session: SessionId } = "could not close a question of session {session}";
    /// See [`crate::Store::unsettled`].
    Unsettled { session: SessionId } = "could not count what session {session} waits for";
    /// See [`crate::Store::expire_questions`].
    ExpireQuestions {} = "could not expire questions";
    /// See [`crate::Store::open_pairing`].
    OpenPairing { channel: ChannelName } = "could not open the pairing of {channel}";
    /// See [`crate::Store::pairing`].
    Pairing { channel: ChannelName } = "could not read the pairing of {channel}";
    /// See [`crate::Store::miss_pairing`].
    MissPairing { channel: ChannelName } = "could not count a wrong code of {channel}";
    /// See [`crate::Store::take_pairing`].
    TakePairing { channel: ChannelName } = "could not use up the pairing of {channel}";
    /// See [`crate::Store::audit`].
    Audit {} = "could not put a privileged act on record";
    /// See [`crate::Store::delete_with_copy`].
    DeleteWithCopy { what: What } = "could not delete {what}";
    /// See [`crate::Store::preview`].
    Preview { what: What } = "could not look up what goes with {what}";
    /// See [`crate::Store::restore`].
    Restore { undo: i64 } = "could not restore number {undo} of what was deleted";
    /// See [`crate::Store::view`].
    View { view: View } = "could not list {view}";
    /// See [`crate::Store::counts`].
    Counts {} = "could not count what there is";
}

/// What a caller can do about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Try again later: somebody else holds the file, or the disk is full.
    Later,
    /// The arguments go against what is in the database, as when a row they name is gone.
    Refused,
    /// The file or a row in it is damaged, and a person has to look.
    Damaged,
}

/// SQLite's primary result codes for which waiting may help: busy, locked, I/O error, full, can't
/// open. The extended code is in the bits above the lowest eight.
const LATER: &[i32] = &[5, 6, 10, 13, 14];

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a foreign enum; what is not known to pass is for a person"
)]
fn disposition(error: &sqlx::Error) -> Disposition {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
            Disposition::Later
        }
        sqlx::Error::RowNotFound | sqlx::Error::Encode(_) => Disposition::Refused,
        sqlx::Error::Database(error) if error.kind() != ErrorKind::Other => Disposition::Refused,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<i32>().ok());
            match code.map(|code| code & 0xff) {
                Some(primary) if LATER.contains(&primary) => Disposition::Later,
                Some(_) | None => Disposition::Damaged,
            }
        }
        _ => Disposition::Damaged,
    }
}

fn listed(conflicts: &[Conflict]) -> String {
    let lines: Vec<String> = conflicts.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
