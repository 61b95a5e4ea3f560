// SPDX-License-Identifier: MIT
// Goal: who may call what, and what methods make of their arguments and of failures. Method: the
// service on a real database, with a control that only notes what it was asked for.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import { resolveBossLimits } from "../../../src/boss/limits.ts";
import type { Trust } from "../../../src/boss/rights.ts";
import type { EventSystem } from "../../../src/boss/rpc/control.ts";
import { BossRpc } from "../../../src/boss/rpc/service.ts";
import type { WaitOptions } from "../../../src/boss/state-waits.ts";
import type { Transition } from "../../../src/boss/states.ts";
import {
  array,
  double,
  flag,
  memberOf,
  struct,
  text,
  whole,
  type XmlRpcValue,
} from "../../../src/wire/xmlrpc/index.ts";

let folder = "";
let database: ExperimentsDatabase;
let rpc: BossRpc;
let done: string[] = [];
let waits: WaitOptions[] = [];
let failure: Error | undefined;
let audited: string[] = [];
const deed = { user: "ann", atMs: 1, note: "" };

const events: EventSystem = {
  control: async ({ eid }, action, user) => {
    done.push(`${action} ${eid} ${user}`);
    return "it is done";
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-rpc-"));
  [done, waits, failure, audited] = [[], [], undefined, []];
  database = ExperimentsDatabase.open(join(folder, "e.db"), resolveBossLimits());
  const rows = { virt_nodes: [{ vname: "a" }], eventlist: [] };
  database.transaction(() => {
    for (const [index, name] of ["ann", "tom", "una", "eve"].entries()) {
      database.putUser(name, 1000 + index);
    }
    database.putProject("pp", deed);
    for (const [name, trust] of [
      ["tom", "trusted"],
      ["una", "user"],
    ] as const satisfies readonly (readonly [string, Trust])[]) {
      database.setTrust("pp", name, trust);
    }
    database.define("pp", "ee", { file: "/a.ns", source: "", presets: [], rows }, deed);
  });
  const { exptidx } = database.experiment("pp", "ee") ?? { exptidx: 0 };
  database.nodes.put({
    ...{ nodeId: "a.ee.pp", exptidx, vname: "a", address: "127.0.0.9", state: "ISUP" },
    ...{ sinceMs: 1, opMode: "NORMAL" },
  });
  const note = async (options: WaitOptions) => {
    waits.push(options);
    return { kind: "reached", states: new Map([["x", "ISUP"]]) } as const;
  };
  rpc = new BossRpc({
    database,
    control: {
      async swapIn({ eid }, user) {
        if (failure !== undefined) throw failure;
        done.push(`in ${eid} ${user}`);
        return { active: Promise.resolve(false) };
      },
      async swapOut({ eid }, user) {
        done.push(`out ${eid} ${user}`);
      },
      async modify({ eid }, source, user) {
        done.push(`modify ${eid} ${source} ${user}`);
        return "changed";
      },
      nodes: {
        async restart({ eid }, node, { event, waits: isWaiting }) {
          if (failure !== undefined) throw failure;
          done.push(`${event} ${node} ${eid} ${isWaiting}`);
        },
      },
      events,
    },
    waits: { nodes: note, experiments: note },
    audit: (line) => void audited.push(line),
    pathOf: (pid, eid) => `/${pid}/${eid}`,
    opsAddress: "127.0.0.1",
  });
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function move(...transitions: readonly Transition[]): void {
  for (const one of transitions) database.transaction(() => database.move("pp", "ee", one, deed));
}

const ee = [
  ["proj", text("pp")],
  ["exp", text("ee")],
] as const;
type Members = readonly (readonly [string, XmlRpcValue])[];

async function call(method: string, user: string, more: Members = [], base: Members = ee) {
  const params = [double(0.1), struct([...base, ...more])];
  const { signal } = new AbortController();
  const reply = await rpc.call({ user, method, params, signal });
  const [code, output] = [memberOf(reply, "code"), memberOf(reply, "output")];
  return [code?.kind === "int" ? code.value : -1, output?.kind === "string" ? output.value : ""];
}

const codeOf = async (...args: Parameters<typeof call>) => (await call(...args))[0];

describe("rights", () => {
  it.each([
    ["experiment.state", [], [0, 0, 0, 2, 2]],
    ["experiment.event_time_start", [["time", double(5)]], [0, 3, 3, 2, 2]],
    ["experiment.swapexp", [["direction", text("in")]], [0, 0, 3, 2, 2]],
    ["experiment.swapexp", [["direction", text("out")]], [0, 3, 3, 2, 2]],
    ["experiment.modify", [], [2, 3, 3, 2, 2]],
    ["node.reboot", [["nodes", text("a")]], [2, 3, 3, 2, 2]],
    [
      "node.statewait",
      [
        ["node", text("a")],
        ["state", text("ISUP")],
      ],
      [0, 0, 0, 2, 2],
    ],
  ] as const)("to %s %j: leader, trusted, user, member of nothing, nobody", async (...row) => {
    const [method, more, codes] = row;
    const got = [];
    for (const user of ["ann", "tom", "una", "eve", "mallory"]) {
      got.push(await codeOf(method, user, more));
    }
    expect(got).toEqual(codes);
  });

  it("what changes something is a line of the audit, also when it was refused; looks are not", async () => {
    const out = [["direction", text("out")]] as const;
    for (const user of ["ann", "una"]) await call("experiment.swapexp", user, out);
    await call("experiment.state", "ann", []);
    const what = 'experiment.swapexp proj "pp" exp "ee" direction "out" by XML-RPC';
    expect(audited).toEqual([
      `audit: ${what}: done, by user ann`,
      `audit: ${what}: refused (3), by user una`,
    ]);
  });

  it("to see are asked first: strangers hear the same of what is and what is not", async () => {
    const [, there] = await call("experiment.swapexp", "eve", [["direction", text("out")]]);
    expect(there).toBe("there is no experiment pp/ee");
    const named = [
      ["node", text("a.ee.pp")],
      ["state", text("ISUP")],
    ] as const;
    const [, node] = await call("node.statewait", "eve", named, []);
    const [, none] = await call(
      "node.statewait",
      "ann",
      [
        ["node", text("x")],
        ["state", text("ISUP")],
      ],
      [],
    );
    expect(String(node).replace("a.ee.pp", "x")).toBe(none);
    expect(done).toEqual([]);
  });
});

describe("nodes", () => {
  it("are named by id, or by name with their experiment, and not across experiments", async () => {
    const wanted = [["state", array([text("ISUP")])]] as const;
    expect(await codeOf("node.statewait", "ann", [["node", text("a")], ...wanted])).toBe(0);
    expect(await codeOf("node.statewait", "ann", [["node", text("a.ee.pp")], ...wanted], [])).toBe(
      0,
    );
    const [code, output] = await call(
      "node.statewait",
      "ann",
      [["node", text("a")], ...wanted],
      [],
    );
    expect([code, output]).toEqual([2, expect.stringContaining("NODE.EXPERIMENT.PROJECT")]);
    expect(waits).toHaveLength(2);
    expect(waits[0]).toMatchObject({ names: ["a.ee.pp"], states: ["ISUP"], timeoutMs: undefined });
  });

  it("are a list, or a text parted by commas and blanks", async () => {
    move("swap-in", "activated");
    for (const nodes of [text("a, a.ee.pp"), array([text("a"), text("a.ee.pp")])]) {
      done = [];
      expect(await codeOf("node.reboot", "ann", [["nodes", nodes]])).toBe(0);
      expect(done).toEqual(["REBOOT a ee false", "REBOOT a ee false"]);
    }
    expect(await codeOf("node.reboot", "ann", [["nodes", text(" ,")]])).toBe(1);
  });
});

describe("node.reboot, node.reload and experiment.modify", () => {
  const nodes = ["nodes", text("a")] as const;

  it("restart nodes of what is active, and nothing else", async () => {
    const [code, output] = await call("node.reboot", "ann", [nodes]);
    expect([code, output]).toEqual([2, expect.stringContaining("cannot be restarted while")]);
    move("swap-in", "activated");
    expect(await codeOf("node.reboot", "ann", [nodes, ["wait", whole(1)]])).toBe(0);
    expect(await codeOf("node.reload", "ann", [nodes, ["bootwait", whole(1)]])).toBe(0);
    expect(done).toEqual(["REBOOT a ee true", "RELOAD a ee true"]);
    failure = new BossError("NOT_MODIFIED", "the sync server is on a");
    expect(await call("node.reboot", "ann", [nodes])).toEqual([2, "the sync server is on a"]);
    const [, image] = await call("node.reload", "ann", [nodes, ["imagename", text("i")]]);
    expect(image).toMatch(/^NOT_YET: .*no disks/);
  });

  it("take a text, and no path of this machine", async () => {
    const asked = [["nsfilestr", text("source")]] as const;
    expect(await call("experiment.modify", "ann", asked)).toEqual([0, "changed"]);
    expect(done).toEqual(["modify ee source ann"]);
    const [code, output] = await call("experiment.modify", "ann", [["nsfilepath", text("/a")]]);
    expect([code, output]).toEqual([2, expect.stringMatching(/^NOT_YET: .*nsfilestr/)]);
  });
});

describe("arguments", () => {
  it.each([
    ["timeout", whole(3), 3000],
    ["timeout", double(0.5), 500],
    ["timeout", text("7"), 7000],
  ] as const)("%s of %j", async (name, value, timeoutMs) => {
    expect(await codeOf("experiment.waitforactive", "ann", [[name, value]])).toBe(0);
    expect(waits).toMatchObject([{ names: ["pp/ee"], states: ["active"], timeoutMs }]);
  });

  it.each([
    ["experiment.waitforactive", "timeout", text("soon")],
    ["experiment.waitforactive", "timeout", double(-1)],
    ["experiment.waitforactive", "timeout", double(2_000_001)],
    ["experiment.waitforactive", "exp", array([])],
    ["experiment.statewait", "state", text("upside-down")],
    ["experiment.swapexp", "direction", text("up")],
    ["experiment.event_time_start", "time", double(-5)],
    ["experiment.eventsys_control", "action", text("explode")],
  ] as const)("of %s: `%s` is not %j", async (method, name, value) => {
    expect(await codeOf(method, "ann", [[name, value]])).toBe(1);
  });

  it("of truth are booleans, numbers and the words of older clients", async () => {
    for (const [value, isWaiting] of [
      [flag(true), true],
      [whole(1), true],
      [text("yes"), true],
      [flag(false), false],
      [whole(0), false],
      [text("no"), false],
      [{ kind: "nil" } as const, false],
    ] as const) {
      // The control says that it did not become active, which only who waits hears.
      const more = [
        ["direction", text("in")],
        ["wait", value],
      ] as const;
      expect(await codeOf("experiment.swapexp", "ann", more)).toBe(isWaiting ? 2 : 0);
    }
    const wrong = [
      ["direction", text("in")],
      ["wait", text("perhaps")],
    ] as const;
    expect(await codeOf("experiment.swapexp", "ann", wrong)).toBe(1);
  });
});

describe("failures", () => {
  it.each([
    ["WRONG_STATE", 2],
    ["REFUSED_FILE", 2],
    ["LIMIT", 6],
    ["CLOSING", 7],
    ["DATABASE", 5],
    ["NOT_ALLOWED", 3],
  ] as const)("of code %s become replies", async (code, wanted) => {
    failure = new BossError(code, "because");
    const more = [["direction", text("in")]] as const;
    expect(await call("experiment.swapexp", "ann", more)).toEqual([wanted, "because"]);
  });

  it("of the program are not dressed up as replies", async () => {
    failure = new TypeError("a planted fault");
    const more = [["direction", text("in")]] as const;
    await expect(call("experiment.swapexp", "ann", more)).rejects.toThrow("a planted fault");
  });
});

describe("eventsys_control", () => {
  const control = (action: string, user = "ann") =>
    call("experiment.eventsys_control", user, [["action", text(action)]]);

  it("wants an experiment that has nodes, in the words of the old command", async () => {
    expect(await control("start")).toEqual([2, "pp/ee must be active (or swapping), not swapped!"]);
    move("swap-in");
    expect(await control("start")).toEqual([0, "it is done"]);
    move("activated", "modify", "modified", "swap-out");
    expect(await control("stop")).toEqual([0, "it is done"]);
    expect(done).toEqual(["start ee ann", "stop ee ann"]);
  });

  it("starts nothing for an experiment without nodes, unless that is insisted on", async () => {
    move("swap-in");
    const { exptidx } = database.experiment("pp", "ee") ?? { exptidx: 0 };
    for (const { nodeId } of database.nodes.ofExperiment(exptidx)) database.nodes.remove(nodeId);
    expect(await control("start")).toEqual([0, "pp/ee has no nodes: no event system is started"]);
    expect(done).toEqual([]);
    const forced = [
      ["action", text("start")],
      ["force", text("1")],
    ] as const;
    expect(await call("experiment.eventsys_control", "ann", forced)).toEqual([0, "it is done"]);
    expect(await control("stop")).toEqual([0, "it is done"]);
  });

  it("is for who may end the experiment", async () => {
    move("swap-in");
    expect((await control("stop", "una"))[0]).toBe(3);
    expect(done).toEqual([]);
  });

  it("forgets when time began before it stops or begins anew, and not before it starts", async () => {
    move("swap-in");
    const { exptidx } = database.experiment("pp", "ee") ?? { exptidx: 0 };
    for (const [action, left] of [
      ["start", 1],
      ["stop", 0],
      ["replay", 0],
    ] as const) {
      database.nodes.setStart(exptidx, "", 5);
      await control(action);
      expect(database.nodes.starts(exptidx)).toHaveLength(left);
    }
  });
});
