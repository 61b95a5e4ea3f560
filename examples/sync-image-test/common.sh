# Read by node0.sh to node4.sh; the shared directory is their first argument.
shared=$1
self=${NODE#node}

# Sleeps up to MAXSLEEP seconds, differently on each node, the same for the same seed.
pause() {
  sleep "$(
    awk -v seed="$MUSTER_SEED" -v self="$self" -v max="$MAXSLEEP" \
      'BEGIN { srand(seed % 100000 * 10 + self); print rand() * max }'
  )"
}

# Leaves the mark of this node.
mark() {
  echo "$1" >"$shared/node$1up"
}

# Writes the marks of these nodes into the result of this one.
collect() {
  for each in "$@"; do cat "$shared/node${each}up"; done >"$shared/node${self}res"
}
