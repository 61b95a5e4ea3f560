// SPDX-License-Identifier: MIT
// What users have set of links of what is up (delay_config, link_config), since it came up: what a
// linktest takes for asked in place of what the file says. Remembers; who may is asked elsewhere.
//
//   S1. What was set of a link counts until a modification makes it another one.
//   S2. Of a key of a link the last word counts, as of what is kept (link-overlay.ts, K1).
import type { Experiment } from "../experiment/index.ts";
import type { Link } from "../experiment/model.ts";
import { saysTheSame } from "./experiment-diff.ts";
import { type LinkSetting, overlayLinks, replaces } from "./link-overlay.ts";

interface Live {
  /** Of the results of the run: another run has nothing of it. */
  readonly directory: string;
  /** Each with the link as it was in the file. */
  settings: readonly (readonly [setting: LinkSetting, link: Link])[];
}

export class LiveLinkSettings {
  readonly #live = new Map<number, Live>();

  /** @param words key and value, as in LINK events, which the run has taken */
  note(
    { exptidx, directory }: { readonly exptidx: number; readonly directory: string },
    link: Link,
    node: string | null,
    words: readonly (readonly [key: string, value: string])[],
  ): void {
    const known = this.#live.get(exptidx);
    const live = known?.directory === directory ? known : { directory, settings: [] };
    this.#live.set(exptidx, live);
    for (const setting of settingsOf(link, node, words)) {
      // S2.
      const others = live.settings.filter(([older]) => !replaces(setting, older));
      live.settings = [...others, [setting, link]];
    }
  }

  /** What is asked of the links of an experiment, in a run of it. */
  over(exptidx: number, directory: string, experiment: Experiment): Experiment {
    const live = this.#live.get(exptidx);
    if (live?.directory !== directory) return experiment;
    // S1. Where it stands in the file does not make it another one.
    const links = new Map(experiment.links.map((link) => [link.name, link]));
    const settings = live.settings.filter(([, link]) => saysTheSame(links.get(link.name), link));
    const only = settings.map(([setting]) => setting);
    return overlayLinks({ experiment, rows: {} }, only).experiment;
  }
}

/** A pipe of a link is the way from one of its ends; whether a link is up is not what it is. */
function settingsOf(
  { name, kind, members }: Link,
  node: string | null,
  words: readonly (readonly [key: string, value: string])[],
): readonly LinkSetting[] {
  const settings: LinkSetting[] = [];
  let of = node ?? "";
  for (const [key, value] of words) {
    if (key === "ENABLE") continue;
    if (key === "PIPE") {
      // One of a LAN has no words of its own.
      if (kind === "lan" || node !== null) return settings;
      of = members[value === "pipe0" ? 0 : 1]?.node ?? "";
      continue;
    }
    settings.push({ link: name, node: of, key, value: String(Number.parseFloat(value)) });
  }
  return settings;
}
