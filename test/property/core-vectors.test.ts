// SPDX-License-Identifier: MIT
// Goal: somebody who has not seen the core comes to the same answers. Method: vectors of the
// independent Python model (test/conformance/independent/barrier_model.py), 200 seeds. It makes
// only what a client can cause: counts above 0 and errors from 0 to 239. A bad request word never
// becomes a command, so that step is left out; the empty barrier it leaves there shows to nobody.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import type { Applied } from "../../src/core/effect.ts";
import { CoreDriver, init, initOnly, wait } from "../../src/testing/core-driver.ts";

const seeds = 200;
const steps = 150;

interface Vector {
  readonly op: "wait" | "init" | "leave" | "bad" | "clear";
  readonly id: string;
  readonly name: string;
  readonly error: number;
  readonly count: number;
  readonly no_wait: boolean;
  readonly released: readonly { readonly id: string; readonly error: number }[];
}

function makeVectors(): readonly (readonly Vector[])[] {
  const folder = fileURLToPath(new URL("../conformance/independent", import.meta.url));
  const script = `
import json, sys
sys.path.insert(0, sys.argv[1])
from barrier_model import VectorMaker
print(json.dumps([VectorMaker(seed).make(${steps}) for seed in range(${seeds})]))`;
  const result = spawnSync("python3", ["-B", "-c", script, folder], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  expect(result.stderr).toBe("");
  return JSON.parse(result.stdout) as readonly (readonly Vector[])[];
}

function commandOf(vector: Vector): Command | undefined {
  const options = { barrier: vector.name, error: vector.error };
  const connection = Number(vector.id?.slice(1));
  switch (vector.op) {
    case "wait":
      return wait(connection, options);
    case "init":
      return (vector.no_wait ? initOnly : init)(connection, vector.count, options);
    case "leave":
      return { kind: "leave", connection };
    case "clear":
      return { kind: "cancel-all", scope: "s", error: 240 };
    case "bad":
      return undefined;
  }
}

/** Who is answered, in order of ids. */
function answers(applied: Applied): readonly { id: string; error: number }[] {
  return applied.addressed
    .flatMap(({ effect }) => {
      if (effect.kind === "acknowledged") return [{ connection: effect.connection, error: 0 }];
      if (effect.kind !== "released") throw new Error(`unexpected effect ${effect.kind}`);
      return effect.connections.map((connection) => ({ connection, error: effect.error }));
    })
    .sort((a, b) => a.connection - b.connection)
    .map(({ connection, error }) => ({ id: `c${connection}`, error }));
}

it("Service.apply() answers as the independent model does when its vectors are played", () => {
  const vectors = makeVectors();
  expect(vectors).toHaveLength(seeds);
  for (const [seed, list] of vectors.entries()) {
    const core = new CoreDriver();
    for (const [index, vector] of list.entries()) {
      const command = commandOf(vector);
      if (command === undefined) continue;
      const got = answers(core.send("e", command));
      expect(got, `seed ${seed}, step ${index}`).toEqual(vector.released);
    }
  }
});
