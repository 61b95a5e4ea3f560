// SPDX-License-Identifier: MIT
// Goal: what is remembered of clients is bounded by those that have something here, however many
// addresses have called; and nobody gets anew what he has (N2). Method: the table alone, on a core
// that is told what it has.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import type { Caller } from "../../../src/edges/http/access.ts";
import { resolveHttpBounds } from "../../../src/edges/http/bounds.ts";
import { TokenQuota } from "../../../src/edges/http/token-quota.ts";

const callerAt = (address: string): Caller => ({
  ...{ role: "driver", token: "open", address, account: `open ${address}` },
});
const init = (barrier: string): Command => ({
  ...{ kind: "count-init", scope: "s", barrier, connection: 1, who: { address: "" } },
  ...{ error: 0, count: 1, waits: false },
});
const message: Command = {
  ...{ kind: "publish", scope: "s", topic: "t", connection: 1 },
  payload: { id: 1, bytes: 1, hash: 0 },
};

function setUp() {
  /** Barriers that are open, and sessions that live. */
  const there = new Set<string>();
  const quota = new TokenQuota({
    bounds: resolveHttpBounds({ tokenBarriersMax: 1, sessionsPerTokenMax: 1, tokenMessagesMax: 1 }),
    metrics: { refused: () => undefined },
    hasBarrier: (_scope, _kind, barrier) => there.has(barrier),
    isAlive: (edge) => there.has(edge),
    ...{ waitersOf: () => 0, waitsOf: () => 0 },
  });
  return { there, quota };
}

describe("TokenQuota", () => {
  it("N2 forgets clients whose barriers have ended, however many come", () => {
    const { quota } = setUp();
    for (let at = 0; at < 20_000; at += 1) {
      expect(quota.objection(callerAt(`a${at}`), init(`b${at}`))).toBeUndefined();
    }
    expect(quota.accountCount).toBeLessThanOrEqual(1_024);
  });

  it("N2 keeps those that have a barrier, a session or a message, and their bounds", () => {
    const { there, quota } = setUp();
    there.add("mine").add("session");
    const [barrier, session, sender] = [callerAt("b"), callerAt("s"), callerAt("m")];
    quota.objection(barrier, init("mine"));
    quota.addSession(session, "session");
    quota.objection(sender, message);
    for (let at = 0; at < 5_000; at += 1) quota.objection(callerAt(`a${at}`), init(`b${at}`));
    expect(quota.objection(barrier, init("other"))).toContain("tokenBarriersMax");
    expect(quota.addSession(session, "another")).toContain("sessionsPerTokenMax");
    expect(quota.objection(sender, message)).toContain("tokenMessagesMax");
    quota.scopeEnded("s");
    expect(quota.objection(sender, message)).toBeUndefined();
  });
});
