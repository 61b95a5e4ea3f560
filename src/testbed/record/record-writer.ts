// SPDX-License-Identifier: MIT
// Writes record.ndjson while the run goes. Lines are gathered during a turn of the event loop and
// written at its end, one write at a time, so that a killed run leaves everything but its last
// turn. A write error is told once; the run goes on without a record and ends as failed.
//
//   W1. Lines reach the file in the order of `watch`.
//   W2. `watch` never throws and never blocks.
//   W3. `onError` is called at most once; nothing is written after it.
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../host/clock.ts";
import type { RunEvent } from "../run-event.ts";
import { type OutputError, outputError } from "./output-error.ts";
import { formatRecordHeader, formatRecordLine } from "./record-format.ts";

/** Characters of lines kept in memory for a disk that does not keep up. */
export const recordBacklogCharactersMax: number = 64 * 1024 * 1024;

/** Where lines go; a file, or what a test puts in its place. */
export interface RecordSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export interface RecordWriterOptions {
  /** Directory of the results; it must exist. */
  readonly out: string;
  readonly clock: Clock;
  /** Called once when the record cannot be written, with what to do about it. */
  readonly onError: (message: string) => void;
  /** Opens the file; by default `fs.open(path, "w")`. */
  readonly openSink?: (path: string) => Promise<RecordSink>;
}

export interface RecordWriter {
  /** Takes one event; a `RunWatcher`. */
  watch(event: RunEvent): void;
  /** Writes what is left and closes the file. @returns the first error of the record, if any. */
  close(): Promise<OutputError | null>;
}

/**
 * Opens `record.ndjson` in `out`. An error of opening comes through `onError` like any other.
 *
 * @example
 * const record = createRecordWriter({ out, clock: systemClock, onError: warn });
 * record.watch(event);
 * const error = await record.close();
 */
export function createRecordWriter(options: RecordWriterOptions): RecordWriter {
  const writer = new BufferedRecord(options);
  return { watch: (event) => writer.watch(event), close: () => writer.close() };
}

class BufferedRecord {
  readonly #clock: Clock;
  readonly #onError: (message: string) => void;
  readonly #path: string;
  readonly #sink: Promise<RecordSink | null>;
  #lines: string[] = [];
  #backlogCharacters = 0;
  #hasHeader = false;
  #turnEndAsked = false;
  /** Ends when everything handed over so far is written. */
  #writing: Promise<void> = Promise.resolve();
  #isWriting = false;
  #error: OutputError | null = null;
  #isClosed = false;

  constructor(options: RecordWriterOptions) {
    this.#clock = options.clock;
    this.#onError = options.onError;
    this.#path = join(options.out, "record.ndjson");
    const openSink = options.openSink ?? openFile;
    this.#sink = openSink(this.#path).catch((error: unknown) => {
      this.#fail(error);
      return null;
    });
  }

  watch(event: RunEvent): void {
    if (this.#error !== null || this.#isClosed) return;
    // The log begins before the run says its start: those lines wait for the header, which is
    // first.
    if (!this.#hasHeader && event.type === "run-started")
      this.#putHeader(formatRecordHeader(event));
    this.#push(formatRecordLine(event));
    if (this.#backlogCharacters > recordBacklogCharactersMax) {
      this.#fail(new Error("the disk is too slow for this run; the record grew over its buffer"));
      return;
    }
    if (this.#turnEndAsked) return;
    this.#turnEndAsked = true;
    this.#clock.endOfTurn(() => {
      this.#turnEndAsked = false;
      this.#flush();
    });
  }

  async close(): Promise<OutputError | null> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      // A run that ended before it started still leaves a record that can be read.
      if (!this.#hasHeader) this.#putHeader(emptyHeader);
      this.#flush();
      // A flush may start another one for what came in meanwhile.
      while (this.#isWriting) await this.#writing;
      const sink = await this.#sink;
      await sink?.close().catch((error: unknown) => this.#fail(error));
    }
    return this.#error;
  }

  #putHeader(line: string): void {
    this.#hasHeader = true;
    this.#lines.unshift(line);
    this.#backlogCharacters += line.length;
  }

  #push(line: string): void {
    this.#lines.push(line);
    this.#backlogCharacters += line.length;
  }

  #flush(): void {
    if (this.#isWriting || !this.#hasHeader || this.#error !== null) return;
    if (this.#lines.length === 0) return;
    this.#isWriting = true;
    this.#writing = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    const sink = await this.#sink;
    while (sink !== null && this.#lines.length > 0 && this.#error === null) {
      const text = this.#lines.join("");
      this.#lines = [];
      try {
        await sink.write(Buffer.from(text));
        this.#backlogCharacters -= text.length;
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#isWriting = false;
  }

  #fail(error: unknown): void {
    if (this.#error !== null) return;
    this.#error = outputError(this.#path, error);
    this.#lines = [];
    this.#onError(`${this.#error.message}; its record ends here, and the run will fail`);
  }
}

const emptyHeader = formatRecordHeader({
  type: "run-started",
  runId: "",
  experiment: "",
  file: "",
  seed: 0,
  startedWallMs: 0,
  zeroMonotonicUs: 0,
  out: "",
  syncServer: null,
  backend: { nodes: "process", links: "none" },
  nodes: [],
  programs: [],
  eventsPlanned: 0,
  lost: [],
});

async function openFile(path: string): Promise<RecordSink> {
  // Appending: whoever cuts the file short must not make holes of the lines that follow.
  const file = await open(path, "ax");
  let bytesWritten = 0;
  return {
    async write(bytes) {
      // `appendFile` of a handle repeats short writes until everything is written.
      await file.appendFile(bytes);
      bytesWritten += bytes.length;
    },
    async close() {
      const { size } = await file.stat();
      await file.close();
      if (size === bytesWritten) return;
      throw new Error("somebody else changed it during the run, so it proves nothing");
    },
  };
}
