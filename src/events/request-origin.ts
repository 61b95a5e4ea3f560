// SPDX-License-Identifier: MIT
// What a scheduler must know of a request beside the event itself: who wants to hear what of it,
// and where on the bus it was. It is kept in the log with the request, as text.
import type { BusPlace } from "../wire/event/bus.ts";

export interface RequestOrigin {
  /** IPv4 address that the notification names as its sender's. */
  readonly sender: string;
  /** The sender's own TOKEN: its completion is told under that. */
  readonly token: number | undefined;
  /** MUSTER_REQUEST: the sender wants an answer that carries it. */
  readonly question: string | undefined;
  readonly place: BusPlace;
  /** Makes it another than any other; `""` when nobody has sent it. */
  readonly stamp: string;
}

/** Of what nobody has asked for. */
export const noOrigin = { sender: "", token: undefined, question: undefined, stamp: "" } as const;

export function formatOrigin(origin: RequestOrigin): string {
  return JSON.stringify(origin);
}

/** Undefined for what `formatOrigin` has not written. */
export function parseOrigin(text: string | undefined): RequestOrigin | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("place" in value)) return undefined;
  return { ...noOrigin, ...value } as RequestOrigin;
}
