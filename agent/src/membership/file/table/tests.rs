//! What a table makes of files and answers.

use baton_replica::Settings;

use super::*;

const A: &str = "h:1";
const B: &str = "h:2";

/// The table of slot `a`, and its time in milliseconds.
struct Bench {
    table: Table,
    start: Instant,
    now: u64,
}

fn id(bits: u64) -> ReplicaId {
    ReplicaId::new(bits).expect("not zero")
}

impl Bench {
    fn new() -> Self {
        let start = Instant::now();
        Self { table: Table::new(id(1), "a", Duration::from_secs(10)), start, now: 0 }
    }

    fn time(&self) -> Instant {
        self.start + Duration::from_millis(self.now)
    }

    fn file(&mut self, first: &str, slots: &[(&str, &str, bool)]) {
        let number = self.table.number().unwrap_or(0) + 1;
        let slot = |&(name, address, leaving): &(&str, &str, bool)| Slot {
            name: name.to_owned(),
            address: address.to_owned(),
            leaving,
        };
        let list = List {
            number,
            first: Some(first.to_owned()),
            slots: slots.iter().map(slot).collect(),
            settings: Settings::default(),
        };
        self.table.take_list(list, self.time());
    }

    fn says(&mut self, address: &str, name: &str, replica: u64, phase: MemberPhase) {
        self.tells(address, name, replica, phase, &[]);
    }

    /// The same, and whom it has seen end.
    fn tells(&mut self, address: &str, name: &str, replica: u64, phase: MemberPhase, gone: &[u64]) {
        let gone = gone.iter().map(|bits| id(*bits)).collect();
        let answer = Identified { group: String::new(), replica: id(replica), phase, name: name.to_owned(), gone };
        self.table.take_answer(address, Some(answer), self.time());
    }

    fn silent(&mut self, address: &str) {
        self.table.take_answer(address, None, self.time());
    }

    fn poll(&mut self, own: MemberPhase) -> Option<Membership> {
        self.table.poll(own, self.time())
    }

    /// The published rows as (replica, phase).
    fn rows(&mut self, own: MemberPhase) -> Vec<(u64, MemberPhase)> {
        let list = self.poll(own).expect("changed");
        list.members.iter().map(|row| (row.replica.bits(), row.phase)).collect()
    }
}

use MemberPhase::{Active, Gone, Joining, Leaving};

#[test]
fn a_list_is_published_when_it_changes_and_only_then() {
    let mut bench = Bench::new();
    assert_eq!(bench.poll(Joining), None, "no file yet");
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    assert_eq!(bench.rows(Joining), [(1, Joining)]);
    assert_eq!(bench.poll(Joining), None);
    bench.says(B, "b", 2, Active);
    let list = bench.poll(Joining).expect("changed");
    assert_eq!((list.version.uid.as_str(), list.version.number), ("file:0000000000000001", 2));
    assert_eq!(list.members[1].address, B);
    bench.says(B, "b", 2, Joining);
    assert_eq!(bench.poll(Joining), None, "phases never go back");
    assert_eq!(bench.rows(Active), [(1, Active), (2, Active)]);
}

#[test]
fn an_agent_waits_until_the_file_lists_it() {
    let mut bench = Bench::new();
    bench.file("b", &[("b", B, false)]);
    bench.says(B, "b", 2, Active);
    assert!(bench.poll(Joining).is_none() && bench.table.waits_to_be_listed());
    bench.file("b", &[("b", B, false), ("a", A, false)]);
    assert_eq!(bench.rows(Joining), [(1, Joining), (2, Active)]);
}

#[test]
fn a_new_process_at_the_same_address_ends_the_old_one() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.says(B, "b", 2, Active);
    bench.silent(B);
    bench.silent(B);
    bench.silent(B);
    assert_eq!(bench.rows(Active), [(1, Active), (2, Active)], "a listed process that is silent may be back");
    bench.says(B, "b", 3, Joining);
    assert_eq!(bench.rows(Active), [(1, Active), (2, Gone), (3, Joining)]);
}

