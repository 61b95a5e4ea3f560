// SPDX-License-Identifier: MIT
// Goal: an edge adds to a digest what it is, whatever it was when it was last asked for. Method:
// one field after the other is changed, and the digest compared with that of a table which never
// saw the edge before. Catches: a field that the comparison leaves out.
import { describe, expect, it } from "vitest";
import { EdgeDigests } from "../../../src/core/edge-digests.ts";
import { type EdgeState, EdgeTable, endedEdge } from "../../../src/core/edge-table.ts";

const changes: Readonly<Record<string, (edge: EdgeState) => void>> = {
  incarnation: (edge) => {
    edge.incarnation += 1;
  },
  lastBatch: (edge) => {
    edge.lastBatch += 1;
  },
  takenCommands: (edge) => {
    edge.takenCommands += 1;
  },
  attached: (edge) => {
    edge.attached = !edge.attached;
  },
  leaseUs: (edge) => {
    edge.leaseUs += 1;
  },
  role: (edge) => {
    edge.role = "server";
  },
  server: (edge) => {
    edge.server = "server/a";
  },
  heardUs: (edge) => {
    edge.heardUs += 1;
  },
  offers: (edge) => {
    edge.offers += 1;
  },
  "an incarnation that ended": (edge) => void edge.ended.push(7),
  "one that ended when there are as many as are remembered": (edge) => {
    edge.ended.shift();
    edge.ended.push(8);
  },
  "a quorum that it drives": (edge) => void edge.creators.set(1, { scope: "s", barrier: "b" }),
  "none again": (edge) => edge.creators.clear(),
  "a roster": (edge) => void edge.rosters.set("s b", { scope: "s", barrier: "b" }),
};

describe("EdgeDigests", () => {
  const digests = new EdgeDigests();
  const edge = { ...endedEdge("e"), role: "local" as EdgeState["role"] };
  let before = digests.of(edge).toString();

  it.each(Object.entries(changes))("has %s", (_, change) => {
    change(edge);
    const now = digests.of(edge).toString();
    expect(now).not.toBe(before);
    expect(now).toBe(new EdgeDigests().of(edge).toString());
    before = now;
  });

  it("gives the same as long as nothing changes", () => {
    expect(digests.of(edge).toString()).toBe(before);
    edge.rosters.clear();
    const digest = digests.of(edge);
    expect(digests.of(edge)).toBe(digest);
  });
});

describe("EdgeTable.servers()", () => {
  it("has who lives, by name, whatever has changed since it was asked", () => {
    const table = new EdgeTable();
    const names = () => table.servers().map(({ name }) => name);
    const obtain = (name: string): EdgeState => {
      const edge = table.obtain(name, 10);
      if (edge === undefined) throw new Error("there is room");
      return edge;
    };
    const [b, a] = [obtain("b"), obtain("a")];
    expect(names()).toEqual([]);
    table.begin(b, 1);
    table.assume(b, "server");
    expect(names()).toEqual(["b"]);
    table.assume(a, "server");
    expect(names()).toEqual(["b"]);
    table.begin(a, 2);
    expect(names()).toEqual(["a", "b"]);
    table.end(b);
    expect(names()).toEqual(["a"]);
    table.assume(a, "local");
    expect(names()).toEqual([]);
    table.add({ ...endedEdge("c"), role: "server", incarnation: 1 });
    expect(names()).toEqual(["c"]);
    table.clear();
    expect(names()).toEqual([]);
  });
});
