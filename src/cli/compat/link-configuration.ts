// SPDX-License-Identifier: MIT
// What delay_config and link_config have in common: their command lines, and the daemon that does
// it. [EMULAB-EVENTS 5.1]
import {
  connectDaemon,
  type LinkSettingsAsked,
  type LinkSettingsDone,
  resolveStateDirectory,
} from "../../boss/index.ts";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { harmless } from "../output.ts";
import { type Exit, helpFor } from "./exit.ts";
import { Getopt } from "./getopt.ts";

/** For everything that goes wrong. */
const failed = 255;

export interface LinkProgram {
  readonly name: string;
  /** Whether it takes links down and up. */
  readonly takesEnable: boolean;
}

/** Keys of radios, which no link here has. [EMULAB-EVENTS 5.2] */
const radioKeys = ["SENSITIVITY", "TXPOWER", "RATE", "BITRATE", "CHANNEL", "ACCESSPOINT"];

export async function configureLink(program: LinkProgram, argv: readonly string[]): Promise<Exit> {
  const { name } = program;
  const help = helpFor(argv, usageOf(program));
  if (help !== undefined) return help;
  const getopt = new Getopt(argv, {
    ...{ flags: "md", valued: "s", longFlags: [], longValued: ["state"] },
  });
  const given = getopt.readAll(name);
  if (typeof given === "string") return misused(program, given);
  const [pid, eid, link, ...words] = getopt.rest;
  if (pid === undefined || eid === undefined || link === undefined || words.length === 0) {
    return misused(program, "name pid, eid, a link, and what to set: DELAY=20");
  }
  const settings = readSettings(program, words);
  if (typeof settings === "string") return misused(program, settings);
  const keep = given.has("m");
  if (keep && settings.some(([key]) => key === "PIPE")) {
    return misused(program, "PIPE is not kept: name the direction with -s NODE");
  }
  const asked = { id: `${pid}/${eid}`, link, node: given.get("s") ?? null, settings, keep };
  try {
    const summary = await ask(asked, given.get("state"));
    return { kind: "exit", code: 0, stdout: given.has("d") ? `${harmless(summary)}\n` : "" };
  } catch (error) {
    return { kind: "exit", code: failed, stderr: `${name}: ${harmless(errorText(error))}\n` };
  }
}

/** Keys count in any case. @returns a sentence for what cannot be set */
function readSettings(
  { name, takesEnable }: LinkProgram,
  words: readonly string[],
): LinkSettingsAsked["settings"] | string {
  const settings: (readonly [string, string])[] = [];
  for (const word of words) {
    const [, given = "", value = ""] = /^([^=]+)=(\S+)$/.exec(word) ?? [];
    const key = given.toUpperCase();
    if (key === "") return `${word} is not KEY=VALUE`;
    if (radioKeys.includes(key)) return `${key} is of radios, and no link here is one`;
    if (key !== "ENABLE") settings.push([key, value]);
    else if (!takesEnable) return `${name} takes no ENABLE; use link_config`;
    else {
      const isOn = ["yes", "up", "1"].includes(value.toLowerCase());
      if (!isOn && !["no", "down", "0"].includes(value.toLowerCase())) {
        return `ENABLE is yes or no, not ${value}`;
      }
      settings.push([key, isOn ? "yes" : "no"]);
    }
  }
  return settings;
}

/** @throws BossError, Error */
async function ask(asked: LinkSettingsAsked, directory: string | undefined): Promise<string> {
  const state = resolveStateDirectory(directory, process.env);
  const link = await connectDaemon(state, systemClock);
  if (link === undefined) {
    throw new Error(`no daemon answers in ${state.path}; start one with: muster serve`);
  }
  try {
    const done = (await link.request({ kind: "set-link", ...asked })) as LinkSettingsDone;
    return done.summary;
  } finally {
    link.close();
  }
}

function misused(program: LinkProgram, complaint: string): Exit {
  return { kind: "exit", code: failed, stderr: `${complaint}\n${usageOf(program)}` };
}

function usageOf({ name, takesEnable }: LinkProgram): string {
  const enable = takesEnable
    ? "  ENABLE=no|yes      lose all packets of it; let them through again\n"
    : "";
  return (
    `Usage: ${name} [-m] [-d] [-s vnode] pid eid link KEY=VALUE ...\n` +
    "  -m           for the next swap-ins, too, until the experiment is defined anew\n" +
    "  -d           say what was done\n" +
    "  -s vnode     the way from this end of a link, or this member of a LAN\n" +
    "  --state DIR  where the experiments are kept\n" +
    `${enable}` +
    "  BANDWIDTH=kb/s  DELAY=ms  PLR=0..1  LIMIT=n  QUEUE-IN-BYTES=0|1\n" +
    "  THRESH=n  MAXTHRESH=n  LINTERM=n  Q_WEIGHT=0..1  PIPE=pipe0|pipe1\n"
  );
}
