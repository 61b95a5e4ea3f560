// SPDX-License-Identifier: MIT
// Plays one file from end to end with the built program, its links tested before time 0, and reads
// what it left.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const muster = join(import.meta.dirname, "../bin/muster");

/** Of result.json, what is read here (docs/reference/result.md). Bit/s, microseconds, 0 to 1. */
export interface Played {
  readonly seconds: number;
  readonly status: number;
  readonly outcome: string;
  /** Why it could not go on. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly backend: { readonly nodes: string; readonly links: string };
  readonly links: readonly PlayedLink[];
  readonly warnings: readonly string[];
}

export interface PlayedLink {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly asked: Omit<Measured, "rttUs">;
  readonly measured: Measured | null;
  readonly verdict: string;
  readonly why?: readonly string[];
}

export interface Measured {
  readonly bandwidthBps: number | null;
  readonly delayUs: number | null;
  readonly rttUs: number | null;
  readonly loss: number | null;
}

export interface PlayOptions {
  /** Level of the linktest before time 0; none when absent. */
  readonly linktest?: number;
  /** Seconds of event time at most. */
  readonly duration: number;
  /** Of everything that is drawn; the run draws one when absent. */
  readonly seed?: number;
  /** Is given the directory of results before that is removed. */
  readonly read?: (out: string) => void;
}

/** @throws Error when the program left no result */
export async function play(path: string, options: PlayOptions): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), "muster-campaign-"));
  const out = join(folder, "out");
  const level = options.linktest === undefined ? [] : ["--linktest", String(options.linktest)];
  const seed = options.seed === undefined ? [] : ["--seed", String(options.seed)];
  const duration = ["--duration", String(options.duration)];
  const argv = ["run", path, "--nodes", "netns", ...level, ...duration, ...seed, "--out", out];
  const begun = performance.now();
  try {
    const child = spawn(muster, argv, { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-4_000);
      });
    }
    const [status] = await once(child, "exit");
    const seconds = (performance.now() - begun) / 1_000;
    const result = readResult(join(out, "result.json"), said);
    options.read?.(out);
    return { ...result, seconds, status: Number(status) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readResult(file: string, said: string): Omit<Played, "seconds" | "status"> {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new Error(`the run left no result; it said:\n${said}`);
  }
}
