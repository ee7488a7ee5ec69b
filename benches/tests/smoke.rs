//! Every row works, with so few keys that it takes seconds. What it measures is of no interest: no figure has a bound
//! here, and none may have one in any test.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::Command;

use serde_json::Value;

/// The rows that need nothing but an agent or an operator.
const ROWS: &str = "put,live,wire,idle,hold,operator";
/// Those that need Redis too, which `cargo xtask bench core` installs.
const REDIS_ROWS: &str = "memory,join,restart";

#[test]
fn every_row_has_figures() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let mut bench = Command::new(env!("CARGO_BIN_EXE_baton-bench"));
    bench.args(["--smoke", "--row", ROWS, "--report"]).arg(&file);
    if Command::new("redis-server").arg("--version").output().is_ok() {
        bench.args(["--row", REDIS_ROWS]);
    }
    let output = bench.output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    for row in report["rows"].as_array().ok_or("no rows")? {
        assert!(row["figures"].as_array().is_some_and(|figures| !figures.is_empty()), "{row}");
    }
    Ok(())
}

#[test]
fn every_front_is_compared() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_baton-bench"))
        .args(["--smoke", "--fronts", "--report"])
        .arg(&file)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let lines: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
    let commands: BTreeSet<&str> =
        lines.as_array().ok_or("no list")?.iter().filter_map(|line| line["command"].as_str()).collect();
    for command in ["SET", "GET", "INCR", "HSET", "SADD", "HTTP PUT", "HTTP GET", "events to watchers"] {
        assert!(commands.contains(command), "{command}: {said}");
    }
    Ok(())
}
