// SPDX-License-Identifier: MIT
// Whether a program of the system has failed by what may be otherwise the next time: somebody has
// killed it, as the kernel does where memory runs out, or there was no memory, process or
// descriptor to be had. Nothing of the machine is missing then, and a run that did with less for
// it would be without its links. Whatever the signal: a program that has crashed has not said
// either that something is missing. Pure.
import { constants } from "node:os";

/** How a program ended, and what it said; of one that was not started, why. */
export interface FailedProgram {
  readonly status: number | null;
  readonly signal: string | null;
  readonly said: string;
}

/**
 * A shell's, whose program a signal has ended: 128 and the signal's number, up to that of the last
 * one that Linux has by a name.
 */
const [killedStatusMin, killedStatusMax] = [129, 159];
/** What a machine's filter of calls sends: the next time it is the same. */
const forbidden: FailedProgram["signal"] = "SIGSYS";
const signals = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));
/** What `unshare` says whose child got SIGKILL. */
const killedWords = /sigprocmask unblock failed/;
/** Of the kernel, of shells and of Node. */
const passingWords =
  /\b(EMFILE|ENFILE|EAGAIN|ENOMEM)\b|oo many open files|emporarily unavailable|annot (allocate|fork)/;

export function isPassingFailure(program: FailedProgram): boolean {
  return isKilled(program) || passingWords.test(program.said);
}

function isKilled(program: FailedProgram): boolean {
  const signal = signalOf(program);
  return signal !== undefined && signal !== forbidden;
}

/** @returns the name of the signal that has ended it */
function signalOf({ status, signal, said }: FailedProgram): string | undefined {
  if (signal !== null) return signal;
  if (killedWords.test(said)) return "SIGKILL";
  if (status === null || status < killedStatusMin || status > killedStatusMax) return undefined;
  return signals.get(status - 128);
}

/** What it said, or that it was killed: then it has not said why it failed. */
export function describeFailure(program: FailedProgram): string {
  if (!isKilled(program)) return program.said;
  const signal = signalOf(program);
  const where =
    signal === "SIGKILL" ? "see whether memory ran out (dmesg)" : "see who uses kill here";
  return `a program was killed (${signal}); ${where}, and run it again`;
}
