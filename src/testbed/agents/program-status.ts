// SPDX-License-Identifier: MIT
// The status file of a run of a program: `KEY=value` lines that scripts of users read. Pure.
// [EMULAB-EVENTS 4.5]
import type { ProgramUsage } from "../nodes/index.ts";
import type { ProgramSettings } from "./program-settings.ts";

export interface ProgramStatus {
  readonly name: string;
  readonly settings: ProgramSettings;
  readonly token: number;
  readonly timedOut: boolean;
  readonly stdout: OutputFacts | undefined;
  readonly stderr: OutputFacts | undefined;
  /** Milliseconds since 1970. */
  readonly startedWallMs: number;
  readonly endedWallMs: number;
  /** The error number of the completion. */
  readonly error: number;
  readonly usage?: ProgramUsage | undefined;
}

export interface OutputFacts {
  readonly bytes: number;
  readonly modifiedWallMs: number;
}

/** What is not known is -1. */
const unknown = -1;

/** @param formatTime a time as C's ctime writes it, without the end of line. */
export function formatProgramStatus(
  status: ProgramStatus,
  formatTime: (wallMs: number) => string,
): string {
  const { name, settings, token, timedOut, stdout, stderr, startedWallMs, endedWallMs, usage } =
    status;
  const rows: readonly (readonly [string, string | number])[] = [
    ["NAME", name],
    ["DIR", settings.directory],
    ["TIMEOUT", settings.timeoutSeconds],
    ["TIMEOUT_FIRED", timedOut ? 1 : 0],
    ["COMMAND", settings.command],
    ["TAG", settings.tag],
    ["TOKEN", token],
    ["OUTMTIME", stdout === undefined ? unknown : toSeconds(stdout.modifiedWallMs)],
    ["ERRMTIME", stderr === undefined ? unknown : toSeconds(stderr.modifiedWallMs)],
    ["OUTSIZE", stdout?.bytes ?? unknown],
    ["ERRSIZE", stderr?.bytes ?? unknown],
    ["START_TIME_SECS", toSeconds(startedWallMs)],
    ["START_TIME", formatTime(startedWallMs)],
    ["END_TIME_SECS", toSeconds(endedWallMs)],
    ["END_TIME", formatTime(endedWallMs)],
    ["EXIT_CODE", status.error],
    ["EXPECTED_EXIT_CODE", settings.expectedExitCode],
    ["CPU_TIME", usage === undefined ? unknown : formatSeconds(usage.cpuUs)],
    ["MAXRSS", usage?.rssKibMax ?? unknown],
  ];
  return rows.map(([key, value]) => `${key}=${value}\n`).join("");
}

/**
 * A number of seconds: the old agent did not fill up the microseconds, so that 1.5 was 1.000005.
 */
function formatSeconds(us: number): string {
  return `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, "0")}`;
}

function toSeconds(wallMs: number): number {
  return Math.floor(wallMs / 1_000);
}

const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const months = [
  ...["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
] as const;

/** `Sat Nov  8 07:04:15 2026`, local time. */
export function formatCtime(wallMs: number): string {
  const time = new Date(wallMs);
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  const day = String(time.getDate()).padStart(2);
  return `${days[time.getDay()]} ${months[time.getMonth()]} ${day} ${clock} ${time.getFullYear()}`;
}
