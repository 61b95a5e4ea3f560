// SPDX-License-Identifier: MIT
// What users set of links from the shell (delay_config, link_config): events for what is up, and on
// request kept for the next swap-ins. [EMULAB-EVENTS 5.1] Who may is asked of experiments.ts.
//
//   C1. What the run refuses is not kept, nor what no run would take at the next swap-in.
import { halfOf } from "../experiment/link-shape.ts";
import type { Experiment, Link } from "../experiment/model.ts";
import { capacities } from "../network/backends.ts";
import { type Capacity, checkShape, shapeLink } from "../network/model.ts";
import { BossError } from "./boss-error.ts";
import type { ExperimentRow, ExperimentsDatabase } from "./database.ts";
import type { SendToRun } from "./experiment-control.ts";
import { keptKeys, type LinkSetting, overlayLinks, replaces } from "./link-overlay.ts";
import { LiveLinkSettings } from "./live-link-settings.ts";
import { parseDefinition } from "./parse-definition.ts";
import type { Action } from "./rights.ts";

export interface LinkControlOptions {
  readonly database: ExperimentsDatabase;
  /** Undefined where runs have no bus. */
  readonly sendToRun: SendToRun | undefined;
  readonly demanded: (id: string, user: string, action: Action) => ExperimentRow;
  /** Links of what is up; undefined for what is not. */
  readonly running: (row: ExperimentRow) => readonly Link[] | undefined;
}

export interface LinkSettingsAsked {
  readonly id: string;
  readonly link: string;
  /** The way from this end of a link, or this member of a LAN; null for all of it. */
  readonly node: string | null;
  /** KEY and value, as in LINK events, besides ENABLE with yes and no. */
  readonly settings: readonly (readonly [key: string, value: string])[];
  /** For the next swap-ins, too. */
  readonly keep: boolean;
}

/** What was done, in words. */
export interface LinkSettingsDone {
  readonly summary: string;
}

export class LinkControl {
  readonly #options: LinkControlOptions;
  /** Of what is up. */
  readonly live: LiveLinkSettings = new LiveLinkSettings();

  constructor(options: LinkControlOptions) {
    this.#options = options;
  }

  /** @throws BossError; nothing is kept then. @param signal nobody waits any more */
  async set(
    asked: LinkSettingsAsked,
    user: string,
    signal: AbortSignal,
  ): Promise<LinkSettingsDone> {
    const { database, demanded, running } = this.#options;
    const row = demanded(asked.id, user, "modify");
    this.#check(row, asked);
    const links = running(row);
    const isUp = row.state === "active" && links !== undefined;
    if (asked.keep && !isUp) await this.#checkKept(row, asked);
    if (!isUp && !asked.keep) {
      const message = `${row.pid}/${row.eid} must be active to change its links, not ${row.state}; -m keeps it for the next swap-in`;
      throw new BossError("WRONG_STATE", message);
    }
    if (isUp) await this.#send(row, asked, { links, signal });
    if (asked.keep) {
      const { link, node } = asked;
      database.transaction(() => {
        for (const [key, value] of asked.settings) {
          database.linkSettings.put(row.exptidx, { link, node: node ?? "", key, value });
        }
      });
    }
    const done = [...(isUp ? ["changed"] : []), ...(asked.keep ? ["kept for swap-ins"] : [])];
    return { summary: `${asked.link} of ${row.pid}/${row.eid}: ${done.join(" and ")}` };
  }

