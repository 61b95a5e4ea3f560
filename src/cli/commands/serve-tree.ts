// SPDX-License-Identifier: MIT
// The tree of controllers of `muster serve`: `--listen controllers=ADDR` lets others join below
// this one, `--parent NAME@ADDR` joins this one to the one above. Both show a key that is in a file
// of their own. With `--controller` the servers of one log are one controller, and one of them at a
// time carries its link up.
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { assert } from "../../core/assert.ts";
import type { Limits } from "../../core/limits.ts";
import { Doorway } from "../../edges/doorway.ts";
import {
  formatGnunetAddress,
  type GnunetAddress,
  type GnunetBounds,
  gnunetTime,
  listenGnunet,
} from "../../edges/gnunet/index.ts";
import { createGuard } from "../../edges/guard.ts";
import type { TlsFiles } from "../../edges/http/index.ts";
import { admitChild, openUplink, sayChildren, whenStrange } from "../../edges/tree/index.ts";
import { maskNatsName } from "../../engine/nats-place.ts";
import { calmLogger } from "../../host/calm-logger.ts";
import { systemClock } from "../../host/clock.ts";
import { newIncarnation } from "../../host/ids.ts";
import { LinkListener } from "../../host/link-listener.ts";
import type { Logger } from "../../host/logger.ts";
import { Outage, outagePaces } from "../../host/outage.ts";
import { serverEdge } from "../../host/server-membership.ts";
import type { Shards } from "../../host/shards.ts";
import { isLoopbackAddress } from "../../wire/networks.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { readNamedFile } from "../small-file.ts";
import { type ControllersKey, obtainControllersKey, readParentKey } from "./controllers-key.ts";
import type { DoorWatch } from "./door-watch.ts";
import { sayController } from "./same-controller.ts";
import { type BelowArguments, type BelowPlan, openBelow, planBelow } from "./serve-below.ts";
import { serverNamePattern } from "./serve-fields.ts";
import { noTlsAtPath, parseAddress } from "./serve-gnunet.ts";
import {
  dialOverNats,
  type ListenedPlace,
  listenOverNats,
  type NatsAddress,
  readNatsAddress,
} from "./serve-nats-tree.ts";
import {
  type ListenSettings,
  readNetworks,
  readSettings,
  refuseIdleAllow,
} from "./serve-settings.ts";

/** Where sub-controllers join unless told. */
export const controllersPort = 2_105;
/** What a server is called that nobody has given a name. */
const usualName = "muster";
const edgeName = "controllers";

interface TreeArguments extends BelowArguments {
  readonly listen?: readonly string[];
  readonly allow?: readonly string[];
  /** What all servers of the log are called in the tree. */
  readonly controller?: string;
  /** File of the key that those below must show. */
  readonly controllersKey?: string;
  /** `[NAME@]ADDRESS,ADDRESS...` of the controller above. */
  readonly parent?: string;
  /** File of the key that the controller above wants to see. */
  readonly parentKey?: string;
  /** Who has signed its certificate: the link speaks TLS. */
  readonly parentCa?: string;
  /** A certificate to show it, with its key in the same file. */
  readonly parentCert?: string;
  /** Credentials of the account of NATS, for links over it. */
  readonly natsCreds?: string;
}

interface ParentTls {
  readonly ca: string;
  /** What this one shows, with its key. */
  readonly certificate: string | undefined;
}

export interface Parent {
  readonly name: string;
  /** Of its servers; one after the other is tried. */
  readonly addresses: readonly [GnunetAddress | NatsAddress, ...GnunetAddress[]];
}

/** One `--listen controllers=ADDR`. */
export interface TreeListen extends ListenSettings {
  readonly address: GnunetAddress;
}

/** What of the command line is about the tree. */
export interface TreePlan {
  /** Of the controller, which may be a group of servers. */
  readonly name: string;
  readonly isGroup: boolean;
  readonly server: string;
  /** File of the key of those below, if not that of the state directory. */
  readonly key: string | undefined;
  readonly listens: readonly TreeListen[];
  /** Brokers over which controllers may join as well. */
  readonly natsListens: readonly NatsAddress[];
  readonly parent: Parent | undefined;
  readonly parentKey: string | undefined;
  /** PEM texts; the link to the one above is in clear when there are none. */
  readonly parentTls: ParentTls | undefined;
  /** Those that this one starts. */
  readonly below: BelowPlan | undefined;
}

/** Ways to others of the tree, up and down. */
export function treeLinkCount({ listens, natsListens, parent }: TreePlan): number {
  return listens.length + natsListens.length + (parent === undefined ? 0 : 1);
}

