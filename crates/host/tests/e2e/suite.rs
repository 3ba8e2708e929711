//! The whole program as a person meets it: started, written to, killed, attacked from inside.
//!
//! Each case runs once behind each wall. What a case needs is in its environment:
//! `ANCHORHOLD_BIN` and `ANCHORHOLD_RUNNER` (the two programs; else those of this build),
//! `DOCKER_HOST` and `ANCHORHOLD_IMAGE` (the engine and the image that agents run in).

pub(crate) mod administration;
pub(crate) mod asking;
pub(crate) mod at_times;
pub(crate) mod backups;
pub(crate) mod deaths;
mod forge;
pub(crate) mod harness;
pub(crate) mod hostile;
pub(crate) mod hosts;
pub(crate) mod inside;
pub(crate) mod models;
pub(crate) mod people;
pub(crate) mod person;
pub(crate) mod talks;
pub(crate) mod tools;
pub(crate) mod troubles;
pub(crate) mod wall;

/// Makes a test of each case, behind one wall.
#[macro_export]
macro_rules! all_cases {
    ($wall:expr) => {
        $crate::cases! { $wall =>
            talks::{
                a_pipe_of_two_lines_gets_both_answers_in_order,
                a_message_that_is_given_up_fails_the_command,
                what_the_agent_can_do_arrives,
                files_go_both_ways,
                thirty_at_once_are_answered_in_order,
                two_sessions_talk_at_once,
                defect_18_what_nobody_reads_is_kept_and_comes_in_order,
                defect_58_a_sandbox_has_a_log_and_no_log_has_the_words,
            },
            deaths::{
                a_runner_that_dies_in_mid_turn_is_retried_and_answers_once,
                a_sandbox_killed_from_outside_is_retried_and_answers_once,
                what_always_dies_is_given_up_visibly,
                what_hangs_is_replaced_and_given_up_visibly,
                words_that_came_with_a_hanging_message_are_answered,
                a_new_host_adopts_what_a_killed_one_left_running,
                a_new_host_replaces_what_died_with_the_old_one,
            },
            backups::{
                a_backup_taken_while_messages_flow_is_restored_and_runs,
            },
            troubles::{
                a_rate_limit_is_waited_for_and_the_message_answered_once,
                what_is_transient_is_tried_again_until_it_works,
                a_lost_conversation_is_begun_afresh_and_the_person_told,
            },
            hosts::{
                a_second_host_is_refused,
                a_stop_lets_the_turn_end,
                a_changed_configuration_is_taken_over,
                a_broken_configuration_is_told_completely,
                two_installations_leave_each_other_alone,
            },
            people::{
                a_code_makes_an_owner_and_is_kept_nowhere,
                commands_are_the_hosts_and_other_words_the_agents,
                a_fresh_conversation_is_a_new_session_and_the_old_sandbox_is_gone,
                a_stopped_turn_ends_at_once_and_for_good,
                what_waits_for_a_wiring_is_answered_in_order_once,
                a_declined_conversation_is_asked_about_no_more,
                what_comes_during_a_turn_is_answered_within_it,
                what_came_during_a_turn_that_died_is_answered_later_once,
            },
            asking::{
                an_agent_sees_its_own_group_and_asks_for_no_more,
                an_approved_restart_is_told_to_the_fresh_sandbox,
                a_flood_of_requests_harms_nobody,
                an_approved_restart_outlives_the_host,
            },
            at_times::{
                every_tool_for_tasks_goes_the_whole_way,
                defect_34_an_agent_is_told_what_its_task_can_not_be,
                a_script_decides_whether_the_agent_is_woken,
                a_task_that_is_due_while_no_host_runs_is_done_once,
            },
            administration::{
                commands_do_what_they_say_and_tell_how_it_went,
                what_can_not_be_done_is_told_by_the_exit_status,
                what_is_deleted_can_be_had_back,
                somebody_else_is_refused,
                a_restart_is_told_to_the_fresh_sandbox_once,
                a_restart_survives_the_host,
                an_exported_configuration_changes_nothing,
                a_decision_outlives_the_host_that_took_it,
            },
            inside::{
                nothing_outside_can_be_written,
                nothing_of_the_host_is_visible,
                there_is_no_network_and_no_privilege,
            },
            tools::{
                a_question_waits_for_its_answer,
                an_answer_that_comes_too_late_is_a_message_of_a_later_turn,
                an_asked_question_survives_host_and_sandbox,
                words_go_to_the_destination_that_they_name,
                defect_30_what_was_sent_just_now_can_be_changed,
                an_agent_knows_how_things_are,
                a_harness_calls_tools_over_mcp,
                an_agent_asks_another_and_the_answer_comes_back,
                agents_do_not_ask_each_other_for_ever,
                defect_05_no_agent_makes_agents_by_itself,
            },
            models::{
                a_model_answers_and_its_key_stays_outside,
                what_is_not_on_the_list_is_refused_and_on_record,
            },
            hostile::{
                defect_01_a_link_in_the_outbox_is_not_followed,
                defect_02_an_outbox_that_is_a_link_is_not_followed,
                defect_03_a_database_that_is_a_link_is_not_opened,
                defect_55_one_bad_session_stops_nobody_else,
                a_file_that_is_no_database_is_put_aside,
                a_locked_database_holds_up_nobody_else,
                forged_rows_are_refused,
                a_row_numbered_beyond_all_silences_nobody,
                a_row_with_the_last_number_silences_nobody,
                an_end_numbered_beyond_all_silences_nobody,
                a_lost_database_and_a_death_come_to_an_end,
                a_closed_folder_is_told_and_holds_up_nobody_else,
            },
        }
    };
}

/// Makes a test of each named case.
#[macro_export]
macro_rules! cases {
    ($wall:expr => $($module:ident::{$($name:ident),* $(,)?}),* $(,)?) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(e2e::$module::$name($wall)).await;
        }
    )*)*};
}
