//! Commands of Redis that are refused, each with the reason: what cannot be kept is not promised.

/// Reasons, each with the commands that it is for, in lower case.
pub(in crate::redis) const REFUSED: &[(&str, &[&str])] = &[
    (
        "a list has one order, and two pods that push at the same time have two; use a sorted set, or a map of entries",
        &[
            "blmove",
            "blmpop",
            "blpop",
            "brpop",
            "brpoplpush",
            "lindex",
            "linsert",
            "llen",
            "lmove",
            "lmpop",
            "lpop",
            "lpos",
            "lpush",
            "lpushx",
            "lrange",
            "lrem",
            "lset",
            "ltrim",
            "rpop",
            "rpoplpush",
            "rpush",
            "rpushx",
        ],
    ),
    (
        "a stream has one order, and two pods that add at the same time have two; use the watch of the HTTP or gRPC API",
        &[
            "xack",
            "xadd",
            "xautoclaim",
            "xclaim",
            "xdel",
            "xgroup",
            "xinfo",
            "xlen",
            "xpending",
            "xrange",
            "xread",
            "xreadgroup",
            "xrevrange",
            "xsetid",
            "xtrim",
        ],
    ),
    (
        "there is no scripting: use MULTI, or conditions of the HTTP or gRPC API",
        &["eval", "eval_ro", "evalsha", "evalsha_ro", "fcall", "fcall_ro", "function", "script"],
    ),
    (
        "bits of one value that two pods change at the same time would be lost; keep flags in a set, or in fields",
        &["bitcount", "bitfield", "bitfield_ro", "bitop", "bitpos", "getbit", "setbit"],
    ),
    (
        "registers that two pods change at the same time would be lost; count with a set, or a counter",
        &["pfadd", "pfcount", "pfmerge"],
    ),
    (
        "there is no index of places",
        &[
            "geoadd",
            "geodist",
            "geohash",
            "geopos",
            "georadius",
            "georadius_ro",
            "georadiusbymember",
            "georadiusbymember_ro",
            "geosearch",
            "geosearchstore",
        ],
    ),
    (
        "it is the agent that replicates, with the members that the operator names",
        &["cluster", "failover", "psync", "replconf", "replicaof", "slaveof", "sync", "waitaof"],
    ),
    ("nothing is kept in files", &["bgrewriteaof", "bgsave", "lastsave", "restore", "dump", "migrate", "save"]),
    (
        "the agent is looked at by its metrics and its logs, and ends with its pod",
        &["acl", "debug", "latency", "lolwut", "module", "monitor", "shutdown", "slowlog"],
    ),
    ("a database is a map, and a map keeps its name", &["move", "swapdb"]),
    ("it would read all of several keys; read them, and sort in the app", &["lcs", "sort", "sort_ro"]),
];

/// Why a command is refused, if it is one of these.
pub(in crate::redis) fn reason(name: &[u8]) -> Option<&'static str> {
    let is_it = |refused: &&str| refused.as_bytes().eq_ignore_ascii_case(name);
    REFUSED.iter().find(|(_, names)| names.iter().any(is_it)).map(|(reason, _)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::table;

    const PAGE: &str = include_str!("../../../../docs/redis.md");

    #[test]
    fn what_is_refused_is_not_carried_out_too() {
        for name in REFUSED.iter().flat_map(|(_, names)| *names) {
            assert!(table::find(name.as_bytes()).is_none(), "{name}");
        }
    }

    #[test]
    fn the_page_names_every_command_there_is_and_every_one_that_is_refused() {
        let names = table::all().iter().map(|command| command.name);
        for name in names.chain(REFUSED.iter().flat_map(|(_, names)| *names).copied()) {
            let shown = name.to_uppercase();
            let is_there = PAGE.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == shown);
            assert!(is_there, "{shown}");
        }
    }
}
