// SPDX-License-Identifier: MIT
// What a program has used, which Node does not say of its children: a parent of the program's own,
// a few lines of perl, waits for it with wait4 and tells what the kernel counted. Debian always has
// perl; where there is none, and on other processors, nothing is measured. [EMULAB-EVENTS 4.5]
import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { ExitStatus } from "./node-backend.ts";
import { findProgram } from "./system-programs.ts";

/** Numbers of system calls: perl knows them by number only. */
const systemCalls: Readonly<Record<string, { readonly wait4: number; readonly setsid: number }>> = {
  x64: { wait4: 61, setsid: 112 },
  arm64: { wait4: 260, setsid: 157 },
};

/** Of the pipe that says what was used, in the process that is started. */
export const usageDescriptor = 4;

/**
 *   $1 wait4; $2 setsid, or 0 where the program enters a session by itself; $3 1: PERL_BADLANG is
 *   ours. The parent keeps nothing open that somebody waits for; the child does not have the pipe.
 */
const parent = `
my ($wait4, $setsid, $isOurs) = splice @ARGV, 0, 3;
defined(my $pid = fork) or exit 126;
open my $usage, '>&=', ${usageDescriptor};
if ($pid == 0) {
  syscall(0 + $setsid) if $setsid;
  delete $ENV{PERL_BADLANG} if $isOurs;
  fcntl $usage, 2, 1;
  exec {$ARGV[0]} @ARGV or exit 127;
}
open my $socket, '+<&=', 3 and close $socket;
open STDIN, '<', '/dev/null';
open STDOUT, '>', '/dev/null';
open STDERR, '>', '/dev/null';
my ($status, $used) = ("\\0" x 4, "\\0" x 144);
1 while syscall(0 + $wait4, $pid, $status, 0, $used) < 0 && $! == 4;
syswrite $usage, join ' ', unpack('i', $status), unpack 'q5', $used;
`;

export interface Measuring {
  /** Goes before what is to be run. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * @param entersSession what is run makes a session of its own, and is not its leader
 * @returns undefined where nothing can be measured
 */
export function measuring(
  environment: Readonly<Record<string, string>>,
  { entersSession }: { readonly entersSession: boolean },
): Measuring | undefined {
  const calls = systemCalls[process.arch];
  const perl = findProgram("perl");
  // What perl is told to load there is meant for the program.
  if (calls === undefined || perl === undefined || "PERL5OPT" in environment) return undefined;
  const isOurs = !("PERL_BADLANG" in environment);
  const setsid = entersSession ? 0 : calls.setsid;
  return {
    argv: [perl, "-e", parent, `${calls.wait4}`, `${setsid}`, isOurs ? "1" : "0"],
    // It would complain of a missing language where the program's own errors go.
    environment: isOurs ? { PERL_BADLANG: "0" } : {},
  };
}

/** What the parent has said when it is gone; undefined when it was killed itself. */
export async function readUsage(pipe: Readable): Promise<Partial<ExitStatus> | undefined> {
  pipe.setEncoding("latin1");
  let text = "";
  pipe.on("data", (chunk: string) => {
    text += chunk;
  });
  await new Promise<void>((resolve) => {
    for (const end of ["end", "error", "close"]) pipe.once(end, () => resolve());
  });
  return parseUsage(text);
}

/** The status of wait4, seconds and microseconds in user and kernel, and KiB. */
export function parseUsage(text: string): Partial<ExitStatus> | undefined {
  const numbers = text.split(" ").map(Number);
  if (numbers.length !== 6 || !numbers.every(Number.isSafeInteger)) return undefined;
  const [status = 0, userS = 0, userUs = 0, kernelS = 0, kernelUs = 0, rssKib = 0] = numbers;
  const signal = status & 0x7f;
  return {
    exitCode: signal === 0 ? (status >> 8) & 0xff : null,
    signal: signal === 0 ? null : signalName(signal),
    usage: { cpuUs: (userS + kernelS) * 1_000_000 + userUs + kernelUs, rssKibMax: rssKib },
  };
}

function signalName(number: number): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  return known?.[0] ?? `SIG${number}`;
}
