// SPDX-License-Identifier: MIT
// Every sh script of process nodes, in one place to read. They are POSIX sh: nodes must start on
// machines that have no bash. Values reach them as arguments, never by being pasted into the text.

/**
 * Becomes a program: waits to be let go, then runs it. Descriptor 3 is a socket to Muster.
 *
 *   $1 directory; $2... the program.
 * Says `ready`, then after a line from Muster either `ok` or the one word that says what failed.
 * The program keeps this process's id, group and session, and does not inherit descriptor 3.
 */
export const LAUNCHER = `
echo ready >&3
read -r go <&3 || exit 125
cd -- "$1" 2>/dev/null || { echo directory >&3; exit 255; }
shift
command -v -- "$1" >/dev/null || { echo program >&3; exit 127; }
echo ok >&3
exec "$@" 3>&-
`;

/**
 * Cleans up after a run, whoever ended it: Muster by closing descriptor 0, or the kernel by closing
 * it for a Muster that was killed. It must not carry the mark of the run itself.
 *
 *   $1 run id; $2 temporary directory of the run ("" for none).
 * Input: \`+PID\` a program started as leader of group PID, \`-PID\` it ended.
 * Exit status 1: something of the run would not die.
 *
 * A group number cannot be taken by a stranger while anything of the group lives, so killing the
 * groups that were not reported as ended is safe; the mark finds what left its group.
 */
export const REAPER = `
trap '' HUP INT TERM
known=' '
while read -r line; do
  pid=\${line#?}
  case $line in
    +*) known="$known$pid " ;;
    -*) case $known in *" $pid "*) known="\${known%%" $pid "*} \${known#*" $pid "}" ;; esac ;;
  esac
done
for pid in $known; do kill -s KILL -- "-$pid" 2>/dev/null; done
round=0
left=0
while :; do
  found=$(grep -lsF -- "MUSTER_RUN=$1" /proc/[0-9]*/environ)
  [ -n "$found" ] || break
  round=$((round + 1))
  [ "$round" -le 250 ] || { left=1; break; }
  for file in $found; do
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}" 2>/dev/null
  done
  sleep 0.02
done
if [ -n "$2" ]; then
  # A directory may have been made unwritable by a program.
  rm -rf -- "$2" 2>/dev/null || { chmod -R u+rwX -- "$2" 2>/dev/null; rm -rf -- "$2"; }
fi
exit "$left"
`;
