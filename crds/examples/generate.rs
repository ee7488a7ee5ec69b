//! Writes the YAML of all custom resource definitions: `cargo run -p baton-crds --example generate`.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in [here.join("yaml"), here.join("../charts/baton/files/crds")] {
        std::fs::create_dir_all(&directory)?;
        for (file, definition) in baton_crds::definitions() {
            std::fs::write(directory.join(file), serde_saphyr::to_string(&definition)?)?;
            println!("wrote {}", directory.join(file).display());
        }
    }
    Ok(())
}
