//! Compiles the contracts under `proto/` without a protoc.

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    println!("cargo::rerun-if-changed={}", root.display());
    let files = ["baton/directory/v1/directory.proto", "baton/identity/v1/identity.proto", "baton/peer/v1/peer.proto"];
    let descriptors = protox::compile(files, [&root])?;
    let services = std::env::var_os("CARGO_FEATURE_SERVICES").is_some();
    let configured = tonic_prost_build::configure().build_client(services).build_server(services);
    let configured = configured.bytes(".").codec_path("crate::codec::WeighingCodec");
    configured.include_file("baton.rs").compile_fds(descriptors)?;
    Ok(())
}
