// SPDX-License-Identifier: MIT
// The file of a capture that comes through here: of whole packets, whatever the disk does.
//
//   F1. What was there before is written over, and is not ours to remove.
//   F2. Where the disk does not take a packet, the file ends with the one before it.
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from "node:fs";
import { errorText } from "../../core/text.ts";
import { networkLimits } from "../../network/network-limits.ts";
import { PcapRecords } from "../../network/pcap-records.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface CaptureKept {
  readonly packets: number;
  readonly bytes: number;
  /** Why there is no more. */
  readonly problem?: string;
}

export class CaptureFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #isNew: boolean;
  readonly #records = new PcapRecords(networkLimits.captureBytesMax);
  #kept: CaptureKept = { packets: 0, bytes: 0 };

  /** @throws CommandError */
  constructor(path: string) {
    this.#path = path;
    const made = openAt(path, "wx");
    this.#isNew = made !== undefined;
    this.#descriptor = made ?? openAt(path, "w") ?? cannotWrite(path, "somebody has made it");
  }

  /** F2. @returns whether there may be more */
  take(chunk: Uint8Array): boolean {
    if (this.#kept.problem !== undefined) return false;
    const whole = this.#records.take(chunk);
    const { packets, bytes, isFull } = this.#records;
    try {
      for (let at = 0; at < whole.length; ) at += writeSync(this.#descriptor, whole, at);
      this.#kept = { packets, bytes };
      return !isFull;
    } catch (error) {
      this.#kept = { ...this.#kept, problem: errorText(error) };
      this.#truncate();
      return false;
    }
  }

  get kept(): CaptureKept & { readonly isFull: boolean } {
    return { ...this.#kept, isFull: this.#records.isFull };
  }

  /** F1. Nothing was captured. */
  remove(): void {
    if (this.#isNew) rmSync(this.#path, { force: true });
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #truncate(): void {
    try {
      ftruncateSync(this.#descriptor, this.#kept.bytes);
    } catch {
      // It is no file that has a length.
    }
  }
}

/** @returns undefined when it is there and was to be new. @throws CommandError */
function openAt(path: string, how: "w" | "wx"): number | undefined {
  try {
    return openSync(path, how, 0o600);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    return isThere ? undefined : cannotWrite(path, errorText(error));
  }
}

function cannotWrite(path: string, why: string): never {
  throw new CommandError(exitCodes.cannotCreate, `cannot write ${path}: ${why}`);
}
