#!/bin/sh
# `npm run check`: everything that `npm test` checks, in order of cost, and nothing installed.
# Arguments go to vitest: `npm run check -- --project unit`. The last line is always
# `N passed, N failed, N skipped`; a step that fails before the tests begin counts as one failure.
cd "$(dirname "$0")/.." || exit 1

tally=$(mktemp) || exit 1
step='the start'
finish() {
  status=$?
  line=$(cat "$tally")
  rm -f "$tally"
  if [ -z "$line" ]; then
    line='0 passed, 1 failed, 0 skipped'
    [ "$status" -ne 0 ] || status=1
    echo "Stopped at: $step" >&2
  fi
  echo "$line"
  exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

run() {
  step=$1
  shift
  echo "== $step"
  "$@" || exit
}
if [ "${MUSTER_INSTALL_SYSTEM_PACKAGES-}" = yes ]; then
  run 'system programs' sh tools/system-packages.sh
else
  run 'system programs' sh tools/system-packages.sh --check
fi
run 'format and lint (npm run format repairs most)' \
  bin/node node_modules/@biomejs/biome/bin/biome check --error-on-warnings .
run 'build' sh tools/build.sh
run 'types of tests, benchmarks and tools' bin/node node_modules/typescript/bin/tsc -p test
step='tests'
echo "== $step"
MUSTER_TEST_TALLY=$tally bin/node node_modules/vitest/vitest.mjs run "$@"
