#!/bin/sh
# SPDX-License-Identifier: MIT
# The campaign of the simulator: 2,000 seeds of 2,000 steps on 5 servers, on all cores. Other
# options come behind these and win, e.g. `npm run simulate -- --seed 5000 --seeds 100`.
set -e
cd "$(dirname "$0")/.."
test -d dist/cli || npm run build
# Drawn faults are said alone, and a script has its own.
faults='--fault draw'
for word in "$@"; do
  case $word in --fault | --fault=* | --core | --script | --script=*) faults= ;; esac
done
# What a seed needs lasts for as long as the seed, and is copied less often with a large young space
# (MB, for each thread); two thirds of the time are spent in Node's own code, on large pages.
# shellcheck disable=SC2086 # Two words, or none.
exec bin/node --use-largepages=silent --min-semi-space-size=48 --max-semi-space-size=48 \
  dist/cli/main.js simulate --seeds 2000 --ops 2000 $faults --progress \
  --workers "$(nproc)" "$@"
