#!/bin/sh
# `npm start` runs the quick-start experiment; `npm start -- ARGS` passes ARGS to muster.
cd "$(dirname "$0")/.." || exit 1
[ $# -gt 0 ] || set -- run examples/quickstart.ns
exec bin/muster "$@"
