// SPDX-License-Identifier: MIT
// A run, from within its namespaces: the first process of its process namespace, so that nothing
// that it starts outlives it. Ends when the pipe from main.ts does.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describeBare } from "./bare/bare-report.ts";
import { BareRun } from "./bare/bare-run.ts";
import type { ChaosOptions } from "./options.ts";
import { describeReport } from "./report.ts";
import { Run } from "./run.ts";

const { folder, ...options } = JSON.parse(process.argv[2] ?? "{}") as ChaosOptions & {
  readonly folder: string;
};

/** Gone with all processes of the namespace; the files are nobody's then. */
async function leave(code: number): Promise<never> {
  await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  process.exit(code);
}

process.stdin.on("end", () => {
  process.stderr.write("chaos: stopped\n");
  void leave(130);
});
process.stdin.resume();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => void leave(130));
}

// What `ip` keeps of namespaces lies there.
execFileSync("mount", ["-t", "tmpfs", "chaos", "/run"]);
let report: string;
let broken: number;
if (options.isBare) {
  const result = await new BareRun(options, folder).play();
  report = describeBare(result);
  broken = result.findings.reduce((sum, { count }) => sum + count, 0);
} else {
  const result = await new Run(options, folder).play();
  report = describeReport(result);
  const { violations } = result.verdict;
  broken = violations.length;
  writeFileSync(join(folder, "violations.json"), JSON.stringify(violations, null, 1));
}
if (options.report === undefined) process.stdout.write(`\n${report}`);
else {
  writeFileSync(options.report, report);
  process.stdout.write(`chaos: the report is in ${options.report}\n`);
}
process.stdout.write(`chaos: ${broken} violations\n`);
if (options.keep !== undefined) process.exit(broken === 0 ? 0 : 1);
await leave(broken === 0 ? 0 : 1);
