// SPDX-License-Identifier: MIT
// Deadlines of barriers, as programs give them.
import type { Deadline } from "../core/barriers/rules.ts";
import { checkTimeoutMs, wrong } from "./check-arguments.ts";
import type { ClientPlatform } from "./platform.ts";

/** When a barrier is over for everybody who waits, with code `timeout` and who was missing. */
export type BarrierDeadline =
  | {
      /** Since it was opened, since somebody came first, since somebody came last. */
      readonly since: "opening" | "first-arrival" | "last-arrival";
      /** Milliseconds of the server's time. */
      readonly ms: number;
    }
  /** An instant of this machine's clock: the server counts what is left of it from the opening. */
  | { readonly at: Date };

/** @throws MusterError (invalid) */
export function deadlineOf(
  deadline: BarrierDeadline | undefined,
  platform: ClientPlatform,
): { readonly deadline?: Deadline } {
  if (deadline === undefined) return {};
  if ("at" in deadline) {
    const atMs = deadline.at.getTime();
    if (!Number.isFinite(atMs)) throw wrong("deadline.at", "a date that is one", deadline.at);
    const leftMs = Math.max(0, atMs - platform.wallMs());
    return { deadline: { since: "opening", us: Math.round(leftMs * 1000) } };
  }
  const { since, ms } = deadline;
  if (!["opening", "first-arrival", "last-arrival"].includes(since)) {
    throw wrong("deadline.since", "opening, first-arrival or last-arrival", since);
  }
  checkTimeoutMs(ms, "deadline.ms");
  return { deadline: { since, us: Math.round(ms * 1000) } };
}
