//! What a check has found.

use serde::Serialize;

use crate::human;

/// How bad it is; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// State will be lost, or pods are not protected or not created.
    Error,
    /// It works, and will not when something happens that does happen.
    Warning,
    /// Worth knowing.
    Hint,
    /// As it should be.
    Good,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What it is about, such as a group.
    about: String,
    says: String,
    /// What to do.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

// === impl Finding ===

impl Finding {
    /// State will be lost, or pods are not protected or not created.
    pub(super) fn error(about: &str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Error, about: about.to_owned(), says: says.into(), advice: advice.into() }
    }

    /// It works, and will not when something happens that does happen.
    pub(super) fn warning(about: &str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(about, says, advice) }
    }

    /// Worth knowing.
    pub(super) fn hint(about: &str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Hint, ..Self::error(about, says, advice) }
    }

    /// As it should be.
    pub(super) fn good(about: &str, says: impl Into<String>) -> Self {
        Self { level: Level::Good, ..Self::error(about, says, "") }
    }

    /// Not checked, since this may not be read.
    pub(super) fn unseen(what: &str, error: &str) -> Self {
        Self::hint(
            "not checked",
            format!("{what} cannot be read: {error}"),
            "Ask somebody who may, or for the rights in docs/cli.md.",
        )
    }
}

/// All findings, and how many there are; good ones only if asked for.
pub(super) fn text(findings: &[Finding], all: bool) -> String {
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| all || finding.level != Level::Good) {
        let level = match finding.level {
            Level::Error => "ERROR",
            Level::Warning => "WARNING",
            Level::Hint => "HINT",
            Level::Good => "OK",
        };
        text.push_str(&format!("{level:<9}{}: {}\n", finding.about, finding.says));
        if !finding.advice.is_empty() {
            text.push_str(&format!("{:<9}{}\n", "", finding.advice));
        }
    }
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let counts = [(Level::Error, "error"), (Level::Warning, "warning"), (Level::Hint, "hint")];
    let counts: Vec<String> = counts.into_iter().map(|(level, word)| human::count(count(level), word)).collect();
    text.push_str(&format!("{}; {} as it should be\n", counts.join(", "), human::count(count(Level::Good), "thing")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_with_what_to_do_and_counted() {
        let findings =
            [Finding::error("shop/web", "It is bad.", "Mend it."), Finding::good("installation", "It is there.")];
        let brief =
            "ERROR    shop/web: It is bad.\n         Mend it.\n1 error, 0 warnings, 0 hints; 1 thing as it should be\n";
        assert_eq!(text(&findings, false), brief);
        assert!(text(&findings, true).contains("OK       installation: It is there.\n"));
    }
}
