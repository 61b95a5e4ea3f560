// SPDX-License-Identifier: MIT
// The program eventsys_control as users have it: asks boss, over XML-RPC with the user's
// certificate, to start, stop or replay the events of an experiment. [EMULAB-EVENTS 7.5]
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { callBoss, experimentMembers, openBossHttps } from "../../client/boss.ts";
import { defaultPort } from "../../edges/xmlrpc/index.ts";
import { text } from "../../wire/xmlrpc/index.ts";
import { type Exit, performExit } from "./exit.ts";
import { formatFault, Getopt } from "./getopt.ts";

/** For everything that goes wrong; the old one had no other. */
const failed = 255;
/** As long as the old clients wait. [EMULAB-EVENTS 2.2] */
const answerMs = 30 * 60 * 1000;
const usage =
  "Usage: eventsys_control -e pid,eid start|stop|replay\n" +
  "  --server HOST  --port N       where boss answers XML-RPC (localhost, 3069)\n" +
  "  --cert FILE                   your certificate and key (~/.ssl/emulab.pem)\n" +
  "  --ca FILE                     who has signed boss's certificate (~/.ssl/ca.pem)\n";

async function main(args: readonly string[]): Promise<Exit> {
  const valued = ["server", "port", "cert", "ca"];
  const getopt = new Getopt(args, { flags: "", valued: "e", longFlags: [], longValued: valued });
  const given = new Map<string, string>();
  for (let option = getopt.next(); option !== undefined; option = getopt.next()) {
    if (option.kind === "error") return misused(formatFault("eventsys_control", option));
    if (option.kind === "valued") given.set(option.name, option.value);
  }
  const [action = "", ...rest] = getopt.rest;
  const [, pid, eid] = /^([\w-]+)[,/]([\w-]+)$/.exec(given.get("e") ?? "") ?? [];
  if (pid === undefined || eid === undefined) return misused("Must provide pid,eid");
  if (!["start", "stop", "replay"].includes(action) || rest.length > 0) {
    return misused("name one action");
  }
  const port = Number(given.get("port") ?? defaultPort);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return misused("--port takes a port");
  const ssl = join(homedir(), ".ssl");
  const own = read(given.get("cert") ?? join(ssl, "emulab.pem"));
  const authority = read(given.get("ca") ?? join(ssl, "ca.pem"));
  const boss = openBossHttps({
    ...{ host: given.get("server") ?? "localhost", port, path: "/", timeoutMs: answerMs },
    ...{ key: own, certificate: own, authority },
  });
  try {
    const members = [...experimentMembers(pid, eid), ["action", text(action)] as const];
    const { output } = await callBoss(boss.transport, "experiment.eventsys_control", members);
    return { kind: "exit", code: 0, stdout: output === "" ? "" : `${output}\n` };
  } finally {
    boss.close();
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot read ${file}: ${why}; name another with --cert or --ca`);
  }
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: failed, stderr: `${complaint}\n${usage}` };
}

performExit(
  await main(process.argv.slice(2)).catch((error: unknown): Exit => {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: "exit", code: failed, stderr: `eventsys_control: ${message}\n` };
  }),
);
