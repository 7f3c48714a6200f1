# The commands of this project. `make help` lists them.

override PYTHON := $(or $(PYTHON),python3)
PY     := .venv/bin/python

.DEFAULT_GOAL := help

# No target is a file. Targets share .venv, dist and .local, so they never run in parallel.
.PHONY: help run test fault-test check audit coverage bench smoke format docs lock build clean \
        install install-test
.NOTPARALLEL:

# The user's Python settings and pytest plugins must not affect the programs of this project. Make's own options must not
# affect tests that call make.
unexport $(filter-out PYTHONUNBUFFERED,$(filter PYTHON% PYTEST_PLUGINS MAKEFLAGS MFLAGS,$(.VARIABLES)))

# Local servers are reached without a proxy. Some tools read the lower-case variable, others the upper-case one.
comma     := ,
LOCAL_HOSTS := $(sort $(subst $(comma), ,$(no_proxy) $(NO_PROXY)) localhost .localhost 127.0.0.1)
LOCAL_HOSTS := $(subst $() ,$(comma),$(LOCAL_HOSTS))
export no_proxy := $(LOCAL_HOSTS)
export NO_PROXY := $(LOCAL_HOSTS)

help:
	@echo "Order processing system"
	@echo
	@echo "Run"
	@echo "  make run           run the whole system on this machine until Ctrl-C; orders are kept"
	@echo "                       PORT=8080                  port of the storefront"
	@echo "                       AWS_PORT=4566              port of the AWS emulator"
	@echo "                       DEPLOY=cloudformation      deploy with cloudformation or terraform"
	@echo "  make install       install \`.venv/bin/orders\`, the operator tool; \`make run\` does it too"
	@echo
	@echo "Test"
	@echo "  make test          run all tests"
	@echo "                       TESTS=tests/unit           only these"
	@echo "                       WORKERS=5                  number of processes; 0 uses one process"
	@echo "  make check         run static checks: code, shell, infrastructure, documents"
	@echo "                       STEPS=\"lint types\"         only these; the ids are in .pre-commit-config.yaml"
	@echo "  make audit         check the packages against PyPI's list of known vulnerabilities"
	@echo "  make coverage      report lines and branches of lambda/ that no test runs"
	@echo "  make fault-test    run the system under seeded faults; check that no order is lost or stored twice"
	@echo "                       SEEDS=1-30                 seeds; SEEDS=17 repeats one"
	@echo "                       ORDERS=400                 orders per seed"
	@echo "  make smoke         check a deployment on AWS; read-only unless SMOKE_WRITE allows more"
	@echo "                       STACK=order-processing-dev the CloudFormation stack, or"
	@echo "                       TERRAFORM=terraform-backend the Terraform folder"
	@echo "                       SMOKE_WRITE=orders,alarms  allow orders, alarms, load"
	@echo "                       SMOKE_PROD=yes             allow a deployment called prod"
	@echo "  make bench         measure speed against a baseline; about three minutes"
	@echo
	@echo "Change"
	@echo "  make install-test  install what tests and checks need; \`make test\` does it too"
	@echo "  make format        format the sources"
	@echo "  make docs          update the generated parts of documents: settings, costs, limits"
	@echo "  make lock          pin the newest packages that pyproject.toml allows"
	@echo "  make build         build the Lambda package, dist/orders-arm64.zip"
	@echo "                       TARGET=x86_64              for that processor; local: for this machine"
	@echo "  make clean         delete what was built and installed; orders and e-mails in .local stay"
	@echo
	@echo "PYTHON=python3.12 creates .venv with that Python, 3.11 or newer."

# Settings such as PORT reach the program through the environment.
run: install
	@PYTHONPATH=scripts:lambda exec $(PY) -m local_stack

# Most tests wait for a deployment, so more processes than cores are faster.
TESTS   ?= tests
WORKERS ?= 5
test: install-test
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(TESTS)

fault-test: install-test
	@PYTHONPATH=lambda:scripts:tests exec $(PY) -m faults

STEPS ?=
check: install-test
	@for step in $(STEPS); do grep -q "id: $$step\$$" .pre-commit-config.yaml || \
	  { echo "make check: $$step is not an id in .pre-commit-config.yaml" >&2; exit 2; }; done
	@PREK_HOME=.local/prek exec .venv/bin/prek run --stage manual --all-files $(STEPS)

audit: install-test
	@exec .venv/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner=off \
	  --requirement lambda/requirements.txt --requirement requirements-test.txt

coverage: install-test
	@mkdir -p .local && rm -f .local/coverage-data*
	@$(PY) -m coverage run -m pytest --quiet tests/integration/test_*_handler.py \
	  $$(grep --files-with-matches -E '^ *(from|import) orders\b' tests/unit/test_*.py)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report

STACK       ?=
TERRAFORM   ?=
SMOKE_WRITE ?=
SMOKE_PROD  ?=
export STACK TERRAFORM SMOKE_WRITE SMOKE_PROD
smoke: install-test
	@SMOKE=yes $(PY) -m pytest --verbose -rs --confcutdir tests/smoke tests/smoke

# Run it on a quiet machine. The results are in .local/bench.
bench: install
	@PYTHONPATH=scripts:lambda $(PY) -m bench

format: install-test
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .
	@if command -v terraform >/dev/null; then terraform fmt -recursive; \
	  else echo "make format: Terraform is not installed, so its files are not formatted" >&2; fi

docs: install-test
	@$(PY) scripts/write_configuration.py
	@PYTHONPATH=scripts $(PY) -m planning docs

# The largest set comes first: its pins constrain the smaller ones, so one .venv serves all.
LOCK := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header
lock:
	@command -v uv >/dev/null || { echo "make lock: uv is needed, see https://docs.astral.sh/uv" >&2; exit 1; }
	$(LOCK) pyproject.toml --extra run --extra test --output-file requirements-test.txt
	$(LOCK) pyproject.toml --extra run --constraint requirements-test.txt --output-file requirements-run.txt
	$(LOCK) lambda/requirements.in --output-file lambda/requirements.txt
	$(LOCK) .ci/requirements-checkov.in --output-file .ci/requirements-checkov.txt

TARGET ?= arm64
build: install
	@$(PY) scripts/build_lambda.py --target $(TARGET)

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis terraform-*/.terraform
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Checked here, because an old Python cannot parse scripts/set_up_venv.py.
CHECK_PYTHON := import sys; sys.version_info >= (3, 11) or sys.exit( \
  "make: %s is Python %d.%d, but 3.11 or newer is needed. Install one and name it: make run PYTHON=python3.11" \
  % ((sys.executable,) + tuple(sys.version_info[:2])))
SET_UP_VENV := $(PYTHON) -c '$(CHECK_PYTHON)' && $(PYTHON) scripts/set_up_venv.py

install:
	@$(SET_UP_VENV) run

install-test:
	@$(SET_UP_VENV) test
