//! `GET /openapi.json`: this API, for programs. A test compares it with what the router does.

mod operation;
mod parameter;

use std::sync::LazyLock;

use axum::http::Uri;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::http::query::Query;
use crate::problem::Problem;
use operation::{Operation, Payload, operations};
use parameter::{header, of_path, of_query};

/// What JSON bodies look like.
const SCHEMAS: &str = include_str!("openapi/schemas.json");

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(super) async fn get(uri: Uri) -> Result<([(HeaderName, &'static str); 1], Bytes), Problem> {
    Query::of(&uri, &[])?;
    Ok(([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()))
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path.clone()).or_insert_with(|| json!({}));
        path[operation.method] = describe(&operation);
    }
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.0.3",
        "info": {
            "title": "Baton",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The state of an app's pods, at the agent beside each of them. docs/http.md says more.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:7070"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {"Problem": {
                "description": "It was not done, or not as asked.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
        },
    })
}

fn describe(operation: &Operation) -> Value {
    let of_path = of_path(&operation.path);
    let of_query = operation.query.iter().map(|name| of_query(name));
    let headers = operation.headers.iter().map(|name| header(name));
    let parameters: Vec<Value> = of_path.into_iter().chain(of_query).chain(headers).collect();
    let mut responses = Map::new();
    for (status, what) in &operation.answers {
        responses.insert(status.to_string(), json!({"description": what, "content": content(operation.returns)}));
    }
    for status in &operation.empty {
        responses.insert(status.to_string(), json!({"description": "Done; there is nothing more to say."}));
    }
    responses.insert("default".to_owned(), json!({"$ref": "#/components/responses/Problem"}));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters,
        "responses": responses,
    });
    if operation.takes != Payload::Nothing {
        described["requestBody"] = json!({"required": true, "content": content(operation.takes)});
    }
    described
}

fn content(payload: Payload) -> Value {
    match payload {
        Payload::Nothing => json!({}),
        Payload::Bytes => json!({"*/*": {"schema": {"type": "string", "format": "binary"}}}),
        Payload::Events => json!({"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}}),
        Payload::Json(name) => {
            json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{name}")}}})
        }
        Payload::AnyJson => json!({"application/json": {"schema": {"type": "object"}}}),
        Payload::BytesOr(name) => {
            let mut both = content(Payload::Bytes);
            both["application/json"] = content(Payload::Json(name))["application/json"].clone();
            both
        }
    }
}

#[cfg(test)]
pub(super) fn for_tests() -> Value {
    document()
}
