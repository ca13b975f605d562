# Every command of the project. `make` alone, or `make help`, lists them.
#
# Where things go can be set from outside: CARGO_TARGET_DIR (cargo's own), VENV, MINISTACK_VENV and TOOLS.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV ?= .venv
MINISTACK_VENV ?= .venv-ministack
TOOLS ?= .tools

# The processor that `make build` builds for: this computer's, unless another is named.
ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
# What links the function: `cargo` is the toolchain's own linker; `cargo-zigbuild` links for another processor, with the zig that
# `make setup` installs; cargo-lambda asks rustup for the standard library of that processor.
COMPILER ?= $(if $(filter $(ARCH),$(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)),cargo,cargo-zigbuild)

# The C library of `provided.al2023`: what a binary needs must not be newer.
LAMBDA_GLIBC := 2.34

# A folder in functions/ is a package, a binary and a Lambda function.
FUNCTIONS := $(notdir $(patsubst %/,%,$(wildcard functions/*/)))
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
BIN := $(TARGET_DIR)/debug

VENV_BIN := $(abspath $(VENV))/bin
VENV_READY := $(VENV)/.ready
MINISTACK_READY := $(MINISTACK_VENV)/.ready
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

# What the tests find the tools, the emulator and the real binaries by. Nothing of this computer's AWS settings reaches them.
test golden: export BALLAST_VENV := $(abspath $(VENV))
test golden: export BALLAST_MINISTACK_VENV := $(abspath $(MINISTACK_VENV))
test golden: export BALLAST_BINARIES := $(BIN)
test golden demo: export AWS_EC2_METADATA_DISABLED := true
# Without this a test whose judge is missing says so and is skipped; with it, it fails.
test: export BALLAST_REQUIRE_JUDGES := 1

.PHONY: help setup build test check demo bench watch invoke golden clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  functions: $(FUNCTIONS)"

setup: $(VENV_READY) $(MINISTACK_READY) $(CARGO_DENY) ## install the tools: two virtual environments from PyPI, and cargo-deny
	cargo fetch --locked

$(VENV_READY): infra/requirements.txt infra/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r infra/requirements.txt
	touch $@

$(MINISTACK_READY): infra/requirements-ministack.txt infra/constraints-ministack.txt
	$(PYTHON) -m venv $(MINISTACK_VENV)
	$(MINISTACK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r infra/requirements-ministack.txt
	touch $@

# Not optimised: it runs for two seconds, and builds in one minute instead of five.
$(CARGO_DENY):
	CARGO_TARGET_DIR=$(abspath $(TOOLS))/build CARGO_PROFILE_DEV_DEBUG=0 \
		cargo install cargo-deny --version $(CARGO_DENY_VERSION) --locked --debug --quiet --no-track --root $(dir $(@D))
	rm -rf $(TOOLS)/build

build: $(VENV_READY) ## build what is shipped, target/lambda/FUNCTION/bootstrap [ARCH=arm64|x86_64 COMPILER=cargo|cargo-zigbuild]
	PATH="$(VENV_BIN):$$PATH" cargo lambda build --profile lambda --locked --compiler $(COMPILER) \
		--$(subst _,-,$(ARCH)) --lambda-dir target/lambda $(addprefix --package ,$(FUNCTIONS))
	@for function in $(FUNCTIONS); do \
		binary="target/lambda/$$function/bootstrap"; \
		ls -l "$$binary"; \
		newest=$$({ objdump -T "$$binary" | grep -o 'GLIBC_[0-9.]*'; echo GLIBC_$(LAMBDA_GLIBC); } | sort -Vu | tail -1); \
		if [ "$$newest" != GLIBC_$(LAMBDA_GLIBC) ]; then \
			echo "$$binary needs $$newest, Amazon Linux 2023 has $(LAMBDA_GLIBC): use COMPILER=cargo-zigbuild" >&2; exit 1; \
		fi; \
	done

test: $(VENV_READY) $(MINISTACK_READY) ## run every test, the outside judges (AWS CLI, cfn-lint, ministack) included
	cargo build --workspace --bins --locked
	cargo test --workspace --locked
	$(VENV)/bin/python -m pytest infra

check: $(CARGO_DENY) ## formatting, lints and docs with warnings denied, dependency policy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	cargo fetch --locked --quiet
	$(CARGO_DENY) --offline check bans licenses sources

demo: ## the workshop, its chapters on EC2 and its interruption, end to end, with the real function binaries
	cargo build --workspace --bins --locked
	$(BIN)/ballast lab workshop
	$(BIN)/ballast lab workshop-ec2
	$(BIN)/ballast lab workshop-interruption

watch: $(VENV_READY) ## serve the functions on this computer, for `make invoke` [ctrl-c ends it]
	PATH="$(VENV_BIN):$$PATH" cargo lambda watch --invoke-address 127.0.0.1

invoke: $(VENV_READY) ## send an event to a function that `make watch` serves: FN=spot-fallback|cluster-scaler|instance-drain|service-scaler EVENT=events/FILE.json
	@test -n "$(FN)" && test -n "$(EVENT)" || { echo "usage: make invoke FN=<$(FUNCTIONS)> EVENT=events/FILE.json" >&2; exit 2; }
	PATH="$(VENV_BIN):$$PATH" cargo lambda invoke --invoke-address 127.0.0.1 "$(FN)" --data-file "$(EVENT)"

# With a target named, so that cargo's `lambda` folder does not meet the one that cargo-lambda writes packages to.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

bench: ## measure start-up, storms, deciding, a look at 5,000 instances, departures, packing and target tracking, on what is shipped; prints tables [RUNS=21 DEPARTURES_MAX=100 PACKING_EVERY=6]
	cargo build --profile lambda --target $(HOST) --locked --package benches $(addprefix --package ,$(FUNCTIONS)) --bins
	$(TARGET_DIR)/$(HOST)/lambda/bench --binaries $(TARGET_DIR)/$(HOST)/lambda --runs $(or $(RUNS),21) --packing-every $(or $(PACKING_EVERY),6) \
		--departures-max $(or $(DEPARTURES_MAX),100)

golden: $(VENV_READY) ## rewrite the expected outputs that tests compare with
	UPDATE_EXPECT=1 cargo test --workspace --locked
	UPDATE_EXPECT=1 $(VENV)/bin/python -m pytest infra/tests/test_patterns.py

clean: ## remove what was built and installed
	cargo clean
	rm -rf target/lambda $(VENV) $(MINISTACK_VENV) $(TOOLS)
