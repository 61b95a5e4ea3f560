// SPDX-License-Identifier: MIT
// `npm run chaos`: a cluster of real servers and brokers under load and faults, and whether they
// kept their promises. This process only makes the namespaces that everything else lives in
// (inside.ts), so that the kernel ends it all however this one ends; README.md has the picture.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChaosOptions, help, parseOptions } from "./options.ts";

const root = join(import.meta.dirname, "..");

async function run(options: ChaosOptions): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "muster-chaos-"));
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const spaces = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  const inside = join(import.meta.dirname, "inside.ts");
  const program = [process.execPath, ...process.execArgv, inside];
  // A session of its own: Ctrl-C reaches this process alone, which then closes the pipe.
  const child = spawn(
    "unshare",
    [...user, ...spaces, "--", ...program, JSON.stringify({ ...options, folder })],
    { stdio: ["pipe", "inherit", "inherit"], detached: true },
  );
  const stop = (): void => void child.stdin.end();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  child.stdin.on("error", () => undefined);
  try {
    const [code] = await once(child, "exit");
    return code ?? 1;
  } finally {
    if (options.keep !== undefined) cpSync(folder, options.keep, { recursive: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv.includes("--help")) {
  process.stdout.write(help);
  process.exit(0);
}
let options: ChaosOptions;
try {
  options = parseOptions(process.argv.slice(2), root);
  const program = join(options.dist, "programs/muster.js");
  if (!existsSync(program)) throw new Error(`${program} is not there; run 'npm run build'`);
} catch (error) {
  process.stderr.write(`chaos: ${error instanceof Error ? error.message : error}\n`);
  process.stderr.write("(npm run chaos -- --help shows the options)\n");
  process.exit(64);
}
process.exitCode = await run(options);
