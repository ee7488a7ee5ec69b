//! What gungraun counted under valgrind: the same on a busy machine as on an idle one.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::figure::Figure;
use crate::row::Stage;

/// Operations in each count.
const BATCH: f64 = 1_000.0;

pub(super) fn measure(stage: &Stage) -> Result<Vec<Figure>> {
    let file = stage.counts().context("valgrind was not run; `cargo xtask bench core` runs it")?;
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    text.lines().map(figure).collect()
}

/// One line: all that gungraun says of one function.
fn figure(line: &str) -> Result<Figure> {
    let count: Value = serde_json::from_str(line).context("gungraun printed something else")?;
    let name = count["function_name"].as_str().context("a count without a name")?;
    let values = &count["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"];
    let instructions = values["new"].as_f64().with_context(|| format!("no instructions of {name}"))?;
    Ok(Figure::new(name.replace('_', " "), instructions / BATCH, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_gungraun_is_instructions_for_each_key() {
        let line = r#"{"function_name":"make_range","profiles":[{"data":{"total":{"metrics":{"Ir":{"values":{"new":1249347}}}}}}]}"#;
        let figure = figure(line).expect("a count").to_string();
        assert!(figure.starts_with("make range") && figure.ends_with("1,249"), "{figure}");
    }
}
