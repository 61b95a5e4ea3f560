// SPDX-License-Identifier: MIT
// Plants known mistakes in a copy of the shipped files, one at a time, and shows that each is
// found: by the simulation, or by the test it names. A mutant that is not found means that a test
// proves nothing. `node tools/mutants.ts [PART OF A NAME]`; the list is
// test/simulation/mutants.json.
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Mutant {
  readonly name: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly find: string;
  readonly replace: string;
  /** `simulation`, `cluster` (the simulator of clusters), or the test file that must turn red. */
  readonly by: string;
  /** Of `cluster`: faults as `NAME=RATE,...` in place of those that seeds draw. */
  readonly faults?: string;
  /** Of `simulation` and `cluster`: the first seed that is tried, 1 when absent. */
  readonly seed?: number;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const copied = ["src", "test", "tools", "package.json", "vitest.config.ts", "tsconfig.base.json"];
/** A mutant that makes the code run for ever is found by that. */
const timeLimitMs = 180_000;
const seeds = 40;
const operations = 300;
const clusterSeeds = 12;

export function readMutants(): readonly Mutant[] {
  return JSON.parse(readFileSync(join(root, "test/simulation/mutants.json"), "utf8"));
}

/** A copy of the sources that mutants can be planted in, one after the other. */
export class MutantBench {
  readonly folder: string = mkdtempSync(join(tmpdir(), "muster-mutants-"));

  constructor() {
    for (const name of copied) {
      if (existsSync(join(root, name))) {
        cpSync(join(root, name), join(this.folder, name), { recursive: true });
      }
    }
    symlinkSync(join(root, "node_modules"), join(this.folder, "node_modules"));
    writeFileSync(
      join(this.folder, "simulate.ts"),
      `import { simulate } from "./src/testing/simulator.ts";
const first = Number(process.argv[2] ?? 1);
for (let seed = first; seed < first + ${seeds}; seed += 1) {
  const { problems } = await simulate({ seed, operations: ${operations} });
  if (problems.length === 0) continue;
  console.log(\`seed \${seed}: \${problems[0]}\`);
  process.exit(1);
}
`,
    );
    writeFileSync(
      join(this.folder, "cluster.ts"),
      `import { runScript } from "./src/testing/cluster/cluster-run.ts";
import { drawFaults, generate } from "./src/testing/cluster/generate.ts";
const [first = "1", named] = process.argv.slice(2);
const rates = named?.split(",").map((text) => text.split("="));
for (let seed = Number(first); seed < Number(first) + ${clusterSeeds}; seed += 1) {
  const faults = rates
    ? Object.fromEntries(rates.map(([name, rate]) => [name, Number(rate)]))
    : drawFaults(seed);
  const script = generate({ seed, operations: ${operations}, servers: 5, faults });
  const { problems } = await runScript({ script });
  if (problems.length === 0) continue;
  console.log(\`seed \${seed}: \${problems[0]}\`);
  process.exit(1);
}
`,
    );
  }

  /** @returns how it was found, or undefined when it was not. */
  async run(mutant: Mutant): Promise<string | undefined> {
    const path = join(this.folder, mutant.file);
    const before = readFileSync(path, "utf8");
    if (before.split(mutant.find).length !== 2) {
      throw new Error(`${mutant.name}: its text does not occur exactly once in ${mutant.file}`);
    }
    writeFileSync(
      path,
      before.replace(mutant.find, () => mutant.replace),
    );
    try {
      return await this.#isFound(mutant);
    } finally {
      writeFileSync(path, before);
    }
  }

  /** Whether the unchanged copy passes: without that, red proves nothing. */
  isGreen(by: string): Promise<string | undefined> {
    return this.#isFound({ by });
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #isFound({
    by,
    seed = 1,
    faults,
  }: Pick<Mutant, "by" | "seed" | "faults">): Promise<string | undefined> {
    const vitest = ["node_modules/vitest/vitest.mjs", "run", by];
    const programs: Readonly<Record<string, readonly string[]>> = {
      simulation: ["simulate.ts", String(seed)],
      cluster: ["cluster.ts", String(seed), ...(faults === undefined ? [] : [faults])],
    };
    const args = programs[by] ?? vitest;
    return new Promise((resolve) => {
      const child = spawn(process.execPath, args, {
        cwd: this.folder,
        timeout: timeLimitMs,
        killSignal: "SIGKILL",
        env: {
          ...process.env,
          ...{ NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
          // All but the file with the mistake is compiled once.
          NODE_COMPILE_CACHE: join(this.folder, "compiled"),
        },
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8");
        stream.on("data", (text: string) => {
          output += text;
        });
      }
      child.on("close", (code, signal) => {
        if (code === 0) resolve(undefined);
        else resolve(signal === null ? firstReason(output) : "it ran for ever");
      });
    });
  }
}

function firstReason(output: string): string {
  const lines = output.split("\n");
  const line = lines.find((text) => /^seed |AssertionError|Error:/.test(text)) ?? lines[0] ?? "";
  return line.trim().slice(0, 160);
}

async function main(part: string): Promise<number> {
  const bench = new MutantBench();
  let missed = 0;
  try {
    const mutants = readMutants().filter(({ name }) => name.includes(part));
    for (const by of new Set(mutants.map((mutant) => mutant.by))) {
      const reason = await bench.isGreen(by);
      if (reason !== undefined) throw new Error(`${by} fails without any mutant: ${reason}`);
    }
    for (const mutant of mutants) {
      const found = await bench.run(mutant);
      if (found === undefined) missed += 1;
      process.stdout.write(`${found === undefined ? "MISSED" : "found"}  ${mutant.name}\n`);
      if (found !== undefined) process.stdout.write(`       ${found}\n`);
    }
    process.stdout.write(`${mutants.length} mutants, ${missed} missed\n`);
  } finally {
    bench.dispose();
  }
  return missed === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv[2] ?? "");
}
