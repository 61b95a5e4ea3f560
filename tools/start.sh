#!/bin/sh
# `npm start` runs the quick-start experiment; `npm start -- ARGS` passes ARGS to muster. File names
# in ARGS count from where the user stands (npm itself always changes to the package's folder).
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
if [ $# -eq 0 ]; then
  cd "$root" || exit 1
  set -- run examples/quickstart.ns
  # Now, because muster takes the place of this shell, so that signals reach it.
  echo 'This is the quick start; the next one: npm start -- run examples/nodea-nodeb.ns' >&2
else
  cd "${INIT_CWD:-.}" || exit 1
fi
exec "$root/bin/muster" "$@"
