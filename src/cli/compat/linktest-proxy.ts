// SPDX-License-Identifier: MIT
// The program linktest.proxy: root's hand on ops, which runs run_linktest as the user of an
// experiment. [LINKTEST 1, 10] Who is not root has it for the own user alone. Exit status: that of
// run_linktest, or 255 when it was not run.
import { type ChildProcess, spawn } from "node:child_process";
import { userInfo } from "node:os";
import {
  type Account,
  closeInheritedDescriptors,
  commandAs,
  commandAsSelf,
  environmentOf,
  formatExperiment,
  LaunchError,
  resolveAccount,
  resolveUser,
} from "../../events/launch/index.ts";
import { installedTool } from "../tools.ts";
import { type Exit, performExit } from "./exit.ts";
import {
  type LinktestProxyArguments,
  linktestProxyLongUsage,
  linktestProxyUsage,
  parseLinktestProxy,
} from "./linktest-proxy-arguments.ts";
import { findRunServer } from "./run-server.ts";

/** For everything that goes wrong here. */
const failed = 255;
const endings = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

async function main(argv: readonly string[]): Promise<Exit> {
  const line = parseLinktestProxy(argv);
  if (line.kind === "help") return { kind: "exit", code: 0, stdout: linktestProxyLongUsage };
  if (line.kind === "misused") return refuse(`${line.complaint}\n${linktestProxyUsage}`);
  closeInheritedDescriptors(2);
  try {
    return await runAsUser(line.value);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    return refuse(`${error.message}\n`);
  }
}

/** @throws LaunchError */
async function runAsUser(given: LinktestProxyArguments): Promise<Exit> {
  const account = accountOf(given);
  const { experiment, level, timeoutS, debug, logFile, reportOnly, keyFile } = given;
  const program = given.runLinktest ?? installedTool("run-linktest");
  if (program === undefined) {
    const message = "this installation has no run_linktest; name one with --run-linktest PROGRAM";
    throw new LaunchError("NOT_YET", message);
  }
  const server = keyFile === undefined ? undefined : findRunServer(keyFile, account);
  const argv = [
    ...[program, ...(server ?? ["-s", "localhost"]), "-e", formatExperiment(experiment)],
    ...["-l", String(level), "-d", String(debug), "-o", logFile],
    ...(timeoutS === 0 ? [] : ["-t", String(timeoutS)]),
    ...(keyFile === undefined ? [] : ["-k", keyFile]),
    ...(reportOnly ? ["-r"] : []),
    ...(account === undefined && process.geteuid?.() === 0 ? ["--as-root"] : []),
  ];
  const [file = "", ...rest] =
    account === undefined ? commandAsSelf(argv) : commandAs(account, argv);
  const env = account === undefined ? process.env : environmentOf(account);
  // A session of its own: whoever ends this group ends it once, by what is passed on.
  const child = spawn(file, rest, {
    ...{ cwd: "/", env, detached: true },
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const signal of endings) process.on(signal, () => child.kill(signal));
  return { kind: "exit", code: await statusOf(child) };
}

/**
 * With the groups of experiment and project where the machine has them, else with the user's own.
 * @returns undefined: the user of this process @throws LaunchError
 */
function accountOf({ user, group, projectGroup }: LinktestProxyArguments): Account | undefined {
  if (userInfo().username === user) return undefined;
  if (process.geteuid?.() !== 0) {
    const message = `linktest.proxy must be run by root to act for ${user}; on boss use: linktest_control`;
    throw new LaunchError("REFUSED", message);
  }
  try {
    return resolveAccount(user, group, projectGroup);
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    return resolveUser(user);
  }
}

function statusOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("error", () => resolve(failed));
    child.once("exit", (code) => resolve(code ?? failed));
  });
}

function refuse(text: string): Exit {
  return { kind: "exit", code: failed, stderr: `*** linktest.proxy: ${text}` };
}

performExit(await main(process.argv.slice(2)));
