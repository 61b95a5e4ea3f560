// SPDX-License-Identifier: MIT
// The tree of controllers of `muster serve`: `--listen controllers=ADDR` lets others join below
// this one, `--parent NAME@ADDR` joins this one to the one above. Both show a key that is in a file
// of their own.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { Limits } from "../../core/limits.ts";
import {
  defaultGnunetBounds,
  formatGnunetAddress,
  type GnunetAddress,
  gnunetTime,
  listenGnunet,
} from "../../edges/gnunet/index.ts";
import { edgeOfChild, TreeCarrier } from "../../edges/tree/index.ts";
import { systemClock } from "../../host/clock.ts";
import type { Host } from "../../host/host.ts";
import { newIncarnation, newSecret } from "../../host/ids.ts";
import { LinkListener } from "../../host/link-listener.ts";
import type { Logger } from "../../host/logger.ts";
import { connectStreamEdge } from "../../host/remote-link.ts";
import { isLoopbackAddress } from "../../wire/networks.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { type BelowArguments, type BelowPlan, openBelow, planBelow } from "./serve-below.ts";
import { parseAddress } from "./serve-gnunet.ts";

/** Where sub-controllers join unless told. */
export const controllersPort = 2_105;
/** What a server is called that nobody has given a name. */
const usualName = "muster";
const edgeName = "controllers";

interface TreeArguments extends BelowArguments {
  /** `[NAME@]ADDRESS` of the controller above. */
  readonly parent?: string;
  /** File of the key that the controller above wants to see. */
  readonly parentKey?: string;
}

export interface Parent {
  readonly name: string;
  readonly address: GnunetAddress;
}

/** What of the command line is about the tree. */
export interface TreePlan {
  readonly name: string;
  readonly listens: readonly GnunetAddress[];
  readonly parent: Parent | undefined;
  readonly parentKey: string | undefined;
  /** Those that this one starts. */
  readonly below: BelowPlan | undefined;
}

/** Whether a `--listen` is of this file. */
export function isTreeListen(text: string): boolean {
  return text.split("=")[0] === edgeName;
}

/** @param name of this server. @throws CommandError */
export function planTree(
  listens: readonly string[],
  name: string,
  { parent, parentKey, ...rest }: TreeArguments,
): TreePlan {
  const planned = {
    name,
    listens: listens.map(parseTreeListen),
    parent: parent === undefined ? undefined : parseParent(parent),
    parentKey,
    below: planBelow(rest),
  };
  if (planned.below !== undefined && planned.listens.length === 0) {
    const message = "--below: they join this one; add --listen controllers=ADDR";
    throw new CommandError(exitCodes.usage, message);
  }
  if (name === planned.parent?.name) {
    const message = `--name ${name}: the controller above is called so, too; give --name NAME`;
    throw new CommandError(exitCodes.usage, message);
  }
  if (parentKey !== undefined && parent === undefined) {
    throw new CommandError(exitCodes.usage, "--parent-key needs --parent");
  }
  return planned;
}

/** A line for each link. */
export function describeTree({ name, listens, parent, below }: TreePlan): readonly string[] {
  const places = [
    ...listens.map((one) => `controllers may join ${name} at ${formatGnunetAddress(one)}`),
    ...(below?.places ?? []).map(({ host }) => `starts a controller below it on ${host}`),
  ];
  if (parent === undefined) return places;
  return [...places, `${name} joins ${parent.name} at ${formatGnunetAddress(parent.address)}`];
}

/** @throws CommandError */
export function parseTreeListen(text: string): GnunetAddress {
  return parseAddress(text.slice(edgeName.length + 1), controllersPort, (why) => {
    const example = `${edgeName}=127.0.0.1:${controllersPort}, or ${edgeName}=/PATH/OF/A.sock`;
    return new CommandError(exitCodes.usage, `--listen ${text}: ${why}; give ${example}`);
  });
}

/** @throws CommandError */
export function parseParent(text: string): Parent {
  const at = text.indexOf("@");
  const address = parseAddress(text.slice(at + 1), controllersPort, (why) => {
    const message = `--parent ${text}: ${why}; give NAME@ADDRESS:PORT or NAME@/PATH`;
    return new CommandError(exitCodes.usage, message);
  });
  return { name: at > 0 ? text.slice(0, at) : usualName, address };
}

