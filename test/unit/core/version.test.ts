// SPDX-License-Identifier: MIT
// D12: the log is of the newest version that all living servers offer, by an entry; a build that
// cannot follow stops at it. Method: entries of servers with chosen offers, applied one by one.
import { describe, expect, it } from "vitest";
import type { Batch, Command } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { CannotFollow, coreVersionMax } from "../../../src/core/version.ts";

const limits = resolveLimits();
const newer = coreVersionMax + 1;

class Log {
  readonly core: Service = new Service(limits);
  readonly #numbers = new Map<string, number>();
  #sequence = 0;
  #stampUs = 0;

  /** An entry of a server with its own commands. */
  append(name: string, ...commands: readonly Command[]): void {
    const edge = `server/${name}`;
    const number = (this.#numbers.get(edge) ?? 0) + 1;
    this.#numbers.set(edge, number);
    const batch: Batch = { edge, incarnation: 1, number, commands };
    this.#apply({ edge, incarnation: 1 }, [batch]);
  }

  /** Time passes, and this server says that it lives. */
  pass(us: number, name: string): void {
    for (let passed = 0; passed < us; passed += 1_000_000) {
      this.#stampUs += 1_000_000;
      this.#apply({ edge: `server/${name}`, incarnation: 1 }, []);
    }
  }

  #apply(
    server: { readonly edge: string; readonly incarnation: number },
    batches: readonly Batch[],
  ) {
    this.#sequence += 1;
    const { core } = this;
    core.apply({
      ...{ sequence: this.#sequence, stampUs: this.#stampUs },
      entry: { format: 1, server, batches },
    });
  }
}

const join = (offers?: number): Command => ({
  ...{ kind: "attach", as: "server", leaseUs: 10_000_000 },
  ...(offers === undefined ? {} : { offers }),
});
const raise = (version: number): Command => ({ kind: "version", version });

describe("the version of a log", () => {
  it("begins with 1, and is raised when all servers that live offer the next", () => {
    const log = new Log();
    expect(log.core.version).toBe(1);
    log.append("a", join(2), raise(2));
    expect(log.core.version).toBe(2);
  });

  it("stays while a server lives that does not know it, one that says nothing of versions too", () => {
    for (const offers of [1, undefined]) {
      const log = new Log();
      log.append("a", join(offers));
      log.append("b", join(2), raise(2));
      expect([log.core.version, log.core.offeredVersion]).toEqual([1, 1]);
      // Its lease ends; what was said before does not count any more, what is said now does.
      log.pass(11_000_000, "b");
      expect([log.core.version, log.core.offeredVersion]).toEqual([1, 2]);
      log.append("b", raise(2));
      expect(log.core.version).toBe(2);
    }
  });

  it("is never lowered", () => {
    const log = new Log();
    log.append("a", join(2), raise(2));
    log.append("b", join(1));
    log.append("b", raise(1));
    expect(log.core.version).toBe(2);
  });

  it("stops a build that does not know it, and no other build", () => {
    const log = new Log();
    log.append("a", join(newer), raise(newer - 1));
    expect(() => log.append("a", raise(newer))).toThrow(CannotFollow);
    const other = new Log();
    other.append("a", join(newer));
    other.append("b", join(coreVersionMax));
    other.append("a", raise(newer));
    expect(other.core.version).toBe(1);
    expect(other.core.offeredVersion).toBe(coreVersionMax);
  });

  it("is in the digest and in the snapshot, of which a newer one is not taken", () => {
    const [log, twin] = [new Log(), new Log()];
    log.append("a", join(2), raise(2));
    twin.append("a", join(2), raise(1));
    expect(log.core.digest()).not.toBe(twin.core.digest());
    const snapshot = JSON.parse(JSON.stringify(log.core.snapshot()));
    const copy = Service.restore(limits, snapshot);
    expect([copy.version, copy.offeredVersion, copy.digest()]).toEqual([2, 2, log.core.digest()]);
    expect(() => Service.restore(limits, { ...snapshot, version: newer })).toThrow(CannotFollow);
  });
});
