// SPDX-License-Identifier: MIT
// Experiments in TypeScript: the file is a program that makes an experiment. It is run in a process
// of its own, which may compute as it likes, but neither hang nor end Muster; what comes back is
// the experiment as YAML text, the same for every command and for the daemon.
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { decode } from "../boss/read-beside.ts";
import { fileBytesMax } from "../experiment/index.ts";
import { systemClock } from "../host/clock.ts";
import { exitCodes } from "./exit-codes.ts";
import { LoadError } from "./load-error.ts";

/** The longest such a file may run, in milliseconds. */
export const programMsMax = 10_000;
/** The most of what it says about its fault that is shown. */
const faultCharsMax = 8_192;

const entry = import.meta.url.endsWith(".ts") ? "./typescript-main.ts" : "./typescript-main.js";

/** @returns the experiment of the file as YAML. @throws LoadError */
export async function readProgram(file: string, msMax: number = programMsMax): Promise<string> {
  const main = fileURLToPath(new URL(entry, import.meta.url));
  // What the file prints is for people; the experiment comes by a channel of its own.
  const child = spawn(process.execPath, [main, resolve(file)], {
    stdio: ["ignore", 2, "pipe", "pipe"],
  });
  let isLate = false;
  const cancel = systemClock.after(msMax, () => {
    isLate = true;
    child.kill("SIGKILL");
  });
  const [fault, result, code] = await Promise.all([
    collect(child.stderr, faultCharsMax),
    collect(child.stdio[3], fileBytesMax + 1),
    new Promise<number | null>((settle) => {
      child.once("error", () => settle(null));
      child.once("close", settle);
    }),
  ]);
  cancel();
  if (isLate) {
    const message = `${file}: it still ran after ${msMax / 1000} s; it has to end by itself`;
    throw new LoadError(message, exitCodes.refused);
  }
  if (result.length > fileBytesMax) {
    const message = `${file}: its experiment has more than the ${fileBytesMax} bytes a file may have`;
    throw new LoadError(`${message}; make it smaller`, exitCodes.refused);
  }
  if (code === 0) return decode(result);
  const why = decode(fault).trim() || `its process ended with ${code ?? "a signal"}; mend the file`;
  throw new LoadError(`${file}: ${why}`, exitCodes.refused);
}

/** Reads to the end and keeps the first `bytesMax` bytes. */
async function collect(stream: unknown, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    if (bytes >= bytesMax) continue;
    chunks.push(chunk.subarray(0, bytesMax - bytes));
    bytes += chunk.length;
  }
  return Buffer.concat(chunks);
}
