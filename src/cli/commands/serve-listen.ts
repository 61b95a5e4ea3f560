// SPDX-License-Identifier: MIT
// What `muster serve` was asked to listen at: `--listen EDGE=ADDR`, `--allow EDGE=NETWORK`,
// `--redirect-events FROM=TO`. Everything is read and checked before anything is started.
import { isIP } from "node:net";
import { eventPorts } from "../../client/event-address.ts";
import { defaultHttpPort } from "../../edges/http/index.ts";
import { defaultPort as defaultXmlRpcPort } from "../../edges/xmlrpc/index.ts";
import type { Endpoint } from "../../events/forwarder.ts";
import { closest } from "../../experiment/index.ts";
import { defaultPort as defaultSyncPort } from "../../wire/emulab-sync/index.ts";
import { isLoopbackAddress, type Network } from "../../wire/networks.ts";
import { defaultPort as defaultTestgroundPort } from "../../wire/testground/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import {
  type ListenSettings,
  readNetworks,
  readSettings,
  refuseIdleAllow,
  type Setting,
} from "./serve-settings.ts";

export type DoorName = "http" | "syncd" | "testground" | "xmlrpc" | "events" | "boss-events";

/** What a process does: experiments and the testbed's own bus, or the users' events. */
export type Role = "boss" | "ops";

/** One `--listen`. */
export interface Listen extends ListenSettings {
  readonly edge: DoorName;
  readonly host: string;
  readonly port: number;
}

interface DoorFacts {
  readonly port: number;
  readonly settings: readonly Setting[];
}

const loopback = "127.0.0.1";
const doorFacts: Readonly<Record<DoorName, DoorFacts>> = {
  http: { port: defaultHttpPort, settings: ["allow", "client-certs"] },
  syncd: { port: defaultSyncPort, settings: ["scope", "allow", "tls", "client-certs"] },
  testground: {
    port: defaultTestgroundPort,
    settings: ["scope", "allow", "tls", "client-certs"],
  },
  // Its clients show a certificate in any case.
  xmlrpc: { port: defaultXmlRpcPort, settings: ["allow"] },
  events: { port: eventPorts.experiments, settings: ["allow", "tls", "client-certs"] },
  "boss-events": {
    port: eventPorts.testbed,
    settings: ["allow", "tls", "client-certs", "beyond-loopback"],
  },
};

/** Those that lead to the core. */
export const coreDoors: readonly DoorName[] = ["http", "syncd", "testground"];

/**
 * `http`, `http=8470`, `http=127.0.0.1:8470`, `http=[::1]:8470`, `http,allow=::1`,
 * `syncd=127.0.0.1:16534,scope=p/e,allow=10.0.0.0/8`.
 * @throws CommandError
 */
