// SPDX-License-Identifier: MIT
// What the agent of a host is told to bring up, and what it says of it. Both ends are of one
// version; what is read is checked as far as a mistake in it would be misread.
import type { Link } from "../../experiment/model.ts";
import { fieldsOf } from "../../wire/json-fields.ts";
import type { NodePlan } from "../nodes/node-plan.ts";
import type { NodeAddress } from "../run-event.ts";
import { type NetworkShare, readShare } from "./network-share.ts";

/** A port that programs of a node may call, at the address at which the node calls servers. */
export interface CarriedDoor {
  readonly carrier: "tcp" | "udp";
  readonly port: number;
}

export interface AgentPlan {
  /** Of the run on that host: unlike that of the run, and of its other hosts. */
  readonly runId: string;
  readonly pid: string;
  readonly eid: string;
  readonly domain: string;
  readonly seed: number;
  /** All nodes of the run, which number the addresses. */
  readonly all: readonly NodePlan[];
  /** Those of this host. */
  readonly own: readonly string[];
  readonly links: readonly Link[];
  readonly syncServer: string | null;
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly doors: readonly CarriedDoor[];
  /** Port of the run's door for native clients, 0 for none; on 127.0.0.1, for all nodes. */
  readonly doorPort: number;
  /** Files beside the experiment file come behind this. */
  readonly hasFiles: boolean;
  /** Its nodes have a network of their own; null: they share that of the host. */
  readonly network: NetworkShare | null;
}

const planFields = [
  ...["runId", "pid", "eid", "domain", "seed", "all", "own", "links", "syncServer"],
  ...["environment", "doors", "doorPort", "hasFiles", "network"],
];

/** @returns undefined for what no run of this version says. */
export function readAgentPlan(json: unknown): AgentPlan | undefined {
  const fields = fieldsOf(json, planFields);
  if (fields === undefined) return undefined;
  const lists = ["all", "own", "links", "environment", "doors"];
  if (!lists.every((name) => Array.isArray(fields.get(name)))) return undefined;
  if (!/^[0-9a-z]+$/.test(String(fields.get("runId")))) return undefined;
  const network = fields.get("network");
  if (network !== null && readShare(network) === undefined) return undefined;
  return json as AgentPlan;
}

/** What a host says of a node that is up. */
export interface HostedNode {
  readonly name: string;
  readonly addresses: readonly NodeAddress[];
  /** Where its programs call the servers of the run. */
  readonly serversAt: string;
}

export interface BroughtUp {
  readonly nodes: readonly HostedNode[];
  readonly lost: readonly string[];
  readonly shell: string;
}

/** @returns undefined for anything else than the nodes that were asked for. */
export function readBroughtUp(json: unknown, own: readonly string[]): BroughtUp | undefined {
  const fields = fieldsOf(json, ["nodes", "lost", "shell"]);
  const nodes: unknown = fields?.get("nodes");
  const lost: unknown = fields?.get("lost");
  if (!Array.isArray(nodes) || !Array.isArray(lost)) return undefined;
  if (!lost.every((one) => typeof one === "string")) return undefined;
  const names = nodes.map(nameOfHosted);
  const isWhole = names.length === own.length && own.every((name) => names.includes(name));
  return isWhole && typeof fields?.get("shell") === "string" ? (json as BroughtUp) : undefined;
}

/** Of loopback, or of the control network of the run over there. */
const ipv4 = /^\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}$/;

function nameOfHosted(json: unknown): string | undefined {
  const fields = fieldsOf(json, ["name", "addresses", "serversAt"]);
  const [name, addresses] = [fields?.get("name"), fields?.get("addresses")];
  if (typeof name !== "string" || !Array.isArray(addresses)) return undefined;
  if (!ipv4.test(String(fields?.get("serversAt")))) return undefined;
  const areProper = addresses.every((one) => {
    const address = fieldsOf(one, ["link", "experiment", "loopback"]);
    return address !== undefined && ipv4.test(String(address.get("loopback")));
  });
  return areProper ? name : undefined;
}

/** What a start is answered with. */
export interface StartedThere {
  readonly pid: number;
  readonly startedUs: number;
}

/** @returns undefined for anything else. */
export function readStarted(json: unknown): StartedThere | undefined {
  return readIntegers(json, ["pid", "startedUs"]);
}

export interface ClockReading {
  readonly receivedUs: number;
  readonly answeredUs: number;
}

/** @returns undefined for anything else. */
export function readClock(json: unknown): ClockReading | undefined {
  return readIntegers(json, ["receivedUs", "answeredUs"]);
}

/** @returns undefined unless each of these is there, and a whole number. */
function readIntegers<Key extends string>(
  json: unknown,
  keys: readonly Key[],
): Readonly<Record<Key, number>> | undefined {
  const fields = fieldsOf(json, keys);
  const areIntegers = keys.every((key) => Number.isSafeInteger(fields?.get(key)));
  return areIntegers ? (json as Readonly<Record<Key, number>>) : undefined;
}
