# wayclear: what people type. `make help` lists it.
#
# Every target does its own set-up (a locked environment in .venv, the Debian packages of the lab when root) and is
# quick the second time.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# Options of the program: make audit ARGS='--tenant contoso.example --verbose'
ARGS ?=
# Further arguments for pytest: make test PYTEST_ARGS='-k trust -x'
PYTEST_ARGS ?=
# Test processes side by side. They wait more than they compute: three keep two cores busy for little more than half of the time.
JOBS ?= 3

BIN := .venv/bin
# Files with property tests.
PROPERTIES = $(shell grep -rl '^from hypothesis import' --include='test_*.py' tests)
LAB_PACKAGES = $(shell sed -e 's/\#.*//' tests/lab/packages.txt)
TEST_PACKAGES = $(LAB_PACKAGES) $(shell sed -e 's/\#.*//' tests/windows/packages.txt)

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: audit
audit: run-venv ## Audit the network from this machine (options: ARGS='--tenant ... --verbose')
	@$(BIN)/wayclear audit --exit-zero $(ARGS)

.PHONY: serve
serve: run-venv ## The same as a service: http://127.0.0.1:19115/ (ends with Ctrl-C or the terminal; history in .state)
	@packaging/serve.sh $(ARGS)

.PHONY: demo
demo: venv lab-packages ## The same audit inside the lab: a clean network and two broken ones, no internet needed
	@$(BIN)/python -m tests.lab.demo $(ARGS)

.PHONY: test
test: venv windows-program check ## Linters, types, import contracts, then every test but those of `make proof`
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m 'not proof' $(PYTEST_ARGS)

.PHONY: coverage
coverage: venv windows-program ## The same tests, and which branches of the product they reach: about twice as slow
	$(BIN)/pytest -n $(JOBS) --dist loadfile --cov --cov-report=term:skip-covered -m 'not proof' $(PYTEST_ARGS)

.PHONY: test-windows
test-windows: venv windows-program ## The program under Wine: replays, an audit, a service (a part of `make test`)
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m 'not proof' tests/windows $(PYTEST_ARGS)

.PHONY: proof
proof: venv windows-program ## The long counts, the other scenarios live, new random examples; run before a release
	$(BIN)/pytest -n 2 --dist worksteal -m proof $(PYTEST_ARGS)
	$(BIN)/pytest -n $(JOBS) --dist loadfile -m 'not proof' --hypothesis-profile search $(PROPERTIES) $(PYTEST_ARGS)

.PHONY: bench
bench: venv bench-packages ## The benchmark: each figure with its target (never a timed test)
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: compare
compare: venv bench-packages ## What probes and audits cost beside another checkout: ARGS=/path/of/it
	$(BIN)/python -m tests.bench.compare $(ARGS)

.PHONY: busy-test
busy-test: venv windows-program ## Every test once, in the background beside four busy processes
	@packaging/busy_test.sh -n 2 --dist loadfile -m 'not proof' $(PYTEST_ARGS)

.PHONY: lint
lint: venv check ## Linters, types and import contracts only

.PHONY: check
check: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 probe rules exporters
	$(BIN)/lint-imports

.PHONY: venv
venv: ## The environment with everything that tests and linters need
	@packaging/venv.sh dev

.PHONY: run-venv
run-venv:
	@packaging/venv.sh run

.PHONY: lab-packages
lab-packages:
	@packaging/debian_packages.sh $(LAB_PACKAGES)

.PHONY: test-packages
test-packages:
	@packaging/debian_packages.sh $(TEST_PACKAGES)

.PHONY: windows-program
windows-program: venv test-packages
	@$(BIN)/python -m tests.windows.installation

.PHONY: bench-packages
bench-packages:
	@packaging/debian_packages.sh prometheus-blackbox-exporter openssl nsd unbound iproute2 util-linux

.PHONY: lock
lock: ## Bring requirements/*.txt up to date with pyproject.toml (ARGS=--upgrade: newest of everything)
	@packaging/lock.sh $(ARGS)

.PHONY: clean
clean: ## Remove the environment and everything that tools left behind
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* coverage.xml htmlcov
	find probe rules exporters tests -name __pycache__ -type d -prune -exec rm -rf {} +
