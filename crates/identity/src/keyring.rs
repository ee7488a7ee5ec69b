//! The CAs of an installation over time: one signs, those around it are trusted too.
//!
//! A new CA is trusted for a while before it signs, so that everybody has heard of it; an old one stays trusted until
//! its last leaf has ended. No certificate is refused because of a rotation.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::authority::{Authority, AuthorityError};

/// How long a leaf is valid. Its holder renews it at half.
pub const LEAF_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long a CA is valid, and how long before its end the next one is made.
const LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
const AHEAD: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long a CA is trusted before it signs: kubelets take minutes to bring a ConfigMap into a pod, this leaves time
/// for one whose API server is away.
const SPREAD: Duration = Duration::from_secs(3600);

/// The CAs of an installation, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    /// The CAs that are trusted.
    pub seats: Vec<Seat>,
}

/// One CA and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: String,
    /// When it begins to sign, in seconds since 1970.
    pub signs_from: u64,
    /// When its certificate ends, in seconds since 1970.
    pub ends: u64,
}

// === impl Keyring ===

impl Keyring {
    /// This keyring as it should be now: with the next CA if it is time, without those whose last leaf has ended.
    pub fn tended(&self, now: SystemTime) -> Result<Self, AuthorityError> {
        let replaced = |next: &Seat| next.signs_from + 2 * LEAF_LIFE.as_secs() <= seconds(now);
        let kept = |at: usize| self.seats[at].ends > seconds(now) && !self.seats.get(at + 1).is_some_and(replaced);
        let mut seats: Vec<Seat> =
            (0..self.seats.len()).filter(|at| kept(*at)).map(|at| self.seats[at].clone()).collect();
        match seats.last() {
            None => seats.push(Seat::new(now, now)?),
            Some(last) if seconds(now + AHEAD) >= last.ends => seats.push(Seat::new(now, now + SPREAD)?),
            Some(_) => {}
        }
        Ok(Self { seats })
    }

    /// The next CA before its time: for a key that may be known to others.
    pub fn turned(&self, now: SystemTime) -> Result<Self, AuthorityError> {
        let mut turned = self.clone();
        turned.seats.push(Seat::new(now, now + SPREAD)?);
        Ok(turned)
    }

    /// The CA that signs now.
    pub fn signer(&self, now: SystemTime) -> Option<Authority> {
        let in_office = |seat: &&Seat| seat.signs_from <= seconds(now) && seconds(now) < seat.ends;
        let seat = self.seats.iter().rev().find(in_office)?;
        let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(seat.ends);
        Some(Authority { certificate: seat.certificate.clone(), key: seat.key.clone(), ends })
    }

    /// All CAs that are to be trusted, in PEM.
    pub fn roots(&self) -> String {
        self.seats.iter().map(|seat| seat.certificate.as_str()).collect()
    }
}

// === impl Seat ===

impl Seat {
    fn new(now: SystemTime, signs_from: SystemTime) -> Result<Self, AuthorityError> {
        let Authority { certificate, key, ends } = Authority::new("baton identity CA", now, LIFE)?;
        Ok(Self { certificate, key, signs_from: seconds(signs_from), ends: seconds(ends) })
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn tended(keyring: &Keyring, now: SystemTime) -> Keyring {
        keyring.tended(now).expect("a keyring")
    }

    fn signer(keyring: &Keyring, now: SystemTime) -> String {
        keyring.signer(now).expect("a CA that signs").certificate
    }

    #[test]
    fn the_first_ca_signs_at_once_and_stays() {
        let now = SystemTime::now();
        let first = tended(&Keyring::default(), now);
        assert_eq!(signer(&first, now), first.seats[0].certificate);
        assert_eq!(tended(&first, now + 274 * DAY), first);
    }

    #[test]
    fn the_next_ca_is_trusted_before_it_signs_and_the_old_one_until_its_leaves_have_ended() {
        let start = SystemTime::now();
        let first = tended(&Keyring::default(), start);
        let now = start + 275 * DAY;
        let both = tended(&first, now);
        assert_eq!(both.seats.len(), 2);
        assert_eq!(both.roots(), format!("{}{}", both.seats[0].certificate, both.seats[1].certificate));
        assert_eq!(signer(&both, now), both.seats[0].certificate, "nobody has heard of the new one yet");
        let later = now + SPREAD;
        assert_eq!(signer(&both, later), both.seats[1].certificate);
        assert_eq!(tended(&both, later + LEAF_LIFE), both, "leaves of the old one are in use");
        let last = tended(&both, later + 2 * LEAF_LIFE);
        assert_eq!(last.seats, both.seats[1..]);
    }

    #[test]
    fn a_ca_can_be_turned_before_its_time() {
        let now = SystemTime::now();
        let first = tended(&Keyring::default(), now);
        let both = first.turned(now).expect("a keyring");
        assert_eq!(signer(&both, now), first.seats[0].certificate);
        assert_eq!(tended(&both, now + SPREAD + 2 * LEAF_LIFE).seats, both.seats[1..]);
    }

    #[test]
    fn an_installation_that_slept_through_the_end_of_its_ca_begins_anew() {
        let start = SystemTime::now();
        let first = tended(&Keyring::default(), start);
        let now = start + 400 * DAY;
        let anew = tended(&first, now);
        assert_eq!(anew.seats.len(), 1);
        assert_ne!(anew, first);
        assert_eq!(signer(&anew, now), anew.seats[0].certificate);
    }
}
