//! The binary `quark`.

fn main() -> std::process::ExitCode {
    quark_node::run()
}
