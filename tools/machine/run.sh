#!/bin/sh
# `npm run test:netem`: runs tests in an emulated machine with Debian's kernel, which has netem,
# whatever the kernel here has. Its files are those of this machine, read-only, below a file system
# in memory; it has no network. Needs Debian, and `npm run build` to have been done.
#
#   tools/machine/run.sh [FILE.test.ts ...] [-t TITLE]     the tests of links when left out
#
# The kernel is Debian's package, unpacked into node_modules/.cache. No processor is lent to the
# machine (no KVM): it is some ten times slower than this one, and time in it is as it sees it.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
cache=$root/node_modules/.cache/machine
memory_mib=4096
cpus=2

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

need
unpack_kernel
[ -d dist/cli ] || fail 'not built; say: npm run build'
[ $# -gt 0 ] || set -- test/e2e/linktest-faults.test.ts test/e2e/run-links.test.ts
make_initrd

# What the machine is to do, in a place that both see.
{
  echo "cd '$root' && export MUSTER_TEST_LINKS=netem NO_COLOR=1 MUSTER_TEST_WAIT_MS=1800000"
  printf 'set --'
  for word in "$@"; do printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done
  echo
  # An hour: the machine is slow, and no test may depend on how slow.
  echo '{ bin/node node_modules/vitest/vitest.mjs run --test-timeout=3600000 --maxWorkers=1 "$@"'
  echo 'echo "exit status $?"; } 2>&1 | cat'
} >"$cache/work.sh"

log=$cache/console.log
qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp $cpus -m $memory_mib -nographic \
  -no-reboot -net none -kernel "$cache/kernel/vmlinuz" -initrd "$cache/initrd.gz" \
  -append "console=ttyS0 quiet panic=-1 muster.cache=$cache" \
  -virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
  </dev/null | tee "$log"
grep -q '^exit status 0' "$log"
