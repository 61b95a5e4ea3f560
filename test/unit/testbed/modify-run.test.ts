// SPDX-License-Identifier: MIT
// Goal: M1 to M3: what is done in which order, what is undone when it fails early, and what a late
// failure costs. Method: fake nodes, programs and boot that write down what is asked of them.
import { beforeEach, describe, expect, it } from "vitest";
import { type Experiment, type Link, parseNsFile } from "../../../src/experiment/index.ts";
import type { AgendaChange } from "../../../src/testbed/agenda-change.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import { noEvents } from "../../../src/testbed/modify-agenda.ts";
import { type Modification, ModifyError, RunModifier } from "../../../src/testbed/modify-run.ts";
import type { Relinking } from "../../../src/testbed/nodes/index.ts";
import type { RunEventBody, RunModified } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend } from "./fake-backend.ts";

function read(...nodes: readonly string[]): Experiment {
  const lines = nodes.map((name) => `set ${name} [$ns node]\ntb-set-node-startcmd $${name} true`);
  const text = `set ns [new Simulator]\nsource tb_compat.tcl\n${lines.join("\n")}\n$ns run\n`;
  const { experiment } = parseNsFile(text, { file: "a.ns", pid: "pp", eid: "ee" });
  if (experiment === undefined) throw new Error("the file is good");
  return experiment;
}

let done: string[] = [];
let said: RunEventBody[] = [];
let bootFails: ReadonlySet<string> = new Set();
let ending = false;
let agendaRefuses: string | undefined;
let linksRefuse: string | undefined;
let linksFail: string | undefined;
let undoFails: string | undefined;
let backend: FakeBackend;
let programs: ProgramAgent;

beforeEach(() => {
  [done, said, bootFails, ending] = [[], [], new Set(), false];
  [agendaRefuses, linksRefuse, linksFail, undoFails] = [undefined, undefined, undefined, undefined];
  const clock = new FakeClock();
  backend = new FakeBackend(clock, ["a", "b"]);
  programs = new ProgramAgent({
    ...{ backend, clock, programs: read("a", "b").programs },
    onStarted: () => undefined,
    onEnded: ({ name }) => done.push(`${name} ended`),
  });
});

function modifier(): RunModifier {
  const created: RunModifier = new RunModifier(
    {
      ...{ backend, programs },
      boot: {
        async bootMore(nodes) {
          for (const { name } of nodes) {
            if (bootFails.has(name)) throw new Error(`${name} does not boot`);
            done.push(`${name} boots`);
            created.keepsUp(name);
          }
        },
        tell: ({ experiment }) => done.push(`told ${namesOf(experiment)}`),
        nameOthers: async () => {
          done.push("others named");
          return ["a does not know"];
        },
        stop: () => undefined,
      },
      planNode: (_experiment, name) => ({ name, links: [] }),
      links: {
        planRelink() {
          if (linksRefuse !== undefined) throw new Error(linksRefuse);
          return {} as Relinking;
        },
        async relink() {
          if (linksFail !== undefined) throw new Error(linksFail);
          done.push("links made and gone");
        },
        tellOverload: () => undefined,
      },
      serveBarriers: async (clients) => {
        done.push(`barriers for ${clients.map(({ name }) => name).join()}`);
        return async () => {
          if (undoFails !== undefined) throw new Error(undoFails);
          done.push("barriers undone");
        };
      },
      adopt: (experiment, from, retired) => {
        expect(namesOf(from)).toBe("a,b");
        done.push(`adopted ${namesOf(experiment)}, retired ${[...retired].join()}`);
      },
      agenda: {
        change: async (from, to, _change, retired) => {
          expect(namesOf(from)).toBe("a,b");
          if (agendaRefuses !== undefined) return agendaRefuses;
          done.push(`agenda of ${namesOf(to)}, without ${[...retired].join()}`);
          return { experiment: to, events: noEvents };
        },
        addFromNow: async (experiment, events) => {
          done.push(`planned ${events.map(({ object }) => object).join()}`);
          return { experiment, events: noEvents };
        },
      },
      traffic: {
        end: async (names) => {
          if (names.length > 0) done.push(`traffic ${names.join()} ends`);
        },
        begin: async (flows) => flows.map(({ name }) => `${name} begins`),
      },
      isEnding: () => ending,
      say: (body) => said.push(body),
    },
    read("a", "b"),
    undefined,
  );
  return created;
}

