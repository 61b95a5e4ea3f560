#!/bin/sh
# `npm run test:service`: the unit of examples/operations under a systemd of its own, which is the
# first process of name spaces here: over the files of this machine lies a file system in memory,
# its network is loopback alone, and nothing is left of it. What is done there is in work.sh.
#
# Needs root, and the programs of Debian's packages systemd, curl and nats-server. The executable is
# that of `npm run build:single`.
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
seconds_max=300

fail() {
  echo "$1" >&2
  exit 1
}

# In a mount name space: a group of its own, so that systemd finds itself at the root of all.
enter_group() {
  mount --make-rprivate /
  mount -t cgroup2 none "$place/groups" || fail 'cgroup2 cannot be mounted here'
  mkdir "$place/groups/$group" && echo $$ >"$place/groups/$group/cgroup.procs" || exit 1
}

# Only devices that belong to nobody.
make_devices() {
  mount -t tmpfs devices "$new/dev"
  for name in null zero full random urandom; do
    touch "$new/dev/$name" && mount --bind "/dev/$name" "$new/dev/$name"
  done
  mkdir "$new/dev/shm" && mount -t tmpfs shm "$new/dev/shm"
  ln -s /proc/self/fd "$new/dev/fd"
}

# What this machine itself would start is not started.
write_units() {
  units=$new/etc/systemd/system
  rm -rf "$units" "$new"/lib/systemd/system/sysinit.target.wants \
    "$new"/lib/systemd/system/sockets.target.wants
  mkdir -p "$units" "$new/etc/muster"
  cp "$root/examples/operations/muster.service" "$units/"
  cp "$root/examples/operations/serve.yaml" "$new/etc/muster/"
  cp "$root/dist/single/muster" "$new/usr/local/bin/muster"
  cp "$root/tools/service/work.sh" "$new/root/muster-work.sh"
  {
    echo '[Unit]'
    echo 'DefaultDependencies=no'
    echo 'Wants=systemd-journald.service'
    echo 'After=systemd-journald.service'
    echo '[Service]'
    echo 'Type=oneshot'
    echo 'ExecStart=/bin/sh /root/muster-work.sh'
    echo 'StandardOutput=append:/root/muster-said'
    echo 'StandardError=append:/root/muster-said'
  } >"$units/work.service"
  printf '[Unit]\nDefaultDependencies=no\nWants=work.service\n' >"$units/work.target"
}

# Becomes systemd.
become_systemd() {
  mount -t tmpfs -o size=2g over "$place/over" && mkdir "$place/over/up" "$place/over/work"
  mount -t overlay -o "lowerdir=/,upperdir=$place/over/up,workdir=$place/over/work" \
    overlay "$new" || fail 'a file system cannot be laid over this one'
  mount -t proc proc "$new/proc"
  mount -t sysfs -o ro sys "$new/sys"
  mount -t cgroup2 none "$new/sys/fs/cgroup"
  make_devices
  for folder in tmp run; do mount -t tmpfs "$folder" "$new/$folder"; done
  chmod 1777 "$new/tmp"
  write_units
  touch "$new/root/muster-said" && mount --bind "$place/said" "$new/root/muster-said"
  cd "$new" && mkdir -p old && pivot_root . old || exit 1
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin env -C / \
    /lib/systemd/systemd --system --unit=work.target --show-status=0 \
    --log-target=null </dev/null >/dev/null 2>&1
}

# Whoever was killed takes a moment to be gone.
remove_groups() {
  unshare --mount sh -c 'mount -t cgroup2 none "$1" && for _ in $(seq 50); do
    find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null && exit
    sleep 0.1
  done' sh "$place/groups" "$group"
}

place=$2
group=muster-service-$(basename "$2")
new=$place/new
case $1 in
  group)
    enter_group
    exec unshare --pid --fork --kill-child --mount --cgroup --ipc --uts --net \
      sh "$0" systemd "$place"
    ;;
  systemd) become_systemd ;;
esac

[ "$(id -u)" = 0 ] || fail 'this needs root'
[ -e dist/single/muster ] || fail 'not built; say: npm run build:single'
for program in /lib/systemd/systemd /usr/bin/curl /usr/sbin/nats-server; do
  [ -e "$program" ] || fail "there is no $program: apt-get install systemd curl nats-server"
done
place=$(mktemp -d)
group=muster-service-$(basename "$place")
mkdir "$place/groups" "$place/over" "$place/new" && touch "$place/said"
# All in it ends with the first process of its name space, which hears no other signal than KILL;
# after Ctrl-C, too, nothing is left.
trap : INT TERM
timeout --foreground --kill-after=5 "$seconds_max" \
  unshare --mount sh "$root/tools/service/run.sh" group "$place"
cat "$place/said"
remove_groups
status=$(sed -n 's/^exit status //p' "$place/said")
rm -rf "$place"
[ "$status" = 0 ] || fail 'the unit does not do what it is to do'