/** Whether a `--listen` is of this file. */
export function isTreeListen(text: string): boolean {
  return text.split(/[=,]/)[0] === edgeName;
}

/** @param server its name. @throws CommandError */
export function planTree(server: string, argv: TreeArguments): TreePlan {
  const { listen = [], allow = [], parent, parentKey, parentCa, parentCert, natsCreds } = argv;
  const { controller, controllersKey: key } = argv;
  const name = controller ?? server;
  const networks = allow.filter(isTreeListen).flatMap(readNetworks);
  const asked = listen.filter(isTreeListen);
  const listens = asked.filter((text) => !isOverNats(text)).map(parseTreeListen);
  const natsListens = asked.filter(isOverNats).map((text) => {
    return readNatsAddress(text.slice(edgeName.length + 1), natsCreds, `--listen ${edgeName}`);
  });
  if (networks.length > 0 && listens.length === 0) refuseIdleAllow(edgeName);
  const above = parent === undefined ? undefined : parseParent(parent, natsCreds);
  const planned = {
    ...{ name, server, isGroup: controller !== undefined, key },
    listens: listens.map((one) => ({ ...one, networks: [...one.networks, ...networks] })),
    natsListens,
    parent: above,
    parentKey,
    parentTls: readParentTls(above, parentCa, parentCert),
    below: planBelow(argv),
  };
  if (planned.below !== undefined && planned.listens.length === 0) {
    const message = "--below: they join this one; add --listen controllers=ADDR";
    throw new CommandError(exitCodes.usage, message);
  }
  checkNames(planned);
  if (parentKey !== undefined && parent === undefined) {
    throw new CommandError(exitCodes.usage, "--parent-key needs --parent");
  }
  return planned;
}

/** @throws CommandError */
function checkNames(plan: TreePlan): void {
  const wrong = (message: string) => new CommandError(exitCodes.usage, message);
  const { name, isGroup, key, listens, natsListens, parent } = plan;
  const option = isGroup ? "--controller" : "--name";
  if (isGroup && !new RegExp(serverNamePattern).test(name)) {
    const form = "1 to 63 letters, digits, ., _ and -, a letter or digit first";
    throw wrong(`--controller ${name}: give ${form}`);
  }
  if (name === parent?.name) {
    throw wrong(`${option} ${name}: the controller above is called so, too; give ${option} NAME`);
  }
  const isJoined = listens.length + natsListens.length > 0;
  if (isGroup && !isJoined && parent === undefined) {
    throw wrong("--controller names it in a tree; add --parent or --listen controllers=ADDR");
  }
  if (key !== undefined && !isJoined) {
    throw wrong("--controllers-key is for those below; add --listen controllers=ADDR");
  }
}

/** @throws CommandError */
function readParentTls(
  parent: Parent | undefined,
  ca: string | undefined,
  cert: string | undefined,
): ParentTls | undefined {
  const wrong = (message: string) => new CommandError(exitCodes.usage, message);
  if (ca === undefined) {
    if (cert === undefined) return undefined;
    throw wrong("--parent-cert needs --parent-ca, for who has signed the parent's certificate");
  }
  if (parent?.addresses[0].kind !== "tcp")
    throw wrong("--parent-ca needs --parent NAME@ADDRESS:PORT");
  const certificate = cert === undefined ? undefined : readNamedFile(cert);
  return { ca: readNamedFile(ca), certificate };
}

/** A line for each link. */
export function describeTree(plan: TreePlan): readonly string[] {
  const { name, listens, natsListens, parent, below } = plan;
  const places = [
    ...listens.map(({ address }) => {
      return `controllers may join ${name} at ${formatGnunetAddress(address)}`;
    }),
    ...natsListens.map(({ name: at }) => `controllers may join ${name} over ${maskNatsName(at)}`),
    ...(below?.places ?? []).map(({ host }) => `starts a controller below it on ${host}`),
  ];
  if (parent === undefined) return places;
  return [...places, `${name} joins ${parent.name} at ${formatParent(parent)}`];
}

/** @throws CommandError */
export function parseTreeListen(text: string): TreeListen {
  const [where = "", ...settings] = text.split(",");
  const wrong = (why: string): CommandError => {
    const example = `${edgeName}=127.0.0.1:${controllersPort}, or ${edgeName}=/PATH/OF/A.sock`;
    return new CommandError(exitCodes.usage, `--listen ${text}: ${why}; give ${example}`);
  };
  const address = parseAddress(where.slice(edgeName.length + 1), controllersPort, wrong);
  const read = readSettings(settings, ["allow", "tls", "client-certs"], wrong);
  if (address.kind === "unix" && (read.tls || read.clientCerts)) throw wrong(noTlsAtPath);
  return { address, ...read };
}

