//! What the chart's service accounts may do, and where.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::object::Object;

/// What keepers are made of.
const KEEPERS: [&str; 3] = ["statefulsets", "poddisruptionbudgets", "networkpolicies"];

/// One rule, as one account has it.
struct Right<'a> {
    /// Where; everywhere if it is none.
    namespace: Option<&'a str>,
    rule: &'a Value,
}

/// Whether the operator may write what keepers are made of in these namespaces only; an empty name is all of them.
pub(super) fn of_keepers(objects: &[Object], expected: &[&str]) -> Result<()> {
    let deployment = find(objects, "Deployment", None).context("no Deployment")?;
    let rights = of(objects, account(&deployment.value["spec"]["template"]["spec"])?)?;
    for resource in KEEPERS {
        let writes = rights.iter().filter(|right| right.names("resources", resource) && right.writes());
        let mut found: Vec<&str> = writes.map(|right| right.namespace.unwrap_or_default()).collect();
        found.sort_unstable();
        ensure!(found == expected, "{resource} can be written in {found:?}");
    }
    ensure!(rights.iter().any(|right| right.names("resources", "statefulsets") && right.names("verbs", "watch")));
    Ok(())
}

/// Whether the pod of `helm test` can only read, and no Secret: in its own namespace, and one object of the cluster by name.
pub(super) fn of_check(objects: &[Object]) -> Result<()> {
    let pod = find(objects, "Pod", None).context("no pod for helm test")?;
    let rights = of(objects, account(&pod.value["spec"])?)?;
    ensure!(!rights.is_empty(), "it may do nothing");
    for right in &rights {
        let Right { namespace, rule } = right;
        ensure!(!right.writes() && !right.names("resources", "secrets"), "it may do {rule}");
        let own = *namespace == pod.value["metadata"]["namespace"].as_str();
        ensure!(own || rule["resourceNames"].is_array(), "it may do {rule} in {namespace:?}");
    }
    Ok(())
}

// === impl Right ===

impl Right<'_> {
    fn names(&self, list: &str, name: &str) -> bool {
        self.rule[list].as_array().is_some_and(|all| all.iter().any(|one| one == name || one == "*"))
    }

    fn writes(&self) -> bool {
        let reads = |verb: &Value| ["get", "list", "watch"].iter().any(|one| verb == one);
        self.rule["verbs"].as_array().is_none_or(|verbs| !verbs.iter().all(reads))
    }
}

/// What an account may do by all bindings that name it.
fn of<'a>(objects: &'a [Object], account: &str) -> Result<Vec<Right<'a>>> {
    let mut rights = Vec::new();
    for binding in objects.iter().filter(|object| object.kind.ends_with("RoleBinding")) {
        let subjects = binding.value["subjects"].as_array().context("a binding of nobody")?;
        if !subjects.iter().any(|subject| subject["kind"] == "ServiceAccount" && subject["name"] == account) {
            continue;
        }
        let text = |path: &str| binding.value.pointer(path).and_then(Value::as_str);
        let (kind, name) = (text("/roleRef/kind").unwrap_or_default(), text("/roleRef/name"));
        let namespace = text("/metadata/namespace").filter(|_| binding.kind == "RoleBinding");
        let role = find(objects, kind, name).with_context(|| format!("{} names no {kind}", binding.name))?;
        let rules = role.value["rules"].as_array().with_context(|| format!("{} has no rules", role.name))?;
        rights.extend(rules.iter().map(|rule| Right { namespace, rule }));
    }
    Ok(rights)
}

fn find<'a>(objects: &'a [Object], kind: &str, name: Option<&str>) -> Option<&'a Object> {
    objects.iter().find(|object| object.kind == kind && name.is_none_or(|name| object.name == name))
}

fn account(spec: &Value) -> Result<&str> {
    spec["serviceAccountName"].as_str().context("a pod without an account")
}
