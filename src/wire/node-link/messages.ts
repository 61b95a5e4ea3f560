// SPDX-License-Identifier: MIT
// What a run and the agent of another machine say to each other. Both are of one version, which the
// first word says, so that there is nothing to negotiate; everything is checked nevertheless, field
// by field, because the one end is on a machine that others use.
//
//   Streams are numbered by who opens them: the agent takes odd numbers, the run even ones.
//   Instants are of the agent's monotonic clock.
import { fieldsOf } from "../json-fields.ts";
import { nodeLinkLimits } from "./limits.ts";

/** Raised when either side would misread the other. */
export const nodeLinkFormat = 3;

/** Where machines join a server, and what they speak there. */
export const hostsPath = "/v1/hosts";
export const hostsProtocol = "muster.hosts.1";

export type RunMessage =
  /** Is answered: `BroughtUp`. */
  | { readonly kind: "bring-up"; readonly id: number; readonly plan: unknown }
  /** A file of a node, replaced. Is answered. */
  | {
      readonly kind: "put";
      readonly id: number;
      readonly node: string;
      /** `boot`: in the boot directory, by name; `hosts`: the hosts file. */
      readonly place: "boot" | "hosts";
      readonly name: string;
      readonly text: string;
      readonly mode: number;
    }
  /** Loads a program whose output is to come on these streams. Is answered. */
  | {
      readonly kind: "prepare";
      readonly id: number;
      readonly program: number;
      readonly node: string;
      readonly spec: unknown;
      readonly stdout: number;
      readonly stderr: number;
    }
  /** Lets it go at an instant, or now when that is past. Is answered: `Started`. */
  | {
      readonly kind: "start";
      readonly id: number;
      readonly program: number;
      readonly dueUs: number;
    }
  | { readonly kind: "discard"; readonly program: number }
  | {
      readonly kind: "signal";
      readonly program: number;
      readonly name: string;
      readonly whole: "group" | "process";
    }
  /** Ends all programs. Is answered when all they have written has been said. */
  | { readonly kind: "end"; readonly id: number }
  /** All files of the nodes. Is answered behind the last one. */
  | { readonly kind: "collect"; readonly id: number }
  /** Is answered: `ClockReading`. */
  | { readonly kind: "clock"; readonly id: number }
  /** Of the links of its nodes (machines/agent-network.ts). Is answered. */
  | { readonly kind: "network"; readonly id: number; readonly ask: unknown }
  /** Of an end of a flow at a node (machines/agent-traffic.ts). Is answered. */
  | {
      readonly kind: "traffic";
      readonly id: number;
      readonly node: string;
      readonly ask: unknown;
    }
  | FileMessage;

export type AgentMessage =
  | {
      readonly kind: "hello";
      readonly format: number;
      readonly version: string;
      readonly processors: number;
      readonly memoryMib: number;
    }
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly why: string }
  | {
      readonly kind: "note";
      readonly level: "info" | "warning";
      readonly node: string;
      readonly text: string;
    }
  | {
      readonly kind: "ended";
      readonly program: number;
      /** -1: a signal ended it. */
      readonly exitCode: number;
      readonly signal: string;
      readonly endedUs: number;
      /** -1, both: not measured. */
      readonly cpuUs: number;
      readonly rssKibMax: number;
    }
  /** The links of its nodes are no more what they should be. */
  | { readonly kind: "links-failed"; readonly why: string }
  /** Some of its nodes are no more, and somebody else has ended them. */
  | { readonly kind: "nodes-lost"; readonly why: string }
  | FileMessage;

/**
 * What comes on the stream is this file: of an agent, one of the results; of a run, one of those
 * beside the experiment file.
 */
export interface FileMessage {
  readonly kind: "file";
  readonly stream: number;
  readonly path: string;
  readonly mode: number;
}

/** Of either side. */
export type StreamMessage =
  /** A program calls a server of the run, or another node's: who hears it connects there. */
  | {
      readonly kind: "open";
      readonly stream: number;
      readonly carrier: "tcp" | "udp";
      readonly node: string;
      readonly port: number;
    }
  /** So many bytes have been taken by the far end. */
  | { readonly kind: "taken"; readonly stream: number; readonly bytes: number }
  /** No more data comes this way. */
  | { readonly kind: "finish"; readonly stream: number }
  /** Neither way. */
  | { readonly kind: "close"; readonly stream: number };

export type LinkMessage = RunMessage | AgentMessage | StreamMessage;

type FieldKind = "count" | "number" | "text" | "any" | readonly string[];