/** @throws CommandError */
export function parseParent(text: string, natsCreds?: string): Parent {
  const [, named, nats] = /^(?:([^@:/]*)@)?(nats:.*)$/.exec(text) ?? [];
  if (nats !== undefined) {
    return { name: named || usualName, addresses: [readNatsAddress(nats, natsCreds, "--parent")] };
  }
  const at = text.indexOf("@");
  const read = (place: string): GnunetAddress =>
    parseAddress(place, controllersPort, (why) => {
      const forms = "NAME@ADDRESS:PORT,ADDRESS:PORT, NAME@/PATH or NAME@nats://HOST:PORT";
      const message = `--parent ${text}: ${why}; give ${forms}`;
      return new CommandError(exitCodes.usage, message);
    });
  const places = text.slice(at + 1);
  const [first = "", ...others] = places.startsWith("/") ? [places] : places.split(",");
  const addresses = [read(first), ...others.map(read)] as const;
  return { name: at > 0 ? text.slice(0, at) : usualName, addresses };
}

function formatParent({ addresses }: Parent): string {
  const texts = addresses.map((address) => {
    return address.kind === "nats" ? maskNatsName(address.name) : formatGnunetAddress(address);
  });
  return texts.join(",");
}

export interface OpenTreeOptions {
  readonly plan: TreePlan;
  /** Those of this process's own doors. */
  readonly scopes: readonly string[];
  /** What a listener speaks TLS with, if it does. */
  readonly tlsOf: (listen: TreeListen) => TlsFiles | undefined;
  readonly watch: DoorWatch;
  readonly shards: Shards;
  readonly limits: Limits;
  readonly bounds: GnunetBounds;
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
  const { plan, shards, directory } = options;
  if (treeLinkCount(plan) === 0) return [];
  const opened: OpenedTree[] = [];
  const { name, server } = plan;
  const isOpen = plan.listens.length + plan.natsListens.length > 0;
  const key = isOpen ? obtainControllersKey(plan.key ?? keyFile(directory)) : undefined;
  const unsay = await sayController({ name, server, key }, shards);
  try {
    if (key !== undefined) opened.push(await openListener(options, key));
    if (plan.parent !== undefined) opened.push(await joinParent(plan.parent, options));
    const [first, ...others] = opened;
    assert(first !== undefined, "a link is opened");
    const close = async (): Promise<void> => {
      await first.close();
      await unsay();
    };
    return [{ ...first, close }, ...others];
  } catch (error) {
    for (const { close } of opened) await close();
    await unsay();
    throw error;
  }
}

function isOverNats(text: string): boolean {
  return text.startsWith(`${edgeName}=nats:`);
}

function keyFile(directory: string): string {
  return join(directory, "controllers.key");
}

/** One secret for all below: who has it may join under any name that is free. */
async function openListener(
  options: OpenTreeOptions,
  { file, secret }: ControllersKey,
): Promise<OpenedTree> {
  const { plan, shards, logger, watch, say } = options;
  // A tree is refused where there are more of them (serve-plan.ts).
  const [host] = shards.hosts;
  assert(host !== undefined, "a server has a core");
  const listener = new LinkListener({
    ...{ host, logger, admitted: [], asksForProof: true, whenStrange },
    admits: admitChild(plan.name, secret),
    witness: sayChildren(say, calmLogger(logger, systemClock)),
  });
  const countMax = options.bounds.gnunetControllersMax;
  const opened: ListenedPlace[] = [];
  try {
    for (const listen of plan.listens) opened.push(await listenAt(listen, listener, options));
    for (const address of plan.natsListens) {
      opened.push(await listenOverNats({ address, ...plan, countMax, listener, logger }));
    }
  } catch (error) {
    for (const one of opened) await one.close();
    throw error;
  }
  watch.add(edgeName, () => ({ connections: listener.connectionCount }));
  const places = opened.map(({ place }) => place);
  const endBelow = startBelow(options, places[0] ?? "");
  return {
    line: `controllers may join ${plan.name} at ${places.join(", ")}, with the key in ${file}`,
    close: async () => {
      await endBelow();
      // Who is below is told, also over what is closed next.
      listener.close();
      for (const one of opened) await one.close();
    },
  };
}

