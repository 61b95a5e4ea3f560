// SPDX-License-Identifier: MIT
// Goal: who joins below with another key, or calls the controller above by a name that is not its
// own, is told what to give instead; the one above says who has come, gone and was not let in.
// Method: two hosts of this process and a stream between them.
import { once } from "node:events";
import { duplexPair } from "node:stream";
import { afterEach, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import {
  admitChild,
  sayChildren,
  TreeCarrier,
  whenStrange,
} from "../../../src/edges/tree/index.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { newIncarnation, newSecret } from "../../../src/host/ids.ts";
import { LinkListener } from "../../../src/host/link-listener.ts";
import { type Logger, silentLogger } from "../../../src/host/logger.ts";
import { connectStreamEdge } from "../../../src/host/remote-link.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const limits = resolveLimits();
const key = newSecret();
const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Heard {
  readonly above: string[];
  readonly below: string[];
}

/**
 * What `top` and `east` say when the latter joins with this key, and takes the other for `parent`.
 */
async function join(secret: string, parent: string) {
  const clock = new VirtualClock();
  const hostOf = async (): Promise<Host> => {
    const log = new MemoryLog({ nowUs: () => clock.nowUs() });
    const host = new Host({ log, clock, limits, logger: silentLogger });
    void host.start();
    await clock.pass(1_000_000);
    return host;
  };
  const heard: Heard = { above: [], below: [] };
  const into = (lines: string[]): Logger => ({ log: (_level, line) => void lines.push(line) });
  const [top, east] = [await hostOf(), await hostOf()];
  const listener = new LinkListener({
    ...{ host: top, logger: silentLogger, admitted: [], asksForProof: true, whenStrange },
    admits: admitChild("top", key),
    witness: sayChildren((line) => void heard.above.push(line), into(heard.above)),
  });
  let cut = (): Promise<unknown> => Promise.resolve();
  const open = () => {
    const [ours, theirs] = duplexPair();
    cut = () => once(theirs.destroy(), "close");
    listener.accept(theirs);
    return ours;
  };
  const carrier = new TreeCarrier({
    ...{ scopes: ["s"], name: "east", parent, limits, clock, logger: into(heard.below) },
    newLife: newIncarnation,
    onJoined: () => void heard.below.push("joined"),
    connectOwn: east.connectEdge,
    connectParent: connectStreamEdge({ ...{ secret, proves: true, clock, limits, open } }),
  });
  closers.push(() => listener.close());
  closers.push(() => carrier.letGo());
  for (let turn = 0; turn < 50; turn += 1) await clock.pass(10_000);
  return { heard, cut: () => cut() };
}

it("says who has come from below, and who has gone", async () => {
  const { heard, cut } = await join(key, "top");
  expect(heard).toEqual({ above: ["controller east has called from below"], below: ["joined"] });
  await cut();
  expect(heard.above[1]).toBe("controller east, from below, has hung up");
});

it("tells who has another key what to give, and not who is there", async () => {
  const { heard } = await join(newSecret(), "top");
  expect(heard.above[0]).toBe(
    "controller east was not let in from below: its key is another one, or its version",
  );
  expect(heard.below[0]).toBe(
    "controller top cannot be joined: its key is another one " +
      "(give a copy of its controllers.key with --parent-key), or its version; trying again",
  );
});

it("tells who calls it by another name what it is called", async () => {
  const { heard } = await join(key, "tpo");
  expect(heard.below[0]).toBe(
    "controller tpo cannot be joined: this controller is top, not tpo; say --parent top@...; trying again",
  );
  expect(heard.below).not.toContain("joined");
});
