#!/bin/sh
# `npm start` runs the quick-start experiment; `npm start -- ARGS` passes ARGS to muster. File names
# in ARGS count from where the user stands (npm itself always changes to the package's folder).
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
if [ $# -ne 0 ]; then
  cd "${INIT_CWD:-.}" || exit 1
  exec "$root/bin/muster" "$@"
fi
cd "$root" || exit 1
# Beside this shell, which so passes SIGTERM on; Ctrl-C reaches both, and muster decides.
bin/muster run examples/quickstart.ns <&0 &
muster=$!
trap 'kill -TERM "$muster"' TERM
trap : INT
wait "$muster"
status=$?
while kill -0 "$muster" 2>/dev/null; do
  wait "$muster"
  status=$?
done
[ "$status" -ne 0 ] || printf '\nnext     npm start -- run examples/nodea-nodeb.ns\n'
exit "$status"
