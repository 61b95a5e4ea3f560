// SPDX-License-Identifier: MIT
// Where the lines of emulab-syncd and evproxy go: a file, the terminal, or the system's log.
// Writing is synchronous for the first two, so that the last line before a crash is there.
import { spawn } from "node:child_process";
import { openSync, writeSync } from "node:fs";
import type { Clock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";

/** Appends to a file. @throws when the file cannot be opened. */
export function createFileLogger(file: string, clock: Clock): Logger {
  return createDescriptorLogger(openSync(file, "a", 0o644), clock);
}

/** Standard error, for a server in the foreground. */
export function createStderrLogger(clock: Clock): Logger {
  return createDescriptorLogger(2, clock);
}

/**
 * The system's log, through logger(1): Node has no syslog of its own. Its input ends with this
 * process. Without the program the lines are lost; `onLost` is told once.
 */
export function createSyslogLogger(
  onLost: (reason: string) => void,
  name = "emulab-syncd",
): Logger {
  const child = spawn("logger", ["-t", `${name}[${process.pid}]`, "-p", "daemon.info"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.on("error", (error) => onLost(error.message));
  child.stdin.on("error", () => undefined);
  child.unref();
  return {
    log(_level, message) {
      child.stdin.write(`${message}\n`);
    },
  };
}

function createDescriptorLogger(descriptor: number, clock: Clock): Logger {
  return {
    log(_level, message) {
      try {
        writeSync(descriptor, `${formatUtc(clock.wallMs())} ${message}\n`);
      } catch {
        // A full disk or a terminal that is gone must not take the barriers with it.
      }
    },
  };
}

/** `2004-04-06 12:34:56.789`, UTC, from milliseconds since 1970. */
export function formatUtc(wallMs: number): string {
  const days = Math.floor(wallMs / 86_400_000);
  const { year, month, day } = civilDate(days);
  const ms = wallMs - days * 86_400_000;
  const time = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60].map((part) => pad(part));
  const seconds = `${pad(Math.floor(ms / 1000) % 60)}.${pad(ms % 1000, 3)}`;
  return `${year}-${pad(month)}-${pad(day)} ${time.join(":")}:${seconds}`;
}

/** The Gregorian date of a day number; years are counted from March so that leap days come last. */
function civilDate(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

function pad(value: number, width = 2): string {
  return String(value).padStart(width, "0");
}
