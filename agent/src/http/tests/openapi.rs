//! The document says what the router does, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{openapi, routes};
use super::Api;

const METHODS: [&str; 5] = ["get", "head", "put", "post", "delete"];
const PAGE: &str = include_str!("../../../../docs/http.md");

/// Documented methods by path.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = openapi::for_tests();
    let paths = document["paths"].as_object().expect("paths").iter();
    paths
        .map(|(path, methods)| (path.clone(), methods.as_object().expect("methods").keys().cloned().collect()))
        .collect()
}

/// A path with names for its parameters.
fn filled(path: &str) -> String {
    let names = [("{map}", "m"), ("{key}", "k"), ("{field}", "f"), ("{member}", "x"), ("{topic}", "t")];
    names.iter().fold(path.to_owned(), |path, (parameter, name)| path.replace(parameter, name))
}

#[test]
fn every_route_is_documented_and_no_other() {
    // An empty field or member, and the absence of a key, have routes of their own; what follows a colon has none.
    let routed: BTreeSet<String> = routes().into_iter().map(|(path, _)| path.replace("{*", "{")).collect();
    let routed: BTreeSet<String> = routed.into_iter().filter(|path| !path.ends_with('/')).collect();
    let plain = |path: &String| {
        path.split("}:").next().map(|start| format!("{start}{}", if path.contains("}:") { "}" } else { "" }))
    };
    let documented: BTreeSet<String> = documented().keys().filter_map(plain).collect();
    assert_eq!(documented, routed);
}

#[tokio::test]
async fn every_path_takes_the_documented_methods_and_no_other() {
    let api = Api::active().await;
    for (path, methods) in documented() {
        let implied = methods.contains("get") && !methods.contains("head");
        for method in METHODS {
            // What may be got may be looked at; watches do not end.
            if (method == "head" && implied) || path == "/v1/watch" {
                continue;
            }
            let answer = api.call(&method.to_uppercase(), &filled(&path), &[], b"").await;
            let taken = answer.status != 405;
            let acts = path.contains("}:");
            let expected = methods.contains(method) || (acts && method != "post");
            assert_eq!(taken, expected, "{method} {path} is answered with {}", answer.status);
        }
    }
}

#[tokio::test]
async fn every_operation_takes_the_documented_parameters_and_no_other() {
    let api = Api::active().await;
    let document = openapi::for_tests();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods").iter().filter(|(method, _)| *method != "head")
        {
            let parameters = operation["parameters"].as_array().expect("parameters");
            let names = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let names: Vec<&str> = names.filter_map(|parameter| parameter["name"].as_str()).collect();
            let refused = api.call(&method.to_uppercase(), &format!("{}?stranger=1", filled(path)), &[], b"").await;
            refused.is_error(400, "bad_query");
            let takes = refused.json()["hint"].as_str().expect("a hint").to_owned();
            let expected = match names.as_slice() {
                [] => "this request takes no parameters".to_owned(),
                names => format!("this request takes {}", names.join(", ")),
            };
            assert_eq!(takes, expected, "{method} {path}");
        }
    }
}

#[test]
fn references_lead_somewhere_and_ids_are_unique() {
    let document = openapi::for_tests();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("an end");
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|methods| methods.as_object().expect("methods").values().map(|operation| &operation["operationId"]))
        .collect();
    let unique: BTreeSet<String> = ids.iter().map(|id| id.to_string()).collect();
    assert_eq!(unique.len(), ids.len());
}

#[test]
fn the_page_names_every_path() {
    for path in documented().keys().filter(|path| !path.contains("}:")) {
        assert!(PAGE.contains(path.as_str()), "{path} is not in docs/http.md");
    }
}

#[tokio::test]
async fn the_document_and_the_members_are_served() {
    let api = Api::active().await;
    let served = api.get("/openapi.json").await;
    assert_eq!(
        (served.header("content-type"), served.json()["openapi"].as_str()),
        (Some("application/json"), Some("3.0.3"))
    );
    api.engine.list_silent_members(1, true);
    let members = api.get("/v1/members").await.json();
    assert_eq!(
        (&members["me"]["replica"], &members["members"][0]["pod"]),
        (&"0000000000000007".into(), &"pod-8".into())
    );
}
