//! `cargo run -p baton-fuzz` writes the seeds of all targets; with a target and a file it shows that input and runs it.

use anyhow::{Context, Result, bail};
use baton_fuzz::TARGETS;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, file) = match arguments.as_slice() {
        [] => return baton_fuzz::corpus::write(),
        [name, file] => (name, file),
        _ => bail!("give nothing, or a target and a file"),
    };
    let target = TARGETS.into_iter().find(|target| target.name == name).context("there is no such target")?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {file}"))?;
    println!("{}", (target.show)(&bytes));
    (target.run)(&bytes);
    Ok(())
}
