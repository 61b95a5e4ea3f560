// SPDX-License-Identifier: MIT
// What a node does when it boots: asks the configuration server and turns the answers into the
// files of its boot directory. [EMULAB-TMCD 13] Everything it knows comes from `ask`; where the
// files go, and what is started then, is the caller's business.
//
//   B1. A node that is free, or that nobody knows, gets no files.
//   B2. No file is made from a reply that does not fit its pattern; that is a failure of the boot.
import {
  type HostLine,
  parseCreator,
  parseEventKey,
  parseFullConfig,
  parseHosts,
  parseKeyHash,
  parsePort,
  parseStatus,
  parseSyncServer,
} from "../wire/tmcd/index.ts";
import type { ClientRuntime } from "./runtime.ts";
import { askTmcd } from "./tmcc.ts";
import type { TmccTarget } from "./tmcc-attempt.ts";

/** One request to the server, its words; resolves with the reply. @throws when nothing came. */
export type Ask = (words: readonly string[]) => Promise<string>;

export interface BootOptions {
  readonly ask: Ask;
  /**
   * The name of a service whose registered port goes into the sync server's file, if registered.
   */
  readonly syncService?: string;
  /** What stands for the sync server's name in the file; the name itself when absent. */
  readonly syncServerHost?: (name: string) => string;
}

/** What a node knows after its boot. */
export interface BootFacts {
  readonly pid: string;
  readonly eid: string;
  readonly nickname: string;
  /** Whether this node has to run the sync server. */
  readonly isSyncServer: boolean;
  readonly hosts: readonly HostLine[];
  /** Contents of the boot directory, by name. */
  readonly files: Readonly<Record<string, string>>;
  /** Replies of the full configuration, by command: the command cache. */
  readonly cache: ReadonlyMap<string, string>;
}

export type BootResult =
  | { readonly kind: "booted"; readonly facts: BootFacts }
  | { readonly kind: "free" };

/** Questions to one server, each over a connection of its own; one that fails throws. */
export function askFrom(
  target: TmccTarget,
  runtime: Pick<ClientRuntime, "after">,
  timeoutMs: number,
): Ask {
  return async (words) => {
    const outcome = await askTmcd({ request: { words }, targets: [target], runtime, timeoutMs });
    if (outcome.kind === "reply") return outcome.bytes.toString("utf8");
    const why = outcome.kind === "failed" ? outcome.message : outcome.kind;
    throw new Error(`the configuration server does not answer ${words[0]}: ${why}`);
  };
}

/** Service name of the sync server's port. [EMULAB-TMCD 12] */
export const syncServiceName = "emulab_syncd";

/**
 * Reports TBSETUP, fetches everything, and makes the files. ISUP is the caller's to report, when
 * what the files ask for has been started; TBFAILED when this throws.
 * @throws Error that names the reply that does not fit
 */
export async function bootNode(options: BootOptions): Promise<BootResult> {
  const { ask } = options;
  await ask(["state", "TBSETUP"]);
  const status = parseStatus(await ask(["status"]));
  if (status === undefined || status.kind === "free") return { kind: "free" }; // B1
  const cache = parseFullConfig(await ask(["fullconfig"]));
  const hostnames = await ask(["hostnames"]);
  const { pid, eid, nickname } = status;
  const files: Record<string, string> = { nickname: `${nickname}.${eid}.${pid}\n` };
  const reply = (command: string): string => cache.get(command) ?? "";
  for (const name of ["nodeid", "role"]) if (reply(name) !== "") files[name] = reply(name);
  const people = need(parseCreator(reply("creator")), "creator");
  files["creator"] = `${people.creator}\n`;
  files["swapper"] = `${people.swapper}\n`;
  writeKeys(files, reply);
  const isSyncServer = await writeSyncServer(files, reply("syncserver"), options);
  if (reply("startupcmd") !== "") files["startupcmd"] = reply("startupcmd");
  files["progagents"] = formatProgramFile(reply, people.swapper);
  if (hostnames !== "") files["hostmap"] = hostnames;
  const hosts = parseHosts(hostnames);
  return { kind: "booted", facts: { pid, eid, nickname, isSyncServer, hosts, files, cache } };
}

/** The event key has no newline behind it, the hash has one. */
function writeKeys(files: Record<string, string>, reply: (command: string) => string): void {
  if (reply("keyhash") !== "") {
    files["keyhash"] = `${need(parseKeyHash(reply("keyhash")), "keyhash")}\n`;
  }
  if (reply("eventkey") !== "") {
    files["eventkey"] = need(parseEventKey(reply("eventkey")), "eventkey");
  }
}

/** @returns whether the node itself is the server. */
async function writeSyncServer(
  files: Record<string, string>,
  reply: string,
  { ask, syncService, syncServerHost = (name) => name }: BootOptions,
): Promise<boolean> {
  if (reply === "") return false;
  const { server, isServer } = need(parseSyncServer(reply), "syncserver");
  const port =
    syncService === undefined ? undefined : parsePort(await ask(["portregister", syncService]));
  const suffix = port === undefined ? "" : `:${port.port}`;
  files["syncserver"] = `${syncServerHost(server)}${suffix}\n`;
  return isServer;
}

/** The programs and their environment; without programs the user alone. */
function formatProgramFile(reply: (command: string) => string, swapper: string): string {
  const programs = reply("programs") === "" ? `UID=${swapper}\n` : reply("programs");
  return programs + reply("userenv").replace(/^(?=.)/gm, "ENV ");
}

/** B2. */
function need<T>(value: T | undefined, command: string): T {
  if (value !== undefined) return value;
  throw new Error(`the reply to ${command} does not fit what it should be; ask tmcc -b ${command}`);
}
