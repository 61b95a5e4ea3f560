// SPDX-License-Identifier: MIT
// What a command's code gets and gives.
import type { Clock } from "../../../host/clock.ts";
import type { TmcdRequest } from "../../../wire/tmcd/index.ts";
import type { TmcdTime } from "../../tmcd-time.ts";
import type { Route } from "../caller.ts";
import type { NodeFacts, Reservation, TmcdSource } from "../source.ts";

/** A request that was let in. */
export interface Asked {
  readonly request: TmcdRequest;
  readonly route: Route;
  readonly node: NodeFacts;
  readonly source: TmcdSource;
  readonly clock: Clock;
  readonly time: TmcdTime;
  /** The server answers test requests. */
  readonly isDebugging: boolean;
  /** One line for the log; the caller is added. */
  readonly note: (text: string) => void;
}

/** The whole reply. */
export type Reply = string | Uint8Array;

export type Handler = (asked: Asked) => Promise<Reply> | Reply;

/** Said by commands that answer nothing, whatever they do. */
export const silence = "";

/** The experiment of the node; commands that need none pass over free nodes with it. */
export function reservationOf({ node }: Asked): Reservation | undefined {
  return node.reservation;
}
