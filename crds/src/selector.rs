//! Which pods a group selects, with bounds that the API server's own label selector lacks.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Selects pods by their labels: all of `matchLabels` and all of `matchExpressions` must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)")
        .message("selector must not be empty: name at least one label, for example matchLabels: {app: web}"),
    validation = Rule::new("!has(self.matchLabels) || self.matchLabels.all(key, key.matches('^([a-z0-9][-a-z0-9.]*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$'))")
        .message("selector.matchLabels has a name that no label can have: letters, digits, '-', '_' and '.', with a domain and '/' before it if you like, for example app or example.com/app"),
)]
pub struct Selector {
    /// Labels that a pod must have with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub match_labels: BTreeMap<String, LabelValue>,
    /// Conditions that a pod's labels must meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 16, "x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<Expression>,
}

/// The value of a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct LabelValue(
    #[schemars(length(max = 63), regex(pattern = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"))] pub String,
);

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0")
        .message("selector.matchExpressions: operators In and NotIn need at least one value, Exists and DoesNotExist take none"),
)]
pub struct Expression {
    /// The label's name.
    #[schemars(
        length(min = 1, max = 317),
        regex(pattern = r"^([a-z0-9][-a-z0-9.]*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
    )]
    pub key: String,
    /// How the label is compared with the values.
    pub operator: Operator,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 32, "x-kubernetes-list-type" = "atomic"))]
    pub values: Vec<LabelValue>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is absent.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

// === impl Selector ===

impl Selector {
    /// Whether a pod with these labels is selected. An empty selector selects nothing.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        if self.match_labels.is_empty() && self.match_expressions.is_empty() {
            return false;
        }
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(&value.0))
            && self.match_expressions.iter().all(|expression| expression.matches(labels))
    }

    /// Why no pod can ever be selected, if so: what the API server's rules leave to the operator.
    pub fn defect(&self) -> Option<String> {
        if self.match_labels.is_empty() && self.match_expressions.is_empty() {
            return Some("the selector is empty".into());
        }
        let key = self.match_labels.keys().find(|key| !is_label_name(key))?;
        Some(format!("{key:?} is no valid label name"))
    }
}

// === impl Expression ===

impl Expression {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.iter().any(|one| one.0 == *value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

fn is_label_name(key: &str) -> bool {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let name_fits = name.len() <= 63
        && edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let prefix_fits = prefix.is_none_or(|prefix| {
        (1..=253).contains(&prefix.len())
            && prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
    });
    name_fits && prefix_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn selector(json: serde_json::Value) -> Selector {
        serde_json::from_value(json).expect("a selector")
    }

    #[test]
    fn every_label_and_expression_must_hold() {
        let web = selector(serde_json::json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "edge"]},
                {"key": "track", "operator": "NotIn", "values": ["canary"]},
                {"key": "team", "operator": "Exists"},
                {"key": "legacy", "operator": "DoesNotExist"},
            ],
        }));
        let fits = [("app", "web"), ("tier", "edge"), ("team", "a")];
        assert!(web.matches(&labels(&fits)));
        for extra in [("app", "other"), ("tier", "back"), ("track", "canary"), ("legacy", "yes")] {
            let mut pairs = labels(&fits);
            pairs.insert(extra.0.into(), extra.1.into());
            assert!(!web.matches(&pairs), "{extra:?}");
        }
        assert!(!web.matches(&labels(&[("app", "web"), ("tier", "edge")])));
    }

    #[test]
    fn an_empty_selector_selects_nothing() {
        assert!(!Selector::default().matches(&labels(&[("app", "web")])));
        assert!(Selector::default().defect().is_some());
    }

    #[test]
    fn names_that_no_label_can_have_are_defects() {
        for (key, fine) in
            [("app", true), ("example.com/app", true), ("bad key", false), ("a/b/c", false), ("-a", false)]
        {
            let one = selector(serde_json::json!({"matchLabels": {key: "web"}}));
            assert_eq!(one.defect().is_none(), fine, "{key}");
        }
    }
}
