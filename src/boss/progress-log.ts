// SPDX-License-Identifier: MIT
// progress.log: what `muster run` prints where there is no terminal, kept in the directory of the
// run, so that `muster logs` shows it at any time. Text as it comes; whoever prints it makes it
// harmless. Never blocks and never fails a run: the record is what counts.
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../core/text.ts";
import type { Clock } from "../host/clock.ts";
import { createEventLines } from "../testbed/record/event-text.ts";
import type { Line } from "../testbed/record/words.ts";
import type { RunEvent } from "../testbed/run-event.ts";

export const progressFile = "progress.log";

export interface ProgressLogOptions {
  /** Directory of the run; exists. */
  readonly directory: string;
  readonly clock: Clock;
  readonly bytesMax: number;
  /** Called once when the file cannot be written. */
  readonly onError: (message: string) => void;
}

export class ProgressLog {
  readonly #options: ProgressLogOptions;
  readonly #path: string;
  readonly #lines = createEventLines();
  #text = "";
  #bytes = 0;
  #dropped = 0;
  #turnEndAsked = false;
  #failed = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ProgressLogOptions) {
    this.#options = options;
    this.#path = join(options.directory, progressFile);
  }

  /** Whoever follows sees that it is the right run: nothing else is said before time 0. */
  begin(experiment: string): void {
    this.#add([[`${experiment} comes up; what happens until time 0 is told then`]]);
  }

  watch(event: RunEvent): void {
    this.#add(this.#lines.next(event));
  }

  /** Writes what is left, and `summary` after it. */
  async close(summary: readonly Line[]): Promise<void> {
    if (this.#dropped > 0) {
      const limit = `limit progressBytesMax, ${this.#options.bytesMax}`;
      this.#text += `${this.#dropped} more lines are not kept (${limit}); see record.ndjson\n`;
    }
    for (const line of summary) this.#text += `${plainText(line)}\n`;
    this.#flush();
    await this.#writing;
  }

  #add(lines: readonly Line[]): void {
    for (const line of lines) {
      const text = `${plainText(line)}\n`;
      const bytes = Buffer.byteLength(text);
      if (this.#bytes + bytes > this.#options.bytesMax) {
        this.#dropped += 1;
        continue;
      }
      this.#bytes += bytes;
      this.#text += text;
    }
    if (this.#text === "" || this.#turnEndAsked) return;
    this.#turnEndAsked = true;
    this.#options.clock.endOfTurn(() => {
      this.#turnEndAsked = false;
      this.#flush();
    });
  }

  #flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text === "" || this.#failed) return;
    this.#writing = this.#writing
      .then(() => appendFile(this.#path, text))
      .catch((error: unknown) => {
        if (this.#failed) return;
        this.#failed = true;
        this.#options.onError(`cannot write ${this.#path}: ${errorText(error)}`);
      });
  }
}

function plainText(line: Line): string {
  const text = line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join("");
  return text.replace(/[\r\n]+/g, " ");
}
