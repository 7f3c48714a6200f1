# What a person does here, each by one word. `make` alone lists it.

PYTHON ?= python3
VENV   := .venv/bin

.DEFAULT_GOAL := help

# No target is a file, and none may run beside another: they share .venv, dist and .local.
.PHONY: help run test prove check coverage bench format draw docs lock build clean set-up-run set-up-plan set-up-test
.NOTPARALLEL:

help:
	@echo "Order processing system"
	@echo
	@echo "Run it"
	@echo "  make run          run the whole system on this machine until Ctrl-C; orders are kept"
	@echo "                      PORT=8080                  of the storefront"
	@echo "                      AWS_PORT=4566              of the emulator of AWS"
	@echo "                      DEPLOY=cloudformation      how the backend is deployed; or terraform"
	@echo "                      NOTIFICATION_EMAIL=…       who gets the e-mails, you@example.com"
	@echo
	@echo "Prove it"
	@echo "  make test         run every test"
	@echo "                      TESTS=tests/unit           or only these"
	@echo "                      WORKERS=4                  number of processes; 0 runs all in one"
	@echo "  make prove        run the system under seeded faults and count: nothing lost, nothing doubled"
	@echo "                      SEEDS=1-30                 which seeds; SEEDS=17 repeats just that one"
	@echo "                      ORDERS=400                 how many orders with each seed"
	@echo "  make check        look all over without running it: code, shell, infrastructure, documents, packages"
	@echo "                      STEPS=\"lint types\"         only these; each says its name when it fails"
	@echo "  make coverage     find the lines and branches of lambda/ and scripts/ that no test takes"
	@echo "                      OF=lambda                  only those of lambda/, in a minute"
	@echo "  make bench        measure how fast it is, against floors measured beside it; about five minutes"
	@echo "                      BENCH=--quick              little of all, to see that it works"
	@echo
	@echo "Look after it"
	@echo "  make set-up-run   install \`.venv/bin/orders\`, the operator's tool; \`make run\` does it too"
	@echo "  make set-up-plan  install what \`orders-plan capacity\` needs besides, and the plots of \`make bench\`"
	@echo
	@echo "Change it"
	@echo "  make set-up-test  install what tests and checks need, for an editor or a hook; \`make test\` does it too"
	@echo "  make format       format the sources"
	@echo "  make draw         draw the pictures of the architecture anew"
	@echo "  make docs         bring what documents take from the program up to date: settings, costs, limits"
	@echo "  make lock         choose the newest packages that pyproject.toml admits, and pin them"
	@echo
	@echo "Deliver it"
	@echo "  make build        build the Lambda package, dist/orders-arm64.zip"
	@echo "                      TARGET=x86_64              for that processor; local for this machine"
	@echo
	@echo "Tidy up"
	@echo "  make clean        delete what was built and installed; orders and e-mails stay, in .local"
	@echo
	@echo "PYTHON=python3.12 makes .venv with that Python; 3.11 is the oldest that will do."

# The variables of `make run` reach the program through the environment.
run: set-up-run
	@PYTHONPATH=scripts:lambda exec $(VENV)/python -m local_stack

# Most tests wait for a deployment, so more processes than cores pay off.
TESTS   ?= tests
WORKERS ?= 4
test: set-up-test
	@$(VENV)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(TESTS)

# SEEDS and ORDERS reach the program through the environment.
prove: set-up-test
	@PYTHONPATH=lambda:scripts:tests exec $(VENV)/python -m campaign

# The steps are the list in scripts/check.py, which tells what is done and what is missing.
STEPS ?=
check: set-up-test
	@exec $(VENV)/python scripts/check.py $(STEPS)

coverage: set-up-test
	@exec $(VENV)/python scripts/measure_coverage.py $(OF)

# On a quiet machine; the results are in .local/bench.
BENCH ?=
bench: set-up-run
	@PYTHONPATH=scripts:lambda $(VENV)/python -m bench $(BENCH)

format: set-up-test
	$(VENV)/ruff check --fix-only .
	$(VENV)/ruff format .
	@if command -v terraform >/dev/null; then terraform fmt -recursive; \
	  else echo "make format: Terraform is not installed, so its files stay as they are" >&2; fi

draw:
	@$(PYTHON) architecture/draw.py

# The commands whose output the pages show are part of the planning tool.
docs: set-up-plan
	@$(VENV)/python scripts/write_configuration.py
	@PYTHONPATH=scripts $(VENV)/python -m planning docs

# The largest set first: what it pins constrains the smaller ones, so that .venv serves all.
LOCK := uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header
lock:
	@command -v uv >/dev/null || { echo "make lock: uv is needed, see https://docs.astral.sh/uv" >&2; exit 1; }
	$(LOCK) pyproject.toml --extra run --extra plan --extra test --output-file requirements-test.txt
	$(LOCK) pyproject.toml --extra run --extra plan --constraint requirements-test.txt --output-file requirements-plan.txt
	$(LOCK) pyproject.toml --extra run --constraint requirements-test.txt --output-file requirements-run.txt
	$(LOCK) lambda/requirements.in --output-file lambda/requirements.txt

TARGET ?= arm64
build: set-up-run
	@$(VENV)/python scripts/build_lambda.py --target $(TARGET)

clean:
	rm -rf .venv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis terraform-*/.terraform
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Any Python can say that it is too old; one of ten years ago cannot even read what follows.
NEW_ENOUGH := import sys; sys.version_info >= (3, 11) or sys.exit( \
  "make: %s is Python %d.%d, but 3.11 or newer is needed: install one and name it, as in `make run PYTHON=python3.11`." \
  % ((sys.executable,) + tuple(sys.version_info[:2])))
SET_UP := $(PYTHON) -c '$(NEW_ENOUGH)' && $(PYTHON) scripts/set_up_venv.py

set-up-run:
	@$(SET_UP) run

set-up-plan:
	@$(SET_UP) plan

set-up-test:
	@$(SET_UP) test
