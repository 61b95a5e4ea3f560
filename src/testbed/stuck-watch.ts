// SPDX-License-Identifier: MIT
// Asks once a second whether anybody can still come to the barriers of a run, and tells when
// nobody can. What that means is decided in stuck-detector.ts.
import type { ScopeDescription } from "../core/description.ts";
import type { Cancel, Clock } from "../host/clock.ts";
import type { ProgramAgent } from "./agents/program-agent.ts";
import { StuckDetector } from "./stuck-detector.ts";

export interface StuckWatchOptions {
  readonly clock: Clock;
  /** 0 watches nothing. */
  readonly stuckSeconds: number;
  readonly programs: Pick<ProgramAgent, "active" | "isDone" | "nodeOf">;
  readonly describe: () => ScopeDescription;
  readonly isEnding: () => boolean;
  /** Told once. */
  readonly onStuck: (message: string) => void;
}

const checkEachMs = 1_000;

/** @returns ends the watch. */
export function watchForStuck(options: StuckWatchOptions): Cancel {
  const { clock, stuckSeconds, programs, describe, isEnding, onStuck } = options;
  if (stuckSeconds === 0) return () => undefined;
  const detector = new StuckDetector(stuckSeconds * 1_000_000);
  const isDone = (name: string): boolean => programs.isDone(programs.nodeOf(name) ?? name);
  const check = (): void => {
    if (isEnding()) return;
    const message = detector.check(clock.nowUs(), describe(), programs.active(), isDone);
    if (message === undefined) cancel = clock.after(checkEachMs, check);
    else onStuck(message);
  };
  let cancel = clock.after(checkEachMs, check);
  return () => cancel();
}
