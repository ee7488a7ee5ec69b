//! What a custom resource's definition knows of fields.
//!
//! The API server drops fields that a definition does not know, so one of an older release makes specs mean less than
//! they say.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// The version that all releases so far serve.
pub(super) const VERSION: &str = "v1alpha1";

/// The paths of all fields, as `spec.handoff.timeout`; none if the version is not served.
pub(super) fn fields(definition: &CustomResourceDefinition) -> Option<BTreeSet<String>> {
    let version = definition.spec.versions.iter().find(|version| version.name == VERSION && version.served)?;
    let schema = version.schema.as_ref()?.open_api_v3_schema.as_ref()?;
    let mut paths = BTreeSet::new();
    for part in ["spec", "status"] {
        if let Some(schema) = schema.properties.as_ref().and_then(|properties| properties.get(part)) {
            collect(schema, part, &mut paths);
        }
    }
    Some(paths)
}

fn collect(schema: &JSONSchemaProps, path: &str, paths: &mut BTreeSet<String>) {
    paths.insert(path.to_owned());
    for (name, schema) in schema.properties.iter().flatten() {
        collect(schema, &format!("{path}.{name}"), paths);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, &format!("{path}[]"), paths);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_lists_and_objects_are_found() {
        let (_, definition) = &baton_crds::definitions()[0];
        let fields = fields(definition).expect("it is served");
        for path in ["spec.handoff.completion", "spec.maps[].onDeparture", "status.workloads[].drainedGeneration"] {
            assert!(fields.contains(path), "{path} is not in {fields:?}");
        }
    }
}
