#!/bin/sh
# Sees to the system programs of tools/system-packages.txt. As root it installs the Debian packages
# of those that are missing; anybody else, or with --check, is told which are missing. Does nothing,
# not even `apt-get update`, when nothing is missing.
cd "$(dirname "$0")/.." || exit 1

# A program, or a file that a package brings.
is_there() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing='' packages=''
while read -r command package _; do
  case $command in '' | '#'*) continue ;; esac
  is_there "$command" && continue
  missing="$missing $command"
  case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
done <tools/system-packages.txt
[ -n "$missing" ] || exit 0

explain() {
  echo "The tests need these programs, which $1:$missing" >&2
  echo "Install them as root: apt-get install$packages" >&2
  exit 1
}
[ "${1-}" != --check ] || explain 'are not installed'
[ "$(id -u)" = 0 ] || explain 'are not installed'
command -v apt-get >/dev/null || explain 'are not installed, and there is no apt-get'

echo "Installing the Debian packages$packages"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
options='-q -o DPkg::Lock::Timeout=120 -o Acquire::Retries=2'
# A failed update may still leave lists that are good enough; the installation decides.
# shellcheck disable=SC2086
apt-get $options update >"$log" 2>&1 </dev/null || cat "$log" >&2
# shellcheck disable=SC2086
if ! apt-get $options install -y --no-install-recommends $packages >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  explain 'could not be installed (apt-get says why above)'
fi
for command in $missing; do
  is_there "$command" || explain 'their packages did not bring'
done