const namesOf = ({ nodes }: Experiment): string => nodes.map(({ name }) => name).join();
const noChange: AgendaChange = {
  ...{ removed: [], changed: [], added: [], fromNow: [], defined: [], undefined: [] },
};
const none = { added: [], removed: [], restarted: [] };

function modification(part: Partial<Modification>, ...nodes: readonly string[]): Modification {
  return {
    ...{ experiment: read(...nodes), tables: undefined, nodes: none, programs: none },
    ...{ traffic: { ended: [], begun: [] }, agenda: noChange, links: [] },
    relinked: { made: [], gone: [] },
    ...part,
  };
}

describe("RunModifier", () => {
  it("brings what is new up before it stops anything, and tells of it when all is done", async () => {
    const to = read("a", "c");
    await programs.start("b_startcmd", {});
    const change = modification(
      {
        nodes: { ...none, added: ["c"], removed: ["b"] },
        programs: { ...none, added: ["c_startcmd"], removed: ["b_startcmd"] },
        traffic: { ended: ["cbr"], begun: [] },
        agenda: {
          ...noChange,
          fromNow: to.events.filter(({ object }) => object === "c_startcmd"),
        },
      },
      ...["a", "c"],
    );
    const running = modifier().modify(change);
    await Promise.resolve();
    while (backend.processes[0]?.signals.length === 0) await Promise.resolve();
    expect(done).toEqual(["barriers for c", "c boots", "agenda of a,c, without b_startcmd"]);
    expect(said).toEqual([]);
    expect(backend.nodes.has("b")).toBe(true);
    await backend.processes[0]?.end("SIGTERM");
    expect(await running).toMatchObject({ lost: [] });
    expect(done.slice(3)).toEqual([
      ...["b_startcmd ended", "traffic cbr ends", "told a,c", "others named"],
      ...["adopted a,c, retired b_startcmd", "planned c_startcmd"],
    ]);
    expect([...backend.nodes.keys()]).toEqual(["a", "c"]);
    expect(said.map(({ type }) => type)).toEqual(["message", "run-modified", "node-up"]);
    expect(said[1]).toMatchObject({
      ...{ nodesAdded: [{ name: "c" }], nodesRemoved: ["b"], nodesRestarted: [] },
      ...{ programsAdded: [{ name: "c_startcmd", node: "c" }], programsRemoved: ["b_startcmd"] },
    });
    expect(programs.knows("b_startcmd")).toBe(false);
    expect(programs.knows("c_startcmd")).toBe(true);
  });

  it("takes back what is new when it does not boot, and stops nothing", async () => {
    bootFails = new Set(["c"]);
    await programs.start("b_startcmd", {});
    const change = modification({ nodes: { ...none, added: ["c"], removed: ["b"] } }, "a", "c");
    await expect(modifier().modify(change)).rejects.toThrow(new ModifyError("c does not boot"));
    expect(done).toEqual(["barriers for c", "barriers undone", "told a,b"]);
    expect([...backend.nodes.keys()]).toEqual(["a", "b"]);
    expect(backend.processes[0]?.signals).toEqual([]);
    expect(said).toEqual([]);
  });

  it("takes back what it can, says why the rest stays, and why there was something to take back", async () => {
    [bootFails, undoFails] = [new Set(["c"]), "the log takes nothing"];
    const change = modification({ nodes: { ...none, added: ["c"] } }, "a", "b", "c");
    await expect(modifier().modify(change)).rejects.toThrow(new ModifyError("c does not boot"));
    expect(done).toEqual(["barriers for c", "told a,b"]);
    expect([...backend.nodes.keys()]).toEqual(["a", "b"]);
    const text = "what the modification had begun is not all taken back: the log takes nothing";
    expect(said).toEqual([{ type: "message", level: "warning", node: null, text }]);
  });

  it("takes back what is new when the agenda cannot be changed so, and stops nothing", async () => {
    agendaRefuses = "sequence q is running";
    await programs.start("b_startcmd", {});
    const change = modification({ nodes: { ...none, added: ["c"], removed: ["b"] } }, "a", "c");
    const error = new ModifyError("sequence q is running");
    await expect(modifier().modify(change)).rejects.toThrow(error);
    expect(done).toEqual(["barriers for c", "c boots", "barriers undone", "told a,b"]);
    expect([...backend.nodes.keys()]).toEqual(["a", "b"]);
    expect(backend.processes[0]?.signals).toEqual([]);
    expect(said).toEqual([]);
  });

  it("goes on without a node that does not come back, and without its programs", async () => {
    bootFails = new Set(["b"]);
    const to = read("a", "b");
    const change = modification(
      {
        nodes: { ...none, restarted: ["b"] },
        programs: { ...none, restarted: ["b_startcmd"] },
        agenda: {
          ...noChange,
          fromNow: to.events.filter(({ object }) => object === "b_startcmd"),
        },
      },
      ...["a", "b"],
    );
    const { experiment, lost } = await modifier().modify(change);
    expect(lost).toEqual([{ node: "b", why: "b does not boot" }]);
    expect(namesOf(experiment)).toBe("a");
    expect(experiment.programs.map(({ name }) => name)).toEqual(["a_startcmd"]);
    expect(done.at(-1)).toBe("planned ");
    expect(said.at(-1)).toMatchObject({ nodesLost: [{ name: "b", why: "b does not boot" }] });
  });

  it("makes links and takes them away when who used them has ended, and before nodes go", async () => {
    const change = modification(
      {
        nodes: { ...none, removed: ["b"] },
        traffic: { ended: ["cbr"], begun: [] },
        relinked: { made: ["l1", "l2"], gone: ["l0", "l1"] },
      },
      "a",
    );
    await modifier().modify(change);
    const order = ["traffic cbr ends", "links made and gone", "told a"];
    expect(done.filter((one) => order.includes(one))).toEqual(order);
    expect(done).toContain("others named");
    expect(said.at(-1)).toMatchObject({
      ...{ linksChanged: ["l1"], linksAdded: ["l2"], linksRemoved: ["l0"] },
    });
  });

  it("says of links that come or change what is asked of them", async () => {
    const link = (name: string): Link => ({
      ...{ name, kind: "link", netmask: "255.255.255.0", at: { file: "", line: 1, column: 1 } },
      members: ["a", "b"].map((node, port) => ({
        ...{ node, port, address: `10.1.1.${port + 2}` },
        toLink: { bandwidthBps: 1_000, delayUs: 5, loss: 0 },
        fromLink: { bandwidthBps: 0, delayUs: 0, loss: 0.5 },
      })),
    });
    const change = modification({ relinked: { made: ["l1", "l2"], gone: ["l1"] } }, "a", "b");
    const links = [link("l0"), link("l1"), link("l2")];
    await modifier().modify({ ...change, experiment: { ...change.experiment, links } });
    const modified = said.find(({ type }) => type === "run-modified") as RunModified;
    expect(modified.links.map(({ name }) => name)).toEqual(["l1", "l2"]);
    expect(modified.links[0]).toEqual({
      ...{ name: "l1", kind: "link" },
      members: link("l1").members.map(({ port: _port, ...member }) => member),
    });
  });

  it("changes nothing when links cannot be so, and says why", async () => {
    linksRefuse = "l1 overlaps";
    const change = modification({ relinked: { made: ["l1"], gone: [] } }, "a", "b");
    await expect(modifier().modify(change)).rejects.toThrow(new ModifyError("l1 overlaps"));
    expect([done, said]).toEqual([[], []]);
    [linksRefuse, linksFail] = [undefined, "ip has failed"];
    await expect(modifier().modify(change)).rejects.toThrow(new ModifyError("ip has failed"));
  });

  it("starts who ran though no event says when", async () => {
    await programs.start("b_startcmd", {});
    const change = modification(
      { programs: { ...none, restarted: ["a_startcmd", "b_startcmd"] } },
      ...["a", "b"],
    );
    const running = modifier().modify(change);
    while (backend.processes[0]?.signals.length === 0) await Promise.resolve();
    await backend.processes[0]?.end("SIGTERM");
    await running;
    expect(done).toContain("planned b_startcmd");
  });

  it("says that the run ended over it", async () => {
    ending = true;
    const change = modification({ nodes: { ...none, added: ["c"] } }, "a", "b", "c");
    await expect(modifier().modify(change)).rejects.toThrow("the experiment ended while");
    expect(said).toEqual([]);
  });
});
