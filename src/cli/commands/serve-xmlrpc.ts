// SPDX-License-Identifier: MIT
// The options of `muster serve` for XML-RPC over HTTPS: all of them or none, and every file read
// before anything is started.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import type { XmlRpcPlace } from "../../boss/index.ts";
import { defaultPort } from "../../edges/xmlrpc/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export interface XmlRpcArguments {
  /** `ADDRESS:PORT` or `PORT`; true for the default. Loopback unless told. */
  readonly xmlrpc?: string | true;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

const loopback = "127.0.0.1";

/** @returns undefined when it was not asked for. @throws CommandError */
export function resolveXmlRpc(argv: XmlRpcArguments): XmlRpcPlace | undefined {
  const { xmlrpc, tlsCert, tlsKey, tlsCa } = argv;
  if (xmlrpc === undefined) {
    if ((tlsCert ?? tlsKey ?? tlsCa) === undefined) return undefined;
    throw refused("--tls-cert, --tls-key and --tls-ca belong to --xmlrpc ADDRESS:PORT");
  }
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined) {
    throw refused("--xmlrpc needs --tls-cert, --tls-key and --tls-ca");
  }
  const [key, certificate, authority] = [read(tlsKey), read(tlsCert), read(tlsCa)] as const;
  try {
    createSecureContext({ key, cert: certificate, ca: authority });
  } catch (error) {
    throw refused(`${tlsKey} is no key for ${tlsCert}: ${String(error)}; give PEM files`);
  }
  return { identity: { key, certificate, authority }, ...placeOf(xmlrpc) };
}

function placeOf(given: string | true): Pick<XmlRpcPlace, "address" | "port"> {
  if (given === true) return { address: loopback, port: defaultPort };
  const [, bracketed, plain, digits = ""] =
    /^(?:(?:\[(.+)\]|([^:]+)):)?(\d{1,5})$/.exec(given) ?? [];
  const address = bracketed ?? plain ?? loopback;
  const port = Number(digits);
  if (digits !== "" && isIP(address) !== 0 && port <= 65_535) return { address, port };
  throw refused(`--xmlrpc ${given}: give an address and a port, such as 127.0.0.1:3069`);
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw refused(`cannot read ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

function refused(message: string): CommandError {
  return new CommandError(exitCodes.usage, `serve: ${message}`);
}
