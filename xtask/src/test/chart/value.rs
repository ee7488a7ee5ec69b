//! Whether the chart's schema names every value and no others.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Compares `values.yaml` with `values.schema.json`.
pub(super) fn check(chart: &Path) -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(chart.join(name)).with_context(|| format!("read {name}"));
    let values: Value = serde_saphyr::from_str(&read("values.yaml")?).context("values.yaml")?;
    let schema: Value = serde_json::from_str(&read("values.schema.json")?).context("values.schema.json")?;
    compare(&values, &schema, "")
}

fn compare(value: &Value, schema: &Value, path: &str) -> Result<()> {
    let Some(properties) = schema["properties"].as_object() else {
        let free = schema.get("type").or(schema.get("enum")).or(schema.get("anyOf")).is_some();
        ensure!(free, "the schema says nothing of {path}");
        return Ok(());
    };
    ensure!(schema["additionalProperties"] == false, "the schema takes anything in {path}");
    let values = value.as_object().with_context(|| format!("{path} is no object in values.yaml"))?;
    for (name, value) in values {
        let path = format!("{path}.{name}");
        compare(value, properties.get(name).with_context(|| format!("the schema has no {path}"))?, &path)?;
    }
    // Helm gives each chart `global`.
    let unknown = properties.keys().find(|name| !values.contains_key(*name) && (path, name.as_str()) != ("", "global"));
    ensure!(unknown.is_none(), "values.yaml has no {path}.{}", unknown.map_or("", String::as_str));
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_without_a_schema_and_a_schema_without_a_value_are_found() {
        let schema = json!({"additionalProperties": false, "properties": {"a": {"type": "string"}}});
        assert!(compare(&json!({"a": "x"}), &schema, "").is_ok());
        for wrong in [json!({"a": "x", "b": 1}), json!({})] {
            assert!(compare(&wrong, &schema, "").is_err(), "{wrong}");
        }
    }
}