export function parseListen(text: string): Listen {
  const [place = "", ...settings] = text.split(",");
  const [edge = "", address = ""] = place.split("=", 2);
  if (!isEdge(edge)) {
    const names = [...Object.keys(doorFacts), "gnunet", "gnunet-barrier", "controllers"];
    const near = closest(edge, names);
    const meant = near === undefined ? "" : `, did you mean ${near}?`;
    const isPlace = /^(?:[\d.:]|\[|localhost$)/.test(place);
    const why = isPlace
      ? `it is not said which door; give DOOR=ADDRESS:PORT, such as http=${withPort(place)}`
      : `there is no such door${meant}`;
    const message = `--listen ${text}: ${why}; the doors are ${names.join(", ")}`;
    throw new CommandError(exitCodes.usage, message);
  }
  const { port: usualPort, settings: known } = doorFacts[edge];
  const wrong = (why: string): CommandError => {
    const message = `--listen ${text}: ${why}; give EDGE=ADDRESS:PORT, such as ${edge}=${loopback}:${usualPort}`;
    return new CommandError(exitCodes.usage, message);
  };
  const read = readSettings(settings, known, wrong);
  const parts = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(address);
  const host = parts === null ? address : (parts[1] ?? parts[2] ?? loopback);
  const port = parts === null ? usualPort : Number(parts[3]);
  if (port > 65_535) throw wrong(`there is no port ${port}`);
  const named = host === "" || host === "localhost" ? loopback : host;
  if (isIP(named) === 0) throw wrong(`${named} is not an address of this machine`);
  if (edge === "boss-events" && !read.beyondLoopback && !isLoopbackAddress(named)) {
    const why = "whoever reaches boss's own bus may say what state a node is in";
    const message = `--listen ${text}: ${why}; let it listen on loopback, or add ,beyond-loopback`;
    throw new CommandError(exitCodes.usage, message);
  }
  return { edge, host: named, port, ...read };
}

/** A place as it may stand behind the name of the http door. */
function withPort(place: string): string {
  if (isIP(place) === 6) return `[${place}]:${defaultHttpPort}`;
  return place.replace(/^:/, "");
}

/** One `--allow`: who may come to all doors of a kind. */
export interface Allow {
  readonly edge: DoorName;
  readonly networks: readonly Network[];
}

/** `EDGE=NETWORK,NETWORK`. @throws CommandError */
export function parseAllow(text: string): Allow {
  const [edge = "", , ...rest] = text.split("=");
  const takers = [...Object.keys(doorFacts), "gnunet", "gnunet-barrier", "controllers"];
  const wrong = (why: string): CommandError => {
    const message = `--allow ${text}: ${why}; give DOOR=NETWORK,NETWORK, such as syncd=10.0.0.0/8,2001:db8::/32`;
    return new CommandError(exitCodes.usage, message);
  };
  if (!isEdge(edge) || rest.length > 0) {
    throw wrong(`the doors are ${takers.join(", ")}`);
  }
  return { edge, networks: readNetworks(text) };
}

/**
 * The listeners with the networks of their kind. @throws CommandError for a door that is not there
 */
export function applyAllows(
  listens: readonly Listen[],
  allows: readonly Allow[],
): readonly Listen[] {
  const idle = allows.find(({ edge }) => listens.every((listen) => listen.edge !== edge));
  if (idle !== undefined) refuseIdleAllow(idle.edge);
  return listens.map((listen) => {
    const more = allows.filter(({ edge }) => edge === listen.edge);
    return { ...listen, networks: [...listen.networks, ...more.flatMap((one) => one.networks)] };
  });
}

/** One `--redirect-events`: who connects to the first gets to the second. */
export interface Redirect {
  readonly from: Endpoint;
  /** The host may be a name. */
  readonly to: Endpoint;
  /** From where one may come; everybody when empty. */
  readonly networks: readonly Network[];
}

/**
 * `ADDRESS:PORT=HOST:PORT,allow=NETWORK`; ports are the usual one where they are left out.
 * @throws CommandError
 */
export function parseRedirect(text: string): Redirect {
  const wrong = (why: string): CommandError => {
    const help = "an address of this machine and where the event server is";
    const message = `--redirect-events ${text}: ${why}give ADDRESS:PORT=HOST:PORT, ${help}, such as 192.0.2.1:2917=ops:2917`;
    return new CommandError(exitCodes.usage, message);
  };
  const [place = "", ...settings] = text.split(",");
  const [from, to, ...rest] = place.split("=").map(parseEndpoint);
  if (from === undefined || to === undefined || rest.length > 0 || isIP(from.host) === 0) {
    throw wrong("");
  }
  const { networks } = readSettings(settings, ["allow"], (why) => wrong(`${why}; `));
  return { from, to, networks };
}

function parseEndpoint(text: string): Endpoint | undefined {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/@?# ]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? eventPorts.experiments : Number(digits);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** What does not belong to the role of this process is not opened. @throws CommandError */
export function checkRole(role: Role | undefined, listens: readonly Listen[]): void {
  if (role === undefined) return;
  const foreign: readonly DoorName[] = role === "ops" ? ["xmlrpc", "boss-events"] : ["events"];
  const found = listens.find(({ edge }) => foreign.includes(edge));
  if (found === undefined) return;
  const other = role === "ops" ? "boss" : "ops";
  const message = `--listen ${found.edge} belongs to --role ${other}; leave out --role for a process that does both`;
  throw new CommandError(exitCodes.usage, message);
}

/**
 * The edges that listeners are to the core, by listener. Where the system chooses the port, several
 * have one address until they are open: an edge of the same name would end the one before.
 */
export function nameEdges(listens: readonly Listen[]): ReadonlyMap<Listen, string> {
  const names = new Map<Listen, string>();
  const counts = new Map<string, number>();
  for (const listen of listens) {
    const name = `${listen.edge}/${listen.host}:${listen.port}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    names.set(listen, count === 1 ? name : `${name}/${count}`);
  }
  return names;
}

function isEdge(text: string): text is DoorName {
  return Object.hasOwn(doorFacts, text);
}
