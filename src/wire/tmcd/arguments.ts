// SPDX-License-Identifier: MIT
// Arguments of single commands. Each parser returns undefined for what the command cannot use.
// [EMULAB-TMCD 9] [EMULAB-TMCD 12]
import { serviceCharsMax, stateCharsMax } from "./constants.ts";

export type PortArguments =
  | { readonly kind: "look-up"; readonly service: string }
  /** Port 0 takes the registration back. */
  | { readonly kind: "register"; readonly service: string; readonly port: number };

/** `SERVICE` or `SERVICE PORT`. */
export function parsePortArguments(args: string): PortArguments | undefined {
  const [service = "", port, ...more] = words(args);
  if (service.length > serviceCharsMax || !/^[A-Za-z0-9_][\w.:+-]*$/.test(service))
    return undefined;
  if (more.length > 0) return undefined;
  if (port === undefined) return { kind: "look-up", service };
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return undefined;
  return { kind: "register", service, port: Number(port) };
}

/** The name of a node state. */
export function parseState(args: string): string | undefined {
  const [state = ""] = words(args);
  return state.length <= stateCharsMax && /^[\w-]+$/.test(state) ? state : undefined;
}

/** A decimal exit status, as a start command reports it. */
export function parseStartStatus(args: string): number | undefined {
  const [status = ""] = words(args);
  return /^-?\d{1,9}$/.test(status) ? Number(status) : undefined;
}

function words(args: string): readonly string[] {
  return args.split(/[ \t\r\n]+/).filter((word) => word !== "");
}
