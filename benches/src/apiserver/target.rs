//! What a path of the API names.

use super::Place;

/// A collection, or an object in it, or a part of that.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Such as `pods`.
    pub(super) resource: String,
    /// All namespaces, or this one.
    pub(super) namespace: Option<String>,
    /// All objects, or this one.
    pub(super) name: Option<String>,
    /// Such as `status`.
    pub(super) part: Option<String>,
}

// === impl Target ===

impl Target {
    /// Reads a path such as `/apis/apps/v1/namespaces/shop/deployments/web/status`.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut segments = path.trim_matches('/').split('/').map(str::to_owned);
        match segments.next()?.as_str() {
            "api" => drop(segments.next()?),
            "apis" => drop((segments.next()?, segments.next()?)),
            _ => return None,
        }
        let rest: Vec<String> = segments.collect();
        let (namespace, rest) = match rest.as_slice() {
            [word, namespace, rest @ ..] if word == "namespaces" && !rest.is_empty() => (Some(namespace.clone()), rest),
            rest => (None, rest),
        };
        let mut rest = rest.iter().cloned();
        Some(Self { resource: rest.next()?, namespace, name: rest.next(), part: rest.next() })
    }

    /// The object, if it is one.
    pub(super) fn place(&self) -> Option<Place> {
        Some((self.namespace.clone().unwrap_or_default(), self.name.clone()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_collection_an_object_or_a_part_of_it() {
        let of = |path| {
            let Target { resource, namespace, name, part } = Target::of(path).expect("a path of the API");
            [Some(resource), namespace, name, part].map(Option::unwrap_or_default).join(" ")
        };
        assert_eq!(of("/api/v1/pods"), "pods   ");
        assert_eq!(of("/api/v1/namespaces/shop"), "namespaces  shop ");
        assert_eq!(of("/api/v1/namespaces/shop/pods/web-1"), "pods shop web-1 ");
        assert_eq!(
            of("/apis/baton.dev/v1alpha1/namespaces/shop/handoffgroups/web/status"),
            "handoffgroups shop web status"
        );
        assert_eq!(Target::of("/metrics"), None);
    }
}
