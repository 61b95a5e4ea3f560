// SPDX-License-Identifier: MIT
// What a client and the daemon say to each other: one JSON object a line, UTF-8. The client says
// hello and then one request; the daemon answers with any number of frames and one that is the
// last, `done` or `failed`. docs/reference/serve.md describes it for users.
import { FrameReader } from "../host/frame-reader.ts";
import type { LogState } from "../host/log-state.ts";
import type { Level } from "../linktest/index.ts";
import { FrameError } from "../wire/link/frames.ts";
import { BossError, type BossErrorCode } from "./boss-error.ts";
import type { ExperimentStatus, NodeKind } from "./experiment-views.ts";
import type { LinkSettingsAsked } from "./link-control.ts";
import type { MemberChange } from "./members.ts";
import type { NameKind } from "./parse-definition.ts";
import { isTrust } from "./rights.ts";

/** Raised when a frame changes its meaning; new fields and kinds raise nothing. */
export const protocolFormat = 1;

export interface Hello {
  readonly kind: "hello";
  readonly format: number;
}

export interface UpRequest {
  readonly kind: "up";
  /** Absolute path of the file on this machine: its directory is the project's data. */
  readonly file: string;
  readonly text: string;
  /** Names of the experiment, unless it is in YAML and has its own. */
  readonly pid: string;
  readonly eid: string;
  /** Those of the two that count in any case. */
  readonly insisted: readonly NameKind[];
  readonly presets: readonly (readonly [name: string, value: string])[];
  readonly seed: number | null;
  readonly durationSeconds: number;
  readonly stuckSeconds: number;
  /** Last stage of a linktest before time 0, 0 for none; null or left out: what the file says. */
  readonly linktestLevel?: 0 | Level | null;
  /** Machines that have joined; none or left out: that of the daemon. */
  readonly on?: readonly string[];
  /** As of `muster run`; null or left out: what the machine can, and `process` on others. */
  readonly nodes?: NodeKind | null;
  /** Machines of `on` and the IPv4 addresses at which the others reach them. */
  readonly addresses?: readonly (readonly [name: string, address: string])[];
}

/** Makes an experiment that is up into what a file says. */
export interface ModifyRequest {
  readonly kind: "modify";
  readonly id: string;
  readonly file: string;
  readonly text: string;
  /** Besides those of `up`; one of the same name takes its place. */
  readonly presets: UpRequest["presets"];
}

/** Tests links from ops; what it prints is `output`. It ends with the connection. */
export interface LinktestRequest {
  readonly kind: "linktest";
  readonly id: string;
  /** Null: as the experiment has it. */
  readonly level: 0 | Level | null;
  /** 0: however long it takes. */
  readonly timeoutSeconds: number;
  readonly reportOnly: boolean;
  /** Process that is ended to end it. */
  readonly runner: number;
}

/** `id` null: all of them, without history. */
export interface StatusRequest {
  readonly kind: "status";
  readonly id: string | null;
  /** With `id` null: the answer is StatusOfAll. Else, and of an older daemon, it is a list. */
  readonly withLog?: boolean;
}

export interface StatusOfAll {
  readonly experiments: readonly ExperimentStatus[];
  /** Null where the daemon has no log, or one that ends with it. */
  readonly log: LogState | null;
}

/** Sets what a link does: see LinkSettingsAsked. */
export interface SetLinkRequest extends LinkSettingsAsked {
  readonly kind: "set-link";
}

export type Request =
  | UpRequest
  | ModifyRequest
  | { readonly kind: "down"; readonly id: string }
  | StatusRequest
  /** `node` null: the progress of the run; else what the programs of the node print. */
  | {
      readonly kind: "logs";
      readonly id: string;
      readonly node: string | null;
      readonly follow: boolean;
    }
  /** How links of what is up are; `link` null: all of them. */
  | { readonly kind: "links"; readonly id: string; readonly link: string | null }
  | LinktestRequest
  | SetLinkRequest
  /** Which process runs a linktest. */
  | { readonly kind: "linktest-runner"; readonly id: string }
  | { readonly kind: "members"; readonly pid: string }
  | MemberChange
  /** One XML-RPC call as text; so is its response. */
  | { readonly kind: "xmlrpc"; readonly call: string }
  /** Swaps everything out and ends the daemon. */
  | { readonly kind: "stop" };

