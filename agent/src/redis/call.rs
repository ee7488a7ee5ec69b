//! One command of one connection.

use std::sync::Arc;

use baton_replica::Key;
use baton_resp::{Arguments, Encoder, parse_double, parse_integer};

use crate::engine::{Engine, Owed, Turn};
use crate::redis::Front;
use crate::redis::failure::Failure;
use crate::redis::session::Session;
use crate::redis::table::Command;

/// What a command is carried out with.
pub(super) struct Call<'a> {
    pub(super) command: &'static Command,
    pub(super) front: &'a Front,
    pub(super) state: State<'a>,
    pub(super) session: &'a mut Session,
    pub(super) arguments: Arguments<'a>,
    pub(super) reply: &'a mut Encoder,
}

/// The way to the data.
pub(super) struct State<'a> {
    pub(super) engine: &'a Arc<Engine>,
    hold: Hold<'a>,
}

enum Hold<'a> {
    /// Each command holds what it needs, and owes acknowledgements of what it writes.
    Each(&'a mut Owed),
    /// All shards are held, for several commands.
    All(Turn<'a>),
}

// === impl Call ===

impl Call<'_> {
    /// The key that an argument names.
    pub(super) fn key(&self, index: usize) -> Result<Key, Failure> {
        Ok(self.session.database.key(self.arguments.get(index))?)
    }

    /// All keys from an argument on, every so many.
    pub(super) fn keys(&self, first: usize, step: usize) -> Result<Vec<Key>, Failure> {
        let keys = self.arguments.from(first).step_by(step);
        keys.map(|text| Ok(self.session.database.key(text)?)).collect()
    }

    /// The integer that an argument is.
    pub(super) fn integer(&self, index: usize) -> Result<i64, Failure> {
        parse_integer(self.arguments.get(index)).ok_or(Failure::NotAnInteger)
    }

    /// The number that an argument is.
    pub(super) fn double(&self, index: usize) -> Result<f64, Failure> {
        parse_double(self.arguments.get(index)).ok_or(Failure::NotAFloat)
    }

    /// Whether an argument is a word, in whatever case.
    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.arguments.get(index).eq_ignore_ascii_case(word.as_bytes())
    }

    /// There are more or fewer arguments than the command takes.
    pub(super) const fn wrong_arity(&self) -> Failure {
        Failure::Arity(self.command.name)
    }

    /// Says that it was done.
    pub(super) fn ok(&mut self) -> Result<(), Failure> {
        self.reply.simple("OK");
        Ok(())
    }
}

// === impl State ===

impl<'a> State<'a> {
    pub(super) const fn new(engine: &'a Arc<Engine>, owed: &'a mut Owed) -> Self {
        Self { engine, hold: Hold::Each(owed) }
    }

    /// Holds the shards of some keys for steps that read and write them.
    pub(super) fn turn<'k, R>(
        &mut self,
        keys: impl IntoIterator<Item = &'k Key>,
        steps: impl FnOnce(&mut Turn<'_>) -> R,
    ) -> R {
        match &mut self.hold {
            Hold::Each(owed) => self.engine.turn(owed, keys, steps),
            Hold::All(turn) => steps(turn),
        }
    }

    /// Holds one shard, for steps that look at all of its keys.
    pub(super) fn turn_at<R>(&mut self, shard: usize, steps: impl FnOnce(&mut Turn<'_>) -> R) -> R {
        match &mut self.hold {
            Hold::Each(owed) => self.engine.turn_at(owed, shard, steps),
            Hold::All(turn) => steps(turn),
        }
    }

    /// Holds all shards for several commands; `None` if they are held already.
    pub(super) fn hold_all(&mut self) -> Option<State<'_>> {
        match &mut self.hold {
            Hold::Each(owed) => Some(State { engine: self.engine, hold: Hold::All(self.engine.hold_all(owed)) }),
            Hold::All(_) => None,
        }
    }

    /// Ends what was held for several commands.
    pub(super) fn let_go(self) {
        if let Hold::All(turn) = self.hold {
            turn.let_go();
        }
    }
}
