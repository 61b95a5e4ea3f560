// SPDX-License-Identifier: MIT
// Goal: a server that needs a snapshot to go on waits for whoever keeps them, says so rarely, and
// ends for nothing that passes by itself. Method: a source that fails as it is told, under virtual
// time.
import { expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { LogError } from "../../../src/engine/log.ts";
import { EffectStore } from "../../../src/host/effect-store.ts";
import { loadPatiently } from "../../../src/host/load-patiently.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const second = 1_000_000;
const silence = new LogError("the store says nothing", { definite: false });
const unreached = new LogError("NATS cannot be reached", { definite: true, isAway: true });
const newer = new LogError("was made by a newer Muster", { definite: true });

function begin(fails: (tries: number) => LogError | undefined) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  const state = { tries: 0, isOver: false };
  const ended = loadPatiently({
    ...{ clock, isOver: () => state.isOver },
    into: { core: new Service(resolveLimits()), store: new EffectStore() },
    logger: { log: (level, line) => void lines.push(`${level}: ${line}`) },
    snapshots: {
      load: async () => {
        state.tries += 1;
        const error = fails(state.tries);
        if (error !== undefined) throw error;
      },
    },
  });
  let end: string | undefined;
  ended.then(
    () => {
      end = "loaded";
    },
    (error: Error) => {
      end = error.message;
    },
  );
  return { clock, lines, state, end: () => end };
}

it("is tried each second, and said once and then ever more rarely, until it answers", async () => {
  const { clock, lines, state, end } = begin((tries) => {
    if (tries > 200) return undefined;
    return tries % 2 === 0 ? silence : unreached;
  });
  await clock.pass(199.5 * second);
  expect([state.tries, end()]).toEqual([200, undefined]);
  expect(lines).toEqual([
    "warn: snapshots cannot be read, trying again: NATS cannot be reached",
    "warn: snapshots cannot be read, trying again: the store says nothing",
    expect.stringContaining("(for 1 min now)"),
    expect.stringContaining("(for 3 min now)"),
  ]);
  await clock.pass(second);
  expect([state.tries, end()]).toEqual([201, "loaded"]);
});

it("is not tried again for what does not pass", async () => {
  const { clock, state, end } = begin((tries) => (tries === 1 ? silence : newer));
  await clock.pass(10 * second);
  expect([state.tries, end()]).toEqual([2, newer.message]);
});

it("is given up with the server", async () => {
  const { clock, state, end } = begin(() => silence);
  await clock.pass(2.5 * second);
  state.isOver = true;
  await clock.pass(10 * second);
  expect([state.tries, end()]).toEqual([3, "loaded"]);
});
