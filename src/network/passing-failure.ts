// SPDX-License-Identifier: MIT
// Whether a program of the system has failed by what may be otherwise the next time: somebody has
// killed it, as the kernel does where memory runs out, or there was no memory, process or
// descriptor to be had. Nothing of the machine is missing then, and a run that did with less for
// it would be without its links. Pure.

/** How a program ended, and what it said; of one that was not started, why. */
export interface FailedProgram {
  readonly status: number | null;
  readonly signal: string | null;
  readonly said: string;
}

/** A shell's, whose program got SIGKILL. */
const killedStatus = 137;
/** What `unshare` says whose child got it. */
const killedWords = /sigprocmask unblock failed/;
/** Of the kernel, of shells and of Node. */
const passingWords =
  /\b(EMFILE|ENFILE|EAGAIN|ENOMEM)\b|oo many open files|emporarily unavailable|annot (allocate|fork)/;

export function isPassingFailure(program: FailedProgram): boolean {
  return isKilled(program) || passingWords.test(program.said);
}

function isKilled({ status, signal, said }: FailedProgram): boolean {
  return signal === "SIGKILL" || status === killedStatus || killedWords.test(said);
}

/** What it said, or that it was killed: then it has not said why it failed. */
export function describeFailure(program: FailedProgram): string {
  if (!isKilled(program)) return program.said;
  return "a program was killed (SIGKILL); see whether memory ran out (dmesg), and run it again";
}
