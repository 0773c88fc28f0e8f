# Two commands do all the set-up: `make quick` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CHECKED := $(VENV)/.installed-check

.PHONY: quick test check bench clean

# The virtual environment, made anew when the dependencies change.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	# torch first and alone: the version in constraints.txt, so that no later range pulls another build.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

$(CHECKED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test,check,bench]"
	touch $@

quick: $(INSTALLED)
	$(BIN)/python -m harness.run ablations/quick.yaml

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: $(CHECKED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest

bench: $(CHECKED)
	for name in objectives training scoring decoding scheduler; do $(BIN)/python -m bench.$$name || exit 1; done

clean:
	rm -rf $(VENV) store build *.egg-info
