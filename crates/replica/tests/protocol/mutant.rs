//! Breaking a rule breaks the test that names it.

use std::panic::catch_unwind;

use baton_replica::{Mutant, with_mutant};

use crate::{ahead, counter, descent, operation, ownership, reissue, repair};

/// Each mutant and a test that must fail with it.
const CAUGHT: [(Mutant, fn()); 32] = [
    (Mutant::InitOverwrites, operation::a_default_loses_to_a_value_that_was_put_before_it_and_comes_later),
    (Mutant::TakeWithoutOwnDot, operation::a_take_leaves_its_own_dot_as_a_delete_does),
    (Mutant::TouchIsNewer, operation::a_touch_does_not_win_over_a_newer_value),
    (Mutant::BatchTorn, operation::a_batch_comes_from_its_writer_in_one_step),
    (Mutant::ExpiryWithoutContext, operation::what_expires_leaves_its_dot_as_if_everybody_had_deleted_it),
    (Mutant::ExpiryWithoutContext, operation::what_expires_leaves_superseded_what_it_has_superseded),
    (Mutant::CounterAbsorbedByYounger, counter::what_a_retired_replica_has_added_is_taken_over_by_the_oldest_alone),
    (Mutant::CounterAbsorbsTheLiving, counter::what_a_retired_replica_has_added_is_taken_over_by_the_oldest_alone),
    (Mutant::TokenReused, ownership::a_token_is_above_one_that_was_given_by_a_clock_ahead_for_a_key_that_is_no_more),
    (Mutant::TokenReused, ownership::a_newcomer_knows_the_highest_token_of_what_was_deleted_before_it_came),
    (Mutant::AdopterFromStaleList, ownership::a_key_whose_adopter_crashes_finds_another),
    (Mutant::AdopterKeepsToken, ownership::a_key_whose_adopter_crashes_finds_another),
    (Mutant::ReissueAsNew, reissue::it_loses_to_what_was_written_later),
    (Mutant::ReissueWithoutContext, reissue::what_it_has_replaced_or_deleted_alone_does_not_come_back),
    (Mutant::ReissueWithoutContext, reissue::counters_get_the_difference),
    (Mutant::ReissueRenamed, reissue::what_one_issues_again_is_superseded_by_what_its_writer_did_later),
    (Mutant::ReissueSettlesEarly, reissue::nobody_is_forgotten_before_all_is_issued_again),
    (Mutant::ReissueBuriesOthers, reissue::it_loses_to_what_was_written_later),
    (Mutant::HandoffForgetsInherited, reissue::nothing_is_handed_off_before_all_is_issued_again),
    (Mutant::RepairByAbsence, repair::what_one_has_lost_comes_back_from_the_others),
    (Mutant::StrangersCounted, descent::nobody_hands_an_older_state_to_who_lacks_it),
    (Mutant::StrangersKnowAll, descent::what_retired_replicas_wrote_survives_a_start_without_it),
    (Mutant::ClaimLosesToPut, ownership::overtaken::a_claim_survives_a_put_that_has_not_seen_it),
    (Mutant::ClaimLosesToPut, ownership::overtaken::a_claim_that_a_put_has_not_seen_outlives_its_owner),
    (Mutant::ConfirmationLosesToPut, ownership::overtaken::a_confirmation_survives_a_put_that_has_not_seen_it),
    (Mutant::EarlierTokenHolds, ownership::whoever_has_been_followed_is_refused_by_its_token),
    (Mutant::HoldForgetsOwners, ownership::what_a_leaver_owns_is_adopted_and_confirmed_by_survivors),
    (Mutant::AdoptionConfirms, ownership::what_a_leaver_owns_is_adopted_and_confirmed_by_survivors),
    (
        Mutant::SayingAgainConfirms,
        ownership::overtaken::a_leaver_waits_for_the_confirmation_of_an_adoption_that_it_has_said_again,
    ),
    (Mutant::AheadOutlivesLink, ahead::what_went_ahead_on_a_link_that_has_ended_goes_again),
    (Mutant::AheadOfLaterWrites, ahead::what_is_written_after_its_key_went_ahead_is_in_the_next_range),
    (Mutant::AheadSkipsOne, ahead::a_range_is_claimed_when_all_that_went_ahead_is_here),
];

#[test]
fn every_broken_rule_is_noticed() {
    for (mutant, test) in CAUGHT {
        assert!(catch_unwind(test).is_ok(), "{mutant:?}'s test fails by itself");
        assert!(catch_unwind(|| with_mutant(Some(mutant), test)).is_err(), "{mutant:?} is not noticed");
    }
}
