//! What was lost: a pure comparison of a record with what servers say.

use std::collections::HashMap;

use serde::Serialize;

use crate::load::{Fate, Record, Row};

/// So many findings are named; the counts cover all.
const MAX_EXAMPLES: usize = 10;

/// One server's players and their steps.
pub(crate) struct View {
    pub(crate) server: String,
    pub(crate) steps: HashMap<String, u64>,
}

/// How much a server must know.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// Each knows every player.
    Every,
    /// Each player is known somewhere.
    Any,
}

/// The result of a check, in players. A player is counted once, for the worst that has happened to it.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// Acknowledged writes that the record holds.
    pub(crate) acknowledged: u64,
    /// Players that the record holds.
    pub(crate) players: usize,
    pub(crate) servers: usize,
    /// Gone, though they never left.
    pub(crate) lost: usize,
    /// Back at a step before the one that was acknowledged.
    pub(crate) stale: usize,
    /// There again, though they had left.
    pub(crate) resurrected: usize,
    /// The longest wait for one acknowledgement.
    pub(crate) slowest_ms: u64,
    pub(crate) retries: u64,
    /// The first findings, in words.
    pub(crate) examples: Vec<String>,
}

enum Finding {
    Lost(String),
    Stale(String),
    Resurrected(String),
}

/// Compares. A record or a list of servers that is empty proves nothing, and is refused.
pub(crate) fn judge(record: &Record, views: &[View], asked: Asked) -> anyhow::Result<Verdict> {
    anyhow::ensure!(!views.is_empty(), "no server was asked");
    anyhow::ensure!(record.players.iter().any(|row| row.step > 0), "the record holds no acknowledged move");
    let mut verdict = Verdict {
        acknowledged: record.acknowledged,
        players: record.players.len(),
        servers: views.len(),
        slowest_ms: record.slowest_ms,
        retries: record.retries,
        ..Verdict::default()
    };
    for finding in record.players.iter().filter_map(|row| inspect(row, views, asked)) {
        verdict.add(finding);
    }
    Ok(verdict)
}

fn inspect(row: &Row, views: &[View], asked: Asked) -> Option<Finding> {
    match row.fate {
        Fate::Leaving => None,
        Fate::Forgotten => Some(Finding::Lost(format!("{} was forgotten after step {}", row.id, row.step))),
        Fate::Left => {
            let view = views.iter().find(|view| view.steps.contains_key(&row.id))?;
            Some(Finding::Resurrected(format!("{} has left and is on {}", row.id, view.server)))
        }
        Fate::Playing => missing(row, views, asked),
    }
}

fn missing(row: &Row, views: &[View], asked: Asked) -> Option<Finding> {
    let known = views.iter().map(|view| (view, view.steps.get(&row.id).copied()));
    let (view, step) = match asked {
        Asked::Every => known.min_by_key(|(_, step)| *step)?,
        Asked::Any => known.max_by_key(|(_, step)| *step)?,
    };
    match step {
        None => Some(Finding::Lost(format!("{} is not on {}", row.id, view.server))),
        Some(step) if step < row.step => {
            Some(Finding::Stale(format!("{} is at step {step} on {}, not at {}", row.id, view.server, row.step)))
        }
        Some(_) => None,
    }
}

// === impl Verdict ===

impl Verdict {
    pub(crate) fn clean(&self) -> bool {
        self.lost == 0 && self.stale == 0 && self.resurrected == 0
    }