async function listenAt(
  listen: TreeListen,
  listener: LinkListener,
  { logger, tlsOf, watch, bounds }: OpenTreeOptions,
): Promise<ListenedPlace> {
  const { address, networks } = listen;
  const guard = createGuard({
    ...{ door: edgeName, networks, logger },
    onRefused: () => watch.refused("allow"),
  });
  const tls = tlsOf(listen);
  const doorway = new Doorway({
    ...{ tls, handshakeMs: gnunetTime.messageMs, onRefused: watch.refused },
    admits: (peer) => guard.admits(peer),
    limits: { all: { name: "gnunetControllersMax", max: bounds.gnunetControllersMax } },
    log: (level, line) => logger.log(level, `${edgeName}: ${line}`),
    onCaller: (stream) => listener.accept(endingWithPeer(stream)),
  });
  const bound = await listenGnunet({
    ...{ address, clock: systemClock, time: gnunetTime },
    backlog: bounds.gnunetBacklog,
    // A controller that died is to be noticed when its side closes.
    allowHalfOpen: false,
    onConnection: (socket) => {
      if (address.kind === "unix") listener.accept(socket);
      else doorway.accept(socket);
    },
    onSocketError: (error) => logger.log("warn", `socket error: ${error.message}`),
  });
  const place = formatGnunetAddress(bound.address);
  if (bound.address.kind === "tcp" && !isLoopbackAddress(bound.address.host) && tls === undefined) {
    const advice = `whoever is on the way can read and change it; add ,tls to --listen ${edgeName}`;
    logger.log("warn", `what controllers say at ${place} is in clear text: ${advice}`);
  }
  return {
    place,
    close: () => {
      bound.close();
      doorway.close();
    },
  };
}

/** What comes through a gate of TLS stays open for writing when its peer ends. */
function endingWithPeer(stream: Socket): Socket {
  return stream.once("end", () => stream.end());
}

function startBelow(
  { plan: { name, below }, logger, say }: OpenTreeOptions,
  place: string,
): () => Promise<void> {
  if (below === undefined) return () => Promise.resolve();
  return openBelow({ plan: below, parent: `${name}@${below.at ?? place}`, logger, say });
}

async function joinParent(above: Parent, options: OpenTreeOptions): Promise<OpenedTree> {
  const { name: parent, addresses } = above;
  const [address] = addresses;
  const { plan, scopes, shards, limits, logger, directory, say } = options;
  const file = plan.parentKey ?? keyFile(directory);
  const secret = readParentKey(file);
  const unreached = new Outage({
    ...{ clock: systemClock, logger, pace: outagePaces.patient },
    words: { failed: (why) => `${parent} cannot be reached: ${why}; trying again` },
  });
  const dialer =
    address.kind === "nats"
      ? await dialOverNats(address, parent)
      : { dial: dialInTurn(above, plan.parentTls), close: () => undefined };
  const open = (): Duplex => {
    const stream = dialer.dial();
    return stream.on("error", ({ message }: Error) => unreached.failed(message));
  };
  const carrier = openUplink({
    ...{ scopes, name: plan.name, parent, limits, logger, clock: systemClock },
    ...{ isGroup: plan.isGroup, server: serverEdge(plan.server), core: shards },
    newLife: newIncarnation,
    onJoined: () => {
      unreached.over();
      say(`${plan.name} has joined ${parent}`);
    },
    way: { secret, open },
  });
  return {
    line: `${plan.name} is to join ${parent} at ${formatParent(above)}, scopes ${scopes.join(", ")}`,
    close: async () => {
      await carrier.close();
      await dialer.close();
    },
  };
}

/** The next of its servers each time: the one before was not there, or is not any more. */
function dialInTurn({ addresses }: Parent, tls: ParentTls | undefined): () => Duplex {
  const places = addresses.filter((address) => address.kind !== "nats");
  let calls = 0;
  return () => {
    const place = places[calls % places.length];
    assert(place !== undefined, "a server above has an address");
    calls += 1;
    return dial(place, tls);
  };
}

function dial(address: GnunetAddress, tls: ParentTls | undefined): Duplex {
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: gnunetTime.keepAliveMs };
  if (address.kind === "unix") return connect({ path: address.path, ...keepAlive });
  const { host, port } = address;
  if (tls === undefined) return connect({ host, port, ...keepAlive });
  const { ca, certificate } = tls;
  const shown = certificate === undefined ? {} : { cert: certificate, key: certificate };
  const socket = connectTls({ host, port, ca, ...shown, minVersion: "TLSv1.2" });
  return socket.setKeepAlive(true, gnunetTime.keepAliveMs);
}
