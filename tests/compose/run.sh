#!/usr/bin/env bash
# Build the images, start docker-compose for real, train through the published port, scale, stop, return.
#
#   GRADIENTD_TEST_ENGINE   script that starts a container engine where none runs: `SCRIPT start` prints
#                           the exports to use. The engine is left running, for the next time.
#   COMPOSE                 the compose command; by default `docker compose`, else `docker-compose`
#
# Containers, network and volumes are removed at the end, whatever happens; the images stay, as a cache.
set -euo pipefail
cd "$(dirname "$0")/../.."
say() { printf '%s\n' "$*" >&2; }

if ! docker info >/dev/null 2>&1; then
  if [ -z "${GRADIENTD_TEST_ENGINE:-}" ]; then
    say "compose-test: no container engine answers (docker info fails). Start one, name one in DOCKER_HOST,"
    say "or name a script that starts one in GRADIENTD_TEST_ENGINE."
    exit 1
  fi
  say "compose-test: starting an engine with $GRADIENTD_TEST_ENGINE"
  exports=$("$GRADIENTD_TEST_ENGINE" start)
  eval "$exports"
  docker info >/dev/null
fi

if [ -z "${COMPOSE:-}" ]; then
  if docker compose version >/dev/null 2>&1; then COMPOSE="docker compose"
  elif command -v docker-compose >/dev/null; then COMPOSE=docker-compose
  else say "compose-test: neither 'docker compose' nor 'docker-compose' is installed"; exit 1; fi
fi
export COMPOSE
export COMPOSE_PROJECT_NAME=gradientd-test-$$  # beside any stack that runs here already
export GRADIENTD_TAG=compose-test              # and without moving the tag it was started from
export GRADIENTD_BIND=127.0.0.1 GRADIENTD_PORT=0  # any free port
# A developer's own settings must not reach the stack under test.
unset COMPOSE_FILE COMPOSE_PROFILES GRADIENTD_THREADS GRADIENTD_LOG_LEVEL GRADIENTD_API_KEYS GRADIENTD_TMP \
  GRADIENTD_{API,WORKER,REDIS}_MEMORY GRADIENTD_REDIS_MAXMEMORY

finish() {
  code=$?
  trap - EXIT INT TERM
  if [ "$code" -ne 0 ]; then
    say "compose-test: FAILED; the containers and the end of their logs:"
    $COMPOSE ps >&2 || true
    $COMPOSE logs --no-color --tail 80 >&2 || true
  fi
  $COMPOSE down --volumes --remove-orphans --timeout 5 >/dev/null 2>&1 || say "compose-test: could not tear down"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

python=.venv/bin/python
[ -x "$python" ] || python=python3
"$python" tests/compose/check.py