  #check({ exptidx, pid, eid }: ExperimentRow, { link, node, settings, keep }: LinkSettingsAsked) {
    const rows = this.#options.database.definition(exptidx).rows["virt_lans"] ?? [];
    const named = rows.filter((row) => row["vname"] === link);
    if (named.length === 0) {
      const known = [...new Set(rows.map((row) => row["vname"] ?? ""))].slice(0, 10).join(", ");
      const there = known === "" ? "it has none" : `there are: ${known}`;
      throw new BossError("BAD_REQUEST", `${pid}/${eid} has no link ${link}; ${there}`);
    }
    const nodes = named.map((row) => row["vnode"] ?? "");
    if (node !== null && !nodes.includes(node)) {
      const message = `${node} is not on ${link}; there are: ${nodes.join(", ")}`;
      throw new BossError("BAD_REQUEST", message);
    }
    if (!keep) return;
    for (const [key, value] of settings) {
      const problem = problemOf(key, value);
      if (problem !== undefined) throw new BossError("BAD_REQUEST", problem);
    }
  }

  /** With what is kept of the link already: values are refused for what they make together. */
  async #checkKept(row: ExperimentRow, { link, node, settings }: LinkSettingsAsked): Promise<void> {
    const {
      file,
      source,
      presets,
      linkSettings = [],
    } = this.#options.database.definition(row.exptidx);
    const { pid, eid } = row;
    const names = { pid, eid, insisted: ["pid", "eid"] as const };
    const { experiment } = await parseDefinition({ ...names, file, text: source, presets });
    // A file that has errors now is refused by the swap-in.
    if (experiment === undefined) return;
    const asked = settings.map(([key, value]) => ({ link, node: node ?? "", key, value }));
    const problem = keptProblem(experiment, linkSettings, asked);
    if (problem !== undefined) throw new BossError("BAD_REQUEST", problem);
  }

  async #send(
    { exptidx, pid, eid }: ExperimentRow,
    { link, node, settings }: LinkSettingsAsked,
    { links, signal }: { readonly links: readonly Link[]; readonly signal: AbortSignal },
  ): Promise<void> {
    const { database, sendToRun } = this.#options;
    const run = database.lastRun(exptidx);
    if (sendToRun === undefined || run === undefined) {
      const message = `${pid}/${eid} takes no events; use muster up, and a daemon with a bus`;
      throw new BossError("WRONG_STATE", message);
    }
    const isLan = links.find(({ name }) => name === link)?.kind === "lan";
    const object = node === null ? link : `${link}-${node}`;
    const events = linkEvents(settings, isLan && node === null);
    for (const { event, args } of events) {
      const asked = { object, objtype: "LINK", event, args, waits: true, signal };
      const to = { directory: run.directory, experiment: `${pid}/${eid}` };
      const why = await sendToRun(to, asked);
      if (why !== undefined) throw new BossError("NOT_MODIFIED", why);
    }
    const known = links.find(({ name }) => name === link);
    const { directory } = run;
    if (known !== undefined) this.live.note({ exptidx, directory }, known, node, settings);
  }
}

/** @param isWholeLan a packet meets twice what its members are told */
export function linkEvents(
  settings: LinkSettingsAsked["settings"],
  isWholeLan: boolean,
): readonly { readonly event: string; readonly args: string }[] {
  const words = settings
    .filter(([key]) => key !== "ENABLE")
    .map(([key, value]) => `${key}=${isWholeLan ? halved(key, value) : value}`);
  const enable = settings.find(([key]) => key === "ENABLE")?.[1];
  return [
    ...(words.length === 0 ? [] : [{ event: "MODIFY", args: words.join(" ") }]),
    ...(enable === undefined ? [] : [{ event: enable === "no" ? "DOWN" : "UP", args: "" }]),
  ];
}

/** A packet passes two members of a LAN, which both do what is said of the whole. */
function halved(key: string, value: string): string {
  const number = Number.parseFloat(value);
  if (Number.isNaN(number)) return value;
  if (key === "DELAY") return String(number / 2);
  return key === "PLR" ? String(halfOf(number)) : value;
}

/**
 * What no back end would make of a link as it would be kept, as far as that is the doing of what is
 * asked now. Pure.
 */
export function keptProblem(
  experiment: Experiment,
  before: readonly LinkSetting[],
  asked: readonly LinkSetting[],
): string | undefined {
  const [name] = asked.map(({ link }) => link);
  const problemsWith = (settings: readonly LinkSetting[]): readonly string[] => {
    const made = overlayLinks({ experiment, rows: {} }, settings).experiment.links;
    const link = made.find((one) => one.name === name);
    const members = link === undefined ? [] : shapeLink(link).members;
    const ways = members.flatMap(({ up, down }) => [up, ...(down === undefined ? [] : [down])]);
    return ways.flatMap((way) => checkShape(way, widest));
  };
  const others = before.filter((older) => !asked.some((newer) => replaces(newer, older)));
  const had = new Set(problemsWith(before));
  return problemsWith([...others, ...asked]).find((problem) => !had.has(problem));
}

/** What the machine has is known at the swap-in. */
const widest: Capacity = Object.values(capacities).reduce((a, b) =>
  a.bandwidthBpsMax >= b.bandwidthBpsMax ? a : b,
);

/** Why a value cannot be kept. A live link judges for itself. */
function problemOf(key: string, value: string): string | undefined {
  if (!keptKeys.includes(key)) return `${key} cannot be kept; what can: ${keptKeys.join(", ")}`;
  if (key === "ENABLE")
    return value === "yes" || value === "no" ? undefined : "ENABLE is yes or no";
  const number = Number(value);
  if (!/^[\d.]+$/.test(value) || !Number.isFinite(number)) {
    return `${key} that is kept is a plain number, not ${value}`;
  }
  if (key === "PLR" && number > 1) return `PLR is from 0 to 1, not ${value}`;
  return undefined;
}
