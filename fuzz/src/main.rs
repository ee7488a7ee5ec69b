//! Writes the seeds of all targets: `cargo run -p baton-fuzz`.

fn main() -> anyhow::Result<()> {
    baton_fuzz::corpus::write()
}
