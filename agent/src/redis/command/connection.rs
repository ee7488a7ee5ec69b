//! What a connection says of itself: PING, ECHO, HELLO, AUTH, SELECT, QUIT, RESET, WAIT.

use std::time::Duration;

use baton_resp::{Version, parse_integer};
use tokio::time::Instant;

use crate::redis::call::Call;
use crate::redis::command::client;
use crate::redis::database::Database;
use crate::redis::failure::Failure;
use crate::redis::session::{Answers, Then};
use crate::redis::table::{Command, Flags, Keys};

/// The release of Redis whose commands these are, for clients that ask before they use one.
pub(super) const REDIS_VERSION: &str = "7.4.0";

/// A wait that is not to end by itself.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The only user there is.
const USER: &str = "default";

pub(super) const COMMANDS: &[Command] = &[
    command("auth", -2, auth),
    command("echo", 2, echo),
    command("hello", -1, hello),
    command("ping", -1, ping),
    command("quit", -1, quit),
    command("reset", 1, reset),
    command("select", 2, select),
    Command { name: "wait", arity: 3, flags: Flags::BLOCKING, keys: Keys::NONE, run: wait },
];

const fn command(name: &'static str, arity: i16, run: fn(&mut Call<'_>) -> Result<(), Failure>) -> Command {
    Command { name, arity, flags: Flags::FAST, keys: Keys::NONE, run }
}

fn ping(call: &mut Call<'_>) -> Result<(), Failure> {
    // While a client listens, all that it gets in RESP2 are arrays.
    let in_array = call.session.subscriber.is_some() && !call.reply.is_resp3();
    match call.arguments.len() {
        1 | 2 if in_array => {
            call.reply.array(2);
            call.reply.bulk(b"pong");
            call.reply.bulk(call.arguments.get(1));
        }
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(call.arguments.get(1)),
        _ => return Err(call.wrong_arity()),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.bulk(call.arguments.get(1));
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.then = Some(Then::Close);
    call.ok()
}

fn reset(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.reset();
    call.reply.set_version(Version::Resp2);
    call.reply.simple("RESET");
    Ok(())
}

fn select(call: &mut Call<'_>) -> Result<(), Failure> {
    let number = parse_integer(call.arguments.get(1)).ok_or(Failure::text("ERR invalid DB index"))?;
    call.session.database = Database::new(number).ok_or(Failure::text("ERR DB index is out of range"))?;
    call.ok()
}

/// `AUTH [user] password`. There is no password: whoever reaches the address may use it.
fn auth(call: &mut Call<'_>) -> Result<(), Failure> {
    match call.arguments.len() {
        2 => Err(Failure::text(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        )),
        3 => {
            check_user(call, 1)?;
            call.ok()
        }
        _ => Err(Failure::Syntax),
    }
}

/// `HELLO [protocol [AUTH user password] [SETNAME name]]`.
fn hello(call: &mut Call<'_>) -> Result<(), Failure> {
    let mut version = call.reply.version();
    if call.arguments.len() > 1 {
        version = match parse_integer(call.arguments.get(1)) {
            Some(2) => Version::Resp2,
            Some(3) => Version::Resp3,
            Some(_) => return Err(Failure::text("NOPROTO unsupported protocol version")),
            None => return Err(Failure::text("ERR Protocol version is not an integer or out of range")),
        };
    }
    let (mut at, mut name) = (2, None);
    while at < call.arguments.len() {
        let left = call.arguments.len() - at - 1;
        at += match () {
            () if call.is(at, "auth") && left >= 2 => {
                check_user(call, at + 1)?;
                3
            }
            () if call.is(at, "setname") && left >= 1 => {
                name = Some(client::checked_name(call.arguments.get(at + 1))?);
                2
            }
            () => return Err(Failure::Syntax),
        };
    }
    if let Some(name) = name {
        call.session.name = name;
    }
    call.reply.set_version(version);
    let reply = &mut *call.reply;
    reply.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(if version == Version::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(call.session.id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

/// `WAIT members milliseconds`: how many members have what this connection wrote.
fn wait(call: &mut Call<'_>) -> Result<(), Failure> {
    let members = u32::try_from(call.integer(1)?).map_err(|_| Failure::NotAnInteger)?;
    let timeout = call.arguments.get(2);
    let timeout = parse_integer(timeout).ok_or(Failure::text("ERR timeout is not an integer or out of range"))?;
    let timeout = u64::try_from(timeout).map_err(|_| Failure::text("ERR timeout is negative"))?;
    let timeout = if timeout == 0 { FOREVER } else { Duration::from_millis(timeout).min(FOREVER) };
    let answers = call.session.answers == Answers::All;
    call.session.then = Some(Then::Wait { members, until: Instant::now() + timeout, answers });
    Ok(())
}

/// Any password is right for the only user, as for a user of Redis that needs none.
fn check_user(call: &Call<'_>, at: usize) -> Result<(), Failure> {
    if call.arguments.get(at) == USER.as_bytes() {
        return Ok(());
    }
    Err(Failure::text("WRONGPASS invalid username-password pair or user is disabled."))
}
