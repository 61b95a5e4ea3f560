// SPDX-License-Identifier: MIT
// Goal: what is written and answered of a modification: states, history, definition, rights and
// limits, whatever comes of it. Method: the real database, runs without nodes that are modified as
// the test says.
import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import { ExperimentsDatabase } from "../../../src/boss/database.ts";
import type { Modified, ModifyOptions } from "../../../src/boss/experiment-views.ts";
import { Experiments } from "../../../src/boss/experiments.ts";
import { type BossLimits, resolveBossLimits } from "../../../src/boss/limits.ts";
import { prepareStateDirectory, resolveStateDirectory } from "../../../src/boss/state-directory.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { noEvents } from "../../../src/testbed/modify-agenda.ts";
import { ModifyError, type ModifyOutcome } from "../../../src/testbed/modify-run.ts";
import { FakeRuns } from "./fake-run.ts";

let folder = "";
let runs = new FakeRuns();
let database: ExperimentsDatabase;
let experiments: Experiments;

async function begin(partial: Partial<BossLimits> = {}): Promise<void> {
  const state = resolveStateDirectory(folder, {});
  const limits = resolveBossLimits(partial);
  prepareStateDirectory(state);
  database = ExperimentsDatabase.open(state.database, limits);
  for (const [name, uid] of people) database.putUser(name, uid);
  experiments = new Experiments({
    ...{ database, state, limits, clock: systemClock, coreLimits: resolveLimits() },
    ...{ logger: silentLogger, tools: {}, run: runs.run, faults: new EventEmitter() },
  });
  const settings = { pid: "pp", eid: "ee", seed: 7, durationSeconds: 0, stuckSeconds: 0 };
  await experiments.up({ ...read(["a", "b"]), ...settings }, "ann").active;
}

