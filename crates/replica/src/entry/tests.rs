//! What has expired and what lives, side by side.

use super::Entry;
use crate::{Dot, Hlc, ReplicaId, Value, Version, VersionVector};

/// A version of replica 1.
fn version(counter: u64, expires_at: Option<u64>) -> Version {
    let replica = ReplicaId::new(1).expect("not zero");
    let value = Value { content_type: "".into(), body: "x".into() };
    Version::put(Dot { replica, counter }, Hlc::default(), value, expires_at)
}

/// To whoever hears of a dot that was superseded, so were all lower ones of the same replica.
#[test]
fn what_has_expired_waits_for_what_lives_under_an_earlier_dot() {
    let mut entry = Entry::new(vec![version(1, Some(30)), version(2, Some(10))], VersionVector::new());
    entry.expire(20);
    assert!(!entry.context().covers(version(1, None).dot));
    entry.expire(30);
    assert!(entry.versions().is_empty());
    assert!(entry.context().covers(version(2, None).dot));
}

#[test]
fn what_has_expired_goes_before_what_lives_under_a_later_dot() {
    let mut entry = Entry::new(vec![version(1, Some(10)), version(2, Some(30))], VersionVector::new());
    entry.expire(20);
    assert_eq!(entry.versions(), [version(2, Some(30))]);
    assert!(entry.context().covers(version(1, None).dot));
    assert!(!entry.context().covers(version(2, None).dot));
}
