//! What clients ask of the agent: COMMAND, CONFIG GET, INFO, ROLE, TIME.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::glob;
use crate::redis::call::Call;
use crate::redis::command::connection::REDIS_VERSION;
use crate::redis::database::DATABASES;
use crate::redis::failure::Failure;
use crate::redis::notification::Classes;
use crate::redis::table::{self, Command, Flags, Keys};

/// The setting that is not a flag of the agent.
const NOTIFY: &str = "notify-keyspace-events";

pub(super) const COMMANDS: &[Command] = &[
    Command { name: "command", arity: -1, flags: Flags::NONE, keys: Keys::NONE, run: command },
    Command { name: "config", arity: -2, flags: Flags::ADMIN, keys: Keys::NONE, run: config },
    Command { name: "info", arity: -1, flags: Flags::NONE, keys: Keys::NONE, run: info },
    Command { name: "role", arity: 1, flags: Flags::FAST, keys: Keys::NONE, run: role },
    Command { name: "time", arity: 1, flags: Flags::FAST, keys: Keys::NONE, run: time },
];

fn command(call: &mut Call<'_>) -> Result<(), Failure> {
    let word = call.arguments.get(1).to_ascii_lowercase();
    match (word.as_slice(), call.arguments.len()) {
        (_, 1) => rows(call, table::all().iter().map(|command| Some(*command))),
        (b"count", 2) => call.reply.integer(table::all().len() as i64),
        (b"info", 2) => rows(call, table::all().iter().map(|command| Some(*command))),
        (b"info", _) => {
            let names = call.arguments.from(2);
            rows(call, names.map(table::find));
        }
        (b"list", 2) => {
            call.reply.array(table::all().len());
            table::all().iter().for_each(|command| call.reply.bulk(command.name.as_bytes()));
        }
        // Clients show it while somebody types, and do without.
        (b"docs", _) => call.reply.map(0),
        (b"getkeys", 3..) => return get_keys(call),
        _ => return Err(Failure::text("ERR unknown subcommand or wrong number of arguments for 'command' command")),
    }
    Ok(())
}

/// Each as Redis describes it, up to its keys and categories.
fn rows(call: &mut Call<'_>, commands: impl ExactSizeIterator<Item = Option<&'static Command>>) {
    call.reply.array(commands.len());
    for command in commands {
        let Some(Command { name, arity, flags, keys, .. }) = command else {
            call.reply.null_array();
            continue;
        };
        call.reply.array(10);
        call.reply.bulk(name.as_bytes());
        call.reply.integer((*arity).into());
        call.reply.set(flags.names().count());
        flags.names().for_each(|name| call.reply.simple(name));
        for number in [keys.first, keys.last, keys.step] {
            call.reply.integer(number.into());
        }
        // Categories of access, tips, specifications of keys, subcommands.
        (0..4).for_each(|_| call.reply.array(0));
    }
}

fn get_keys(call: &mut Call<'_>) -> Result<(), Failure> {
    let command = table::find(call.arguments.get(2)).ok_or(Failure::text("ERR Invalid command specified"))?;
    let arguments = call.arguments.len() - 2;
    if !command.takes(arguments) {
        return Err(Failure::text("ERR Invalid number of arguments specified for command"));
    }
    let places: Vec<usize> = command.keys.places(arguments).collect();
    if places.is_empty() {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    call.reply.array(places.len());
    places.into_iter().for_each(|at| call.reply.bulk(call.arguments.get(at + 2)));
    Ok(())
}

/// `CONFIG GET pattern...`: what clients and tools look for before they begin. `CONFIG SET notify-keyspace-events`.
fn config(call: &mut Call<'_>) -> Result<(), Failure> {
    if call.is(1, "set") && call.arguments.len() == 4 && call.is(2, NOTIFY) {
        let classes = Classes::parse(call.arguments.get(3)).ok_or(Failure::text(
            "ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - \
             Invalid event class character. Use 'Ag$lshzxeKEtd'.",
        ))?;
        call.front.notifications.set(classes);
        return call.ok();
    }
    if !call.is(1, "get") || call.arguments.len() < 3 {
        return Err(Failure::text(
            "ERR only CONFIG GET, and CONFIG SET notify-keyspace-events, are supported: an agent is configured by its flags",
        ));
    }
    let settings = [
        ("appendonly", "no".to_owned()),
        ("databases", DATABASES.to_string()),
        ("maxmemory", "0".to_owned()),
        ("maxmemory-policy", "noeviction".to_owned()),
        (NOTIFY, call.front.notifications.classes().to_string()),
        ("save", String::new()),
        ("timeout", "0".to_owned()),
    ];
    let patterns: Vec<Vec<u8>> = call.arguments.from(2).map(<[u8]>::to_ascii_lowercase).collect();
    let asked = |name: &str| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes()));
    let rows = || settings.iter().filter(|(name, _)| asked(name));
    call.reply.map(rows().count());
    for (name, value) in rows() {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
    Ok(())
}

fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    let sections = sections(call);
    let asked: Vec<Vec<u8>> = call.arguments.from(1).map(<[u8]>::to_ascii_lowercase).collect();
    let all = asked.is_empty() || asked.iter().any(|name| matches!(&name[..], b"all" | b"default" | b"everything"));
    let mut text = String::new();
    for (name, rows) in sections {
        if !all && !asked.iter().any(|asked| asked.eq_ignore_ascii_case(name.as_bytes())) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {name}\r\n"));
        rows.iter().for_each(|(name, value)| text.push_str(&format!("{name}:{value}\r\n")));
    }
    call.reply.verbatim(&text);
    Ok(())
}

fn sections(call: &Call<'_>) -> [(&'static str, Vec<(&'static str, String)>); 6] {
    let front = call.front;
    let status = front.engine.status();
    let linked = status.members.iter().filter(|member| member.linked).count();
    let uptime = front.started.elapsed().as_secs();
    let run = [status.replica, status.replica].map(|id| id.to_string()).concat();
    [
        (
            "Server",
            vec![
                ("redis_version", REDIS_VERSION.to_owned()),
                ("redis_mode", "standalone".to_owned()),
                ("baton_version", env!("CARGO_PKG_VERSION").to_owned()),
                ("process_id", std::process::id().to_string()),
                ("run_id", run),
                ("uptime_in_seconds", uptime.to_string()),
                ("uptime_in_days", (uptime / (24 * 3600)).to_string()),
            ],
        ),
        ("Clients", vec![("connected_clients", front.open_connections().to_string())]),
        ("Memory", vec![("used_memory_dataset", status.bytes.to_string()), ("maxmemory", "0".to_owned())]),
        (
            "Persistence",
            // A client that reads 1 waits.
            vec![("loading", u8::from(!front.engine.holds_state()).to_string())],
        ),
        (
            "Replication",
            vec![
                ("role", "master".to_owned()),
                ("connected_slaves", linked.to_string()),
                ("baton_phase", format!("{:?}", status.phase)),
                ("baton_in_sync", u8::from(status.in_sync).to_string()),
            ],
        ),
        ("Keyspace", vec![("baton_entries", status.keys.to_string())]),
    ]
}

/// Every agent takes writes.
fn role(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(())
}

fn time(call: &mut Call<'_>) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    call.reply.array(2);
    call.reply.bulk(now.as_secs().to_string().as_bytes());
    call.reply.bulk(now.subsec_micros().to_string().as_bytes());
    Ok(())
}
