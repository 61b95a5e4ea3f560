#!/bin/sh
# Compiles src/ into dist/. `tsc -b` leaves the outputs of deleted sources behind, hence the rm.
set -e
cd "$(dirname "$0")/.."
rm -rf dist
node node_modules/typescript/bin/tsc -b src/cli
