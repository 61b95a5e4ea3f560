// SPDX-License-Identifier: MIT
// Goal: whoever begins at a snapshot is where they are who have read the whole log (D11). Method:
// random histories of all kinds; at every cut the state goes through the texts of a snapshot and
// back, and takes the rest of the log beside one that never stopped: the same effects, the same
// digest, of all and of each scope. The rest of the log is short at most cuts, because what differs
// shows in the digest at once, or in what follows soon.
import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../src/core/command.ts";
import { Service } from "../../src/core/service.ts";
import { EffectStore } from "../../src/host/effect-store.ts";
import { loadNewest, takeSnapshot } from "../../src/host/snapshot-text.ts";
import { MemorySnapshots } from "../../src/testing/memory-snapshots.ts";
import { historyLimits, keyedHistory, randomHistory } from "../../src/testing/random-history.ts";

const isSlow = process.env["MUSTER_SLOW"] !== undefined;
const [seeds, entries, tail] = isSlow ? [50, 1_000, 60] : [4, 400, 40];

/** Through texts, as a process that starts would have it. */
async function copyOf(core: Service): Promise<Service> {
  const { manifest, texts } = takeSnapshot(core, new EffectStore());
  const snapshots = new MemorySnapshots();
  await snapshots.write(manifest, texts);
  const copy = new Service(historyLimits);
  // What it was before is gone.
  copy.apply({ sequence: 1, stampUs: 5, entry: { format: 1, batches: [] } });
  const refused: string[] = [];
  const into = { core: copy, store: new EffectStore() };
  expect(await loadNewest(snapshots, into, (message) => refused.push(message))).toBe(true);
  expect(refused).toEqual([]);
  return copy;
}

const histories = Array.from({ length: seeds }, (_, seed) => seed + 1).flatMap((seed) => [
  ...[{ seed, of: "any arrivals", draw: randomHistory }],
  // What keys are is the same in each of them.
  ...(seed % 4 === 0 ? [{ seed, of: "arrivals with keys", draw: keyedHistory }] : []),
]);

describe("a snapshot and the entries behind it", () => {
  it.each(histories)(
    "give the state and the effects of the whole log, at every cut of history $seed of $of",
    async ({ seed, draw }) => {
      const history: readonly LogEntry[] = [...draw(seed, entries)];
      const whole = new Service(historyLimits);
      const states = ["", ...history.map(() => "")];
      const effects = history.map((entry, index) => {
        const applied = JSON.stringify(whole.apply(entry));
        states[index + 1] = whole.digest();
        return applied;
      });
      const before = new Service(historyLimits);
      for (const [index, entry] of history.entries()) {
        before.apply(entry);
        const copy = await copyOf(before);
        expect(copy.digests()).toEqual(before.digests());
        const rest = history.slice(index + 1, index % 100 === 0 ? undefined : index + 1 + tail);
        for (const next of rest) {
          const at = next.sequence - 1;
          expect(JSON.stringify(copy.apply(next)), `cut at ${index}, entry ${at}`).toBe(
            effects[at],
          );
        }
        expect(copy.digest()).toBe(states[index + 1 + rest.length]);
      }
    },
  );

  it("write only what has changed since the one before", () => {
    const core = new Service(historyLimits);
    for (const entry of randomHistory(1, 1_000)) core.apply(entry);
    const first = takeSnapshot(core, new EffectStore());
    core.apply({
      ...{ sequence: 1_001, stampUs: 0 },
      entry: {
        format: 1,
        batches: [
          {
            ...{ edge: "new", incarnation: 1, number: 1 },
            commands: [{ kind: "attach" }, { kind: "open-scope", scope: "another", nodes: [] }],
          },
        ],
      },
    });
    const second = takeSnapshot(core, new EffectStore());
    const news = second.manifest.parts.filter((part) => !first.texts.has(part));
    expect(first.manifest.parts.length).toBeGreaterThan(3);
    // What is in no scope, and the scope that is new.
    expect(news).toHaveLength(2);
  });
});
