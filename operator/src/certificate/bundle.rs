//! A CA and the leaf that it signed, and when either must be renewed.

use std::time::SystemTime;

use baton_identity::{Authority, AuthorityError};
use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// How long a CA is valid, and how long before its end it is renewed: long enough for the old one to stay in
/// the `caBundle` until every leaf of it is gone.
const CA: Span = Span { valid: SignedDuration::from_hours(24 * 365), ahead: SignedDuration::from_hours(24 * 90) };

/// How long a leaf is valid, and how long before its end it is renewed.
const LEAF: Span = Span { valid: SignedDuration::from_hours(24 * 30), ahead: SignedDuration::from_hours(24 * 10) };

struct Span {
    valid: SignedDuration,
    ahead: SignedDuration,
}

/// A CA and the leaf that it signed, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The CA's certificate.
    pub ca: String,
    /// The CA's key.
    pub ca_key: String,
    /// When the CA's certificate ends.
    pub ca_ends: Timestamp,
    /// The certificate of the CA before, trusted until its last leaf has ended; empty if there was none.
    pub ca_before: String,
    /// The leaf's certificate.
    pub leaf: String,
    /// The leaf's key.
    pub leaf_key: String,
    /// When the leaf's certificate ends.
    pub leaf_ends: Timestamp,
    /// The names that the leaf is for.
    pub names: Vec<String>,
}

/// What must be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Nothing.
    None,
    /// The leaf, under the same CA.
    Leaf,
    /// The CA, and the leaf with it.
    Authority,
}

// === impl Bundle ===

impl Bundle {
    /// A new CA with a leaf for these names.
    pub fn new(names: &[String], now: Timestamp) -> Result<Self, AuthorityError> {
        let ca = Authority::new("baton-operator webhook CA", now.into(), CA.valid.unsigned_abs())?;
        let bundle = Self {
            ca: ca.certificate,
            ca_key: ca.key,
            ca_ends: now + CA.valid,
            ca_before: String::new(),
            leaf: String::new(),
            leaf_key: String::new(),
            leaf_ends: now,
            names: names.to_vec(),
        };
        bundle.with_leaf(names, now)
    }

    /// What must be renewed now.
    pub fn renewal(&self, names: &[String], now: Timestamp) -> Renewal {
        if now + CA.ahead >= self.ca_ends {
            Renewal::Authority
        } else if now + LEAF.ahead >= self.leaf_ends || self.names != names {
            Renewal::Leaf
        } else {
            Renewal::None
        }
    }

    /// This bundle with what must be renewed made anew.
    pub fn renewed(&self, renewal: Renewal, names: &[String], now: Timestamp) -> Result<Self, AuthorityError> {
        match renewal {
            Renewal::None => Ok(self.clone()),
            Renewal::Leaf => self.with_leaf(names, now),
            Renewal::Authority => Ok(Self { ca_before: self.ca.clone(), ..Self::new(names, now)? }),
        }
    }

    /// All CAs that clients must trust, with one that is in use besides.
    pub fn trusted_beside(&self, in_use: Option<&str>) -> String {
        let trusted = format!("{}{}", self.ca, self.ca_before);
        match in_use.filter(|ca| !trusted.contains(ca)) {
            Some(ca) => trusted + ca,
            None => trusted,
        }
    }

    fn with_leaf(&self, names: &[String], now: Timestamp) -> Result<Self, AuthorityError> {
        let ends: SystemTime = self.ca_ends.into();
        let ca = Authority { certificate: self.ca.clone(), key: self.ca_key.clone(), ends };
        let (leaf, leaf_key) = ca.issue_server(names, now.into(), LEAF.valid.unsigned_abs())?;
        let leaf_ends = (now + LEAF.valid).min(self.ca_ends);
        Ok(Self { leaf: leaf.pem, leaf_key, leaf_ends, names: names.to_vec(), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        vec!["baton-operator.baton-system.svc".into()]
    }

    fn days(count: i64) -> SignedDuration {
        SignedDuration::from_hours(24 * count)
    }

    #[test]
    fn renewal_comes_before_either_certificate_ends() {
        let now = Timestamp::now();
        let bundle = Bundle::new(&names(), now).expect("a bundle");
        let cases = [
            (0, Renewal::None),
            (19, Renewal::None),
            (20, Renewal::Leaf),
            (31, Renewal::Leaf),
            (275, Renewal::Authority),
            (400, Renewal::Authority),
        ];
        for (day, renewal) in cases {
            assert_eq!(bundle.renewal(&names(), now + days(day)), renewal, "day {day}");
        }
    }

    #[test]
    fn a_leaf_for_other_names_is_renewed() {
        let now = Timestamp::now();
        let bundle = Bundle::new(&names(), now).expect("a bundle");
        assert_eq!(bundle.renewal(&["other.svc".into()], now), Renewal::Leaf);
    }

    #[test]
    fn a_ca_that_is_in_use_is_trusted_beside_a_strange_bundle() {
        let now = Timestamp::now();
        let bundle = |_| Bundle::new(&names(), now).expect("a bundle");
        let [strange, served] = [0, 1].map(bundle);
        assert_eq!(strange.trusted_beside(Some(&served.ca)), format!("{}{}", strange.ca, served.ca));
        assert_eq!(served.trusted_beside(Some(&served.ca)), served.ca);
        assert_eq!(strange.trusted_beside(None), strange.ca);
    }

    #[test]
    fn a_new_leaf_keeps_the_ca_and_a_new_ca_keeps_the_old_one_trusted() {
        let now = Timestamp::now();
        let first = Bundle::new(&names(), now).expect("a bundle");
        let second = first.renewed(Renewal::Leaf, &names(), now + days(20)).expect("a leaf");
        assert_eq!((&second.ca, second.leaf == first.leaf), (&first.ca, false));
        assert_eq!(second.renewal(&names(), now + days(20)), Renewal::None);

        let third = second.renewed(Renewal::Authority, &names(), now + days(280)).expect("a CA");
        let trusted = third.trusted_beside(Some(&first.ca));
        assert_eq!(trusted, format!("{}{}", third.ca, first.ca));
        assert_ne!(third.ca, first.ca);
        assert_eq!(third.renewal(&names(), now + days(280)), Renewal::None);
    }
}
