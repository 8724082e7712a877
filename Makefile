# One environment, .venv, made from constraints.txt when it is missing or older than what it is made of.
# Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long lint bench bench-smoke torture soak kills fuzz conversions packages licences docs reference pictures screenshots clean

demo: $(STAMP)
	$(BIN)/slidebridge demo --output demo

# Files of tests side by side, one thread each, those that take longest first (tests/conftest.py)
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE) --durations=15

SMOKE := $(BIN)/python -m scripts.bench --smoke

# The same examples for everyone, so that one commit has one result; test-long looks at others each time
test: lint
	$(PYTEST) -m "not long" --hypothesis-seed=0
	$(SMOKE)

test-long: lint
	$(PYTEST)
	$(BIN)/python -m scripts.bench.fuzz $(FUZZ)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell bridge models scripts hooks tests README.md CHANGELOG.md pyproject.toml Makefile docs mkdocs.yml

# Everything beside others, into docs/benchmarks.md; some of it: make bench BENCH="raster codecs"
bench: $(STAMP)
	$(BIN)/python -m scripts.bench $(BENCH) --write

# The same at small sizes: fails when a ratio to another in the same run falls, or growth with size rises
bench-smoke: $(STAMP)
	$(SMOKE)

# Some six minutes per tool and kind of file system; one of them: make torture TORTURE="--tool qupath --mode exchange"
TORTURE ?= --tool all --mode all
torture: $(STAMP)
	$(BIN)/python -m scripts.bench.torture $(TORTURE)

# Half an hour of the daemon with a save every four seconds: make soak SOAK="--minutes 5 --keep FOLDER"
soak: $(STAMP)
	$(BIN)/python -m scripts.bench.daemon.soak $(SOAK)

# The daemon killed at 100 random instants; a quarter of an hour: make kills KILLS="--kills 10 --seed 1"
kills: $(STAMP)
	$(BIN)/python -m scripts.bench.daemon.kills $(KILLS)

# 100,000 mutated inputs for each codec; from real files as well: make fuzz FUZZ="--data FOLDER"
fuzz: $(STAMP)
	$(BIN)/python -m scripts.bench.fuzz $(FUZZ)

# Every file of a folder into every format, as one table: make conversions DATA=FOLDER
DATA ?= ../shared/data
conversions: $(STAMP)
	$(BIN)/python -m scripts.bench.conversions $(DATA)

# Wheel and source archive into dist/: what is in them, whose licences come with them, where they install as they are
packages: $(STAMP)
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m scripts.packaging.contents dist
	$(BIN)/python -m scripts.packaging.licences
	$(BIN)/python -m scripts.packaging.resolve dist

# After a change of what is installed: the page that says whose licences come with it
licences: $(STAMP)
	$(BIN)/python -m scripts.packaging.licences --write

# The documentation as web pages into build/docs, every warning an error; while writing: .venv/bin/mkdocs serve
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --clean

# After a change of commands, settings or of what doctor finds: the pages that are made of them
reference: $(STAMP)
	$(BIN)/python -m scripts.docs

# The pictures of annotation files, drawn from files that the loop wrote; some five minutes
pictures: $(STAMP)
	$(BIN)/python -m scripts.docs.pictures docs/images

# The pictures of report and dashboard, taken in an installed Chromium while a training runs; some five minutes
screenshots: $(STAMP)
	SCREENSHOTS=docs/images OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/scripts/browser/test_screenshots.py

clean:
	rm -rf $(VENV) .bench demo build dist

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'SlideBridge needs Python 3.11 or newer; try: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)
