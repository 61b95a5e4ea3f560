// SPDX-License-Identifier: MIT
// The links of a host's nodes as the run asks about them: what works here, changes at an instant,
// counts, and how they are. Answers are JSON; what cannot be is refused with a sentence.
import { isIPv4 } from "node:net";
import { readSocketDrops } from "../../host/kernel-drops.ts";
import { probeBackends } from "../../network/choose-backend.ts";
import { DelayNodeBackend } from "../../network/delay-node/delay-node-backend.ts";
import { openPathSocket, type PathSocket } from "../../network/delay-node/path-socket.ts";
import type { PathMeasure } from "../../network/delay-node/shaper-messages.ts";
import { NetworkError } from "../../network/link-backend.ts";
import type { CountedWay, ShaperHealth } from "../../network/link-report.ts";
import type { DirectionUpdate } from "../../network/link-table.ts";
import type { LinkChange } from "../../network/model.ts";
import type { Carried } from "../../network/overload.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import type { LanHolds } from "../../network/shaper/segment.ts";
import { fieldsOf } from "../../wire/json-fields.ts";

/** What a run asks of a host's links. */
export type NetworkAsk =
  /** Is answered: `BackendProbe[]`. */
  | { readonly kind: "probe" }
  /** Before it brings nodes up. Is answered: `PathOpened`. */
  | { readonly kind: "open-path"; readonly address: string }
  /** What lies between it and a peer of its share. Is answered: `PathMeasure`. */
  | { readonly kind: "measure"; readonly peer: number }
  /** What frames of a LAN wait that has members on other hosts. Is answered: `{}`. */
  | { readonly kind: "hold"; readonly link: string; readonly holds: LanHolds }
  /** At an instant of the host's clock, as one. Is answered: `{ atUs }`. */
  | { readonly kind: "set"; readonly updates: readonly DirectionUpdate[]; readonly atUs: number }
  /** Is answered: `CountedWay[]`. */
  | { readonly kind: "count"; readonly link: string }
  /** Is answered: `LinksState`. */
  | { readonly kind: "state" };

/** Where the delay node of a host is reached by those of others. */
export interface PathOpened {
  readonly address: string;
  readonly port: number;
}

/** How the links of a host are. */
export interface LinksState {
  readonly health: ShaperHealth | null;
  readonly trouble: readonly string[];
  /** Packets that the host lost so far; -1: that cannot be known. */
  readonly lost: number;
  /** What who shapes them carries; null: nobody knows. */
  readonly carried: Carried | null;
}

const asks: ReadonlyMap<string, readonly string[]> = new Map([
  ["probe", []],
  ["open-path", ["address"]],
  ["measure", ["peer"]],
  ["hold", ["link", "holds"]],
  ["set", ["updates", "atUs"]],
  ["count", ["link"]],
  ["state", []],
]);

/** @returns undefined for what no run of this version asks. */
function readAsk(json: unknown): NetworkAsk | undefined {
  const kind = (json as { readonly kind?: unknown } | null)?.kind;
  const fields = typeof kind === "string" ? asks.get(kind) : undefined;
  if (fields === undefined || fieldsOf(json, ["kind", ...fields]) === undefined) return undefined;
  return json as NetworkAsk;
}

/** Where a host is reached by others, for links between them. */
export class AgentPaths {
  #socket: PathSocket | undefined;
  #opened: PathOpened | undefined;

  /** Of the socket; undefined without one. */
  get descriptor(): number | undefined {
    return this.#socket?.descriptor;
  }

  /** @param asked `""`: where the remote shell has reached this host. @throws NetworkError */
  async open(asked: string): Promise<PathOpened | string> {
    // CLIENT PORT SERVER PORT
    const [, , reached = ""] = (process.env["SSH_CONNECTION"] ?? "").split(" ");
    const address = asked === "" ? reached : asked;
    if (!isIPv4(address)) return noAddress;
    this.#socket ??= await openPathSocket(address);
    this.#opened = { address, port: this.#socket.port };
    return this.#opened;
  }

  /** Packets that this host had no room for at that socket: the delay node does not see them. */
  get lost(): number {
    return this.#opened === undefined ? 0 : readSocketDrops(this.#opened);
  }

