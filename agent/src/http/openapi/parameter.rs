//! Parameters: of one name, the same everywhere.

use serde_json::{Value, json};

/// The parameters that a path names.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    names.map(|name| json!({"name": name, "in": "path", "required": true, "schema": path_schema(name)})).collect()
}

/// A query parameter.
pub(super) fn of_query(name: &str) -> Value {
    let (schema, description) = match name {
        "acks" => (
            json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": u32::MAX}, {"type": "string", "enum": ["majority", "all"]}]}),
            "How many other members must have the write before it is answered.",
        ),
        "ttl" => (
            json!({"type": "string", "pattern": "^[1-9][0-9]{0,5}(ms|s|m|h)?$"}),
            "How long the value lives: 30 or 30s, 500ms, 15m, 12h, 7d.",
        ),
        "init" => (json!({"type": "boolean"}), "Puts a default: nothing is written if there is a value."),
        "claim" => (json!({"type": "boolean"}), "Makes this pod the owner in the same step."),
        "unowned" => (json!({"type": "boolean"}), "Only if nobody owns the key."),
        "siblings" => (json!({"type": "boolean"}), "All concurrent values, in JSON."),
        "by" => (
            json!({"type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX}),
            "What is added; 1 if not given.",
        ),
        "prefix" => (json!({"type": "string", "maxLength": 256}), "What keys, fields or members start with."),
        "limit" => (json!({"type": "integer", "minimum": 1, "maximum": 1000}), "Rows of the page."),
        "cursor" => (json!({"type": "string"}), "That of the page before."),
        "values" => {
            (json!({"type": "string", "enum": ["true", "false", "plain"]}), "Whether values are shown, and how.")
        }
        "order" => (json!({"type": "string", "enum": ["asc", "desc"]}), "That of the keys' bytes, or the opposite."),
        "map" => (path_schema("map"), "Keys of this map only."),
        "events" => (
            json!({"type": "string", "pattern": "^(change|adopted|released|members|presence)$"}),
            "Kinds of events, with commas between.",
        ),
        "session" => (name_schema(), "The session, which is a watch that an app holds open."),
        "ref" => (name_schema(), "Which of several presences of one key."),
        "linger" => (
            json!({"type": "string", "pattern": "^[1-9][0-9]{0,2}s?$"}),
            "How long it stays after its session, or its pod: 10s, 1h at most.",
        ),
        _ => (json!({"type": "string"}), ""),
    };
    json!({"name": name, "in": "query", "schema": schema, "description": description})
}

/// A header of a request.
pub(super) fn header(name: &str) -> Value {
    let tag = r#"(W/)?"[0-9a-f]{15}[1-9a-f][.][1-9][0-9]{0,9}""#;
    let (pattern, description) = match name {
        "If-Match" => (format!("^([*]|{tag})$"), "Versions, one of which the key must have, or *."),
        "If-None-Match" => (format!("^([*]|{tag})$"), "Versions, none of which the key may have, or *."),
        "Baton-Token" => ("^[0-9a-f]{31}[1-9a-f]$".to_owned(), "The fencing token that the key's owner must have."),
        _ => ("^[0-9a-f]{16}-[0-9]{1,9}$".to_owned(), "The id of the last event that was seen."),
    };
    json!({"name": name, "in": "header", "schema": {"type": "string", "pattern": pattern}, "description": description})
}

fn name_schema() -> Value {
    json!({"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,64}$"})
}

fn path_schema(name: &str) -> Value {
    match name {
        "map" => json!({"type": "string", "pattern": "^[a-z0-9]([-a-z0-9._]{0,61}[a-z0-9])?$"}),
        "key" => json!({"type": "string", "minLength": 1, "maxLength": 256}),
        _ => json!({"type": "string", "minLength": 1, "maxLength": 256}),
    }
}
