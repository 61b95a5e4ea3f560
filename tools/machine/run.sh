#!/bin/sh
# `npm run test:netem`: runs tests in an emulated machine with Debian's kernel, which has netem,
# whatever the kernel here has. Its files are those of this machine, read-only, below a file system
# in memory; it has no network. Needs Debian, and `npm run build` to have been done.
#
#   tools/machine/run.sh [--processors N] [FILE.test.ts ...] [-t TITLE]
#
# Files left out: the tests of links and of control groups, and then, in a machine of four
# processors, those of the threads that shape links.
#
# The kernel is Debian's package, unpacked into node_modules/.cache. No processor is lent to the
# machine (no KVM), and one of a single processor is not slow for all that: its clock counts what it
# does, a nanosecond for an instruction, however long that takes here. What it measures does not
# depend on what else is done here; only when it ends does. So that no timer depends on it either,
# it never has nothing to do: a program that anything else goes before counts on. What is under way
# is printed: each test that has ended, and what the commands in it say.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
cache=$root/node_modules/.cache/machine
processors=1
if [ "$1" = --processors ]; then
  processors=$2
  shift 2
fi
second=
memory_mib=4096
# Ends what hangs, and nothing else.
hours_max=3

fail() {
  echo "$1" >&2
  exit 1
}

need() {
  missing=''
  command -v qemu-system-x86_64 >/dev/null || missing="$missing qemu-system-x86"
  command -v busybox >/dev/null || missing="$missing busybox-static"
  command -v depmod >/dev/null || missing="$missing kmod"
  [ -z "$missing" ] && return
  [ "$(id -u)" = 0 ] || fail "missing programs; install them as root: apt-get install$missing"
  echo "Installing the Debian packages$missing"
  # shellcheck disable=SC2086
  apt-get -q install -y --no-install-recommends $missing >/dev/null || fail 'apt-get failed'
}

# The newest kernel of this Debian, with all its modules.
unpack_kernel() {
  [ -e "$cache/kernel/vmlinuz" ] && return
  package=$(apt-cache depends linux-image-amd64 |
    sed -n 's/.*Depends: \(linux-image-6[^ ]*\).*/\1/p' | head -1)
  [ -n "$package" ] || fail 'apt knows no linux-image-amd64; try: apt-get update'
  echo "Fetching $package"
  rm -rf "$cache" && mkdir -p "$cache/kernel" || exit 1
  (cd "$cache" && apt-get -q download "$package" >/dev/null) || fail 'apt-get download failed'
  dpkg-deb -x "$cache"/linux-image*.deb "$cache/kernel" || exit 1
  rm "$cache"/linux-image*.deb
  depmod -b "$cache/kernel" "$(ls "$cache/kernel/lib/modules")" || exit 1
  mv "$cache"/kernel/boot/vmlinuz-* "$cache/kernel/vmlinuz"
}

# What the kernel starts: enough to mount the files of this machine.
make_initrd() {
  rm -rf "$cache/initrd" && mkdir -p "$cache/initrd/bin" "$cache/initrd/modules"
  cp "$(command -v busybox)" "$cache/initrd/bin/busybox"
  for name in $(sed -n 's/^modules="\(.*\)"$/\1/p' tools/machine/init); do
    find "$cache/kernel/lib/modules" -name "$name.ko" -exec cp {} "$cache/initrd/modules/" \;
  done
  for folder in dev proc sys lower over new; do mkdir "$cache/initrd/$folder"; done
  cp tools/machine/init "$cache/initrd/init" && chmod +x "$cache/initrd/init"
  (cd "$cache/initrd" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$cache/initrd.gz"
}

# The machine has folders of its own there.
case $root in
  /tmp/* | /run/* | /dev/*) fail "the machine does not see $root; work in another folder" ;;
esac
need
unpack_kernel
[ -d dist/cli ] || fail 'not built; say: npm run build'
if [ $# -eq 0 ]; then
  set -- test/netem test/e2e/linktest-faults.test.ts test/e2e/run-links.test.ts
  second='--processors 4 test/netem/shaper-threads.test.ts'
fi
make_initrd

# What the machine is to do, in a place that both see.
{
  echo "cd '$root' && export MUSTER_TEST_LINKS=netem NO_COLOR=1 MUSTER_TEST_ECHO=1"
  [ "$processors" = 1 ] && echo "chrt --idle 0 sh -c 'while :; do :; done' &"
  printf 'set --'
  for word in "$@"; do printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
  echo
  # By the clock there; files are read from outside, where it may be busy.
  echo '{ bin/node node_modules/vitest/vitest.mjs run --reporter=verbose --maxWorkers=1 \'
  echo '  --test-timeout=1200000 "$@"'
  echo 'echo "exit status $?"; } 2>&1 | cat'
} >"$cache/work.sh"

log=$cache/console.log
began=$(date +%s)
# With a clock of instructions the emulator has one processor run after the other, and the kernel
# does not get beyond starting the second. So several go by the clock of this machine, and all that
# is done there is late when this one is busy.
counted='-accel tcg,thread=single -icount shift=0'
[ "$processors" = 1 ] || counted='-accel tcg,thread=multi'
# shellcheck disable=SC2086
timeout --foreground "${hours_max}h" qemu-system-x86_64 -cpu max -smp "$processors" -m $memory_mib \
  $counted -nographic -no-reboot -net none \
  -kernel "$cache/kernel/vmlinuz" -initrd "$cache/initrd.gz" \
  -append "console=ttyS0 quiet panic=-1 muster.cache=$cache" \
  -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
  </dev/null | tee "$log"
echo "The emulated machine was there for $((($(date +%s) - began) / 60)) minutes"
grep -q '^exit status ' "$log" || fail "it did not end its tests (at most $hours_max hours)"
grep -q '^exit status 0' "$log"
status=$?
[ -z "$second" ] && exit $status
# shellcheck disable=SC2086
sh tools/machine/run.sh $second && exit $status
