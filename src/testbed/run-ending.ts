// SPDX-License-Identifier: MIT
// How a run came to its end.
import type { EndedBy } from "./run-event.ts";

export interface Ending {
  readonly endedBy: EndedBy;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export const interrupted: Ending = {
  endedBy: "interrupt",
  error: { code: "INTERRUPTED", message: "the run was interrupted before it had ended" },
};
