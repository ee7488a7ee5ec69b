//! Commands about all keys of a database: SCAN, KEYS, DBSIZE, RANDOMKEY, FLUSHDB.

use baton_replica::{Key, MapName};
use baton_resp::parse_integer;

use crate::glob;
use crate::redis::call::{Call, State};
use crate::redis::command::key::type_of;
use crate::redis::connection::MAX_REPLY;
use crate::redis::cursor::Place;
use crate::redis::database::Database;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

/// Keys that are looked at under one hold of a shard's lock.
const STEP: usize = 512;

/// The greatest page of a scan.
const MAX_COUNT: usize = 10_000;

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "dbsize", arity: 1, flags: Flags::READ.and(Flags::ALL_KEYS), keys: Keys::NONE, run: dbsize },
    Command { name: "flushall", arity: -1, flags: Flags::WRITE.and(Flags::ALL_KEYS), keys: Keys::NONE, run: flushall },
    Command { name: "flushdb", arity: -1, flags: Flags::WRITE.and(Flags::ALL_KEYS), keys: Keys::NONE, run: flushdb },
    Command { name: "keys", arity: 2, flags: Flags::READ.and(Flags::ALL_KEYS), keys: Keys::NONE, run: keys },
    Command { name: "randomkey", arity: 1, flags: Flags::READ.and(Flags::ALL_KEYS), keys: Keys::NONE, run: randomkey },
    Command { name: "scan", arity: -2, flags: Flags::READ.and(Flags::ALL_KEYS), keys: Keys::NONE, run: scan },
];

/// A walk along keys, shard by shard.
struct Walk {
    /// Only this one.
    map: Option<MapName>,
    place: Place,
}

// === impl Walk ===

impl Walk {
    /// The keys of a database, and others, from a place on.
    fn new(database: Database, place: Place) -> Self {
        Self { map: database.map(), place }
    }

    /// All keys of all maps.
    const fn of_everything() -> Self {
        Self { map: None, place: Place::START }
    }

    /// The next keys, at most so many; `None` at the end.
    fn next(&mut self, state: &mut State<'_>, most: usize) -> Result<Option<Vec<Key>>, Failure> {
        while self.place.shard < state.engine.shard_count() {
            let Place { shard, after } = &self.place;
            let shard = *shard;
            let names = state.turn_at(shard, |turn| turn.names(shard, self.map.as_ref(), after.as_ref(), most))?;
            match names.last() {
                Some(last) => {
                    self.place.after = Some(last.clone());
                    return Ok(Some(names));
                }
                None => self.place = Place { shard: shard + 1, after: None },
            }
        }
        Ok(None)
    }
}

fn dbsize(call: &mut Call<'_>) -> Result<(), Failure> {
    let database = call.session.database;
    let mut walk = Walk::new(database, Place::START);
    let mut size = 0;
    while let Some(keys) = walk.next(&mut call.state, STEP)? {
        size += keys.iter().filter(|key| database.shows(key)).count();
    }
    call.reply.integer(size as i64);
    Ok(())
}

fn keys(call: &mut Call<'_>) -> Result<(), Failure> {
    let (database, pattern) = (call.session.database, call.arguments.get(1));
    let mut walk = Walk::new(database, Place::START);
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(keys) = walk.next(&mut call.state, STEP)? {
        let texts = keys.iter().filter_map(|key| database.text(key));
        for text in texts.filter(|text| glob::matches(pattern, text)) {
            bytes += text.len();
            found.push(text);
        }
        // More than that is never answered.
        if bytes > MAX_REPLY {
            return Err(Failure::ReplyTooLarge);
        }
    }
    call.reply.array(found.len());
    found.iter().for_each(|text| call.reply.bulk(text));
    Ok(())
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
fn scan(call: &mut Call<'_>) -> Result<(), Failure> {
    let cursor = parse_integer(call.arguments.get(1)).and_then(|cursor| u64::try_from(cursor).ok());
    let cursor = cursor.ok_or(Failure::text("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut kind, mut at) = (None, 10, None, 2);
    while at < call.arguments.len() {
        if at + 1 == call.arguments.len() {
            return Err(Failure::Syntax);
        }
        let argument = call.arguments.get(at + 1);
        match call.arguments.get(at).to_ascii_lowercase().as_slice() {
            b"match" => pattern = Some(argument),
            b"type" => kind = Some(argument),
            b"count" => {
                let number = parse_integer(argument).ok_or(Failure::NotAnInteger)?;
                count = usize::try_from(number).ok().filter(|count| *count > 0).ok_or(Failure::Syntax)?;
            }
            _ => return Err(Failure::Syntax),
        }
        at += 2;
    }
    let place = match cursor {
        0 => Place::START,
        cursor => call.front.cursors.find(cursor).ok_or(Failure::text("ERR invalid cursor"))?,
    };
    let (database, count) = (call.session.database, count.min(MAX_COUNT));
    let mut walk = Walk::new(database, place);
    let (mut seen, mut found, mut ended) = (0, Vec::new(), false);
    while seen < count && !ended {
        let keys = walk.next(&mut call.state, count - seen)?;
        ended = keys.is_none();
        for key in keys.unwrap_or_default() {
            seen += 1;
            let text = database.text(&key).filter(|text| pattern.is_none_or(|pattern| glob::matches(pattern, text)));
            let Some(text) = text else { continue };
            let is_kind = match kind {
                Some(kind) => call
                    .state
                    .turn([&key], |turn| type_of(turn, &key))?
                    .is_some_and(|name| kind.eq_ignore_ascii_case(name.as_bytes())),
                None => true,
            };
            found.extend(is_kind.then_some(text));
        }
    }
    let next = if ended { 0 } else { call.front.cursors.next(cursor, walk.place) };
    call.reply.array(2);
    call.reply.bulk(next.to_string().as_bytes());
    call.reply.array(found.len());
    found.iter().for_each(|text| call.reply.bulk(text));
    Ok(())
}

fn randomkey(call: &mut Call<'_>) -> Result<(), Failure> {
    let database = call.session.database;
    let shards = call.front.engine.shard_count();
    let first = rand::random::<u64>() as usize % shards;
    for shard in (0..shards).map(|step| (first + step) % shards) {
        let key = call.state.turn_at(shard, |turn| turn.some_name(shard, |key| database.shows(key)))?;
        if let Some(text) = key.and_then(|key| database.text(&key)) {
            call.reply.bulk(&text);
            return Ok(());
        }
    }
    call.reply.null();
    Ok(())
}

fn flushdb(call: &mut Call<'_>) -> Result<(), Failure> {
    check_flush(call)?;
    let database = call.session.database;
    flush(call, Walk::new(database, Place::START), |key| database.shows(key))
}

fn flushall(call: &mut Call<'_>) -> Result<(), Failure> {
    check_flush(call)?;
    flush(call, Walk::of_everything(), |_| true)
}

fn check_flush(call: &Call<'_>) -> Result<(), Failure> {
    match call.arguments.len() {
        1 => Ok(()),
        2 if call.is(1, "async") || call.is(1, "sync") => Ok(()),
        _ => Err(Failure::Syntax),
    }
}

fn flush(call: &mut Call<'_>, mut walk: Walk, which: impl Fn(&Key) -> bool) -> Result<(), Failure> {
    while let Some(keys) = walk.next(&mut call.state, STEP)? {
        for key in keys.iter().filter(|key| which(key)) {
            call.state.turn([key], |turn| turn.remove(key))?;
        }
    }
    call.ok()
}