export type Answer =
  | { readonly kind: "welcome"; readonly format: number; readonly pid: number }
  /** What there is to say about the file. */
  | { readonly kind: "diagnostics"; readonly lines: readonly string[] }
  | {
      readonly kind: "accepted";
      readonly experiment: string;
      readonly run: number;
      readonly directory: string;
      readonly seed: number;
    }
  | { readonly kind: "output"; readonly source: string; readonly text: string }
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly code: BossErrorCode; readonly message: string };

export function formatLine(frame: Hello | Request | Answer): string {
  return `${JSON.stringify(frame)}\n`;
}

/** Cuts a stream into frames. Dead, with its connection, after it has thrown. */
export class LineReader {
  readonly #frames: FrameReader;
  readonly #bytesMax: number;
  readonly #limit: string;

  /** @param limit name of the limit, for the message */
  constructor(bytesMax: number, limit: string) {
    this.#frames = new FrameReader(bytesMax);
    this.#bytesMax = bytesMax;
    this.#limit = limit;
  }

  /** @throws BossError (LIMIT, BAD_REQUEST) */
  push(chunk: Buffer): readonly object[] {
    try {
      return this.#frames
        .push(chunk)
        .filter((frame) => typeof frame === "object" && frame !== null);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      if (!error.message.includes("longer")) throw new BossError("BAD_REQUEST", error.message);
      const message = `a line is longer than ${this.#bytesMax} bytes (limit ${this.#limit})`;
      throw new BossError("LIMIT", message);
    }
  }
}

const kinds =
  "up, modify, down, status, logs, links, set-link, linktest, linktest-runner, members, add-member, set-trust, remove-member, xmlrpc, stop";

type Fields = Readonly<Record<string, unknown>>;

/** @returns the request, or what is wrong with it. */
export function checkRequest(frame: object): Request | string {
  const fields = frame as Fields;
  const { kind, id } = fields;
  switch (kind) {
    case "up":
      return checkUp(fields);
    case "modify":
      return checkModify(fields);
    case "down":
      return typeof id === "string" ? { kind, id } : "down needs the text `id`";
    case "status": {
      const { withLog = false } = fields;
      if (typeof withLog !== "boolean") return "status needs `withLog`, true, false or left out";
      if (typeof id === "string" || id === null) return { kind, id, withLog };
      return "status needs the text `id`, or null for all";
    }
    case "logs": {
      const { node, follow } = fields;
      if (typeof id !== "string") return "logs needs the text `id`";
      if (typeof node !== "string" && node !== null) return "logs needs the text `node`, or null";
      return typeof follow === "boolean"
        ? { kind, id, node, follow }
        : "logs needs `follow`, true or false";
    }
    case "links": {
      const { link } = fields;
      if (typeof id !== "string") return "links needs the text `id`";
      if (typeof link !== "string" && link !== null) return "links needs the text `link`, or null";
      return { kind, id, link };
    }
    case "set-link":
      return checkSetLink(fields);
    case "linktest":
      return checkLinktest(fields);
    case "linktest-runner":
      return typeof id === "string" ? { kind, id } : "linktest-runner needs the text `id`";
    case "members":
      return typeof fields["pid"] === "string"
        ? { kind, pid: fields["pid"] }
        : "members needs the text `pid`";
    case "add-member":
    case "set-trust":
    case "remove-member":
      return checkMemberChange(kind, fields);
    case "xmlrpc": {
      const { call } = fields;
      return typeof call === "string" ? { kind, call } : "xmlrpc needs the text `call`";
    }
    case "stop":
      return { kind };
    default:
      return `the request is none of ${kinds}; is the client newer than the daemon?`;
  }
}

