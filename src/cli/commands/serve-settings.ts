// SPDX-License-Identifier: MIT
// What may be said behind an address of `--listen`: `,scope=NAME`, `,allow=NETWORK`, `,tls`,
// `,client-certs`, `,beyond-loopback`; the same words for all doors.
import { defaultScope } from "../../edges/http/index.ts";
import { closest } from "../../experiment/index.ts";
import { type Network, parseNetwork } from "../../wire/networks.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

export type Setting = "scope" | "allow" | "tls" | "client-certs" | "beyond-loopback";

export interface ListenSettings {
  readonly scope: string;
  /** From where one may come; everybody when empty. */
  readonly networks: readonly Network[];
  /** Said with the door: it speaks TLS. The http and xmlrpc doors need not be told. */
  readonly tls: boolean;
  /** Clients must show a certificate of the authority. */
  readonly clientCerts: boolean;
  readonly beyondLoopback: boolean;
}

/**
 * @param settings as they were between commas
 * @param known those that the door has
 * @param wrong makes the error
 * @throws what it makes
 */
export function readSettings(
  settings: readonly string[],
  known: readonly Setting[],
  wrong: (why: string) => CommandError,
): ListenSettings {
  const said = new Map<Setting, string[]>();
  for (const setting of settings) {
    const [name = "", ...values] = setting.split("=");
    const found = known.find((one) => one === name);
    if (found === undefined) throw wrong(noSetting(name, known));
    said.set(found, [...(said.get(found) ?? []), values.join("=")]);
  }
  const [scope = defaultScope, second] = said.get("scope") ?? [];
  if (scope === "" || second !== undefined) throw wrong("give one scope=NAME");
  const networks = (said.get("allow") ?? []).map((network) => {
    const parsed = parseNetwork(network);
    if (parsed === undefined) throw wrong(`${network} is no network such as 10.0.0.0/8`);
    return parsed;
  });
  const has = (name: Setting): boolean => said.has(name);
  return {
    ...{ scope, networks, tls: has("tls"), clientCerts: has("client-certs") },
    beyondLoopback: has("beyond-loopback"),
  };
}

function noSetting(name: string, known: readonly Setting[]): string {
  const near = closest(name, known);
  const meant = near === undefined ? "" : `, did you mean ${near}?`;
  return `there is no setting '${name}'${meant}; there are: ${known.join(", ")}`;
}

/** `NETWORK,NETWORK` of `--allow DOOR=`. @throws CommandError */
export function readNetworks(text: string): readonly Network[] {
  const [edge, list = ""] = text.split("=");
  return list.split(",").map((network) => {
    const parsed = parseNetwork(network);
    if (parsed !== undefined) return parsed;
    const example = `give DOOR=NETWORK,NETWORK, such as ${edge}=10.0.0.0/8,2001:db8::/32`;
    const message = `--allow ${text}: ${JSON.stringify(network)} is no network; ${example}`;
    throw new CommandError(exitCodes.usage, message);
  });
}

/** @throws CommandError for an `--allow` of a door that is not opened. */
export function refuseIdleAllow(edge: string): never {
  const message = `--allow ${edge}: there is no such door; add --listen ${edge}`;
  throw new CommandError(exitCodes.usage, message);
}
