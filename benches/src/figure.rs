//! A figure, what it must reach, and whether it does; or why there is none.

use std::fmt;

use serde::Serialize;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<String>,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

/// What a figure must reach.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

// === impl Figure ===

impl Figure {
    /// A figure that only explains others.
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, not_measured: None, unit, target: None, met: None }
    }

    /// A figure that could not be taken; its target is missed.
    pub(crate) fn missing(name: impl Into<String>, unit: &'static str, error: &anyhow::Error) -> Self {
        Self { not_measured: Some(format!("{error:#}")), ..Self::new(name, f64::NAN, unit) }
    }

    /// Whether it could not be taken.
    pub(crate) const fn is_missing(&self) -> bool {
        self.not_measured.is_some()
    }

    /// It must be so much or more.
    pub(crate) fn at_least(self, target: f64) -> Self {
        let met = self.value >= target;
        Self { target: Some(Target::AtLeast(target)), met: Some(met), ..self }
    }

    /// It must be so much or less.
    pub(crate) fn at_most(self, target: f64) -> Self {
        let met = self.value <= target;
        Self { target: Some(Target::AtMost(target)), met: Some(met), ..self }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.not_measured {
            return write!(f, "{:<62} NOT MEASURED: {reason}", self.name);
        }
        let verdict = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let target = match self.target {
            None => String::new(),
            Some(Target::AtLeast(bound)) => format!(">= {}", number(bound)),
            Some(Target::AtMost(bound)) => format!("<= {}", number(bound)),
        };
        let value = format!("{} {}", number(self.value), self.unit);
        let line = format!("{:<62} {value:>18}  {target:<12} {verdict}", self.name);
        f.write_str(line.trim_end())
    }
}

/// Three digits that say something, and thousands apart.
fn number(value: f64) -> String {
    let size = value.abs();
    if size > 0.0 && size < 100.0 {
        let decimals = if size < 1.0 { 3 } else { 2 - size.log10().floor() as usize };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{size:.0}");
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    format!("{}{}", if value < 0.0 { "-" } else { "" }, groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_mean_something() {
        let texts = [0.0, 0.0421, 1.504, 46.61, 124.6, 1_234_567.0, -7_000.0].map(number);
        assert_eq!(texts, ["0", "0.042", "1.50", "46.6", "125", "1,234,567", "-7,000"]);
    }

    #[test]
    fn a_figure_says_whether_it_reaches_its_target() {
        let line = Figure::new("puts", 900.0, "/s").at_least(1_000.0).to_string();
        assert!(line.starts_with("puts ") && line.ends_with("900 /s  >= 1,000     MISSED"), "{line}");
        assert!(Figure::new("gap", 3.0, "ms").at_most(3.0).to_string().ends_with("met"));
    }
}
