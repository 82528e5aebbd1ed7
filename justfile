# Shortcuts; `just` lists them. Each is one line of cargo or a script, which works without just, too.

[private]
default:
    @just --list --unsorted

# the explorer over simulated traffic
demo *ARGS:
    cargo run --release -- demo {{ ARGS }}

# unit tests and the tests that need no server; says what it leaves out
test-fast *ARGS:
    cargo test --workspace {{ ARGS }}

# every test, against real servers; installs them first
test *ARGS:
    scripts/test {{ ARGS }}

# the tests whose name contains a word, with servers: just only conformance::postgres
only NAME *ARGS:
    CROSSTAIL_TEST_SERVERS=1 cargo test --test all {{ NAME }} -- {{ ARGS }}

# format and lints, as CI checks them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# everything that CI checks
ci:
    .ci/run

# the packages of a release, from an optimised build; and each tried in a fresh place
packages:
    GNUMAKEFLAGS=LIBSUBDIRS=src cargo build --locked --profile dist --features full
    scripts/package --from target/dist/crosstail
    scripts/test-packages

# one server in the foreground: postgres, mysql, mongodb, elasticsearch, kafka or prometheus
server KIND *PORT:
    scripts/server {{ KIND }} {{ PORT }}

# the API's documentation, private items included, in the browser
docs:
    cargo doc --workspace --no-deps --document-private-items --open

# micro-benchmarks; docs/performance.md says how the larger figures are measured
bench *ARGS:
    cargo bench {{ ARGS }}
