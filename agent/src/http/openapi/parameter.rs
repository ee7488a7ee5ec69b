//! Parameters: of one name, the same everywhere.

use baton_replica::MAX_KEY_BYTES;
use serde_json::{Value, json};

/// A time to live of at most a century.
const TTL: &str = "^([1-9][0-9]{0,5}(ms|s|m|h)?|[1-9][0-9]{0,3}d)$";

/// Base64 for URLs, without padding, and without bits that mean nothing.
const CURSOR: &str = "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$";

const KIND: &str = "(change|adopted|released|members|presence)";

const DOT: &str = "[0-9a-f]{16}[.][0-9]{1,19}";

const TAG: &str = "\"6b0d3c5f1a2e4d77.12\"";
const TOKEN: &str = "00000000000000096b0d3c5f1a2e4d77";
const EVENT: &str = "6b0d3c5f1a2e4d77-12";

/// The parameters that a path names.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    let schema = |name| match name {
        // It and the `ref` are one name.
        "key" if path.contains("/presences/") => json!({"type": "string", "minLength": 1}),
        name => path_schema(name),
    };
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": schema(name)})).collect()
}

/// A query parameter.
pub(super) fn of_query(name: &str) -> Value {
    let (schema, description) = match name {
        "acks" => (
            json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": u32::MAX}, {"type": "string", "enum": ["majority", "all"]}]}),
            "How many other members must have the write before it is answered.",
        ),
        "ttl" => {
            (json!({"type": "string", "pattern": TTL}), "How long the value lives: 30 or 30s, 500ms, 15m, 12h, 7d.")
        }
        "init" => (json!({"type": "boolean"}), "Puts a default: nothing is written if there is a value."),
        "claim" => (json!({"type": "boolean"}), "Makes this pod the owner in the same step."),
        "unowned" => (json!({"type": "boolean"}), "Only if nobody owns the key."),
        "siblings" => (json!({"type": "boolean"}), "All concurrent values, in JSON."),
        "by" => (
            json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX}),
            "What is added; 1 if not given.",
        ),
        "prefix" => (json!({"type": "string", "maxLength": MAX_KEY_BYTES}), "What keys, fields or members start with."),
        "limit" => (json!({"type": "integer", "minimum": 1, "maximum": 1000}), "Rows of the page."),
        "cursor" => (json!({"type": "string", "pattern": CURSOR}), "That of the page before."),
        "values" => {
            (json!({"type": "string", "enum": ["true", "false", "plain"]}), "Whether values are shown, and how.")
        }
        "order" => (json!({"type": "string", "enum": ["asc", "desc"]}), "That of the keys' bytes, or the opposite."),
        "map" => (path_schema("map"), "Keys of this map only."),
        "events" => (
            json!({"type": "string", "pattern": format!("^{KIND}(,{KIND})*$")}),
            "Kinds of events, with commas between.",
        ),
        "session" => (name_schema(), "The session, which is a watch that an app holds open."),
        "ref" => (name_schema(), "Which of several presences of one key."),
        "linger" => (
            json!({"type": "string", "pattern": "^([1-9][0-9]{0,2}s?|[1-9][0-9]{0,5}ms|[1-9]m|[1-5][0-9]m|1h)$"}),
            "How long it stays after its session, or its pod: 10s, 1h at most.",
        ),
        _ => (json!({"type": "string"}), ""),
    };
    json!({"name": name, "in": "query", "schema": schema, "description": description})
}

/// A header of a request. An example shows more than a pattern that has to be right.
pub(super) fn header(name: &str) -> Value {
    let tag = format!(r#"(W/)?"{DOT}([+]{DOT})*""#);
    let tags = format!("^([*]|{tag}(, ?{tag})*)$");
    let (pattern, example, description) = match name {
        "If-Match" => (tags, TAG, "Versions, one of which the key must have, or *."),
        "If-None-Match" => (tags, TAG, "Versions, none of which the key may have, or *."),
        "Baton-Token" => ("^[0-9a-f]{32}$".to_owned(), TOKEN, "The fencing token that the key's owner must have."),
        // An id of anybody else is answered too, with `resync`.
        _ => (String::new(), EVENT, "The id of the last event that was seen."),
    };
    let schema = match pattern.as_str() {
        "" => json!({"type": "string"}),
        pattern => json!({"type": "string", "pattern": pattern, "minLength": 1}),
    };
    json!({"name": name, "in": "header", "schema": schema, "example": example, "description": description})
}

fn name_schema() -> Value {
    json!({"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,64}$"})
}

fn path_schema(name: &str) -> Value {
    match name {
        "map" => json!({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$"}),
        _ => json!({
            "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "description": "Its bytes in UTF-8 count.",
        }),
    }
}
