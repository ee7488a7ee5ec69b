//! Compiles the contract of apps without a protoc.

use std::path::{Path, PathBuf};

use protox::prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.join("baton/v1").display());
    let descriptors = protox::compile(["baton/v1/state.proto"], [&root])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let configured = tonic_prost_build::configure().bytes(".").codec_path("crate::codec::CountingCodec");
    configured.compile_fds(descriptors)?;
    Ok(())
}
