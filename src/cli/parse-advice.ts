// SPDX-License-Identifier: MIT
// What `muster parse` notices about the programs and addresses of an accepted file: nothing of it
// is wrong by the language, and all of it is what somebody will wonder about after a run, or be
// refused for before it. `muster run` has words of its own for each.

import { isYamlFile } from "../boss/file-language.ts";
import type { Diagnostic, Experiment, Program } from "../experiment/index.ts";
import { findAddressFaults } from "../network/topology.ts";
import { type IdlePlan, idlePlans, neverStarted } from "../testbed/never-started.ts";

/** Findings of one kind that are shown. */
const shownMax = 20;

/** @returns warnings and notes, in the order of the file */
export function adviseOnPrograms(experiment: Experiment, file: string): readonly Diagnostic[] {
  const isYaml = isYamlFile(file);
  const idle = neverStarted(experiment).slice(0, shownMax);
  const plans = idlePlans(experiment).slice(0, shownMax);
  const found = [
    ...idle.map((program) => describeIdle(program, isYaml)),
    ...plans.map((plan) => describeIdlePlan(plan, isYaml)),
  ];
  const foreign = experiment.programs
    .filter(({ shell }) => !isYaml || shell === "csh")
    .find(({ command }) => isForSh(command));
  if (foreign !== undefined) found.push(describeForeign(foreign, isYaml));
  return found.toSorted((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
}

/**
 * @returns errors for addresses that no run can have whose nodes have links of their own, each at
 * its link, the last of them for those beyond `shownMax`
 */
export function findAddressClashes({ links }: Experiment, file: string): readonly Diagnostic[] {
  const how = isYamlFile(file)
    ? "address: of an end of a link, netmask: of the link"
    : "tb-set-ip-lan, tb-set-ip-link, tb-set-netmask";
  const [severity, code] = ["error", "ADDRESS_CLASH"] as const;
  const faults = [...findAddressFaults(links)];
  const shown = faults.slice(0, shownMax).map(({ link, what, advice }): Diagnostic => {
    const first = advice.charAt(0).toUpperCase() + advice.slice(1);
    const hint = `${first} (${how}); only muster run --nodes process, which makes no links, runs it so.`;
    return { severity, code, message: what, at: link.at, hint };
  });
  const [next] = faults.slice(shownMax);
  if (next === undefined) return shown;
  const message = `${faults.length - shownMax} more addresses or netmasks are wrong, from here on`;
  const hint = "Mend those that are shown first: others are often wrong with them.";
  return [...shown, { severity, code, message, at: next.link.at, hint }];
}

function describeIdle({ name, node, at }: Program, isYaml: boolean): Diagnostic {
  const message = `nothing in the file starts program ${name} on ${node}`;
  const own = isYaml ? "Give it a start, as in start: 0s" : `Add $ns at 0 "$${name} start"`;
  const hint = `${own}, or start it with tevc or muster event send while the run goes.`;
  return { severity: "warning", code: "NEVER_STARTED", message, at, hint };
}

/** At its first event, which is the only place that is known of it. */
function describeIdlePlan({ kind, name, first, count }: IdlePlan, isYaml: boolean): Diagnostic {
  const [what, rest] = kind === "sequence" ? ["step", "sequence"] : ["event", "timeline"];
  const all = count === 1 ? `its ${what} is` : `its ${count} ${what}s are`;
  const message = `nothing in the file starts ${rest} ${name}: ${all} left undone`;
  const own = isYaml
    ? `Add an event, as in { at: 0s, target: ${name}, do: start }`
    : `Add $ns at 0 "$${name} start"`;
  const hint = `${own}, or start it with tevc or muster event send while the run goes.`;
  return { severity: "warning", code: "NEVER_STARTED", message, at: first.at, hint };
}

/** Words that csh does not know or takes otherwise. */
function isForSh(command: string): boolean {
  // What a shell of its own reads is in quotes, and not csh's business.
  const bare = command.replace(/'[^']*'|"[^"]*"/g, "");
  return (
    /(?:^|\s)(?:[12]>|>&[12])|(?:^|[;&|(]\s*)export\s/.test(bare) ||
    /(?:^|[;&|(]\s*)(?:for|while)\s.*;\s*do\s/.test(bare)
  );
}

function describeForeign({ name, at }: Program, isYaml: boolean): Diagnostic {
  const message = `the command of ${name} is written for sh`;
  const hint = isYaml
    ? "It runs in csh: leave out shell: csh."
    : "NS commands run in csh where it is installed; write sh -c '...'.";
  return { severity: "note", code: "CSH_COMMAND", message, at, hint };
}
