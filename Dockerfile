# syntax=docker/dockerfile:1
# Small, without a shell, not root. On glibc: musl's allocator costs a relay several times the CPU.

FROM rust:1.95-slim-trixie AS chef
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/* \
 && cargo install --locked cargo-chef@0.1.78
WORKDIR /src

FROM chef AS planner
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS builder
# The dependencies are a layer of their own: a change of ours does not build them again.
COPY --from=planner /src/recipe.json recipe.json
RUN cargo chef cook --profile production --locked --no-default-features --recipe-path recipe.json
COPY . .
RUN cargo build --profile production --locked --no-default-features --bin patchcord

# Only glibc and libgcc. Trusted roots are compiled in, so no certificate files are needed.
FROM gcr.io/distroless/cc-debian13:nonroot AS runtime
COPY --from=builder /src/target/production/patchcord /patchcord
USER 65532:65532
EXPOSE 8080 9091
# The same as fly.toml's kill_signal. The relay takes SIGINT as well.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/patchcord"]
