// SPDX-License-Identifier: MIT
// A thread that feeds one decoder: its found cases first, then random texts. It says what it is
// about to try, so that whoever watches knows what a thread died or hangs of.
import { parentPort, workerData } from "node:worker_threads";
import fc from "fast-check";
import { decoders, foundCases } from "./decoders.ts";

export interface FuzzOrder {
  readonly name: string;
  readonly seed: number;
  readonly numRuns: number;
}

export type FuzzNews =
  | { readonly kind: "trying"; readonly text: string }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly message: string };

function tell(news: FuzzNews): void {
  parentPort?.postMessage(news);
}

async function work({ name, seed, numRuns }: FuzzOrder): Promise<void> {
  const decoder = decoders.find((one) => one.name === name);
  if (decoder === undefined) throw new Error(`no decoder ${name}`);
  for (const [file, text] of foundCases(decoder.name)) {
    tell({ kind: "trying", text: file });
    await decoder.check(text);
  }
  const property = fc.asyncProperty(decoder.texts, async (text) => {
    tell({ kind: "trying", text });
    await decoder.check(text);
  });
  await fc.assert(property, { seed, numRuns });
}

try {
  await work(workerData as FuzzOrder);
  tell({ kind: "done" });
} catch (error) {
  tell({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}