function checkUp(fields: Fields): UpRequest | string {
  const { file, text, pid, eid, presets, seed, durationSeconds, stuckSeconds } = fields;
  const { insisted = [], linktestLevel = null, on = [], nodes = null, addresses = [] } = fields;
  for (const [name, value] of Object.entries({ file, text, pid, eid })) {
    if (typeof value !== "string") return `up needs the text \`${name}\``;
  }
  if (!String(file).startsWith("/")) return "`file` of up must be an absolute path";
  if (!isPairs(presets)) return "`presets` of up must be a list of pairs of text";
  if (!isNameKinds(insisted)) return '`insisted` of up must be a list of "pid" and "eid"';
  if (seed !== null && !isWhole(seed)) return "`seed` of up must be a whole number or null";
  if (!isSeconds(durationSeconds)) return "`durationSeconds` of up must be a number from 0";
  if (!isSeconds(stuckSeconds)) return "`stuckSeconds` of up must be a number from 0";
  if (linktestLevel !== null && !isLinktestLevel(linktestLevel)) {
    return "`linktestLevel` of up must be 0 to 4, or null";
  }
  if (!Array.isArray(on) || !on.every((name) => typeof name === "string")) {
    return "`on` of up must be a list of names";
  }
  if (nodes !== null && nodes !== "netns" && nodes !== "process") {
    return '`nodes` of up must be "netns", "process" or null';
  }
  if (!isPairs(addresses)) return "`addresses` of up must be a list of pairs of text";
  return {
    kind: "up",
    ...{ file: String(file), text: String(text), pid: String(pid), eid: String(eid) },
    ...{ insisted, presets, seed, durationSeconds, stuckSeconds, linktestLevel, on },
    ...{ nodes, addresses },
  };
}

function checkSetLink({ id, link, node, settings, keep }: Fields): SetLinkRequest | string {
  if (typeof id !== "string") return "set-link needs the text `id`";
  if (typeof link !== "string") return "set-link needs the text `link`";
  if (typeof node !== "string" && node !== null) return "set-link needs the text `node`, or null";
  if (!isPairs(settings) || settings.length === 0) {
    return "`settings` of set-link must be a list of pairs of text";
  }
  if (typeof keep !== "boolean") return "`keep` of set-link must be true or false";
  return { kind: "set-link", id, link, node, settings, keep };
}

function checkLinktest(fields: Fields): LinktestRequest | string {
  const { id, level, timeoutSeconds, reportOnly, runner } = fields;
  if (typeof id !== "string") return "linktest needs the text `id`";
  if (level !== null && !isLinktestLevel(level)) {
    return "`level` of linktest must be 0 to 4, or null";
  }
  if (!isSeconds(timeoutSeconds)) return "`timeoutSeconds` of linktest must be a number from 0";
  if (typeof reportOnly !== "boolean") return "`reportOnly` of linktest must be true or false";
  if (!isWhole(runner) || runner === 0) return "`runner` of linktest must be a process id";
  return { kind: "linktest", id, level, timeoutSeconds, reportOnly, runner };
}

function checkModify({ id, file, text, presets }: Fields): ModifyRequest | string {
  for (const [name, value] of Object.entries({ id, file, text })) {
    if (typeof value !== "string") return `modify needs the text \`${name}\``;
  }
  if (!String(file).startsWith("/")) return "`file` of modify must be an absolute path";
  if (!isPairs(presets)) return "`presets` of modify must be a list of pairs of text";
  return { kind: "modify", id: String(id), file: String(file), text: String(text), presets };
}

function checkMemberChange(
  kind: MemberChange["kind"],
  { pid, user, trust }: Fields,
): Request | string {
  if (typeof pid !== "string") return `${kind} needs the text \`pid\``;
  if (typeof user !== "string") return `${kind} needs the text \`user\``;
  if (kind === "remove-member") return { kind, pid, user };
  if (typeof trust === "string" && isTrust(trust)) return { kind, pid, user, trust };
  return `\`trust\` of ${kind} must be user, trusted or leader`;
}

function isNameKinds(value: unknown): value is NameKind[] {
  return Array.isArray(value) && value.every((one) => one === "pid" || one === "eid");
}

function isLinktestLevel(value: unknown): value is 0 | Level {
  return typeof value === "number" && [0, 1, 2, 3, 4].includes(value);
}

function isPairs(value: unknown): value is [string, string][] {
  const isPair = (one: unknown): boolean =>
    Array.isArray(one) && one.length === 2 && one.every((part) => typeof part === "string");
  return Array.isArray(value) && value.every(isPair);
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value < 2 ** 31;
}

/** What the timers of the platform can wait: 24 days. */
const secondsMax = 2_000_000;

function isSeconds(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= secondsMax;
}

/** An answer as the client believes it: the daemon is the user's own. */
export function isAnswer(frame: object): frame is Answer {
  return "kind" in frame && typeof frame.kind === "string";
}
