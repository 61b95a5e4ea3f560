// SPDX-License-Identifier: MIT
// Where a bus of events is: as an option, an environment variable or the testbed's custom names it.
// Pure. [EMULAB-EVENTS 7.2]

/** Doors of the bus of experiments and of the testbed's own. */
export const eventPorts = { experiments: 2917, testbed: 2927 } as const;

/** The name by which clients find the server of experiments' events, unless told another. */
export const eventServerName = "event-server";

/** Path of the WebSocket for a bus, whatever the door. */
const busPath = "/v1/bus";

export interface AddressGiven {
  /** A host, or the URL of a door. */
  readonly server: string | undefined;
  readonly port: number | undefined;
}

export interface AddressDefaults {
  /** `$MUSTER_EVENTS`: `HOST`, `HOST:PORT` or a URL; goes before the two below. */
  readonly environment: string | undefined;
  readonly server: string;
  readonly port: number;
}

/**
 * The URL of the WebSocket, `ws://HOST:PORT/v1/bus`; of http and https become ws and wss.
 *
 * @returns undefined for what is no host and no URL.
 */
export function resolveEventAddress(
  given: AddressGiven,
  defaults: AddressDefaults,
): string | undefined {
  const { environment = "" } = defaults;
  const server = given.server ?? (environment === "" ? defaults.server : environment);
  const text = server.includes("://") ? server : `ws://${bracketed(server)}`;
  const match =
    /^(ws|wss|http|https):\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]@?# ]+)(?::([0-9]{1,5}))?\/?$/.exec(text);
  const [, scheme, host, ownPort] = match ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const port = given.port ?? (ownPort === undefined ? defaults.port : Number(ownPort));
  if (port < 1 || port > 65_535) return undefined;
  return `${scheme.replace("http", "ws")}://${host}:${port}${busPath}`;
}

/** An address of IPv6 as URLs have it. */
function bracketed(server: string): string {
  return /^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*$/.test(server) ? `[${server}]` : server;
}

/** The host and port of such a URL, for messages. */
export function hostOf(url: string): string {
  return url.replace(/^wss?:\/\//, "").replace(busPath, "");
}
