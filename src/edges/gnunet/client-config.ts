// SPDX-License-Identifier: MIT
// The configuration file by which a client of GNUnet finds a controller. [GNUNET-BARRIERS 4.1]
// [GNUNET-BARRIERS 4.4] GNUNET_TESTBED_CONTROLLER_CONFIG of a peer process names it; a driver is
// given it by hand.
import type { GnunetService } from "./doors.ts";
import { type GnunetAddress, GnunetListenError } from "./listen.ts";

/** Variable of a peer process: path of this file. [GNUNET-BARRIERS 1.4] */
export const controllerConfigVariable = "GNUNET_TESTBED_CONTROLLER_CONFIG";

/** Where each service of a controller is; one that is not opened is left out. */
export type ServiceAddresses = Readonly<Partial<Record<GnunetService, GnunetAddress>>>;

/**
 * The text of the file. What it does not say, the installed defaults of GNUnet do.
 * @throws GnunetListenError when a path cannot be said in such a file.
 */
export function formatClientConfig(addresses: ServiceAddresses): string {
  const sections: string[] = [];
  for (const service of ["testbed", "testbed-barrier"] as const) {
    const address = addresses[service];
    if (address === undefined) continue;
    sections.push([`[${service}]`, ...formatAddress(address), ""].join("\n"));
  }
  return sections.join("\n");
}

function formatAddress(address: GnunetAddress): readonly string[] {
  if (address.kind === "unix") return [`UNIXPATH = ${checkPath(address.path)}`];
  // Left out, the path would be that of the defaults, and a client calls that first.
  return ["UNIXPATH =", `HOSTNAME = ${address.host}`, `PORT = ${address.port}`];
}

/** A `$` begins a variable there, and a quote or blank at an end is not part of a value. */
function checkPath(path: string): string {
  if (!/[$\r\n]|^["'\s]|["'\s]$/.test(path)) return path;
  const message = `${JSON.stringify(path)} cannot be written into a configuration of GNUnet; choose a path without $, quotes and line ends`;
  throw new GnunetListenError("bad-address", message);
}
