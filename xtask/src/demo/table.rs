//! The demo's last word, for people.

use std::fmt::Write;

use super::report::{Outcome, Report};

/// A table with one column per side.
pub(crate) fn render(report: &Report) -> String {
    let (with, without) = (&report.with, &report.without);
    let mut text = String::from("\n");
    row(&mut text, "", "with Baton", "without");
    for (title, count) in counts() {
        row(&mut text, title, &count(with).to_string(), &count(without).to_string());
    }
    row(&mut text, "longest wait of a player", &millis(with), &millis(without));
    row(&mut text, "rollout seconds", &rollouts(with), &rollouts(without));
    for (title, hold) in ["p50", "p99", "max"].into_iter().zip(holds(with)) {
        row(&mut text, &format!("hold ms, {title}"), &hold, "-");
    }
    if let Some(handoffs) = with.handoffs {
        let said = format!("{} of {}", handoffs.acknowledged, handoffs.expected);
        row(&mut text, "handoffs acknowledged", &said, "-");
    }
    text
}

type Count = fn(&Outcome) -> u64;

fn counts() -> [(&'static str, Count); 4] {
    [
        ("writes acknowledged", |side| side.acknowledged),
        ("players lost", |side| side.lost),
        ("players stale", |side| side.stale),
        ("players resurrected", |side| side.resurrected),
    ]
}

fn row(text: &mut String, title: &str, with: &str, without: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {title:<26}{with:>18}{without:>18}");
}

fn millis(side: &Outcome) -> String {
    format!("{} ms", side.slowest_ms)
}

/// One number, or the smallest and the greatest.
fn rollouts(side: &Outcome) -> String {
    let all = side.rollout_seconds.iter().copied();
    let (Some(least), Some(most)) = (all.clone().reduce(f64::min), all.reduce(f64::max)) else {
        return "-".to_owned();
    };
    if least == most { format!("{most:.1}") } else { format!("{least:.1} to {most:.1}") }
}

fn holds(side: &Outcome) -> Vec<String> {
    match side.hold_ms {
        Some(hold) => [hold.p50, hold.p99, hold.max].map(|ms| format!("{ms:.1}")).to_vec(),
        None => vec!["-".to_owned(); 3],
    }
}
