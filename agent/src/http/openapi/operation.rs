//! What can be asked of the API.

/// One method of one path.
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) id: String,
    pub(super) summary: &'static str,
    pub(super) query: &'static [&'static str],
    pub(super) headers: &'static [&'static str],
    pub(super) takes: Payload,
    /// What the answers below have in them.
    pub(super) returns: Payload,
    pub(super) answers: Vec<(u16, &'static str)>,
    /// Statuses of answers without a body.
    pub(super) empty: Vec<u16>,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload {
    Nothing,
    /// A value as it was put.
    Bytes,
    /// The same, or JSON of this schema.
    BytesOr(&'static str),
    Json(&'static str),
    AnyJson,
    Events,
}

const CONDITIONS: &[&str] = &["If-Match", "If-None-Match", "Baton-Token"];
const ENTRY: &str = "/v1/maps/{map}/entries/{key}";
const FIELD: &str = "/v1/maps/{map}/hashes/{key}/{field}";

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = entries("Entry", ENTRY);
    all.extend(entries("Field", FIELD));
    all.extend(lists());
    all.extend(collections());
    all.extend(presences());
    all.extend(agent());
    all
}

/// What entries and fields take.
fn entries(what: &str, path: &str) -> Vec<Operation> {
    let action = |action: &'static str, summary, query| Operation {
        headers: CONDITIONS,
        ..operation("post", &format!("{path}:{action}"), &format!("{action}{what}"), summary, query)
    };
    vec![
        Operation {
            headers: CONDITIONS,
            takes: Payload::Bytes,
            empty: vec![200, 201],
            ..operation("put", path, &format!("put{what}"), "Puts a value.", &["acks", "ttl", "init", "claim"])
        },
        Operation {
            headers: CONDITIONS,
            returns: Payload::BytesOr("Siblings"),
            answers: vec![(200, "The value; with siblings=true all concurrent ones.")],
            empty: vec![304],
            ..operation("get", path, &format!("get{what}"), "Reads the value.", &["siblings"])
        },
        Operation {
            headers: CONDITIONS,
            empty: vec![200, 304],
            ..operation("head", path, &format!("head{what}"), "Looks whether there is a value.", &["siblings"])
        },
        Operation {
            headers: CONDITIONS,
            empty: vec![204],
            ..operation("delete", path, &format!("delete{what}"), "Deletes the value.", &["acks"])
        },
        Operation {
            returns: Payload::Bytes,
            answers: vec![(200, "What was there.")],
            ..action("take", "Deletes the value and answers with it.", &["acks"])
        },
        Operation {
            empty: vec![204],
            ..action("touch", "Gives the value another deadline, or none.", &["acks", "ttl"])
        },
        Operation {
            returns: Payload::Json("Count"),
            answers: vec![(200, "The sum."), (201, "The sum; it began here.")],
            ..action("increment", "Adds to an integer.", &["acks", "by"])
        },
        Operation {
            returns: Payload::Json("Claimed"),
            answers: vec![(200, "This pod owns the key.")],
            ..action("claim", "Makes this pod the owner.", &["acks", "unowned"])
        },
        Operation { empty: vec![204], ..action("release", "Leaves the key without an owner.", &["acks"]) },
        Operation { empty: vec![204], ..action("confirm", "Says that what was adopted runs here.", &["acks"]) },
    ]
}

fn lists() -> Vec<Operation> {
    let list = |path: &str, id: &str, summary, query, schema| Operation {
        returns: Payload::Json(schema),
        answers: vec![(200, "One page.")],
        ..operation("get", path, id, summary, query)
    };
    let entries = "/v1/maps/{map}/entries";
    vec![
        list(entries, "listEntries", "Lists entries.", &["prefix", "limit", "cursor", "values", "order"], "Entries"),
        list(
            "/v1/maps/{map}/keys",
            "listKeys",
            "Lists keys, also of hashes and sets.",
            &["prefix", "limit", "cursor"],
            "Keys",
        ),
        list(
            "/v1/maps/{map}/hashes/{key}",
            "listFields",
            "Lists fields.",
            &["prefix", "limit", "cursor", "values"],
            "Fields",
        ),
        list("/v1/maps/{map}/sets/{key}", "listMembers", "Lists members.", &["prefix", "limit", "cursor"], "Members"),
        list("/v1/owned", "listOwned", "Lists what this pod owns.", &["limit", "cursor", "values"], "Owned"),
    ]
}

fn collections() -> Vec<Operation> {
    let count = |method, id: &str, summary, query, headers, answers| Operation {
        headers,
        returns: Payload::Json("Count"),
        answers,
        ..operation(method, "/v1/maps/{map}/counters/{key}", id, summary, query)
    };
    let clear = |path: &str, id: &str, summary| Operation {
        returns: Payload::Json("Cleared"),
        answers: vec![(200, "How many values there were.")],
        ..operation("delete", path, id, summary, &["acks"])
    };
    let member = "/v1/maps/{map}/sets/{key}/{member}";
    vec![
        count("get", "getCounter", "Reads a counter.", &[], &[], vec![(200, "Its value.")]),
        count(
            "post",
            "addToCounter",
            "Adds to a counter.",
            &["acks", "by"],
            CONDITIONS,
            vec![(200, "Its value."), (201, "Its value; it began here.")],
        ),
        clear("/v1/maps/{map}/hashes/{key}", "deleteHash", "Deletes a key with all of its fields."),
        clear("/v1/maps/{map}/sets/{key}", "deleteSet", "Deletes a set."),
        Operation {
            empty: vec![200, 201],
            ..operation("put", member, "addMember", "Adds a member.", &["acks", "ttl"])
        },
        Operation {
            headers: CONDITIONS,
            returns: Payload::BytesOr("Siblings"),
            answers: vec![(200, "It is a member.")],
            empty: vec![304],
            ..operation("get", member, "getMember", "Looks whether it is a member.", &["siblings"])
        },
        Operation {
            headers: CONDITIONS,
            empty: vec![200, 304],
            ..operation("head", member, "headMember", "Looks whether it is a member.", &["siblings"])
        },
        Operation {
            headers: CONDITIONS,
            empty: vec![204],
            ..operation("delete", member, "removeMember", "Removes a member.", &["acks"])
        },
        Operation {
            takes: Payload::Json("Batch"),
            returns: Payload::Json("Results"),
            answers: vec![(200, "A result for each request, in their order.")],
            ..operation("post", "/v1/batch", "batch", "Makes several operations at once.", &[])
        },
    ]
}

/// Who is where.
fn presences() -> Vec<Operation> {
    let topic = "/v1/maps/{map}/presences/{topic}";
    let key = "/v1/maps/{map}/presences/{topic}/{key}";
    vec![
        Operation {
            returns: Payload::Json("Presences"),
            answers: vec![(200, "One page.")],
            ..operation("get", topic, "listPresences", "Lists who is there.", &["limit", "cursor"])
        },
        Operation {
            returns: Payload::Json("Metas"),
            answers: vec![(200, "Where they are.")],
            ..operation("get", key, "getPresence", "Looks whether they are there.", &[])
        },
        Operation {
            takes: Payload::AnyJson,
            returns: Payload::Json("Tracked"),
            answers: vec![(200, "They were there already."), (201, "They are there now.")],
            ..operation("put", key, "track", "Says that they are there.", &["acks", "ttl", "session", "ref", "linger"])
        },
        Operation {
            empty: vec![204],
            ..operation("delete", key, "untrack", "Says that they are not there any more.", &["acks", "session", "ref"])
        },
    ]
}

/// What is asked of the agent itself.
fn agent() -> Vec<Operation> {
    let look = |path: &str, id: &str, summary, returns| Operation {
        returns,
        answers: vec![(200, "The present state.")],
        ..operation("get", path, id, summary, &[])
    };
    vec![
        Operation {
            headers: &["Last-Event-ID"],
            returns: Payload::Events,
            answers: vec![(200, "Events, until the client goes.")],
            ..operation("get", "/v1/watch", "watch", "Streams what changes.", &["map", "prefix", "events", "session"])
        },
        look("/v1/members", "getMembers", "Shows who belongs to the group.", Payload::Json("GroupMembers")),
        look("/v1/status", "getStatus", "Shows the agent's state.", Payload::Json("Status")),
        look("/openapi.json", "getDocument", "Shows this document.", Payload::AnyJson),
    ]
}

fn operation(
    method: &'static str,
    path: &str,
    id: &str,
    summary: &'static str,
    query: &'static [&'static str],
) -> Operation {
    Operation {
        method,
        path: path.to_owned(),
        id: id.to_owned(),
        summary,
        query,
        headers: &[],
        takes: Payload::Nothing,
        returns: Payload::Nothing,
        answers: Vec::new(),
        empty: Vec::new(),
    }
}