#[test]
fn a_process_that_the_file_drops_stays_a_member_until_it_has_ended() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.says(B, "b", 2, Active);
    bench.file("a", &[("a", A, false)]);
    assert_eq!(bench.rows(Active), [(1, Active), (2, Active)]);
    bench.silent(B);
    bench.silent(B);
    bench.says(B, "b", 2, Leaving);
    assert_eq!(bench.rows(Active), [(1, Active), (2, Leaving)]);
    bench.silent(B);
    bench.silent(B);
    assert_eq!(bench.poll(Active), None);
    bench.silent(B);
    assert_eq!(bench.rows(Active), [(1, Active), (2, Gone)]);
    bench.now += 60_000;
    assert_eq!(bench.table.take_due(bench.time()), Vec::<String>::new());
}

#[test]
fn leaving_in_the_file_is_leaving_in_the_list() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, true), ("b", B, true)]);
    bench.says(B, "b", 2, Active);
    assert_eq!(bench.rows(Active), [(1, Leaving), (2, Leaving)]);
}

#[test]
fn another_name_at_an_address_is_not_the_slots_process() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.says(B, "c", 3, Active);
    bench.says(B, "b", 1, Active);
    assert_eq!(bench.rows(Joining), [(1, Joining)]);
}

#[test]
fn an_address_that_goes_to_another_slot_belongs_to_the_new_process() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.says(B, "b", 2, Active);
    bench.file("b", &[("a", A, false), ("c", B, false)]);
    bench.says(B, "c", 3, Joining);
    let rows = bench.rows(Active);
    assert_eq!(rows, [(1, Active), (2, Gone), (3, Joining)]);
}

#[test]
fn the_first_slot_starts_empty_when_nobody_holds_the_state() {
    let mut bench = Bench::new();
    bench.file("a", &[("a", A, false), ("b", B, false)]);
    assert_eq!(bench.poll(Joining).expect("changed").first, None);
    bench.says(B, "b", 2, Joining);
    assert_eq!(bench.poll(Joining).expect("changed").first, Some(id(1)));
    bench.now += 60_000;
    assert_eq!(bench.rows(Active), [(1, Active), (2, Joining)]);
}

#[test]
fn a_dropped_process_that_still_holds_state_is_waited_for() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.says(B, "b", 2, Active);
    bench.file("a", &[("a", A, false)]);
    assert_eq!(bench.poll(Joining).expect("changed").first, None);
}

#[test]
fn processes_are_asked_once_at_a_time_and_again_later() {
    let mut bench = Bench::new();
    bench.file("a", &[("a", A, false), ("b", B, false)]);
    assert_eq!(bench.table.take_due(bench.time()), [B]);
    assert!(bench.table.take_due(bench.time()).is_empty(), "the question is under way");
    bench.silent(B);
    bench.now += 299;
    assert!(bench.table.take_due(bench.time()).is_empty());
    bench.now += 1;
    assert_eq!(bench.table.take_due(bench.time()), [B]);
    bench.says(B, "b", 2, Active);
    bench.now += 999;
    assert!(bench.table.take_due(bench.time()).is_empty());
    bench.now += 1;
    assert_eq!(bench.table.take_due(bench.time()), [B]);
    bench.now += 5_000;
    assert_eq!(bench.table.take_due(bench.time()), [B], "the question was lost");
}

#[test]
fn who_starts_later_lists_those_that_ended_before() {
    let mut bench = Bench::new();
    bench.file("b", &[("a", A, false), ("b", B, false)]);
    bench.tells(B, "b", 2, Active, &[7, 1, 2]);
    let rows = bench.rows(Joining);
    assert_eq!(rows, [(1, Joining), (2, Active), (7, Gone)], "its own end, and its witness', are no news");
    assert!(bench.table.take_learned());
    bench.tells(B, "b", 2, Active, &[7]);
    assert_eq!(bench.poll(Joining), None);
    assert!(!bench.table.take_learned());
}
