// SPDX-License-Identifier: MIT
// Every sh script of process nodes, in one place to read. They are POSIX sh: nodes must start on
// machines that have no bash. Values reach them as arguments, never by being pasted into the text.
import type { RootPlan } from "./mount-plan.ts";

/**
 * Becomes a program: waits to be let go, then runs it. Descriptor 3 is a socket to Muster.
 *
 *   $1 directory; $2... the program.
 * Says `ready`, then after a line from Muster either `ok` or the one word that says what failed.
 * The program keeps this process's id, group and session, and does not inherit descriptor 3.
 */
export const LAUNCHER: string = `
echo ready >&3
read -r go <&3 || exit 125
cd -- "$1" 2>/dev/null || { echo directory >&3; exit 255; }
shift
case $1 in
  */*) [ -x "$1" ] && [ ! -d "$1" ] ;;
  *) command -v -- "$1" >/dev/null ;;
esac || { echo program >&3; exit 127; }
echo ok >&3
exec "$@" 3>&-
`;

/**
 * Cleans up after a run, whoever ended it: Muster by closing descriptor 0, or the kernel by closing
 * it for a Muster that was killed. It must not carry the mark of the run itself.
 *
 *   $1 run id; $2 temporary directory of the run ("" for none).
 * Input: `+PID` a program started as leader of group PID, `-PID` it ended; `~` the programs are in
 * namespaces that the kernel clears. Then it is given a second before marked processes are killed:
 * who waits for a program outside its namespace is one of them, and must collect it. Otherwise the
 * first process of the machine would have to, and not every container has one that does.
 * Exit status 1: something of the run would not die.
 *
 * A group number cannot be taken by a stranger while anything of the group lives, so killing the
 * groups that were not reported as ended is safe; the mark finds what left its group.
 *
 * Files of nodes and control groups go while it looks for processes, as far as they are not in use,
 * because of 200 nodes they take as long as the processes. The rest of the directory, which tells
 * others that there is something to clean up, goes when nothing else is left.
 */
export const REAPER: string = `
trap '' HUP INT TERM
known=' '
patience=0
while read -r line; do
  pid=\${line#?}
  case $line in
    +*) known="$known$pid " ;;
    '~') patience=100 ;;
    -*) case $known in *" $pid "*) known="\${known%%" $pid "*} \${known#*" $pid "}" ;; esac ;;
  esac
done
for pid in $known; do kill -s KILL -- "-$pid" 2>/dev/null; done
# Control groups, of either version; one goes when all in it have ended. A program may have made
# others in that of its node.
groups() {
  left=0
  for group in /sys/fs/cgroup/"muster-$1" /sys/fs/cgroup/*/"muster-$1"; do
    [ -d "$group" ] || continue
    rmdir "$group"/*/ "$group" 2>/dev/null
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
    [ ! -d "$group" ] || left=1
  done
  return "$left"
}
groups "$1" &
[ -z "$2" ] || rm -rf -- "$2/shared" 2>/dev/null &
empty=0
while [ "$patience" -gt 0 ]; do
  patience=$((patience - 1))
  grep -qsF -- "MUSTER_RUN=$1" /proc/[0-9]*/environ || empty=1 patience=0
  sleep 0.01
done
# Twice in a row nothing: a process that is just becoming another program has no environment.
round=0
while [ "$empty" -lt 2 ] && [ "$round" -lt 250 ]; do
  round=$((round + 1))
  empty=$((empty + 1))
  for file in $(grep -lsF -- "MUSTER_RUN=$1" /proc/[0-9]*/environ); do
    empty=0
    pid=\${file#/proc/}
    kill -s KILL "\${pid%/environ}" 2>/dev/null
  done
  [ "$empty" -ge 2 ] || sleep 0.01
done
wait
# Who has no environment any more may still be in its group, for a moment.
round=0
while ! groups "$1" && [ "$round" -lt 100 ]; do
  round=$((round + 1))
  sleep 0.01
done
if [ -n "$2" ]; then
  # A directory may have been made unwritable by a program.
  rm -rf -- "$2" 2>/dev/null || { chmod -R u+rwX -- "$2" 2>/dev/null; rm -rf -- "$2"; }
fi
[ "$empty" -ge 2 ] && groups "$1"
`;

