#!/bin/sh
# Pin every dependency with hashes, for all supported Pythons at once; record no index address.
set -eu
cd "$(dirname "$0")/.."
lock() {
  out=requirements/$1 from=$2; shift 2
  uv pip compile "$from" --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "$@" --output-file "$out"
}
lock dev.txt pyproject.toml --extra up --extra dev
lock demo.txt pyproject.toml --extra up --constraint requirements/dev.txt
lock api.txt pyproject.toml --extra api --constraint requirements/dev.txt
lock worker.txt pyproject.toml --extra worker --constraint requirements/dev.txt
lock worker-gpu.txt pyproject.toml --extra worker-gpu --constraint requirements/dev.txt
lock generator.txt requirements/generator.in
