// SPDX-License-Identifier: MIT
// The program eventsys_control: asks boss to start, stop or replay the events of an experiment.
// [EMULAB-EVENTS 7.5] As users have it, with `-e`, over XML-RPC with their certificate; as boss has
// it, with the experiment last, at the socket of the daemon.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { resolveStateDirectory } from "../../boss/index.ts";
import {
  callBoss,
  experimentMembers,
  openBossHttps,
  type XmlRpcTransport,
} from "../../client/boss.ts";
import { errorText } from "../../core/text.ts";
import { defaultPort } from "../../edges/xmlrpc/index.ts";
import { text } from "../../wire/xmlrpc/index.ts";
import { type Exit, helpFor, performExit } from "./exit.ts";
import { Getopt } from "./getopt.ts";
import { askByXmlRpc } from "./xmlrpc-socket.ts";

/** For everything that goes wrong; the old one had no other. */
const failed = 255;
/** As long as the old clients wait. [EMULAB-EVENTS 2.2] */
const answerMs = 30 * 60 * 1000;
const usage =
  "Usage: eventsys_control [-f] [-a] [-d] -e pid,eid start|stop|replay\n" +
  "       eventsys_control [-f] [-a] [-d] start|stop|replay pid,eid      (on boss)\n" +
  "  -f  start without nodes, too    -a  programs on ops, too    -d  say more in the log\n" +
  "  --server HOST  --port N       where boss answers XML-RPC (localhost, 3069)\n" +
  "  --cert FILE                   your certificate and key (~/.ssl/emulab.pem)\n" +
  "  --ca FILE                     who has signed boss's certificate (~/.ssl/ca.pem)\n" +
  "  --state DIR                   on boss: where the experiments are kept\n";

async function main(args: readonly string[]): Promise<Exit> {
  const help = helpFor(args, usage);
  if (help !== undefined) return help;
  const valued = ["server", "port", "cert", "ca", "state"];
  const getopt = new Getopt(args, { flags: "fad", valued: "e", longFlags: [], longValued: valued });
  const given = getopt.readAll("eventsys_control");
  if (typeof given === "string") return misused(given);
  const isUsers = given.has("e");
  const [action = "", last = "", ...rest] = getopt.rest;
  if (isUsers && last !== "") rest.push(last);
  const experiment = isUsers ? given.get("e") : last;
  const [, pid, eid] = /^([\w-]+)[,/]([\w-]+)$/.exec(experiment ?? "") ?? [];
  if (pid === undefined || eid === undefined) return misused("Must provide pid,eid");
  if (!["start", "stop", "replay"].includes(action) || rest.length > 0) {
    return misused("name one action");
  }
  const port = Number(given.get("port") ?? defaultPort);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return misused("--port takes a port");
  const boss = isUsers ? overHttps(given, port) : atSocket(given.get("state"));
  try {
    const members = [
      ...[...experimentMembers(pid, eid), ["action", text(action)] as const],
      ...flags
        .filter(([letter]) => given.has(letter))
        .map(([, name]) => [name, text("1")] as const),
    ];
    const { output } = await callBoss(boss.transport, "experiment.eventsys_control", members);
    return { kind: "exit", code: 0, stdout: output === "" ? "" : `${output}\n` };
  } finally {
    boss.close();
  }
}

/** Options that the method has as members. */
const flags = [
  ["f", "force"],
  ["a", "ops_agent"],
  ["d", "debug"],
] as const;

interface Boss {
  readonly transport: XmlRpcTransport;
  close(): void;
}

function overHttps(given: ReadonlyMap<string, string>, port: number): Boss {
  const ssl = join(homedir(), ".ssl");
  const own = read(given.get("cert") ?? join(ssl, "emulab.pem"));
  const authority = read(given.get("ca") ?? join(ssl, "ca.pem"));
  return openBossHttps({
    ...{ host: given.get("server") ?? "localhost", port, path: "/", timeoutMs: answerMs },
    ...{ key: own, certificate: own, authority },
  });
}

function atSocket(directory: string | undefined): Boss {
  const state = resolveStateDirectory(directory, process.env);
  return { transport: (call) => askByXmlRpc(state, call), close: () => undefined };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const why = errorText(error);
    throw new Error(`cannot read ${file}: ${why}; name another with --cert or --ca`);
  }
}

function misused(complaint: string): Exit {
  return { kind: "exit", code: failed, stderr: `${complaint}\n${usage}` };
}

performExit(
  await main(process.argv.slice(2)).catch((error: unknown): Exit => {
    const message = errorText(error);
    return { kind: "exit", code: failed, stderr: `eventsys_control: ${message}\n` };
  }),
);
