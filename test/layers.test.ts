// SPDX-License-Identifier: MIT
// Goal: the compiler enforces the layers (ARCHITECTURE.md): what each may import, and that the pure
// ones see nothing of a platform. Method: a copy of the sources compiles; the same copy with wrong
// lines, each in a file of its own, does not, and each has the expected error in its file.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

/** From the ground up. A layer may import those before it, and only those its tsconfig lists. */
const layers = [
  "core",
  "wire",
  "experiment",
  "engine",
  "host",
  "network",
  "pki",
  "linktest",
  "client",
  "edges",
  "events",
  "testbed",
  "boss",
  "testing",
  "cli",
] as const;
type Layer = (typeof layers)[number];
const pure: readonly Layer[] = ["core", "wire", "experiment", "linktest"];

interface Wrong {
  readonly layer: Layer;
  readonly line: string;
  readonly error: string;
}

const notListed = "TS6307";
const noSuchModule = "TS2591";
const noSuchName = ["TS2304", "TS2584", "TS2591"];

const platformNames = ["setTimeout", "console", "process", "Buffer", "fetch", "performance"];

const wrongNames: readonly Wrong[] = pure.flatMap((layer) =>
  platformNames.map((name) => ({
    layer,
    line: `export const used: unknown = ${name};`,
    error: noSuchName.join("|"),
  })),
);

const wrongModules: readonly Wrong[] = pure.map((layer) => ({
  layer,
  line: 'export { readFileSync } from "node:fs";',
  error: noSuchModule,
}));

const upward = (layer: Layer, file: string): Wrong => ({
  layer,
  line: `export type * from "../${file}";`,
  error: notListed,
});

const wrongDirections: readonly Wrong[] = [
  upward("core", "wire/bytes.ts"),
  upward("core", "edges/edge-time.ts"),
  upward("wire", "experiment/model.ts"),
  upward("experiment", "wire/bytes.ts"),
  upward("experiment", "host/clock.ts"),
  upward("engine", "host/clock.ts"),
  upward("engine", "experiment/model.ts"),
  upward("host", "edges/edge-time.ts"),
  upward("network", "testbed/run-event.ts"),
  upward("pki", "edges/edge-time.ts"),
  upward("linktest", "host/clock.ts"),
  upward("client", "host/clock.ts"),
  upward("client", "engine/log.ts"),
  upward("edges", "testbed/run-event.ts"),
  upward("edges", "client/runtime.ts"),
  upward("events", "testbed/run-event.ts"),
  upward("testbed", "testing/delaying-log.ts"),
  upward("testing", "cli/exit-codes.ts"),
];

let copy = "";

interface Compiled {
  readonly status: number;
  readonly output: string;
}

function compile(target: string): Promise<Compiled> {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  return new Promise((resolve) => {
    execFile(process.execPath, [tsc, "-b", target], { cwd: copy }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ status, output: stdout + stderr });
    });
  });
}

beforeAll(async () => {
  copy = mkdtempSync(join(tmpdir(), "muster-layers-"));
  cpSync(join(root, "src"), join(copy, "src"), { recursive: true });
  for (const file of ["tsconfig.base.json", "package.json"])
    cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
});

afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

describe("the layers", () => {
  it("compile as they are", async () => {
    expect(await compile("src/cli")).toEqual({ status: 0, output: "" });
  });

  it.each(layers)("%s refers only to layers below it, by the names of their folders", (layer) => {
    const config = readFileSync(join(root, "src", layer, "tsconfig.json"), "utf8");
    const { references, compilerOptions } = JSON.parse(config);
    const below = layers.slice(0, layers.indexOf(layer));
    for (const { path } of references) expect(below.map((name) => `../${name}`)).toContain(path);
    expect(compilerOptions.types).toEqual(pure.includes(layer) ? [] : ["node"]);
  });

  // Names and directions apart: where an import is not allowed, the compiler looks no further.
  describe.each(byLayer([...wrongModules, ...wrongNames]).concat(byLayer(wrongDirections)))(
    "$layer",
    ({ layer, wrongs }) => {
      const fileOf = (index: number): string => join(copy, "src", layer, `wrong${index}.ts`);
      let compiled: Compiled = { status: 0, output: "" };
      beforeAll(async () => {
        for (const [index, { line }] of wrongs.entries()) writeFileSync(fileOf(index), `${line}\n`);
        compiled = await compile(`src/${layer}`);
        for (const index of wrongs.keys()) rmSync(fileOf(index));
      });

      it.each(wrongs.map((wrong, index) => ({ ...wrong, index })))(
        "refuses: $line",
        ({ index, error }) => {
          const { status, output } = compiled;
          const place = `src/${layer}/wrong${index}\\.ts\\(1,\\d+\\)`;
          expect(output).toMatch(new RegExp(`${place}: error (${error})`));
          expect(status).not.toBe(0);
        },
      );
    },
  );
});

function byLayer(wrongs: readonly Wrong[]) {
  const groups = Map.groupBy(wrongs, ({ layer }) => layer);
  return [...groups].map(([layer, those]) => ({ layer, wrongs: those }));
}
