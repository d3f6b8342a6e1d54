//! The rules, one function each. `waits` are proven by the order of what a run notes, never by time.
//!
//! Next: [`runs`], [`effects`], [`cancelling`], [`waiting`] and [`replaying`] hold them; `play` is how they play a script.

pub mod cancelling;
pub mod effects;
mod play;
pub mod replaying;
pub mod runs;
pub mod waiting;

use crate::Bench;

/// Every rule, each on an engine over an empty journal.
pub async fn suite<B: Bench>(mut fresh: impl AsyncFnMut() -> B) {
    rule("a_run_does_what_its_body_says", runs::a_run_does_what_its_body_says(fresh().await)).await;
    rule("an_error_of_the_body_is_the_end_of_the_run", runs::an_error_of_the_body_is_the_end_of_the_run(fresh().await))
        .await;
    rule(
        "an_idempotent_activity_is_repeated_under_one_key",
        effects::an_idempotent_activity_is_repeated_under_one_key(fresh().await),
    )
    .await;
    rule("what_is_not_idempotent_is_begun_once", effects::what_is_not_idempotent_is_begun_once(fresh().await)).await;
    rule(
        "t20_a_crash_burns_an_attempt_of_what_is_idempotent",
        effects::t20_a_crash_burns_an_attempt_of_what_is_idempotent(fresh().await),
    )
    .await;
    rule(
        "t20_what_a_crash_cut_off_is_interrupted_and_never_begun_again",
        effects::t20_what_a_crash_cut_off_is_interrupted_and_never_begun_again(fresh().await),
    )
    .await;
    rule(
        "t20_a_time_limit_leaves_an_activity_that_is_not_idempotent_open",
        effects::t20_a_time_limit_leaves_an_activity_that_is_not_idempotent_open(fresh().await),
    )
    .await;
    rule(
        "t20_a_defect_of_an_activity_leaves_it_open_too",
        effects::t20_a_defect_of_an_activity_leaves_it_open_too(fresh().await),
    )
    .await;
    rule("a_cancellation_reaches_what_waits", cancelling::a_cancellation_reaches_what_waits(fresh().await)).await;
    rule(
        "a_cancellation_is_heard_after_the_running_activity_has_acknowledged",
        cancelling::a_cancellation_is_heard_after_the_running_activity_has_acknowledged(fresh().await),
    )
    .await;
    rule(
        "an_activity_that_does_not_look_keeps_its_result",
        cancelling::an_activity_that_does_not_look_keeps_its_result(fresh().await),
    )
    .await;
    rule(
        "a_shield_keeps_activities_sleeps_and_signals",
        cancelling::a_shield_keeps_activities_sleeps_and_signals(fresh().await),
    )
    .await;
    rule("a_cancellation_survives_a_crash", cancelling::a_cancellation_survives_a_crash(fresh().await)).await;
    rule(
        "compensation_goes_backwards_past_failures",
        cancelling::compensation_goes_backwards_past_failures(fresh().await),
    )
    .await;
    rule(
        "signals_come_in_order_from_before_the_wait",
        waiting::signals_come_in_order_from_before_the_wait(fresh().await),
    )
    .await;
    rule("a_signal_may_be_late_and_is_kept", waiting::a_signal_may_be_late_and_is_kept(fresh().await)).await;
    rule(
        "the_first_of_several_is_the_one_that_stands_first",
        waiting::the_first_of_several_is_the_one_that_stands_first(fresh().await),
    )
    .await;
    rule(
        "what_the_others_had_begun_goes_on_unheard",
        waiting::what_the_others_had_begun_goes_on_unheard(fresh().await),
    )
    .await;
    rule("a_join_brings_all", waiting::a_join_brings_all(fresh().await)).await;
    rule("t8_a_sleep_of_days_survives_a_crash", waiting::t8_a_sleep_of_days_survives_a_crash(fresh().await)).await;
    rule(
        "identifiers_and_times_are_the_same_in_a_replay",
        replaying::identifiers_and_times_are_the_same_in_a_replay(fresh().await),
    )
    .await;
    rule(
        "a_patch_is_for_runs_that_reach_it_first_with_the_new_program",
        replaying::a_patch_is_for_runs_that_reach_it_first_with_the_new_program(fresh().await),
    )
    .await;
    rule(
        "a_body_that_strays_is_parked_until_its_program_is_back",
        replaying::a_body_that_strays_is_parked_until_its_program_is_back(fresh().await),
    )
    .await;
    rule("what_a_program_does_not_know_is_parked", replaying::what_a_program_does_not_know_is_parked(fresh().await))
        .await;
    rule("a_body_that_panics_is_parked", replaying::a_body_that_panics_is_parked(fresh().await)).await;
    rule("runs_that_have_ended_hear_nothing", runs::runs_that_have_ended_hear_nothing(fresh().await)).await;
    rule("lists_are_paged_the_newest_first", runs::lists_are_paged_the_newest_first(fresh().await)).await;
}

/// Names the rule that is tried: a wait that does not end tells by itself which one it was.
#[expect(clippy::print_stdout, reason = "the test harness shows it where a rule is broken")]
async fn rule(name: &str, rule: impl Future<Output = ()>) {
    println!("{name}");
    rule.await;
}
