//! Compiles `proto/link.proto` without a protoc binary.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/link.proto");
    let files = protox::compile(["proto/link.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // Frames are cut out of the receive buffer, not copied.
        .bytes(".quark.link.v1.Batch.frames")
        .codec_path("crate::codec::BatchCodec")
        .compile_fds(files)?;
    Ok(())
}
