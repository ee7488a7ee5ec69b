//! What tests said when they failed, each in short: whoever sees only the end of a log must know what is wrong.

use std::collections::BTreeMap;

/// Lines of one failure that are shown again: its first and its last. A panic says what is wrong first, an error with the
/// end of a log last.
const FIRST: usize = 8;
const LAST: usize = 16;

/// Characters of one line.
const WIDTH: usize = 600;

/// What each failed test printed, by its name, of what a test program printed about failures.
pub(super) fn sections(details: &str) -> BTreeMap<&str, String> {
    let mut sections: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = None;
    for line in details.lines() {
        if let Some(name) = heading(line) {
            current = Some(name);
        } else if line == "failures:" {
            current = None;
        } else if let Some(name) = current {
            let section = sections.entry(name).or_default();
            section.push_str(line);
            section.push('\n');
        }
    }
    sections
}

/// A text as lines that are indented: not too many, and none too long.
pub(super) fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().filter(|line| !line.starts_with("note: run with")).collect();
    let cut = |line: &&str| format!("        {}\n", line.chars().take(WIDTH).collect::<String>());
    let Some(left_out) = lines.len().checked_sub(FIRST + LAST).filter(|left_out| *left_out > 0) else {
        return lines.iter().map(cut).collect();
    };
    let first: String = lines[..FIRST].iter().map(cut).collect();
    let last: String = lines[lines.len() - LAST..].iter().map(cut).collect();
    format!("{first}        ({left_out} lines are left out)\n{last}")
}

/// `---- name stdout ----`, or without `stdout`, as harnesses other than the standard one write it.
fn heading(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix(" ----")?;
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_test_said_is_found_under_its_name() {
        let details = "\nrunning 3 tests\n\nfailures:\n\n---- a::b stdout ----\nit broke\n\n---- c_d ----\nError: no\n  \
                       because of this\n\n\nfailures:\n    a::b\n    c_d\n";
        let sections = sections(details);
        assert_eq!(sections.keys().copied().collect::<Vec<_>>(), ["a::b", "c_d"]);
        assert_eq!(shortened(&sections["a::b"]), "        it broke\n");
        assert_eq!(shortened(&sections["c_d"]), "        Error: no\n          because of this\n");
    }

    #[test]
    fn of_a_long_failure_the_beginning_and_the_end_are_shown() {
        let lines: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        let short = shortened(&lines.join("\n"));
        assert_eq!(short.lines().count(), FIRST + 1 + LAST);
        assert!(short.starts_with("        line 0\n") && short.ends_with("line 99\n"), "{short}");
        assert!(short.contains("(76 lines are left out)"), "{short}");
    }
}
