// SPDX-License-Identifier: MIT
// Plants known mistakes in a copy of the shipped files, one at a time, and shows that each is
// found: by the simulation, or by the test it names. A mutant that is not found means that a test
// proves nothing; what counts as found is in mutant-verdict.ts.
// `node tools/mutants.ts [PART OF A NAME]`; the list is test/simulation/mutants.json.
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
import {
  foundStatus,
  judgeSimulation,
  judgeTests,
  syntaxOf,
  type Verdict,
} from "./mutant-verdict.ts";

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
  /** Of `simulation` and `cluster`: the rule that has to be broken, as `K3`; any when absent. */
  readonly rule?: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const copied = ["src", "test", "tools", "package.json", "vitest.config.ts", "tsconfig.base.json"];
/** A mutant that makes the code run for ever is found by that. */
const timeLimitMs = 180_000;
const seeds = 40;
const operations = 300;
const clusterSeeds = 12;

/**
 * What is thrown while a seed runs, wherever, is found as well: the code asserts what it relies on.
 */
const findings = `let seed = 0;
function find(problem) {
  console.log(\`seed \${seed}: \${problem}\`);
  process.exit(${foundStatus});
}
process.on("uncaughtException", find);
process.on("unhandledRejection", find);
`;

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
${findings}for (seed = first; seed < first + ${seeds}; seed += 1) {
  const { problems } = await simulate({ seed, operations: ${operations} }).catch(find);
  if (problems.length > 0) find(problems[0]);
}
`,
    );
    writeFileSync(
      join(this.folder, "cluster.ts"),
      `import { runScript } from "./src/testing/cluster/cluster-run.ts";
import { drawFaults, generate } from "./src/testing/cluster/generate.ts";
const [first = "1", named] = process.argv.slice(2);
const rates = named?.split(",").map((text) => text.split("="));
${findings}for (seed = Number(first); seed < Number(first) + ${clusterSeeds}; seed += 1) {
  const faults = rates
    ? Object.fromEntries(rates.map(([name, rate]) => [name, Number(rate)]))
    : drawFaults(seed);
  const script = generate({ seed, operations: ${operations}, servers: 5, faults });
  const { problems } = await runScript({ script }).catch(find);
  if (problems.length > 0) find(problems[0]);
}
`,
    );
  }

  /**
   * @returns how it was found, or undefined when it was not
   * @throws Error when the text with the mistake is no program
   */
  async run(mutant: Mutant): Promise<string | undefined> {
    const path = join(this.folder, mutant.file);
    const before = readFileSync(path, "utf8");
    if (before.split(mutant.find).length !== 2) {
      throw new Error(`${mutant.name}: its text does not occur exactly once in ${mutant.file}`);
    }
    const planted = before.replace(mutant.find, () => mutant.replace);
    const wrong = syntaxOf(planted);
    if (wrong !== undefined) throw new Error(`${mutant.name}: is no program: ${wrong}`);
    writeFileSync(path, planted);
    try {
      return reasonOf(mutant.name, await this.#judge(mutant));
    } finally {
      writeFileSync(path, before);
    }
  }

  /** Whether the unchanged copy passes: without that, red proves nothing. */
  async isGreen(by: string): Promise<string | undefined> {
    return reasonOf(by, await this.#judge({ by }));
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #judge(tried: Pick<Mutant, "by" | "seed" | "faults" | "rule">): Promise<Verdict> {
    const { by, seed = 1, faults, rule } = tried;
    const report = join(this.folder, "report.json");
    rmSync(report, { force: true });
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const programs: Readonly<Record<string, readonly string[]>> = {
      simulation: ["simulate.ts", String(seed)],
      cluster: ["cluster.ts", String(seed), ...(faults === undefined ? [] : [faults])],
    };
    const program = programs[by];
    const args = program ?? ["node_modules/vitest/vitest.mjs", "run", by, ...reporters];
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
        const run = { code, isEndless: signal !== null, output };
        if (program !== undefined) resolve(judgeSimulation(run, rule));
        else if (!existsSync(report)) resolve(judgeTests(run));
        else resolve(judgeTests({ ...run, report: readFileSync(report, "utf8") }));
      });
    });
  }
}

function reasonOf(name: string, verdict: Verdict): string | undefined {
  if (verdict.kind === "no-program") throw new Error(`${name}: is no program: ${verdict.reason}`);
  return verdict.kind === "found" ? verdict.reason : undefined;
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
      const [found, wrong] = await bench.run(mutant).then(
        (reason) => [reason, undefined],
        (error: Error) => [undefined, error.message],
      );
      if (found === undefined) missed += 1;
      process.stdout.write(`${found === undefined ? "MISSED" : "found"}  ${mutant.name}\n`);
      if (found !== undefined || wrong !== undefined) {
        process.stdout.write(`       ${found ?? wrong}\n`);
      }
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
