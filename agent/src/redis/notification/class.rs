//! Which events are told: the letters of `notify-keyspace-events`.

use std::fmt;

/// The letters of classes, as Redis puts them; `A` stands for all of these. Of lists, evictions, streams and modules there
/// is nothing to tell.
const CLASSES: [u8; 10] = *b"g$lshzxetd";

/// Classes of events, and the channels that they are told by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::redis) struct Classes {
    /// In the order of [`CLASSES`].
    classes: [bool; CLASSES.len()],
    /// `K`: a channel for each key.
    pub(super) by_key: bool,
    /// `E`: a channel for each event.
    pub(super) by_event: bool,
}

// === impl Classes ===

impl Classes {
    /// Reads the letters; `None` if one stands for nothing that can be told.
    pub(in crate::redis) fn parse(letters: &[u8]) -> Option<Self> {
        let mut classes = Self::default();
        for letter in letters {
            match letter {
                b'K' => classes.by_key = true,
                b'E' => classes.by_event = true,
                b'A' => classes.classes = [true; CLASSES.len()],
                letter => classes.classes[CLASSES.iter().position(|class| class == letter)?] = true,
            }
        }
        Some(classes)
    }

    /// Whether anything is told.
    pub(super) fn any(&self) -> bool {
        (self.by_key || self.by_event) && self.classes.contains(&true)
    }

    /// Whether the events of a class are told.
    pub(super) fn have(&self, class: u8) -> bool {
        CLASSES.iter().zip(self.classes).any(|(letter, told)| told && *letter == class)
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.classes == [true; CLASSES.len()];
        let letters = if all {
            "A".to_owned()
        } else {
            let told = CLASSES.iter().zip(self.classes).filter(|(_, told)| *told);
            told.map(|(letter, _)| char::from(*letter)).collect()
        };
        let channel = |letter, told| if told { letter } else { "" };
        write!(f, "{letters}{}{}", channel("K", self.by_key), channel("E", self.by_event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_written_as_redis_does() {
        let shown = |letters: &[u8]| Classes::parse(letters).map(|classes| classes.to_string());
        assert_eq!(shown(b"KEA").as_deref(), Some("AKE"));
        assert_eq!(shown(b"Ehg$").as_deref(), Some("g$hE"));
        assert_eq!(shown(b"").as_deref(), Some(""));
        assert_eq!((shown(b"Km"), shown(b"q")), (None, None));
    }

    #[test]
    fn nothing_is_told_without_a_class_or_without_a_channel() {
        let any = |letters: &[u8]| Classes::parse(letters).expect("letters").any();
        assert!(any(b"Kg") && any(b"EA") && !any(b"KE") && !any(b"A") && !any(b""));
        let classes = Classes::parse(b"Kx").expect("letters");
        assert!(classes.have(b'x') && !classes.have(b'g'));
    }
}