  /** Whoever was given the socket keeps it. */
  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

const noAddress = "it is not known by which IPv4 address other hosts reach it";

/** @param shaped undefined before there are nodes, and where links are not shaped */
export async function answerNetwork(
  json: unknown,
  paths: AgentPaths,
  shaped: ShapedLinks | undefined,
): Promise<object | string> {
  const ask = readAsk(json);
  if (ask === undefined) return "it is asked for wrongly";
  const unshaped = "its links are not shaped";
  switch (ask.kind) {
    case "probe":
      return await probeBackends();
    case "open-path":
      return await paths.open(ask.address);
    case "measure":
      if (!(shaped instanceof DelayNodeBackend)) return unshaped;
      return await shaped.measure(ask.peer);
    case "hold":
      if (!(shaped instanceof DelayNodeBackend)) return unshaped;
      await shaped.hold(ask.link, ask.holds);
      return {};
    case "set":
      if (shaped === undefined) return unshaped;
      return { atUs: await shaped.setAt(changesOf(ask.updates, shaped), ask.atUs) };
    case "count":
      return shaped === undefined ? unshaped : [...(await shaped.counts(ask.link))];
    case "state":
      return shaped === undefined ? unshaped : await stateOf(shaped, paths);
  }
}

async function stateOf(shaped: ShapedLinks, paths: AgentPaths): Promise<LinksState> {
  const lost = await shaped.lostByMachine().then(
    (within) => within + paths.lost,
    () => -1,
  );
  const carried = shaped instanceof DelayNodeBackend ? shaped.carried : null;
  return { health: shaped.health ?? null, trouble: shaped.trouble(), lost, carried };
}

/** What makes the directions so, whatever they were. */
function changesOf(updates: readonly DirectionUpdate[], { table }: ShapedLinks): LinkChange[] {
  return updates.flatMap(({ link, member, way, state }): readonly LinkChange[] => {
    const known = table.link(link);
    const node = known?.members[member]?.node;
    if (known === undefined || node === undefined) {
      throw new NetworkError(`there is no such end of ${link} on this host`);
    }
    const place = { link, node, way };
    return [
      { ...place, what: { kind: "modify", shape: state.shape } },
      { ...place, what: { kind: state.isUp ? "up" : "down" } },
    ];
  });
}

/** @returns undefined for anything else. */
export function readAtUs(json: unknown): number | undefined {
  const atUs = fieldsOf(json, ["atUs"])?.get("atUs");
  return typeof atUs === "number" && Number.isFinite(atUs) ? atUs : undefined;
}

/** @returns undefined for anything else. */
export function readCounts(json: unknown): readonly CountedWay[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const areProper = json.every((one: unknown) => {
    const fields = fieldsOf(one, ["member", "way", "counts", "size"]);
    const counts = fields?.get("counts");
    return Number.isSafeInteger(fields?.get("member")) && typeof counts === "object";
  });
  return areProper ? (json as readonly CountedWay[]) : undefined;
}

/** @returns undefined for anything else. */
export function readState(json: unknown): LinksState | undefined {
  const fields = fieldsOf(json, ["health", "trouble", "lost", "carried"]);
  const trouble: unknown = fields?.get("trouble");
  if (!Array.isArray(trouble) || !trouble.every((one) => typeof one === "string")) return undefined;
  const carried: unknown = fields?.get("carried");
  if (carried !== null && !isCarried(carried)) return undefined;
  return Number.isSafeInteger(fields?.get("lost")) ? (json as LinksState) : undefined;
}

function isCarried(json: unknown): boolean {
  const fields = fieldsOf(json, ["packetsPerSecond", "threads"]);
  return ["packetsPerSecond", "threads"].every((name) => {
    const value = fields?.get(name);
    return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
  });
}

/** @returns undefined for anything else. */
export function readOpened(json: unknown): PathOpened | undefined {
  const fields = fieldsOf(json, ["address", "port"]);
  const port = fields?.get("port");
  const isProper = isIPv4(String(fields?.get("address"))) && Number.isSafeInteger(port);
  return isProper ? (json as PathOpened) : undefined;
}

/** @returns undefined for anything else. */
export function readMeasure(json: unknown): PathMeasure | undefined {
  const fields = fieldsOf(json, ["delayUs", "bandwidthBps"]);
  const areNumbers = ["delayUs", "bandwidthBps"].every((name) => {
    const value = fields?.get(name);
    return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
  });
  return areNumbers ? (json as PathMeasure) : undefined;
}