export interface OpenTreeOptions {
  readonly plan: TreePlan;
  /** Those of this process's own doors. */
  readonly scopes: readonly string[];
  readonly host: Host;
  readonly limits: Limits;
  readonly logger: Logger;
  /** Where the key is kept that this controller wants to see. */
  readonly directory: string;
  /** A line for people. */
  readonly say: (line: string) => void;
}

export interface OpenedTree {
  readonly line: string;
  readonly close: () => Promise<void>;
}

/** @throws CommandError, GnunetListenError */
export async function openTree(options: OpenTreeOptions): Promise<readonly OpenedTree[]> {
  const { plan } = options;
  const opened: OpenedTree[] = [];
  try {
    if (plan.listens.length > 0) opened.push(await openListener(options));
    if (plan.parent !== undefined) opened.push(joinParent(plan.parent, options));
    return opened;
  } catch (error) {
    for (const { close } of opened) await close();
    throw error;
  }
}

function keyFile(directory: string): string {
  return join(directory, "controllers.key");
}

/** One secret for all below: who has it may join under any name that is free. */
async function openListener(options: OpenTreeOptions): Promise<OpenedTree> {
  const { plan, host, logger, directory } = options;
  const file = keyFile(directory);
  const secret = obtainKey(file);
  const prefix = edgeOfChild("");
  const listener = new LinkListener({
    ...{ host, logger, admitted: [] },
    admits: (edge) => {
      const name = edge.slice(prefix.length);
      if (!edge.startsWith(prefix) || name === "") return undefined;
      return { edge, secret, rights: { kind: "child", name } };
    },
  });
  const bound: Awaited<ReturnType<typeof listenGnunet>>[] = [];
  try {
    for (const address of plan.listens) {
      const one = await listenGnunet({
        ...{ address, clock: systemClock, time: gnunetTime },
        backlog: defaultGnunetBounds.gnunetBacklog,
        // A controller that died is to be noticed when its side closes.
        allowHalfOpen: false,
        onConnection: (socket) => listener.accept(socket),
        onSocketError: (error) => logger.log("warn", `socket error: ${error.message}`),
      });
      bound.push(one);
      if (one.address.kind === "unix" || isLoopbackAddress(one.address.host)) continue;
      const place = formatGnunetAddress(one.address);
      logger.log("warn", `controllers at ${place}: the key and all else is sent in clear text`);
    }
  } catch (error) {
    for (const one of bound) one.close();
    throw error;
  }
  const places = bound.map(({ address }) => formatGnunetAddress(address));
  const endBelow = startBelow(options, places[0] ?? "");
  return {
    line: `controllers may join ${plan.name} at ${places.join(", ")}, with the key in ${file}`,
    close: async () => {
      await endBelow();
      for (const one of bound) one.close();
      listener.close();
    },
  };
}

function startBelow(
  { plan: { name, below }, logger, say }: OpenTreeOptions,
  place: string,
): () => Promise<void> {
  if (below === undefined) return () => Promise.resolve();
  return openBelow({ plan: below, parent: `${name}@${below.at ?? place}`, logger, say });
}

function joinParent({ name: parent, address }: Parent, options: OpenTreeOptions): OpenedTree {
  const { plan, scopes, host, limits, logger, directory, say } = options;
  const file = plan.parentKey ?? keyFile(directory);
  const secret = readKey(file);
  const open = () => {
    const where = address.kind === "unix" ? { path: address.path } : address;
    return connect({ ...where, keepAlive: true, keepAliveInitialDelay: gnunetTime.keepAliveMs });
  };
  const carrier = new TreeCarrier({
    ...{ scopes, name: plan.name, parent, limits, logger, clock: systemClock },
    newLife: newIncarnation,
    onJoined: () => say(`${plan.name} has joined ${parent}`),
    connectOwn: host.connectEdge,
    connectParent: connectStreamEdge({ secret, clock: systemClock, limits, open }),
  });
  return {
    line: `${plan.name} is to join ${parent} at ${formatGnunetAddress(address)}, scopes ${scopes.join(", ")}`,
    close: () => carrier.close(),
  };
}

/** @throws CommandError */
function readKey(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    const message = `cannot read ${file}; copy controllers.key of the controller above there, or name it with --parent-key`;
    throw new CommandError(exitCodes.noInput, message);
  }
}

/** Made when there is none; who joins needs a copy. */
function obtainKey(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${newSecret()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere) throw error;
  }
  return readFileSync(file, "utf8").trim();
}
