#!/bin/sh
# SPDX-License-Identifier: MIT
# The campaign of the simulator: 2,000 seeds of 2,000 steps on 5 servers, on all cores. Other
# options come behind these and win, e.g. `npm run simulate -- --seed 5000 --seeds 100`.
set -e
cd "$(dirname "$0")/.."
test -d dist/cli || npm run build
exec bin/node dist/cli/main.js simulate --seeds 2000 --ops 2000 --fault draw --progress \
  --workers "$(nproc)" "$@"