/** Field -> what it holds; of each kind of message. */
const fieldsOfKinds: ReadonlyMap<string, ReadonlyMap<string, FieldKind>> = new Map([
  kindOf("bring-up", ["id", "count"], ["plan", "any"]),
  kindOf(
    "put",
    ...[field("id", "count"), field("node", "text"), field("place", ["boot", "hosts"])],
    ...[field("name", "text"), field("text", "text"), field("mode", "count")],
  ),
  kindOf(
    "prepare",
    ...[field("id", "count"), field("program", "count"), field("node", "text")],
    ...[field("spec", "any"), field("stdout", "count"), field("stderr", "count")],
  ),
  kindOf("start", ["id", "count"], ["program", "count"], ["dueUs", "number"]),
  kindOf("discard", ["program", "count"]),
  kindOf("signal", ["program", "count"], ["name", "text"], ["whole", ["group", "process"]]),
  kindOf("end", ["id", "count"]),
  kindOf("collect", ["id", "count"]),
  kindOf("clock", ["id", "count"]),
  kindOf("network", ["id", "count"], ["ask", "any"]),
  kindOf("traffic", ["id", "count"], ["node", "text"], ["ask", "any"]),
  kindOf("links-failed", ["why", "text"]),
  kindOf("nodes-lost", ["why", "text"]),
  kindOf(
    "hello",
    ...[field("format", "count"), field("version", "text")],
    ...[field("processors", "count"), field("memoryMib", "count")],
  ),
  kindOf("answer", ["id", "count"], ["value", "any"]),
  kindOf("refusal", ["id", "count"], ["why", "text"]),
  kindOf("note", ["level", ["info", "warning"]], ["node", "text"], ["text", "text"]),
  kindOf(
    "ended",
    ...[field("program", "count"), field("exitCode", "number"), field("signal", "text")],
    ...[field("endedUs", "number"), field("cpuUs", "number"), field("rssKibMax", "number")],
  ),
  kindOf("file", ["stream", "count"], ["path", "text"], ["mode", "count"]),
  kindOf(
    "open",
    ...[field("stream", "count"), field("carrier", ["tcp", "udp"])],
    ...[field("node", "text"), field("port", "count")],
  ),
  kindOf("taken", ["stream", "count"], ["bytes", "count"]),
  kindOf("finish", ["stream", "count"]),
  kindOf("close", ["stream", "count"]),
]);

type Field = readonly [name: string, kind: FieldKind];

function field(name: string, kind: FieldKind): Field {
  return [name, kind];
}

function kindOf(
  kind: LinkMessage["kind"],
  ...fields: readonly Field[]
): readonly [string, ReadonlyMap<string, FieldKind>] {
  return [kind, new Map(fields)];
}

/** @returns the message, or which clause it breaks. */
export function parseLinkMessage(text: string): LinkMessage | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return "a message that is no JSON";
  }
  if (typeof json !== "object" || json === null) return "a message that is no object";
  const { kind } = json as { readonly kind?: unknown };
  const expected = typeof kind === "string" ? fieldsOfKinds.get(kind) : undefined;
  if (expected === undefined) {
    // Not of any value: one that is nested deeply has no text.
    const said = typeof kind === "string" ? JSON.stringify(kind.slice(0, 40)) : `(${typeof kind})`;
    return `a message of the unknown kind ${said}`;
  }
  const found = fieldsOf(json, ["kind"], [...expected.keys()]);
  if (found === undefined) return `the message ${kind} with a field it does not have`;
  for (const [name, type] of expected) {
    if (!isOf(found.get(name), type)) return `the message ${kind} without a proper ${name}`;
  }
  return json as LinkMessage;
}

function isOf(value: unknown, type: FieldKind): boolean {
  switch (type) {
    case "any":
      return value !== undefined;
    case "text":
      return typeof value === "string";
    case "number":
      return Number.isSafeInteger(value);
    case "count":
      return Number.isSafeInteger(value) && (value as number) >= 0;
    default:
      return typeof value === "string" && type.includes(value);
  }
}

/**
 * A file of the results as a host names it: below `nodes/` or `proj/`, and nowhere else.
 * @returns its parts; undefined for a name that could lead elsewhere.
 */
export function partsOfResult(path: string): readonly string[] | undefined {
  const parts = partsOfPath(path) ?? [];
  if (controlCharacters.test(path)) return undefined;
  const isBelow = parts[0] === "nodes" ? parts.length > 2 : parts[0] === "proj" && parts.length > 1;
  return isBelow ? parts : undefined;
}

/** The parts of a path below a directory; undefined for one that could lead elsewhere. */
export function partsOfPath(path: string): readonly string[] | undefined {
  const parts = path.split("/");
  const isProper = (part: string): boolean =>
    part !== "" && part !== "." && part !== ".." && !part.includes("\0");
  return parts.length <= pathPartsMax && parts.every(isProper) ? parts : undefined;
}

const pathPartsMax = 64;
/** What a terminal that lists names would obey. */
const controlCharacters = /\p{Cc}/u;

/** Data is cut to this, so that what is behind it does not wait long. */
export const pieceBytes: number = nodeLinkLimits.windowBytes / 4;
