// SPDX-License-Identifier: MIT
// The lines of record.ndjson: one JSON object a line, a header first (D17). Entries of the log
// carry their position; everything else was measured by the testbed and is marked `observed`. Pure.
//
//   F1. Reading the lines of a run back gives its events again, in order.
//   F2. A record cut off anywhere (power loss, full disk) reads as the events that are whole.
import type { RunEvent, RunStarted } from "../run-event.ts";

/** First line of a record. */
export interface RecordHeader {
  readonly schema: 1;
  readonly type: "header";
  readonly runId: string;
  /** `pid/eid` */
  readonly experiment: string;
  readonly seed: number;
  readonly file: string;
  /** Milliseconds since 1970. */
  readonly startedWallMs: number;
  /** CLOCK_MONOTONIC at time 0, microseconds. */
  readonly zeroMonotonicUs: number;
}

/** What a record holds, as far as it could be read. */
export interface ReadRecord {
  readonly header: RecordHeader | null;
  readonly events: readonly RunEvent[];
  /** Why reading stopped before the end of the text; null when it did not. */
  readonly damage: string | null;
}

/** The header line for a run, newline included. */
export function formatRecordHeader(started: RunStarted): string {
  const { runId, experiment, seed, file, startedWallMs, zeroMonotonicUs } = started;
  const header: RecordHeader = {
    schema: 1,
    type: "header",
    runId,
    experiment,
    seed,
    file,
    startedWallMs,
    zeroMonotonicUs,
  };
  return `${JSON.stringify(header)}\n`;
}

/** The line for one event, newline included. */
export function formatRecordLine(event: RunEvent): string {
  const { atUs, ...body } = event;
  if (body.type === "log") {
    const { sequence, stampUs, entry } = body.entry;
    const source = body.log === undefined ? "log" : "scheduler-log";
    const line = { atUs, source, position: sequence, stampUs, ...entry };
    return `${JSON.stringify(line)}\n`;
  }
  return `${JSON.stringify({ atUs, source: "observed", ...body })}\n`;
}

/** Reads a record back. Lines of kinds not known here (a newer version's) are left out. */
export function parseRecord(text: string): ReadRecord {
  let header: RecordHeader | null = null;
  const events: RunEvent[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line === "") continue;
    const object = parseObject(line);
    if (object === undefined) {
      return { header, events, damage: `line ${index + 1} is not a JSON object: cut off?` };
    }
    if (object.type === "header" && object.source === undefined) {
      if (object.schema !== 1) {
        return { header, events, damage: `schema ${object.schema} is not known; need 1` };
      }
      header = object as unknown as RecordHeader;
    } else {
      const event = lineEvent(object);
      if (event !== undefined) events.push(event);
    }
  }
  return { header, events, damage: header === null ? "there is no header line" : null };
}

/** The fields that say what a line is; the rest depends on it. */
interface RecordLine {
  readonly schema?: unknown;
  readonly type?: unknown;
  readonly source?: unknown;
  readonly atUs?: unknown;
  readonly position?: unknown;
  readonly stampUs?: unknown;
}

function parseObject(line: string): RecordLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value;
  } catch {
    return undefined;
  }
}

function lineEvent(object: RecordLine): RunEvent | undefined {
  const { atUs, source, position, stampUs, ...body } = object;
  if (typeof atUs !== "number") return undefined;
  if (source === "log" || source === "scheduler-log") {
    const whose = source === "log" ? {} : { log: "scheduler" };
    const entry = { sequence: position, stampUs, entry: body };
    const event = { type: "log", ...whose, atUs, entry };
    return event as unknown as RunEvent;
  }
  if (source !== "observed" || typeof body.type !== "string") return undefined;
  // The shape was written by `formatRecordLine`; whoever edits a record by hand reads what he
  // wrote.
  return { atUs, ...body } as unknown as RunEvent;
}
