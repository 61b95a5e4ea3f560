// SPDX-License-Identifier: MIT
// Goal: no service that a benchmark compares with outlives it, also when it is killed. Method: a
// process that starts one as benchmarks do, and is killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const servers = join(import.meta.dirname, "../../../bench/peers/servers.ts");

/** Whether a process runs that sleeps; one that has ended may wait for its parent. */
function sleeps(pid: number): boolean {
  try {
    const [, state] = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
    return state !== "Z" && readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n";
  } catch {
    return false;
  }
}

it.each(["SIGTERM", "SIGKILL"] as const)("ends with %s of its benchmark", async (signal) => {
  const script = `
    import { spawnPeer } from ${JSON.stringify(servers)};
    process.stdout.write(\`\${spawnPeer("sleep", ["1000"]).pid}\\n\`);
    setInterval(() => undefined, 1000);`;
  const options = ["--disable-warning=ExperimentalWarning", "--input-type=module-typescript"];
  const bench = spawn(process.execPath, [...options, "-e", script]);
  const [line] = (await once(bench.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  while (!sleeps(pid)) await turn();
  bench.kill(signal);
  await once(bench, "exit");
  while (sleeps(pid)) await turn();
  expect(sleeps(pid)).toBe(false);
});
