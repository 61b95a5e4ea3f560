// SPDX-License-Identifier: MIT
// What an agent says of an event it was told: that it took effect, and later what came of it.
import type { AgendaEvent } from "../../core/agenda/commands.ts";
import type { ArmedOrder, Completion, Performed } from "../../events/index.ts";
import type { StartOptions } from "./managed-program.ts";

export type { ArmedOrder, Completion, Performed } from "../../events/index.ts";

export interface PerformOptions extends StartOptions {
  /** The agenda that the event is of; its errors are the ones a report is about. */
  readonly scope?: string;
}

/** Obeys the events of one type of objects. */
export interface ObjectAgent {
  /** Never rejects. Resolves when the event has taken effect, not when its work has ended. */
  perform(event: AgendaEvent, how: PerformOptions): Promise<Performed>;
  /** Has the event take effect at an instant to come, if it can meet one by itself. */
  arm?(event: AgendaEvent, how: PerformOptions): ArmedOrder | undefined;
}

export const succeeded: Completion = { error: 0, text: "" };

/** It could not be done. [EMULAB-EVENTS 2.8 SIMULATOR] */
export function failed(text: string): Completion {
  return { error: 1, text };
}

/** Success, unless there is a problem: then the first of them tells why. */
export function completionOf(problems: readonly string[]): Completion {
  const [first] = problems;
  return first === undefined ? succeeded : failed(first);
}

/** Begun, and completed when the work is. */
export function begun(nowUs: number, done: Promise<Completion>): Performed {
  return { firedMonotonicUs: nowUs, outcome: "done", done };
}

/** Nobody serves it; nobody has to wait for it either. */
export function ignored(nowUs: number, why: string): Performed {
  return { firedMonotonicUs: nowUs, outcome: `ignored: ${why}`, done: Promise.resolve(0) };
}
