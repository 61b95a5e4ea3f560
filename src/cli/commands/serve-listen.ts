// SPDX-License-Identifier: MIT
// What `muster serve` was asked to listen at: `--listen EDGE=ADDR`, `--redirect-events FROM=TO`,
// and the certificate of the doors that speak TLS. Everything is read and checked before anything
// is started.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import type { XmlRpcPlace } from "../../boss/index.ts";
import { eventPorts } from "../../client/event-address.ts";
import { defaultHttpPort, defaultScope, type TlsFiles } from "../../edges/http/index.ts";
import { defaultPort as defaultXmlRpcPort } from "../../edges/xmlrpc/index.ts";
import type { Endpoint } from "../../events/forwarder.ts";
import { defaultPort as defaultSyncPort } from "../../wire/emulab-sync/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

type DoorName = "http" | "syncd" | "xmlrpc" | "events" | "boss-events";

/** What a process does: experiments and the testbed's own bus, or the users' events. */
export type Role = "boss" | "ops";

/** One `--listen`. */
export interface Listen {
  readonly edge: DoorName;
  readonly host: string;
  readonly port: number;
  readonly scope: string;
}

export interface TlsArguments {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

const loopback = "127.0.0.1";
const defaultPorts: Readonly<Record<DoorName, number>> = {
  http: defaultHttpPort,
  syncd: defaultSyncPort,
  xmlrpc: defaultXmlRpcPort,
  events: eventPorts.experiments,
  "boss-events": eventPorts.testbed,
};

/**
 * `http`, `http=8470`, `http=127.0.0.1:8470`, `http=[::1]:8470`, `syncd=127.0.0.1:16534,scope=p/e`.
 * @throws CommandError
 */
export function parseListen(text: string): Listen {
  const [edge = "", ...rest] = text.split("=");
  const [address = "", ...settings] = rest.join("=").split(",");
  if (!isEdge(edge)) {
    const names = Object.keys(defaultPorts).join(", ");
    const message = `--listen ${text}: the doors of this command are ${names}; others are not built into it yet (NOT_YET)`;
    throw new CommandError(exitCodes.usage, message);
  }
  const wrong = (why: string): CommandError => {
    const message = `--listen ${text}: ${why}; give EDGE=ADDRESS:PORT, such as ${edge}=${loopback}:${defaultPorts[edge]}`;
    return new CommandError(exitCodes.usage, message);
  };
  let scope = defaultScope;
  let isBeyond = false;
  for (const setting of settings) {
    const [name, value = ""] = setting.split("=");
    if (name === "scope" && edge === "syncd" && value !== "") scope = value;
    else if (setting === beyondLoopback && edge === "boss-events") isBeyond = true;
    else throw wrong(`what is ${setting}?`);
  }
  const parts = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d+)$/.exec(address);
  const host = parts === null ? address : (parts[1] ?? parts[2] ?? loopback);
  const port = parts === null ? defaultPorts[edge] : Number(parts[3]);
  if (port > 65_535) throw wrong(`there is no port ${port}`);
  const named = host === "" || host === "localhost" ? loopback : host;
  if (isIP(named) === 0) throw wrong(`${named} is not an address of this machine`);
  if (edge === "boss-events" && !isBeyond && !isLoopback(named)) {
    const why = "whoever reaches boss's own bus may say what state a node is in";
    const message = `--listen ${text}: ${why}; let it listen on loopback, or add ,${beyondLoopback}`;
    throw new CommandError(exitCodes.usage, message);
  }
  return { edge, host: named, port, scope };
}

/** Said with `boss-events` by who wants it on other addresses. */
const beyondLoopback = "beyond-loopback";

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** One `--redirect-events`: who connects to the first gets to the second. */
export interface Redirect {
  readonly from: Endpoint;
  /** The host may be a name. */
  readonly to: Endpoint;
}

/**
 * `ADDRESS:PORT=HOST:PORT`; ports are the usual one where they are left out. @throws CommandError
 */
export function parseRedirect(text: string): Redirect {
  const [from, to, ...rest] = text.split("=").map(parseEndpoint);
  if (from !== undefined && to !== undefined && rest.length === 0 && isIP(from.host) !== 0) {
    return { from, to };
  }
  const help = "an address of this machine and where the event server is";
  const message = `--redirect-events ${text}: give ADDRESS:PORT=HOST:PORT, ${help}, such as 192.0.2.1:2917=ops:2917`;
  throw new CommandError(exitCodes.usage, message);
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

function isEdge(text: string): text is DoorName {
  return Object.hasOwn(defaultPorts, text);
}

/** @returns undefined when no certificate was named. @throws CommandError */
export function readTls({ tlsCert, tlsKey, tlsCa }: TlsArguments): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined) {
    const message = "TLS needs both --tls-cert FILE and --tls-key FILE";
    throw new CommandError(exitCodes.usage, message);
  }
  const authority = tlsCa === undefined ? {} : { authority: read(tlsCa) };
  const files = { certificate: read(tlsCert), key: read(tlsKey), ...authority };
  try {
    createSecureContext({ key: files.key, cert: files.certificate, ...caOf(files) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `${tlsKey} is no key for ${tlsCert}: ${why}; give PEM files`;
    throw new CommandError(exitCodes.usage, message);
  }
  return files;
}

/** Nothing that was asked for in the name of safety is left undone. @throws CommandError */
export function checkClientCertificates(
  { httpClientCerts }: { readonly httpClientCerts: boolean },
  listens: readonly Listen[],
  tls: TlsFiles | undefined,
): void {
  const has = (edge: DoorName): boolean => listens.some((listen) => listen.edge === edge);
  if (httpClientCerts && (tls?.authority === undefined || !has("http"))) {
    const message = "--http-client-certs needs --listen http, and --tls-ca for who has signed them";
    throw new CommandError(exitCodes.usage, message);
  }
  if (tls?.authority !== undefined && !httpClientCerts && !has("xmlrpc")) {
    const message =
      "--tls-ca: no door asks for certificates of clients; add --http-client-certs for the http door, or --listen xmlrpc";
    throw new CommandError(exitCodes.usage, message);
  }
}

/**
 * Where XML-RPC is answered, if it was asked for: its users are known by their certificates alone.
 * @throws CommandError
 */
export function resolveXmlRpc(
  listens: readonly Listen[],
  tls: TlsFiles | undefined,
): XmlRpcPlace | undefined {
  const [listen, second] = listens.filter(({ edge }) => edge === "xmlrpc");
  if (listen === undefined) return undefined;
  if (second !== undefined) {
    throw new CommandError(exitCodes.usage, "--listen xmlrpc: give it once");
  }
  if (tls?.authority === undefined) {
    const message = "--listen xmlrpc needs --tls-cert, --tls-key and --tls-ca";
    throw new CommandError(exitCodes.usage, message);
  }
  const identity = { ...tls, authority: tls.authority };
  return { identity, address: listen.host, port: listen.port };
}

function caOf({ authority }: TlsFiles): { readonly ca?: string } {
  return authority === undefined ? {} : { ca: authority };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new CommandError(exitCodes.noInput, `cannot read ${file}: ${text}`);
  }
}
