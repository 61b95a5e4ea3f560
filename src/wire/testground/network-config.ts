// SPDX-License-Identifier: MIT
// What an instance asks of its network: the message on a topic `network:HOST`. [TESTGROUND 10]
// Decides what of it can be meant at all; whether a link can be so is for its back end to say.
//
// Limitations: corruption, correlations, filters, rules for subnets and IPv6 are refused.
import { foldedFieldsOf } from "../json-fields.ts";

/** The way from the node into the network. */
export interface EgressShape {
  readonly latencyUs: number;
  readonly jitterUs: number;
  /** 0 is without limit. */
  readonly bandwidthBps: number;
  /** Probabilities, 0 to 1. */
  readonly loss: number;
  readonly reorder: number;
  readonly duplicate: number;
}

export interface NetworkConfig {
  /** `default` or the name of a link. */
  readonly network: string;
  /** False takes the node off the network. */
  readonly isEnabled: boolean;
  readonly shape: EgressShape;
  /** `16.0.1.2/16`; undefined: the address stays. */
  readonly address: string | undefined;
  /** Is signalled when it is done; empty: nothing is. */
  readonly callbackState: string;
}

export interface ConfigRefused {
  /** Why, and what to write instead. */
  readonly refusal: string;
}

type Fields = ReadonlyMap<string, unknown>;

const knownFields: ReadonlySet<string> = new Set([
  ...["network", "enable", "ipv4", "ipv6", "default", "rules", "routing_policy"],
  ...["callback_state", "callback_target"],
]);

const correlations = ["corrupt_corr", "reorder_corr", "duplicate_corr"];

const knownShapeFields: ReadonlySet<string> = new Set([
  ...["latency", "jitter", "bandwidth", "bandwith", "filter", "loss", "corrupt", "reorder"],
  ...["duplicate", ...correlations],
]);

/** @param payload a text of JSON that has been parsed before */
export function decodeNetworkConfig(payload: string): NetworkConfig | ConfigRefused {
  // The libraries and the old service take names in any case. [TESTGROUND 2]
  const fields = foldedFieldsOf(JSON.parse(payload));
  if (fields === undefined) return { refusal: "a network configuration is an object" };
  const unknown = unknownIn(fields, knownFields, "a network configuration");
  if (unknown !== undefined) return unknown;
  const network = textAt(fields, "network");
  const callbackState = textAt(fields, "callback_state");
  const address = textAt(fields, "ipv4");
  for (const read of [network, callbackState, address]) if (typeof read !== "string") return read;
  const isEnabled = fields.get("enable");
  if (typeof isEnabled !== "boolean") {
    return { refusal: "enable is true, or false to take the node off the network" };
  }
  const refusal = notBuilt(fields);
  if (refusal !== undefined) return { refusal };
  const shape = decodeShape(fields.get("default") ?? {});
  if ("refusal" in shape) return shape;
  return {
    ...{ isEnabled, shape, callbackState: String(callbackState) },
    network: network === "" ? "default" : String(network),
    address: address === "" ? undefined : String(address),
  };
}

/** What of the whole is not built, in a sentence. */
function notBuilt(fields: Fields): string | undefined {
  const rules = fields.get("rules") ?? [];
  if (!Array.isArray(rules) || rules.length > 0) {
    return "rules for subnets are not built; leave rules out: default is for all that leaves";
  }
  if ((fields.get("ipv6") ?? "") !== "") return "nodes have no IPv6 address; leave IPv6 out";
  const policy = fields.get("routing_policy") ?? "";
  if (policy === "" || policy === "deny_all") return undefined;
  if (policy === "allow_all") {
    return "routing_policy allow_all cannot be: nodes reach nothing outside their run; leave it out";
  }
  return "routing_policy is deny_all, or left out";
}

function decodeShape(value: unknown): EgressShape | ConfigRefused {
  const fields = foldedFieldsOf(value);
  if (fields === undefined) return { refusal: "default is an object, a shape" };
  const unknown = unknownIn(fields, knownShapeFields, "a shape");
  if (unknown !== undefined) return unknown;
  const numbers = new Map<string, number>();
  for (const name of knownShapeFields) {
    const number = fields.get(name) ?? 0;
    if (typeof number !== "number" || number < 0) {
      return { refusal: `${name} is a number of ${unitOf(name)}, not ${JSON.stringify(number)}` };
    }
    numbers.set(name, number);
  }
  const of = (name: string): number => numbers.get(name) ?? 0;
  const odd = ["corrupt", ...correlations].find((name) => of(name) !== 0);
  if (odd !== undefined) return { refusal: `${odd} is not built; leave it out` };
  if (of("filter") !== 0) {
    return { refusal: "filter is not built; enable: false takes the node off the network" };
  }
  return {
    latencyUs: Math.round(of("latency") / 1_000),
    jitterUs: Math.round(of("jitter") / 1_000),
    // The types of the library for JavaScript spell it without its second d.
    bandwidthBps: of("bandwidth") || of("bandwith"),
    loss: of("loss") / 100,
    reorder: of("reorder") / 100,
    duplicate: of("duplicate") / 100,
  };
}

function unitOf(name: string): string {
  if (name === "latency" || name === "jitter") return "nanoseconds";
  if (name === "bandwidth" || name === "bandwith") return "bits per second";
  return name === "filter" ? "an action" : "percent";
}

function unknownIn(
  fields: Fields,
  known: ReadonlySet<string>,
  what: string,
): ConfigRefused | undefined {
  const name = [...fields.keys()].find((one) => !known.has(one));
  if (name === undefined) return undefined;
  return { refusal: `${what} has no ${name}; it has ${[...known].join(", ")}` };
}

/** @returns "" where there is none. */
function textAt(fields: Fields, name: string): string | ConfigRefused {
  const value = fields.get(name) ?? "";
  return typeof value === "string" ? value : { refusal: `${name} is a text` };
}
