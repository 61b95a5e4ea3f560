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
  /** A host, or the URL of a door; several parted by commas are servers of one bus. */
  readonly server: string | undefined;
  readonly port: number | undefined;
}

export interface AddressDefaults {
  /** `$MUSTER_EVENTS`: `HOST`, `HOST:PORT` or a URL, or several; goes before the two below. */
  readonly environment: string | undefined;
  readonly server: string;
  readonly port: number;
}

/**
 * The URL of the WebSocket, `ws://HOST:PORT/v1/bus`; of http and https become ws and wss. Several
 * are parted by commas, as they were given.
 *
 * @returns undefined for what is no host and no URL.
 */
export function resolveEventAddress(
  given: AddressGiven,
  defaults: AddressDefaults,
): string | undefined {
  const { environment = "" } = defaults;
  const servers = given.server ?? (environment === "" ? defaults.server : environment);
  const urls = servers.split(",").map((server) => resolveOne(server, given.port, defaults.port));
  return urls.includes(undefined) ? undefined : urls.join(",");
}

function resolveOne(
  server: string,
  givenPort: number | undefined,
  usualPort: number,
): string | undefined {
  const text = server.includes("://") ? server : `ws://${bracketed(server)}`;
  const match =
    /^(ws|wss|http|https):\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]@?# ]+)(?::([0-9]{1,5}))?\/?$/.exec(text);
  const [, scheme, host, ownPort] = match ?? [];
  if (scheme === undefined || host === undefined) return undefined;
  const port = givenPort ?? (ownPort === undefined ? usualPort : Number(ownPort));
  if (port < 1 || port > 65_535) return undefined;
  return `${scheme.replace("http", "ws")}://${host}:${port}${busPath}`;
}

/** An address of IPv6 as URLs have it. */
function bracketed(server: string): string {
  return /^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*$/.test(server) ? `[${server}]` : server;
}

/** The host and port of such a URL, for messages; of several, each. */
export function hostOf(url: string): string {
  const hosts = url.split(",").map((one) => one.replace(/^wss?:\/\//, "").replace(busPath, ""));
  return hosts.join(" or ");
}
