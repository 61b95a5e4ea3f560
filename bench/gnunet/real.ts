// SPDX-License-Identifier: MIT
// Debian's own controller, started by hand as a process of its own. [GNUNET-BARRIERS 8.3]
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Sockets } from "./crowd.ts";

const programs = [
  "/usr/lib/x86_64-linux-gnu/gnunet/libexec/gnunet-service-testbed",
  "/usr/lib/aarch64-linux-gnu/gnunet/libexec/gnunet-service-testbed",
  "/usr/lib/gnunet/libexec/gnunet-service-testbed",
];

export interface RealController {
  readonly child: ChildProcess;
  readonly sockets: Sockets;
  /** A whole configuration, which it wants for every peer. */
  readonly config: string;
}

/** @returns undefined when it is not installed. */
export async function startReal(folder: string): Promise<RealController | undefined> {
  const program = programs.find(existsSync);
  if (program === undefined) return undefined;
  const sockets = { testbed: join(folder, "real.sock"), barrier: join(folder, "real-b.sock") };
  const file = join(folder, "real.conf");
  const sections = {
    PATHS: [`GNUNET_HOME = ${folder}/home`, `GNUNET_RUNTIME_DIR = ${folder}/run`],
    testbed: [`UNIXPATH = ${sockets.testbed}`],
    "testbed-barrier": [`UNIXPATH = ${sockets.barrier}`],
    "testbed-logger": [`UNIXPATH = ${folder}/logger.sock`],
  };
  const text = Object.entries(sections).map(([name, lines]) => `[${name}]\n${lines.join("\n")}\n`);
  writeFileSync(file, text.join("\n"));
  const whole = join(folder, "whole.conf");
  writeFileSync(whole, text.join("\n"));
  execFileSync("gnunet-config", ["-c", whole, "-F", "-r"], { stdio: "ignore" });
  const child = spawn(program, ["-c", file, "-L", "ERROR"], { stdio: "ignore" });
  while (!existsSync(sockets.barrier)) {
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`);
    await sleep(20);
  }
  return { child, sockets, config: readFileSync(whole, "utf8") };
}