    fn add(&mut self, finding: Finding) {
        let (count, example) = match finding {
            Finding::Lost(example) => (&mut self.lost, example),
            Finding::Stale(example) => (&mut self.stale, example),
            Finding::Resurrected(example) => (&mut self.resurrected, example),
        };
        *count += 1;
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(example);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(rows: &[(&str, u64, Fate)]) -> Record {
        let players = rows.iter().map(|(id, step, fate)| Row { id: (*id).to_owned(), step: *step, fate: *fate });
        Record { acknowledged: 100, players: players.collect(), ..Record::default() }
    }

    fn view(server: &str, steps: &[(&str, u64)]) -> View {
        let steps = steps.iter().map(|(id, step)| ((*id).to_owned(), *step)).collect();
        View { server: server.to_owned(), steps }
    }

    fn counts(verdict: &Verdict) -> (usize, usize, usize) {
        (verdict.lost, verdict.stale, verdict.resurrected)
    }

    #[test]
    fn servers_that_know_everything_are_clean() {
        let record = record(&[("a", 3, Fate::Playing), ("b", 5, Fate::Left)]);
        // A step above the acknowledged one is a move whose answer never came.
        let views = [view("1", &[("a", 3)]), view("2", &[("a", 4)])];
        let verdict = judge(&record, &views, Asked::Every).expect("there is something to judge");
        assert!(verdict.clean());
        assert_eq!((verdict.acknowledged, verdict.players, verdict.servers), (100, 2, 2));
    }

    #[test]
    fn a_player_missing_on_one_server_is_lost() {
        let record = record(&[("a", 3, Fate::Playing), ("b", 2, Fate::Playing)]);
        let views = [view("1", &[("a", 3), ("b", 2)]), view("2", &[("b", 2)])];
        let verdict = judge(&record, &views, Asked::Every).expect("there is something to judge");
        assert_eq!(counts(&verdict), (1, 0, 0));
        assert_eq!(verdict.examples, ["a is not on 2"]);
        assert!(!verdict.clean());
    }

    #[test]
    fn a_player_behind_its_acknowledged_step_is_stale() {
        let record = record(&[("a", 3, Fate::Playing)]);
        let views = [view("1", &[("a", 3)]), view("2", &[("a", 2)])];
        let verdict = judge(&record, &views, Asked::Every).expect("there is something to judge");
        assert_eq!(counts(&verdict), (0, 1, 0));
        assert_eq!(verdict.examples, ["a is at step 2 on 2, not at 3"]);
    }

    #[test]
    fn a_player_who_left_and_is_there_is_resurrected() {
        let record = record(&[("a", 3, Fate::Left)]);
        let views = [view("1", &[]), view("2", &[("a", 3)])];
        for asked in [Asked::Every, Asked::Any] {
            let verdict = judge(&record, &views, asked).expect("there is something to judge");
            assert_eq!(counts(&verdict), (0, 0, 1));
        }
    }

    #[test]
    fn a_player_that_was_forgotten_is_lost_even_if_it_comes_back() {
        let record = record(&[("a", 3, Fate::Forgotten)]);
        let verdict = judge(&record, &[view("1", &[("a", 3)])], Asked::Every).expect("there is something to judge");
        assert_eq!(counts(&verdict), (1, 0, 0));
    }

    #[test]
    fn a_departure_without_an_answer_may_end_either_way() {
        let record = record(&[("a", 3, Fate::Leaving)]);
        for steps in [&[][..], &[("a", 3)][..]] {
            assert!(judge(&record, &[view("1", steps)], Asked::Every).expect("there is something to judge").clean());
        }
    }

    #[test]
    fn servers_that_share_nothing_are_asked_together() {
        let record = record(&[("a", 3, Fate::Playing), ("b", 2, Fate::Playing), ("c", 4, Fate::Playing)]);
        let views = [view("1", &[("a", 3), ("c", 1)]), view("2", &[("c", 2)])];
        let verdict = judge(&record, &views, Asked::Any).expect("there is something to judge");
        assert_eq!(counts(&verdict), (1, 1, 0));
    }

    #[test]
    fn an_empty_record_or_no_server_proves_nothing() {
        let full = record(&[("a", 3, Fate::Playing)]);
        assert!(judge(&full, &[], Asked::Every).is_err());
        let idle = record(&[("a", 0, Fate::Playing)]);
        assert!(judge(&idle, &[view("1", &[("a", 0)])], Asked::Every).is_err());
    }
}
