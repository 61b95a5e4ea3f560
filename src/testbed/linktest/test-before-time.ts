// SPDX-License-Identifier: MIT
// The linktest of a swap-in, before time 0, and of a modification: by the run itself, or by whoever
// says START over the bus and waits for COMPLETE. Whose end is that of the run, which ends the
// probes itself.
import type { Level } from "../../linktest/index.ts";
import type { RunOptions } from "../run-options.ts";
import type { LinktestAgent } from "./linktest-agent.ts";

export interface TestBeforeTime {
  readonly run: Pick<RunOptions, "linktestLevel" | "testLinks">;
  readonly linktest: LinktestAgent | undefined;
  /** The run ends. */
  readonly ended: Promise<unknown>;
  /** The agenda is known from then on, and its objects obey. */
  readonly serve: () => Promise<void>;
  readonly onWarning: (text: string) => void;
}

/** Does nothing where none is asked for. */
export async function testBeforeTime(options: TestBeforeTime): Promise<void> {
  const { run, linktest, ended, serve, onWarning } = options;
  const { linktestLevel: level } = run;
  if (level === undefined || linktest === undefined) return;
  const over = new AbortController();
  void ended.then(() => over.abort());
  // Whoever says START over the bus must be heard.
  if (run.testLinks !== undefined) await serve();
  const text = await testLinks({ run, level, linktest, signal: over.signal });
  if (text !== undefined) onWarning(text);
}

export interface TestLinks {
  readonly run: Pick<RunOptions, "testLinks">;
  readonly level: Level;
  readonly linktest: LinktestAgent | undefined;
  /** The run ends. */
  readonly signal: AbortSignal;
}

/** Never rejects. @returns what to tell of it, where the run itself does not */
export async function testLinks(options: TestLinks): Promise<string | undefined> {
  const { run, level, linktest, signal } = options;
  if (run.testLinks !== undefined) return await run.testLinks(level, signal);
  await linktest?.run({ first: 1, last: level });
  return undefined;
}
