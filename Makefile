# Thin: what a target does stands in tools/, which runs without make as well.

.DEFAULT_GOAL := help
.PHONY: help run test build bench compare peers offline simulate torture fuzz loom deny advisories

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

run: ## Build a box, start it on loopback, say how two users chat
	tools/install-build-deps
	tools/run-dev

test: ## Everything that CI runs: format, clippy, tests, docs, models, benchmarks once
	tools/install-build-deps
	tools/test

build: ## The answerback command, as a release
	tools/install-build-deps
	tools/with-rocksdb cargo build --release --locked -p answerback-cli

bench: ## The benchmarks of the parts, measured
	tools/install-build-deps
	tools/with-rocksdb cargo bench --locked -p answerback-benches

compare: build ## The box beside the bare relay, under load: two processors, nothing else to do
	tools/compare

peers: ## The box beside Mosquitto, Redis, NATS, ejabberd: 20 minutes, or PEERS=--quick in 5
	benches/peers/run $(PEERS)

offline: build ## What users who are away cost: COUNT=5000000 messages, and a burst of 200000
	tools/offline 200000 $(or $(COUNT),5000000)

screenshot: build ## The picture of a chat in the README, from two real terminals
	tools/install-test-deps
	tools/screenshot "$${CARGO_TARGET_DIR:-target}/release/answerback" docs/chat.svg

simulate: ## Worlds of a box: SEEDS=1000 of them on CORES=2, or one with its trace, SEED=7
	cargo run --release --locked -p answerback-sim -- --cores $(or $(CORES),2) \
		$(if $(SEED),--first $(SEED) --seeds 1 --trace,--seeds $(or $(SEEDS),1000))

torture: ## Real kills of a box under load: KILLS=200 of them on CORES=2, for SECONDS at least, SEED=7
	tools/install-build-deps
	$(if $(SEED),ANSWERBACK_SEED=$(SEED)) tools/torture \
		$(or $(KILLS),200) $(or $(CORES),2) $(or $(SECONDS),0)

fuzz: ## Any bytes at a target for a while: TARGET=shard, MINUTES=10
	tools/install-build-deps
	tools/fuzz $(or $(TARGET),shard) $(or $(MINUTES),10)

loom: ## The mailbox's protocol in every order of its steps
	tools/loom

deny: ## Licences and sources of what we depend on
	"$$(tools/build-cargo-deny)" --locked --log-level error check bans licenses sources

advisories: ## Known faults of what we depend on, and withdrawn versions (asks the network)
	"$$(tools/build-cargo-deny)" --locked check advisories
