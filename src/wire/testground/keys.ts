// SPDX-License-Identifier: MIT
// The keys that the libraries of Testground form. [TESTGROUND 7]
import type { RunEvent } from "./messages.ts";

/** A key in two parts: the run that it names, if it does, and the rest. */
export interface Key {
  readonly run?: string;
  readonly name: string;
}

/** `run:R:plan:P:case:C:states:S` is `plan:P:case:C:states:S` of run R; other keys name no run. */
export function parseKey(key: string): Key {
  const marker = ":plan:";
  const end = key.indexOf(marker);
  if (!key.startsWith("run:") || end <= "run:".length) return { name: key };
  return { run: key.slice("run:".length, end), name: key.slice(end + 1) };
}

/** Whether a topic, by key or by name, is the one on which a run's instances say how they ended. */
export function isEventsTopic(name: string): boolean {
  return /(?:^|:)plan:.*:case:.*(?<!:topics|:states):run_events$/s.test(name);
}

/** Where instances ask for another network: the host that is meant, and the plan and case. */
export interface NetworkTopic {
  readonly host: string;
  /** `plan:P:case:C:` */
  readonly prefix: string;
}

/** @param name of a topic, without its run. @returns undefined for other topics. [TESTGROUND 7] */
export function parseNetworkTopic(name: string): NetworkTopic | undefined {
  const [, prefix, host] = /^(plan:.*:case:.*:)topics:network:(.+)$/s.exec(name) ?? [];
  return prefix === undefined || host === undefined ? undefined : { prefix, host };
}

/** The name of a state of a plan and case, without its run. */
export function nameState(prefix: string, state: string): string {
  return `${prefix}states:${state}`;
}

const outcomes = [
  ["success_event", "success"],
  ["failure_event", "failure"],
  ["crash_event", "crash"],
] as const;

/** @returns undefined for events that end nothing, and for what is no event. */
export function parseRunEvent(payload: string): RunEvent | undefined {
  const value: unknown = JSON.parse(payload);
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, outcome] of outcomes) {
    const event = (value as Readonly<Record<string, unknown>>)[key];
    if (typeof event !== "object" || event === null) continue;
    const { group = "", error = "" } = event as { readonly group?: unknown; error?: unknown };
    return { outcome, group: String(group), error: String(error) };
  }
  return undefined;
}