/**
 * Pid 1 of a run's namespaces: builds the root all nodes share, starts a holder for each node and
 * then does nothing until descriptor 3, whose only writer is Muster, closes. Its end is the end of
 * every process in the PID namespaces of the run and of every mount; nothing there can refuse.
 *
 *   $1 an empty directory to mount the root on; $2 directory of the mount tables, which holds
 *   these scripts as well: command lines stay short enough to read in ps; $3 `--net` where nodes
 *   have a network of their own, as the keeper has then; $4... what makes the holders in place of
 *   the loop here and becomes the keeper (holders-script.ts).
 * Descriptor 4, of Muster too, closes when the files are there that nodes mount.
 * Output: `root`, then `node NAME PID` for each node that is up, `failed NAME` for one that
 * is not, later `gone` when a holder has ended; what went wrong is on standard error.
 */
export const KEEPER: string = `
# What lies between nodes has no addresses that anybody has not given it.
[ -z "$3" ] || echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
[ -z "$3" ] || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
# Unbindable: a recursive bind of a directory above must not copy the new root into itself.
mount -n -t tmpfs -o mode=755 --make-unbindable muster-root "$1" || exit 1
cd "$1" || exit 1
. "$2/root.sh" || exit 1
mount -n -a -T "$2/root.table"
pivot_root . .muster/old || exit 1
cd /
umount -n -l /.muster/old || exit 1
[ ! -s /.muster/run/tables/readonly ] || while read -r path; do
  mount -n -o remount,bind,ro "$path"
done </.muster/run/tables/readonly
echo root
net=$3
shift 3
[ $# -eq 0 ] || exec "$@" $net
while read -r never <&4; do :; done
exec 4<&-
while read -r name hostname; do
  unshare --pid --mount --uts --ipc $net sh /.muster/run/tables/holder "$name" "$hostname" tell &
done </.muster/run/tables/nodes
${holdUntilEof("  ")}
`;

/**
 * Makes one node and becomes pid 1 of it, in the child that the shell starts last: only a child of
 * a process that asked for a PID namespace is in it.
 *
 *   $1 node name; $2 host name; $3 `tell`: stays beside it and says `gone` when it has ended, where
 *   the keeper cannot. A node with a network of its own has a file that says whether it forwards, 0
 *   or 1.
 */
export const HOLDER: string = `
# The machine's own settings are inherited, whatever they are. $2: does it forward? IPv6 is there for
# programs that want it and says nothing by itself.
network() {
  mount -n -t sysfs -o nosuid,nodev,noexec "$1-sys" /sys 2>/dev/null
  cd /proc/sys/net/ipv4
  echo "$2" >ip_forward
  echo 0 >conf/all/rp_filter
  echo 0 >conf/default/rp_filter
  cd ../ipv6/conf/default && echo 1 >addr_gen_mode
  cd /
}
hold() {
  # /proc is still the machine's here, so that this is the number Muster knows the holder by.
  read -r pid rest </proc/self/stat
  network=
  [ ! -e "/.muster/run/tables/network-$1" ] || read -r network <"/.muster/run/tables/network-$1"
  mount -n -a -T "/.muster/run/tables/node-$1" || { echo "failed $1"; exit 1; }
  hostname "$2" 2>/dev/null
  [ -z "$network" ] || network "$1" "$network"
  echo "node $1 $pid"
  exec >/dev/null 2>&1
${holdUntilEof("  ")}
}
hold "$1" "$2" &
[ -z "$3" ] || { wait; echo gone; }
`;

/**
 * Pid 1 has to collect the processes that lost their parent. A shell does so in `wait`, not in
 * `read`: so a child reads. Should somebody kill that child, there is a new one.
 */
function holdUntilEof(indent: string): string {
  return ["while :; do", "  (read -r never <&3) &", "  wait $!", "  [ $? -gt 1 ] || exit 0", "done"]
    .map((line) => `${indent}${line}`)
    .join("\n");
}

/** A value as one word of sh. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The steps of a root that are not mounts, to be read by KEEPER in the new root. */
export function formatRootScript(plan: RootPlan): string {
  const inside = (path: string): string => quote(`.${path}`);
  const lines = [`mkdir -p -- ${plan.directories.map(inside).join(" ")}`];
  for (const path of plan.files) lines.push(`: >${inside(path)}`);
  for (const { path, target } of plan.links)
    lines.push(`ln -s -- ${quote(target)} ${inside(path)}`);
  return `${lines.join("\n")}\n`;
}
