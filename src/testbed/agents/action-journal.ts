// SPDX-License-Identifier: MIT
// What a performer of side effects remembers of its own, so that nothing is done twice (D7). An
// action has a file, made before it is begun; its result is a line of that file.
//
//   J1. `begin` says `first` once for an id, whoever asks and however often anybody was killed: the
//       file is made with O_EXCL, and is on the disk before the answer.
//   J2. A begun action without a result is `unknown`: it was perhaps done. It is never done again.
import { constants } from "node:fs";
import { mkdir, open, readFile, unlink } from "node:fs/promises";
import { join } from "node:path";

export type Begun<Result> =
  /** Nobody has begun it: do it. */
  | { readonly kind: "first" }
  /** It was done; this came of it. */
  | { readonly kind: "done"; readonly result: Result }
  /** It was begun and may have been done: report that, and do not do it. */
  | { readonly kind: "unknown" };

/** @typeParam Result must survive JSON. */
export class ActionJournal<Result> {
  readonly #directory: string;
  /** A write of the directory that has not begun: it is for everybody who comes until then. */
  #nextSync: Promise<void> | undefined;
  #lastSync: Promise<void> = Promise.resolve();
  #made: Promise<unknown> | undefined;

  /** The directory belongs to this performer; it is made when it is not there. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws Error when the journal cannot be written: then nothing may be done. */
  async begin(id: string): Promise<Begun<Result>> {
    await this.#makeDirectory();
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    try {
      // Nothing is in it yet: what must be on the disk is its name.
      const file = await open(this.#path(id), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      await file.close();
      await this.#syncDirectory();
      return { kind: "first" };
    } catch (error) {
      if (!(error instanceof Error) || !("code" in error) || error.code !== "EEXIST") throw error;
    }
    return this.#read(id);
  }

  /** Once, so that actions of one instant do not wait for it one after the other. */
  #makeDirectory(): Promise<unknown> {
    this.#made ??= mkdir(this.#directory, { recursive: true, mode: 0o700 }).catch((error) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  /** The result of what was begun. On the disk when this resolves. */
  async finish(id: string, result: Result): Promise<void> {
    const file = await open(this.#path(id), constants.O_WRONLY | constants.O_APPEND);
    try {
      await file.write(`${JSON.stringify(result)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** What was begun was not done after all: it may be begun again. */
  async forget(id: string): Promise<void> {
    await unlink(this.#path(id));
  }

  async #read(id: string): Promise<Begun<Result>> {
    const text = await readFile(this.#path(id), "utf8");
    const end = text.indexOf("\n");
    // Half a line is of a performer that was killed while it wrote.
    if (end < 0) return { kind: "unknown" };
    return { kind: "done", result: JSON.parse(text.slice(0, end)) as Result };
  }

  /**
   * Otherwise a power loss could take the name of a file that was written. One write for all whose
   * names are there when it begins: many actions may be begun for one instant.
   */
  #syncDirectory(): Promise<void> {
    if (this.#nextSync !== undefined) return this.#nextSync;
    const next = this.#lastSync
      .catch(() => undefined)
      .then(() => {
        this.#nextSync = undefined;
        return this.#writeDirectory();
      });
    this.#nextSync = next;
    this.#lastSync = next;
    return next;
  }

  async #writeDirectory(): Promise<void> {
    const directory = await open(this.#directory, "r");
    await directory.sync();
    await directory.close();
  }

  /** Ids come from elsewhere: none may lead out of the directory. */
  #path(id: string): string {
    return join(this.#directory, encodeURIComponent(id).replaceAll(".", "%2E"));
  }
}