const people = [
  ["ann", 1000],
  ["bob", 1001],
  ["root", 0],
] as const;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-modify-"));
  runs = new FakeRuns();
  await begin();
});
afterEach(async () => {
  for (const run of runs.runs) run.end("interrupt");
  await experiments.close("ann", 1_000);
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

function read(nodes: readonly string[], more = ""): Omit<ModifyOptions, "id"> {
  const lines = nodes.map((name) => `set ${name} [$ns node]\n`).join("");
  const source = `set ns [new Simulator]\n${lines}${more}$ns run\n`;
  const names = { file: `/${nodes.join("")}.ns`, pid: "pp", eid: "ee", presets: [] };
  const { experiment, rows, diagnostics, output } = parseNsFile(source, names);
  const parsed = { experiment, rows, diagnostics: [], errors: diagnostics.length, output };
  return { file: names.file, presets: [], source, parsed };
}

const modify = (nodes: readonly string[], user = "ann", more = ""): Promise<Modified> =>
  experiments.modify({ id: "ee", ...read(nodes, more) }, user);

async function failure(modified: Promise<Modified>): Promise<BossError> {
  const error: unknown = await modified.then(() => undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BossError);
  return error as BossError;
}

const notes = (): string[] => database.history(1).map(({ to, note }) => `${to}: ${note}`);
const vnames = (): (string | undefined)[] =>
  (database.definition(1).rows["virt_nodes"] ?? []).map(({ vname }) => vname);

describe("modify", () => {
  it("leads through modify_reswap, and what the file says takes the place of what it said", async () => {
    let during: string | undefined;
    runs.modify = async ({ experiment }) => {
      during = database.experiment("pp", "ee")?.state;
      return { experiment, lost: [], events: noEvents, warnings: [] };
    };
    const done = await modify(["a", "b", "c"]);
    expect(during).toBe("modify_reswap");
    expect(done).toMatchObject({ experiment: "pp/ee", nodes: { added: ["c"] }, lost: [] });
    expect(notes().slice(3)).toEqual(["modify_reswap: ", "active: 1 node added (c)"]);
    expect(vnames()).toEqual(["a", "b", "c"]);
    expect(database.experiment("pp", "ee")?.file).toBe("/abc.ns");
    // The next one begins from there.
    expect(await modify(["a", "c"])).toMatchObject({ nodes: { added: [], removed: ["b"] } });
  });

  it("that was undone leaves the definition, and says why", async () => {
    runs.modify = () => Promise.reject(new ModifyError("no room"));
    const error = await failure(modify(["a", "b", "c"]));
    expect(error).toMatchObject({ code: "NOT_MODIFIED", definite: true });
    expect(error.message).toMatch(/^pp\/ee was not modified: no room; see muster status pp\/ee/);
    expect(notes().at(-1)).toBe("active: undone: no room");
    expect(vnames()).toEqual(["a", "b"]);
  });

  it("that lost a node says so, and the next brings it back", async () => {
    runs.modify = async ({ experiment }): Promise<ModifyOutcome> => {
      const nodes = experiment.nodes.filter(({ name }) => name !== "b");
      return {
        experiment: { ...experiment, nodes },
        lost: [{ node: "b", why: "no room" }],
        events: noEvents,
        warnings: [],
      };
    };
    const done = await modify(["a", "b", "c"]);
    expect(done.lost).toEqual([{ node: "b", why: "no room" }]);
    expect(notes().at(-1)).toContain("node b did not come back: no room");
    runs.modify = ({ experiment }) =>
      Promise.resolve({ experiment, lost: [], events: noEvents, warnings: [] });
    expect(await modify(["a", "b", "c"])).toMatchObject({ nodes: { added: ["b"] } });
  });

  it("is refused while another goes on, and goes on when it is stopped meanwhile", async () => {
    const { promise, reject } = Promise.withResolvers<ModifyOutcome>();
    runs.modify = () => promise;
    const first = failure(modify(["a", "b", "c"]));
    const second = await failure(modify(["a"]));
    expect(second.code).toBe("WRONG_STATE");
    expect(second.message).toContain("is modify_reswap and cannot be modified");
    const down = experiments.down("ee", "ann");
    reject(new ModifyError("the experiment ended while it was being modified"));
    expect((await first).code).toBe("NOT_MODIFIED");
    await down;
    const states = database.history(1).map(({ to }) => to);
    expect(states.slice(2)).toEqual(["active", "modify_reswap", "swapping", "swapped"]);
  });

  it("is possible again when the end of the last could not be written", async () => {
    database.transaction(() => {
      database.move("pp", "ee", "modify", { user: "ann", atMs: 0, note: "" });
    });
    expect(await modify(["a", "b", "c"])).toMatchObject({ nodes: { added: ["c"] } });
    expect(notes().slice(4, 5)).toEqual(["active: its end was not written"]);
  });

  it("is refused before anything is touched when it cannot be done", async () => {
    const error = await failure(modify(["a", "b"], "ann", "set opt(X) 1\n"));
    expect(error.code).toBe("NOT_YET");
    expect(error.message).toContain(
      "variable X is added; nothing was changed; leave that as it is",
    );
    expect((await failure(modify(["a"], "ann", "nonsense\n"))).code).toBe("REFUSED_FILE");
    expect(notes()).toHaveLength(3);
  });

  it("is for who swapped it in, leaders and root, and nobody else", async () => {
    const hidden = await failure(modify(["a"], "bob"));
    expect(hidden.code).toBe("NO_SUCH_EXPERIMENT");
    for (const trust of ["user", "trusted"] as const) {
      database.setTrust("pp", "bob", trust);
      const error = await failure(modify(["a"], "bob"));
      expect(error.code).toBe("NOT_ALLOWED");
      expect(error.message).toMatch(/bob may not modify pp\/ee; who may: .*ann.*leader.*root/);
    }
    database.setTrust("pp", "bob", "leader");
    expect(await modify(["a", "b", "c"], "bob")).toMatchObject({ nodes: { added: ["c"] } });
    expect(await modify(["a", "b"], "root")).toMatchObject({ nodes: { removed: ["c"] } });
    expect(database.history(1).at(-1)?.user).toBe("root");
  });

  it("brings nodes as often as it may, and goes on to take them away", async () => {
    await experiments.close("ann", 1_000);
    database.close();
    rmSync(folder, { recursive: true });
    await begin({ nodeAdditionsMax: 2 });
    await modify(["a", "b", "c"]);
    await modify(["a", "b", "c", "d"]);
    const error = await failure(modify(["a", "b", "c", "d", "e"]));
    expect(error.code).toBe("LIMIT");
    expect(error.message).toMatch(/nodeAdditionsMax.*muster down pp\/ee/);
    expect(await modify(["a", "b"])).toMatchObject({ nodes: { removed: ["c", "d"] } });
  });
});
