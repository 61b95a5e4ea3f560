// SPDX-License-Identifier: MIT
// Goal: the decoders that read what strangers write (the Tcl reader, the NS commands, YAML, tmcd
// requests, GNUnet's messages) answer every text: no crash, no hang, no memory beyond their limits,
// and what they answer makes sense (fuzz/decoders.ts). Method: a thread for each, with a bounded
// heap; first the found cases of test/property/corpus, then random texts and damaged good ones. The
// seed is new in each run and printed by a failure; MUSTER_FUZZ_SEED repeats it, MUSTER_SLOW=1
// tries far more.
//
// A text that a failure shows goes into the corpus, as a file named after what was wrong.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import { newIncarnation } from "../../src/host/ids.ts";
import type { FuzzNews, FuzzOrder } from "./fuzz/worker.ts";

const isSlow = process.env["MUSTER_SLOW"] !== undefined;
const seed = Number(process.env["MUSTER_FUZZ_SEED"] ?? newIncarnation() % 2 ** 31);

/** Runs in a quick test, and how much more there are of them when there is time. */
const runs = { tcl: 300, ns: 200, yaml: 300, tmcd: 300, gnunet: 100 } as const;
const slowFactor = 50;
/** A text that takes longer hangs: the slowest that the limits allow takes a tenth of it. */
const hangMs = 60_000;
/** What the reader of a file may use: its values are bounded to 64 MB, its objects in number. */
const heapMb = 768;

/** @returns what the thread said last, and which text it was trying then. */
function fuzz(order: FuzzOrder): Promise<{ readonly end: string; readonly text: string }> {
  const worker = new Worker(join(import.meta.dirname, "fuzz/worker.ts"), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: heapMb },
  });
  return new Promise((resolve) => {
    let text = "";
    let cancel = (): void => undefined;
    const finish = (end: string): void => {
      cancel();
      resolve({ end, text });
      void worker.terminate();
    };
    const watch = (): void => {
      cancel();
      cancel = systemClock.after(hangMs, () => finish(`hangs for ${hangMs / 1000} s`));
    };
    watch();
    worker.on("message", (news: FuzzNews) => {
      watch();
      if (news.kind === "trying") text = news.text;
      else finish(news.kind === "done" ? "done" : news.message);
    });
    worker.on("error", (error) => finish(`crashes: ${String(error)}`));
  });
}

test.each(Object.entries(runs))(
  "%s answers every text",
  async (name, quick) => {
    const numRuns = isSlow ? quick * slowFactor : quick;
    const { end, text } = await fuzz({ name, seed, numRuns });
    expect(end, `MUSTER_FUZZ_SEED=${seed}, while trying ${JSON.stringify(text)}`).toBe("done");
  },
  isSlow ? 3_600_000 : 120_000,
);

test("each decoder has found cases", () => {
  for (const name of Object.keys(runs)) {
    const files = readdirSync(join(import.meta.dirname, "corpus", name));
    expect(files.length, name).toBeGreaterThan(0);
  }
});
