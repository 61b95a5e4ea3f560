// SPDX-License-Identifier: MIT
// Goal: a node hears its experiment's events for all nodes and for itself, sends to its scheduler,
// and is told why where it asks for more. Method: each rule by hand.
import { describe, expect, it } from "vitest";
import { checkNodePublication, narrowSubscription } from "../../../src/events/node-view.ts";
import { numbered } from "../../../src/testing/suites/bus-suite.ts";

const view = { experiment: "p/e", addresses: ["192.0.2.7", "192.0.2.17"] };
const everyHost = "*,192.0.2.7,192.0.2.17";

describe("narrowSubscription", () => {
  it("sets what was left open to what comes to the node", () => {
    const all = { scheduler: 0, expt: "p/e", host: everyHost };
    expect(narrowSubscription(view, undefined)).toEqual(all);
    expect(narrowSubscription(view, { objname: "a,b", scheduler: 0 })).toEqual({
      ...all,
      objname: "a,b",
    });
  });

  it("keeps what is within it", () => {
    const asked = { expt: "p/e", host: "192.0.2.17 *", scheduler: 0 } as const;
    expect(narrowSubscription(view, asked)).toEqual(asked);
  });

  it.each([
    [{ scheduler: 1 }, "at the event server"],
    [{ expt: "p/other", scheduler: 0 }, "this node is in p/e; what is for p/other"],
    [{ expt: "p/e,p/other", scheduler: 0 }, "p/other"],
    [{ host: "192.0.2.8", scheduler: 0 }, "this node is 192.0.2.7,192.0.2.17"],
    [{ host: "*,192.0.2.8", scheduler: 0 }, "192.0.2.8"],
  ] as const)("refuses %j with a reason", (asked, reason) => {
    expect(() => narrowSubscription(view, asked)).toThrow(reason);
  });
});

describe("checkNodePublication", () => {
  it("lets through what is for the experiment's scheduler", () => {
    checkNodePublication(view, numbered(1, { expt: "p/e", scheduler: 1 }));
  });

  it.each([
    [{ expt: "p/e", scheduler: 0 }, "set SCHEDULER to 1"],
    [{ expt: "p/other", scheduler: 1 }, "set EXPT to p/e"],
    [{ scheduler: 1 }, "not in *"],
  ] as const)("refuses %j with a reason", (address, reason) => {
    expect(() => checkNodePublication(view, numbered(1, address))).toThrow(reason);
  });
});
