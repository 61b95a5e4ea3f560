// SPDX-License-Identifier: MIT
// One operation of a session, to its end: one that was told that the log is away waits on.
import type { MusterError } from "../../src/client/index.ts";
import type { Answer, Asked } from "../history.ts";
import type { HistoryFile } from "./history-file.ts";

export interface Asking<Result> {
  readonly history: HistoryFile;
  readonly party: string;
  readonly scope: string;
  readonly name: string;
  readonly asked: Asked;
  readonly handle: Resumable;
  readonly call: () => Promise<Result>;
  readonly answerOf: (result: Result) => Answer;
  /** By which the wait is taken back; `call` has it, too. */
  readonly signal?: AbortSignal;
}

export interface Resumable {
  resume<Result>(error: MusterError, options?: { readonly signal: AbortSignal }): Promise<Result>;
}

/** @throws what ended it, when it was written down */
export async function askToEnd<Result>(asking: Asking<Result>): Promise<Result> {
  const { history, party, scope, name, asked, handle, call, answerOf, signal } = asking;
  const id = history.ask(party, scope, name, asked);
  let pending = call();
  for (;;) {
    try {
      const result = await pending;
      history.end(id, "ok", answerOf(result));
      return result;
    } catch (error) {
      if (isResumable(error)) {
        history.away(id);
        pending = handle.resume<Result>(error, signal && { signal });
        continue;
      }
      history.end(id, codeOf(error), { message: String(error) });
      throw error;
    }
  }
}

function isResumable(error: unknown): error is MusterError {
  const { code, resume } = error as Partial<MusterError>;
  return code === "unavailable" && resume !== undefined;
}

export function codeOf(error: unknown): string {
  return (error as { code?: string } | undefined)?.code ?? "threw";
}
