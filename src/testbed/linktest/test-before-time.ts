// SPDX-License-Identifier: MIT
// The linktest of a swap-in, before time 0: by the run itself, or by whoever says START over the
// bus and waits for COMPLETE. Whose end is that of the run, which ends the probes itself.
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
  const { linktestLevel: last, testLinks } = run;
  if (last === undefined || linktest === undefined) return;
  const over = new AbortController();
  void ended.then(() => over.abort());
  if (testLinks === undefined) {
    await linktest.run({ first: 1, last });
    return;
  }
  // Whoever says START over the bus must be heard.
  await serve();
  const text = await testLinks(last, over.signal);
  if (text !== undefined) onWarning(text);
}
