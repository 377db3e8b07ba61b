#!/bin/sh
# Pin every dependency with hashes, for all supported Pythons at once; record no index address.
set -eu
cd "$(dirname "$0")/.."
lock() {
  out=requirements/$1; shift
  uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "$@" --output-file "$out"
}
lock dev.txt --extra up --extra dev
lock demo.txt --extra up --constraint requirements/dev.txt
lock api.txt --extra api --constraint requirements/dev.txt
lock worker.txt --extra worker --constraint requirements/dev.txt
lock worker-gpu.txt --extra worker-gpu --constraint requirements/dev.txt
