// SPDX-License-Identifier: MIT
// GNUnet controllers of `muster serve`: `--listen gnunet=ADDR`, `--listen gnunet-barrier=ADDR`. All
// that name one scope are doors of one controller.
import { mkdirSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import type { Limits } from "../../core/limits.ts";
import {
  controllerConfigVariable,
  formatClientConfig,
  formatGnunetAddress,
  type GnunetAddress,
  type GnunetBounds,
  GnunetController,
  type GnunetService,
} from "../../edges/gnunet/index.ts";
import { createGuard, warnOfOpenDoor } from "../../edges/guard.ts";
import { defaultScope, type TlsFiles } from "../../edges/http/index.ts";
import { systemClock } from "../../host/clock.ts";
import type { Logger } from "../../host/logger.ts";
import type { Shards } from "../../host/shards.ts";
import { barrierPort, testbedPort } from "../../wire/gnunet/index.ts";
import type { Network } from "../../wire/networks.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import type { DoorWatch } from "./door-watch.ts";
import {
  type ListenSettings,
  readNetworks,
  readSettings,
  refuseIdleAllow,
} from "./serve-settings.ts";

/** One `--listen gnunet...`. Networks are for TCP: a socket in the file system has rights. */
export interface GnunetListen extends ListenSettings {
  readonly service: GnunetService;
  readonly address: GnunetAddress;
}

/** What of the command line is about GNUnet. */
export interface GnunetPlan {
  readonly listens: readonly GnunetListen[];
  /** Peers of each controller besides those that drivers register. */
  readonly peers: number;
}

interface GnunetArguments {
  readonly listen?: readonly string[];
  readonly allow?: readonly string[];
  readonly gnunetPeers?: number;
}

const loopback = "127.0.0.1";
const doors: ReadonlyMap<string, { readonly service: GnunetService; readonly port: number }> =
  new Map([
    ["gnunet", { service: "testbed", port: testbedPort }],
    ["gnunet-barrier", { service: "testbed-barrier", port: barrierPort }],
  ] as const);

/** Whether a `--listen` or an `--allow` is of this file. */
export function isGnunetDoor(text: string): boolean {
  return doors.has(text.split(/[=,]/)[0] ?? "");
}

/** @throws CommandError */
export function planGnunet({ listen = [], allow = [], gnunetPeers }: GnunetArguments): GnunetPlan {
  const listens = listen.filter(isGnunetDoor).map(parseGnunetListen);
  const allows = allow.filter(isGnunetDoor).map(parseGnunetAllow);
  const idle = allows.find(({ service }) => listens.every((one) => one.service !== service));
  if (idle !== undefined) refuseIdleAllow(idle.edge);
  if (gnunetPeers !== undefined && listens.length === 0) {
    const message = "--gnunet-peers is for a controller; add --listen gnunet and gnunet-barrier";
    throw new CommandError(exitCodes.usage, message);
  }
  return {
    listens: listens.map((one) => {
      const more = allows.filter(({ service }) => service === one.service);
      return { ...one, networks: [...one.networks, ...more.flatMap(({ networks }) => networks)] };
    }),
    peers: gnunetPeers ?? 0,
  };
}

/** A line for each door. */
export function describeGnunet({ listens }: GnunetPlan): readonly string[] {
  return listens.map(({ service, address, scope, networks }) => {
    const who =
      networks.length === 0
        ? ""
        : `, for ${networks.length} ${networks.length === 1 ? "network" : "networks"}`;
    return `${service} at ${formatGnunetAddress(address)}, scope ${scope}${who}`;
  });
}

/** `gnunet=NETWORK,NETWORK`. @throws CommandError */
export function parseGnunetAllow(text: string): {
  readonly edge: string;
  readonly service: GnunetService;
  readonly networks: readonly Network[];
} {
  const [edge = ""] = text.split("=");
  const door = doors.get(edge);
  if (door === undefined) throw new CommandError(exitCodes.usage, `--allow ${text}: no such door`);
  return { edge, service: door.service, networks: readNetworks(text) };
}

/**
 * `gnunet`, `gnunet=2101`, `gnunet=127.0.0.1:2101`, `gnunet=[::1]:2101`,
 * `gnunet=/run/testbed.sock`, each with `,scope=NAME`, ports with `,tls`.
 * @throws CommandError
 */
export function parseGnunetListen(text: string): GnunetListen {
  const [where = "", ...settings] = text.split(",");
  const [edge = "", place = ""] = where.split("=", 2);
  const door = doors.get(edge);
  const wrong = (why: string): CommandError => {
    const example = `${edge}=${loopback}:${door?.port}, or ${edge}=/PATH/OF/A.sock`;
    return new CommandError(exitCodes.usage, `--listen ${text}: ${why}; give ${example}`);
  };
  if (door === undefined) throw wrong("it is no door of GNUnet");
  const read = readSettings(settings, ["scope", "allow", "tls", "client-certs"], wrong);
  const address = parseAddress(place, door.port, wrong);
  if (address.kind === "unix" && (read.tls || read.clientCerts)) throw wrong(noTlsAtPath);
  return { service: door.service, address, ...read };
}

/** Whoever may open the file is trusted, and nobody else reads what goes over it. */
export const noTlsAtPath = "a socket in the file system speaks no TLS";

/** A path, or an address and a port; `wrong` makes the error. @throws what it makes */
export function parseAddress(
  place: string,
  usualPort: number,
  wrong: (why: string) => CommandError,
): GnunetAddress {
  if (place.startsWith("/")) return { kind: "unix", path: place };
  const parts = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(place);
  const host = parts === null ? place : (parts[1] ?? parts[2] ?? loopback);
  const port = parts === null ? usualPort : Number(parts[3]);
  if (port > 65_535) throw wrong(`there is no port ${port}`);
  const named = host === "" || host === "localhost" ? loopback : host;
  if (isIP(named) === 0) throw wrong(`${named} is neither an address of this machine nor a path`);
  return { kind: "tcp", host: named, port };
}

export interface OpenGnunetOptions {
  readonly plan: GnunetPlan;
  readonly shards: Shards;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly bounds: GnunetBounds;
  /** What a listener speaks TLS with, if it does. */
  readonly tlsOf: (listen: GnunetListen) => TlsFiles | undefined;
  /** What a controller holds, for /metrics, and what its bounds refuse. */
  readonly watch: DoorWatch;
  /** Where the files are written by which clients find a controller. */
  readonly directory: string;
}

export interface OpenedGnunet {
  readonly line: string;
  /** Takes nobody new. */
  readonly drain: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Opens a controller for each scope that is named. @throws GnunetListenError; none is open then.
 */
export async function openGnunet(options: OpenGnunetOptions): Promise<readonly OpenedGnunet[]> {
  const scopes = new Set(options.plan.listens.map(({ scope }) => scope));
  const opened: OpenedGnunet[] = [];
  try {
    for (const scope of scopes) opened.push(await openController(scope, options));
    return opened;
  } catch (error) {
    for (const { close } of opened) await close();
    throw error;
  }
}

async function openController(scope: string, options: OpenGnunetOptions): Promise<OpenedGnunet> {
  const { shards, logger, limits, bounds, plan } = options;
  const { peers } = plan;
  const controller = new GnunetController({
    ...{ scope, logger, limits, bounds, peers, clock: systemClock, connect: shards.connectEdge },
    edge: `gnunet/${scope}`,
    onLimit: options.watch.refused,
  });
  options.watch.add("gnunet", () => ({ connections: controller.counters.connections }));
  const addresses: Partial<Record<GnunetService, GnunetAddress>> = {};
  const places: string[] = [];
  try {
    for (const listen of plan.listens.filter((one) => one.scope === scope)) {
      const { service, address, networks } = listen;
      const door = gnunetDoorOf(service);
      const guard = createGuard({
        ...{ door, networks, logger },
        onRefused: () => options.watch.refused("allow"),
      });
      const tls = options.tlsOf(listen);
      const bound = await controller.listen(service, address, {
        admits: (peer) => guard.admits(peer),
        ...(tls === undefined ? {} : { tls }),
      });
      addresses[service] ??= bound;
      const withTls = tls === undefined ? "" : ", with TLS";
      places.push(`${service} at ${formatGnunetAddress(bound)}${withTls}`);
      if (bound.kind === "unix") continue;
      const asksForCertificates = tls?.authority !== undefined;
      warnOfOpenDoor({ door, address: bound.host, networks, asksForCertificates, logger });
    }
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const file = join(options.directory, fileName(scope));
    writeFileSync(file, formatClientConfig(addresses), { mode: 0o600 });
    const line = `gnunet, scope ${scope}: ${places.join(", ")}; ${controllerConfigVariable}=${file}`;
    return {
      line,
      drain: () => controller.stopListening(),
      close: () => controller.close(),
    };
  } catch (error) {
    await controller.close();
    throw error;
  }
}

/** Scopes hold `/` and what else people write. */
function fileName(scope: string): string {
  return scope === defaultScope ? "gnunet.conf" : `gnunet-${encodeURIComponent(scope)}.conf`;
}

/** Name of the door, as in `--listen`. */
export function gnunetDoorOf(service: GnunetService): string {
  return service === "testbed" ? "gnunet" : "gnunet-barrier";
}
