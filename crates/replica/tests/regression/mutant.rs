//! Breaking a rule of the protocol breaks the test of what went wrong elsewhere without it.

use std::panic::catch_unwind;

use baton_replica::{Mutant, with_mutant};

use crate::{
    bigset, bootstrap, clock, deadline, departure, identity, membership, retirement, rollout, tombstone, transfer,
    window,
};

/// Mutants, and tests that must fail with them.
const CAUGHT: [(Mutant, fn()); 42] = [
    (Mutant::ClockWithFirstChunk, transfer::the_first_chunk_of_a_lost_transfer_claims_nothing),
    (Mutant::ClockWithFirstChunk, bootstrap::a_joiner_takes_no_operation_before_it_holds_the_state),
    (Mutant::LogCompacted, window::a_key_overwritten_later_is_in_every_range_that_claims_an_earlier_write),
    (Mutant::LogCompacted, window::a_key_overwritten_elsewhere_is_in_every_range_that_claims_an_earlier_write),
    (Mutant::AckBySending, window::a_range_lost_with_its_link_is_sent_again),
    (Mutant::AckBySending, departure::who_ignores_a_range_acknowledges_nothing_of_it),
    (Mutant::AckByReceipt, departure::who_ignores_a_range_acknowledges_nothing_of_it),
    (Mutant::ClaimOverGap, tombstone::a_range_over_a_gap_claims_nothing),
    (Mutant::RangeClaimsOneMore, window::two_parts_of_a_crashed_origins_writes_are_put_together),
    (Mutant::PutDropsContext, clock::a_later_write_wins_over_what_it_has_seen_whatever_the_clocks_say),
    (Mutant::DeleteDropsContext, tombstone::a_replica_that_was_away_does_not_bring_a_key_back),
    (Mutant::DeleteDropsContext, bigset::a_remove_takes_what_it_has_seen_and_nothing_at_a_distance),
    (Mutant::DeleteWithoutOwnDot, tombstone::a_tombstone_names_its_own_delete),
    (Mutant::JoinPastClock, tombstone::a_version_that_was_seen_before_is_not_taken_again_without_its_tombstone),
    (Mutant::JoinPastClock, bigset::a_transfer_from_one_who_has_forgotten_a_remove_still_says_it),
    (Mutant::JoinPastContext, transfer::a_full_state_that_comes_after_newer_writes_takes_nothing_back),
    (Mutant::AbsentIsDeleted, transfer::two_that_take_each_others_full_state_keep_what_each_has_alone),
    (Mutant::AbsentIsKept, tombstone::a_version_that_the_sender_of_a_chunk_has_seen_and_lost_is_deleted),
    (Mutant::PurgeWithoutJoiner, tombstone::a_tombstone_that_a_joiner_may_need_is_kept),
    (Mutant::PurgePastVersions, tombstone::a_context_is_kept_while_a_version_beside_it_is_not_everybodys),
    (Mutant::LogOverTransfer, bigset::a_removal_that_came_by_transfer_goes_on_by_transfer),
    (Mutant::TransferOutlivesLink, transfer::a_joiner_whose_source_dies_in_the_middle_starts_again_elsewhere),
    (Mutant::LeavingPeerCounted, departure::a_leaving_member_acknowledges_no_write),
    (
        Mutant::LeaversCountEachOther,
        departure::what_a_leaver_acknowledges_does_not_count_before_its_departure_is_heard_of,
    ),
    (Mutant::OldAckCounted, departure::an_acknowledgement_that_crosses_the_announcement_does_not_count),
    (Mutant::AnswerReused, departure::what_was_acknowledged_before_the_hook_was_called_is_asked_for_again),
    (Mutant::AnswerOutlivesSeal, departure::what_was_acknowledged_before_the_hook_was_called_is_asked_for_again),
    (Mutant::OriginCoversItself, departure::an_origin_does_not_vouch_alone_for_its_own_writes),
    (Mutant::UnlinkedGiverCounted, departure::the_acknowledgement_of_a_crashed_survivor_is_void),
    (Mutant::HandoffForgetsLevel, rollout::a_leaver_leaves_as_many_holders_as_its_writes_were_confirmed_by),
    (Mutant::HandoffOfOwnWrites, departure::two_survivors_with_a_half_each_cover_nothing),
    (Mutant::SealTakesData, departure::a_sealed_member_takes_nothing_in_and_acknowledges_nothing_more),
    (Mutant::ExitBeforeSeal, deadline::what_is_written_while_the_hook_is_held_is_handed_off_before_the_end),
    (Mutant::DeadlineIsSuccess, deadline::a_departure_whose_time_is_up_has_failed),
    (Mutant::GapsOfTheDeadStay, window::the_writes_of_a_crashed_origin_are_pulled_from_whoever_has_them),
    (
        Mutant::SettleWithoutExceptions,
        retirement::what_only_one_holds_of_a_member_that_is_gone_is_everybodys_before_it_is_forgotten,
    ),
    (Mutant::SettleWithoutJoiners, retirement::nobody_settles_a_member_before_who_joins_has_said_what_it_holds),
    (Mutant::SettleAlone, retirement::nobody_settles_a_member_whose_writes_it_lacks),
    (Mutant::GoneSenderTaken, identity::an_id_that_was_removed_is_refused_for_ever),
    (Mutant::QuorumOfTheLinked, membership::members_that_cannot_be_reached_still_count),
    (Mutant::NobodyCovers, departure::with_nobody_to_hand_off_to_nothing_is_covered),
    (Mutant::InitOverwrites, bootstrap::a_default_loses_to_the_state_that_is_on_its_way),
];

#[test]
fn every_broken_rule_is_noticed() {
    for (mutant, test) in CAUGHT {
        assert!(catch_unwind(test).is_ok(), "{mutant:?}'s test fails by itself");
        assert!(catch_unwind(|| with_mutant(Some(mutant), test)).is_err(), "{mutant:?} is not noticed");
    }
}
