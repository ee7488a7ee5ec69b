//! PUBLISH, SUBSCRIBE and their like: messages for whoever listens, on all pods of the group.

use bytes::Bytes;

use crate::channel::{Message, Subscriber};
use crate::redis::call::Call;
use crate::redis::failure::Failure;
use crate::redis::table::{Command, Flags, Keys};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "publish", arity: 3, flags: Flags::FAST, keys: Keys::NONE, run: publish },
    Command { name: "subscribe", arity: -2, flags: Flags::NONE, keys: Keys::NONE, run: subscribe },
    Command { name: "unsubscribe", arity: -1, flags: Flags::NONE, keys: Keys::NONE, run: unsubscribe },
    Command { name: "psubscribe", arity: -2, flags: Flags::NONE, keys: Keys::NONE, run: subscribe_patterns },
    Command { name: "punsubscribe", arity: -1, flags: Flags::NONE, keys: Keys::NONE, run: unsubscribe_patterns },
    Command { name: "pubsub", arity: -2, flags: Flags::NONE, keys: Keys::NONE, run: look },
];

/// `PUBLISH channel message`: answers how many got it on this pod.
fn publish(call: &mut Call<'_>) -> Result<(), Failure> {
    let argument = |index| Bytes::copy_from_slice(call.arguments.get(index));
    let message = Message { channel: argument(1), payload: argument(2) };
    let count = call.state.engine.publish(message).map_err(|error| Failure::Text(format!("ERR {error}").into()))?;
    call.reply.integer(count as i64);
    Ok(())
}

fn subscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    enter(call, "subscribe", Subscriber::subscribe)
}

fn subscribe_patterns(call: &mut Call<'_>) -> Result<(), Failure> {
    enter(call, "psubscribe", Subscriber::subscribe_pattern)
}

fn unsubscribe(call: &mut Call<'_>) -> Result<(), Failure> {
    leave(call, "unsubscribe", |subscriber| subscriber.channels().iter().cloned().collect(), Subscriber::unsubscribe)
}

fn unsubscribe_patterns(call: &mut Call<'_>) -> Result<(), Failure> {
    let all = |subscriber: &Subscriber| subscriber.patterns().iter().cloned().collect();
    leave(call, "punsubscribe", all, Subscriber::unsubscribe_pattern)
}

fn enter<E: std::fmt::Display>(
    call: &mut Call<'_>,
    kind: &str,
    subscribe: impl Fn(&mut Subscriber, Bytes) -> Result<(), E>,
) -> Result<(), Failure> {
    let engine = call.state.engine;
    let subscriber = call.session.subscriber.get_or_insert_with(|| Subscriber::new(engine.clone()));
    for name in call.arguments.from(1) {
        let entered = subscribe(subscriber, Bytes::copy_from_slice(name));
        entered.map_err(|error| Failure::Text(format!("ERR {error}").into()))?;
        call.reply.push(3);
        call.reply.bulk(kind.as_bytes());
        call.reply.bulk(name);
        call.reply.integer(subscriber.count() as i64);
    }
    Ok(())
}

fn leave(
    call: &mut Call<'_>,
    kind: &str,
    all: impl Fn(&Subscriber) -> Vec<Bytes>,
    unsubscribe: impl Fn(&mut Subscriber, &Bytes),
) -> Result<(), Failure> {
    let mut names: Vec<Bytes> = call.arguments.from(1).map(Bytes::copy_from_slice).collect();
    if names.is_empty() {
        names = call.session.subscriber.as_ref().map(all).unwrap_or_default();
    }
    // One answer comes in any case, without a name if there was none.
    let none = names.is_empty().then_some(None);
    for name in names.iter().map(Some).chain(none) {
        if let (Some(subscriber), Some(name)) = (&mut call.session.subscriber, name) {
            unsubscribe(subscriber, name);
        }
        call.reply.push(3);
        call.reply.bulk(kind.as_bytes());
        match name {
            Some(name) => call.reply.bulk(name),
            None => call.reply.null(),
        }
        call.reply.integer(call.session.subscriber.as_ref().map_or(0, Subscriber::count) as i64);
    }
    if call.session.subscriber.as_ref().is_some_and(|subscriber| subscriber.count() == 0) {
        call.session.subscriber = None;
    }
    Ok(())
}

/// `PUBSUB CHANNELS [pattern]`, `PUBSUB NUMSUB [channel ...]` and `PUBSUB NUMPAT`: of this pod.
fn look(call: &mut Call<'_>) -> Result<(), Failure> {
    let channels = call.state.engine.channels();
    let rest = call.arguments.from(2);
    match call.arguments.get(1).to_ascii_lowercase().as_slice() {
        b"channels" if rest.len() <= 1 => {
            let names = channels.names(rest.clone().next());
            call.reply.array(names.len());
            names.iter().for_each(|name| call.reply.bulk(name));
        }
        b"numsub" => {
            call.reply.array(2 * rest.len());
            for name in rest {
                call.reply.bulk(name);
                call.reply.integer(channels.listeners_of(name) as i64);
            }
        }
        b"numpat" if rest.len() == 0 => call.reply.integer(channels.patterns() as i64),
        other => {
            let shown = other.escape_ascii();
            let text = format!("ERR unknown subcommand or wrong number of arguments for '{shown}'. Try PUBSUB HELP.");
            return Err(Failure::Text(text.into()));
        }
    }
    Ok(())
}
