//! Invariant: any bytes that arrive neither panic nor take more memory than stated, whatever decoder they meet.
//!
//! The committed seeds and mutations of them; libFuzzer goes further, see `fuzz/README.md`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use baton_fuzz::mutation::mutated;
use baton_fuzz::{TARGETS, Target};

/// Some seconds for all targets, without optimisation.
const MUTATIONS: u64 = 20_000;

/// Each is a script of hundreds of messages.
const MUTATED_SCRIPTS: u64 = 1_000;

/// Memory is that of the process: one target at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn replay(name: &str, mutations: u64) {
    let _alone = ALONE.lock();
    let target = TARGETS.into_iter().find(|target| target.name == name).expect("a target");
    let committed = target.committed().expect("its seeds");
    for (name, bytes) in &committed {
        handle(target, bytes, &format!("the seed {name}"));
    }
    let seeds: Vec<Vec<u8>> = committed.into_iter().map(|(_, bytes)| bytes).collect();
    for seed in 0..mutations {
        handle(target, &mutated(&seeds, seed), &format!("mutation {seed}"));
    }
}

fn handle(target: Target, bytes: &[u8], which: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    assert!(outcome.is_ok(), "target {}, {which}: b\"{}\"", target.name, bytes.escape_ascii());
}

#[test]
fn any_notice_or_report_is_taken_or_refused() {
    replay("directory", MUTATIONS);
}

#[test]
fn any_frames_are_taken_or_refused() {
    replay("frame", MUTATIONS);
}

#[test]
fn any_answer_to_who_somebody_is_is_taken_or_refused() {
    replay("identity", MUTATIONS);
}

#[test]
fn any_key_is_taken_or_refused() {
    replay("key", MUTATIONS);
}

#[test]
fn any_member_list_is_taken_or_refused() {
    replay("membership", MUTATIONS);
}

#[test]
fn any_requests_of_redis_are_taken_or_refused_as_another_parser_does() {
    replay("resp", MUTATIONS);
}

#[test]
fn any_messages_about_a_shard_are_taken_or_refused() {
    replay("shard", MUTATED_SCRIPTS);
}

#[test]
fn any_message_is_weighed_as_what_it_is_and_decoded_within_what_its_scale_states() {
    replay("weight", MUTATIONS);
}

/// Seeds that nobody can make again are bytes that nobody dares to change.
#[test]
fn the_committed_seeds_are_those_that_the_program_makes() {
    let _alone = ALONE.lock();
    for target in TARGETS {
        let mut made = (target.seeds)();
        made.sort();
        let made: Vec<(String, Vec<u8>)> = made.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
        let same = target.committed().expect("its seeds") == made;
        assert!(same, "the seeds of {} are old: cargo run -p baton-fuzz", target.name);
    }
}
