//! The program.

fn main() -> std::process::ExitCode {
    crosstail::cli::main()
}
