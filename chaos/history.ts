// SPDX-License-Identifier: MIT
// What the history of a client is: one JSON array a line, written by the client while it lives and
// read by the checker when all is over. Shared by both, and nothing else is. Times are
// CLOCK_MONOTONIC in microseconds, so that those of all processes of one machine are comparable.
//
//   I1. A line `ask` is written before the request leaves, a line `end` after its answer has come:
//       what happened lies between the two.

/** Of lanes whose processes are killed: lane and epoch come behind it. */
export const mortalScopes = "chaos/mortal-";

/** What an operation is; the place is its scope and name. */
export type Asked =
  | {
      readonly kind: "count-init";
      readonly count: number;
      readonly error: number;
      /** Which of those of one name, from 1; absent where there is one. */
      readonly crossing?: number;
    }
  | {
      readonly kind: "count-wait";
      readonly error: number;
      readonly crossing?: number;
      /** The patience of who asks, where it has one; also below. */
      readonly timeoutMs?: number;
    }
  /** One who asks for so many others, and waits with them. */
  | { readonly kind: "count-init-wait"; readonly count: number; readonly error: number }
  | { readonly kind: "signal" }
  | { readonly kind: "signal-wait"; readonly target: number; readonly timeoutMs?: number }
  | { readonly kind: "state-wait"; readonly target: number }
  /** A message of a topic, and a signal that waits at a state. */
  | {
      readonly kind: "publish-wait";
      readonly topic: string;
      readonly text: string;
      readonly target: number;
    }
  | { readonly kind: "publish"; readonly text: string }
  /** Crosses when so many have come. */
  | { readonly kind: "quorum-init"; readonly needed: number }
  | { readonly kind: "quorum-wait" }
  | { readonly kind: "roster-open"; readonly members: number }
  | { readonly kind: "roster-arrive"; readonly phase: number; readonly timeoutMs?: number }
  | { readonly kind: "campaign" }
  | { readonly kind: "resign" }
  | { readonly kind: "peers" }
  /**
   * An event of an object at an instant of the wall's clock; the place is experiment and object.
   */
  | { readonly kind: "event"; readonly text: string; readonly atWallUs: number };

/** What it was answered, as far as there is something to say. */
export interface Answer {
  readonly generation?: number;
  readonly error?: number;
  readonly value?: number;
  readonly number?: number;
  readonly term?: number;
  readonly phase?: number;
  /** By which completions name an event. */
  readonly token?: number;
  /** Of one that did not succeed. */
  readonly message?: string;
}

export type HistoryLine =
  /** A party asks; its name says by which door. */
  | readonly ["ask", us: number, id: number, party: string, scope: string, name: string, Asked]
  /**
   * `ok`, or the code of an error. Of old clients `closed`: their protocol has no word for it; of
   * publications of the HTTP door, which have no id, `unanswered`: they may have been made, and
   * may have counted where they wait.
   */
  | readonly ["end", us: number, id: number, code: string, Answer]
  /** The wait was told that the log is away, and goes on (D10). */
  | readonly ["away", us: number, id: number]
  /** Asked again with its id; whether a server may have had the request before. */
  | readonly ["again", us: number, id: number, isReached: boolean]
  /** A reader begins behind number `after`. */
  | readonly ["read", us: number, reader: number, scope: string, topic: string, after: number]
  | readonly ["message", us: number, reader: number, number: number, text: string]
  /** It has stopped: by itself (`ok`), or for an error. */
  | readonly ["stopped", us: number, reader: number, code: string]
  /** An agent has obeyed an event of an object, due at `dueUs`. */
  | readonly ["fired", us: number, object: string, text: string, dueUs: number]
  /** Whoever watches was told that the event of this token has completed. */
  | readonly ["completed", us: number, token: number, error: number]
  | readonly ["session", us: number, party: string, state: string]
  /** A party that may be killed is about to leave its scope, or has lost its session (`ended`). */
  | readonly ["left", us: number, party: string, scope: string, why: "leaves" | "ended"]
  /** Written by who has killed the process, with the instant before: nothing comes behind it. */
  | readonly ["killed", us: number]
  /** The two clocks at one moment: the record of the log has the wall's. */
  | readonly ["clock", us: number, wallUs: number]
  /** The process has said all: without it something is missing at the end of the file. */
  | readonly ["complete", us: number];

export function formatLine(line: HistoryLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** @throws Error of a line that is none: a history that cannot be read proves nothing. */
export function parseLine(text: string): HistoryLine {
  const line: unknown = JSON.parse(text);
  if (!Array.isArray(line) || typeof line[0] !== "string" || typeof line[1] !== "number") {
    throw new Error(`no line of a history: ${text.slice(0, 200)}`);
  }
  return line as unknown as HistoryLine;
}
