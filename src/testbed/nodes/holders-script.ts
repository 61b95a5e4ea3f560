// SPDX-License-Identifier: MIT
// How the keeper makes all holders of a run when it begins, in one process and its forks: a few
// lines of perl that call the kernel themselves. With `unshare`, `mount` and `hostname` each node
// costs five programs, of which 200 nodes take most of a second and a half. Debian always has perl;
// where there is none, and on other processors, the shell's way (scripts.ts) does the same.
import { formatMountFields, type MountLine } from "./mount-plan.ts";
import { findProgram } from "./system-programs.ts";

/** Numbers of system calls: perl knows them by number only. */
const systemCalls: Readonly<Record<string, SystemCalls>> = {
  x64: { unshare: 272, setns: 308, mount: 165, sethostname: 170, exitGroup: 231 },
  arm64: { unshare: 97, setns: 268, mount: 40, sethostname: 161, exitGroup: 94 },
};

interface SystemCalls {
  readonly unshare: number;
  readonly setns: number;
  readonly mount: number;
  readonly sethostname: number;
  readonly exitGroup: number;
}

/** @returns what runs the script that is put behind it, or nothing where it cannot run. */
export function holdersCommand(): readonly string[] {
  const calls = systemCalls[process.arch];
  const perl = findProgram("perl");
  if (calls === undefined || perl === undefined) return [];
  const { unshare, setns, mount, sethostname, exitGroup } = calls;
  const numbers = [unshare, setns, mount, sethostname, exitGroup];
  return [perl, "/.muster/run/tables/holders", ...numbers.map(String)];
}

export interface HolderTable {
  readonly name: string;
  readonly hostName: string;
  /** Left out, it has no network of its own. */
  readonly network?: { readonly forwards: boolean } | undefined;
  readonly mounts: readonly MountLine[];
}

/** What the script reads: a line for each node, and one for each of its mounts behind it. */
export function formatHolderTables(tables: readonly HolderTable[]): string {
  return tables
    .map(({ name, hostName, network, mounts }) => {
      const forwards = network === undefined ? "-" : network.forwards ? "1" : "0";
      const lines = mounts.map((one) => `mount ${formatMountFields(one)}\n`);
      return `node ${name} ${hostName} ${forwards}\n${lines.join("")}`;
    })
    .join("");
}

/**
 * Becomes the keeper; each fork that it leaves is a holder, pid 1 of its node. Says what KEEPER
 * says. All of them block in one read; the dead of the holders are collected by the kernel.
 *
 *   Arguments: numbers of the system calls; `--net` where nodes have a network of their own.
 *
 * A process that has made a PID name space for its children goes back to its own between two of
 * them, so that no process stands between keeper and holders. `$0` is left alone: setting it would
 * write over the mark of the run in the environment.
 *
 * When one ends before, the keeper says `gone`: which one it was, Muster sees for itself.
 *
 * All end at once, when the run does, and each by the call of the kernel: perl's own `exit` first
 * gives back all it has, one value after the other, which of 200 holders is most of what their end
 * takes. For the same reason each reads its own part of the tables after it was forked. Name spaces
 * are made while Muster writes what is mounted in them: descriptor 4 closes when all is there.
 */
export const HOLDERS: string = `
use strict;
my ($unshare, $setns, $mount, $sethostname, $exitGroup, $net) = @ARGV;
my $isKeeper = 1;
my ($newPid, $newNode) = (0x20000000, 0x20000 | 0x4000000 | 0x8000000);
$newNode |= 0x40000000 if $net;
my %flags = (ro => 1, nosuid => 2, nodev => 4, noexec => 8, rbind => 0x5000);
$SIG{CHLD} = 'IGNORE';
$| = 1;
open my $guard, '<&=', 3 or die "no guard: $!\\n";
open my $files, '<&=', 4 or die "no word of files: $!\\n";

sub untilClosed {
  my $never;
  1 while !defined(sysread $_[0], $never, 1) && $! == 4;
}

sub leave { syscall(0 + $exitGroup, $_[0]) }

sub fields { map { s/\\\\([0-7]{3})/chr oct $1/ger } split / /, $_[0] }

sub mountOne {
  my ($source, $target, $type, $options) = @_;
  my ($flags, @data) = (0);
  for (split /,/, $options) { exists $flags{$_} ? $flags |= $flags{$_} : push @data, $_ }
  my $data = join ',', @data;
  return syscall(0 + $mount, $source, $target, $type, $flags, $data) == 0;
}

sub setting {
  my ($path, $value) = @_;
  open my $file, '>', "/proc/sys/net/$path" or return warn "$path: $!\\n";
  print $file $value;
}

sub hold {
  my ($name, $hostName, $forwards) = fields($_[0]);
  # /proc is still the machine's here, so that this is the number Muster knows the holder by.
  my $pid = readlink '/proc/self';
  my $fail = sub { print STDERR "$_[0]: $!\\n"; print "failed $name\\n"; leave(1) };
  syscall(0 + $unshare, $newNode) == 0 or $fail->('name spaces');
  untilClosed($files);
  close $files;
  for (split /\\n/, $_[1]) {
    my ($word, @fields) = fields($_);
    mountOne(@fields) or $fail->("mount $fields[1]");
  }
  syscall(0 + $sethostname, $hostName, length $hostName);
  if ($forwards ne '-') {
    # The machine's own settings are inherited, whatever they are. IPv6 is there for programs that
    # want it and says nothing by itself.
    mountOne("$name-sys", my $sys = '/sys', my $type = 'sysfs', 'nosuid,nodev,noexec');
    setting('ipv4/ip_forward', $forwards);
    setting("ipv4/conf/$_/rp_filter", 0) for 'all', 'default';
    setting('ipv6/conf/default/addr_gen_mode', 1) if -d '/proc/sys/net/ipv6';
  }
  print "node $name $pid\\n";
  open STDOUT, '>', '/dev/null';
  open STDERR, '>', '/dev/null';
}

open my $file, '<', '/.muster/run/tables/nodes' or die "no table of nodes: $!\\n";
my $tables = do { local $/; <$file> };
close $file;
open my $own, '<', '/proc/self/ns/pid' or die "no name spaces: $!\\n";
while ($tables =~ /^node (.*)\\n((?:mount .*\\n)*)/mg) {
  my ($node, $mounts, $child) = ($1, $2);
  if (syscall(0 + $unshare, $newPid) == 0) { $child = fork }
  if (!defined $child) { print STDERR "$!\\n"; print 'failed ', (fields($node))[0], "\\n"; last }
  if ($child == 0) { close $own; $isKeeper = 0; hold($node, $mounts); last }
  syscall(0 + $setns, fileno $own, $newPid) == 0 or die "own name space: $!\\n";
}
close $files;
$SIG{CHLD} = sub { 1 while waitpid(-1, 1) > 0; print "gone\\n" } if $isKeeper;
untilClosed($guard);
leave(0);
`;
