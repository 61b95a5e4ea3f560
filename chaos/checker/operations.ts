// SPDX-License-Identifier: MIT
// From lines of histories to operations: what was asked together with what it was answered, by
// place. Says what cannot be a history: an answer to nothing, two answers, none, a file that ends
// in the middle. What the operations mean is not its business.
import { type Answer, type Asked, type HistoryLine, mortalScopes } from "../history.ts";
import { type Violation, violation } from "./violation.ts";

export interface Operation {
  readonly party: string;
  readonly scope: string;
  readonly name: string;
  readonly asked: Asked;
  readonly askUs: number;
  /** Undefined when it was never answered. */
  endUs: number | undefined;
  /** What the wall's clock showed then, by which the log is stamped. */
  endWallUs: number;
  code: string;
  answer: Answer;
  /** How often it was told that the log was away. */
  aways: number;
  /** How often it was asked again with its id. */
  agains: number;
  /** When its latest request began. */
  requestUs: number;
  /** When the latest one began that a server may have had; undefined: none was had yet. */
  hadUs: number | undefined;
  /**
   * When it may have counted once more: a server had it, and none had heard of it for longer than
   * an id is known.
   */
  readonly recountsUs: number[];
}

export interface Reader {
  readonly scope: string;
  readonly topic: string;
  readonly after: number;
  readonly messages: {
    readonly us: number;
    readonly number: number;
    readonly text: string;
  }[];
  code: string | undefined;
}

/** An event that an agent has obeyed. */
export interface Fired {
  readonly us: number;
  readonly wallUs: number;
  readonly object: string;
  readonly text: string;
  readonly dueUs: number;
}

/** A party is gone from a scope: it has left, its session has ended, or it was killed. */
export interface Departure {
  readonly scope: string;
  readonly party: string;
  /** Not before it; of a session that has ended that is not known, and 0. */
  readonly us: number;
  readonly isKilled: boolean;
}

export interface Histories {
  readonly operations: readonly Operation[];
  readonly fired: readonly Fired[];
  /** By token: the errors that were told. */
  readonly completions: ReadonlyMap<number, readonly number[]>;
  readonly readers: readonly Reader[];
  /** Of lanes whose processes are killed. */
  readonly departures: readonly Departure[];
  readonly violations: readonly Violation[];
}

/** Of what a client asked that was killed before it heard, or before it wrote that down. */
export const deadCode = "dead";

/** So long a wait stays for who asks again with its id, and how it ended (docs, http.md). */
const idKeptUs = 30_000_000;

/** Takes one file after the other, each line by line. */
export class HistoryReader {
  readonly #operations: Operation[] = [];
  readonly #readers: Reader[] = [];
  readonly #violations: Violation[] = [];
  readonly #fired: Fired[] = [];
  readonly #completions = new Map<number, number[]>();
  readonly #departures: Departure[] = [];
  /** Parties of this file that are in a scope where they may be killed. */
  #present = new Map<string, { readonly scope: string; readonly party: string }>();
  /** Of the file that is read: the wall's clock minus the monotonic one, as it was seen last. */
  #wallOffsetUs = 0;
  #open = new Map<number, Operation>();
  #openReaders = new Map<number, Reader>();
  #sessions = new Map<string, string>();
  #isComplete = false;
  #lastUs = 0;

  take(line: HistoryLine): void {
    const us = line[1];
    // Who has killed the process took the time before.
    if (us < this.#lastUs && line[0] !== "killed")
      this.#wrong("history", "", "time goes back", [line]);
    this.#lastUs = us;
    switch (line[0]) {
      case "ask": {
        const [, , id, party, scope, name, asked] = line;
        const operation: Operation = {
          ...{ party, scope, name, asked, askUs: us },
          ...{ endUs: undefined, endWallUs: 0, code: "", answer: {}, aways: 0 },
          ...{ agains: 0, requestUs: us, hadUs: undefined, recountsUs: [] },
        };
        if (this.#open.has(id)) this.#wrong("history", party, `${id} was asked twice`, [line]);
        this.#open.set(id, operation);
        this.#operations.push(operation);
        if (scope.startsWith(mortalScopes)) this.#present.set(`${scope} ${party}`, operation);
        return;
      }
      case "end":
        this.#end(line);
        return;
      case "away": {
        const operation = this.#open.get(line[2]);
        if (operation !== undefined) operation.aways += 1;
        return;
      }
      case "again": {
        const operation = this.#open.get(line[2]);
        if (operation !== undefined) askAgain(operation, us, line[3]);
        return;
      }
      case "read": {
        const [, , id, scope, topic, after] = line;
        const reader: Reader = { scope, topic, after, messages: [], code: undefined };
        this.#openReaders.set(id, reader);
        this.#readers.push(reader);
        return;
      }
      case "message": {
        const [, , id, number, text] = line;
        const reader = this.#openReaders.get(id);
        if (reader === undefined) this.#wrong("history", "", "a message for no reader", [line]);
        else if (reader.code !== undefined) {
          this.#wrong("doubled", reader.topic, "a message came after the end of a reader", [line]);
        } else reader.messages.push({ us, number, text });
        return;
      }
      case "stopped": {
        const reader = this.#openReaders.get(line[2]);
        if (reader !== undefined) reader.code = line[3];
        return;
      }
      case "fired": {
        const [, , object, text, dueUs] = line;
        this.#fired.push({ us, wallUs: us + this.#wallOffsetUs, object, text, dueUs });
        return;
      }
      case "completed": {
        const [, , token, error] = line;
        const known = this.#completions.get(token);
        if (known === undefined) this.#completions.set(token, [error]);
        else known.push(error);
        return;
      }
      case "left": {
        const [, , party, scope, why] = line;
        this.#present.delete(`${scope} ${party}`);
        const leftUs = why === "ended" ? 0 : us;
        this.#departures.push({ scope, party, us: leftUs, isKilled: false });
        return;
      }
      case "killed":
        this.#kill(us);
        return;
      case "session":
        this.#session(line[2], line[3]);
        return;
      case "clock":
        this.#wallOffsetUs = line[2] - us;
        return;
      case "complete":
        this.#isComplete = true;
    }
  }

  /** The file is read. @param file what it is called */
  endFile(file: string): void {
    if (!this.#isComplete) this.#wrong("history", file, "the history breaks off", []);
    for (const operation of this.#open.values()) {
      if (operation.endUs !== undefined) continue;
      haveHad(operation);
      const { scope, name, party } = operation;
      this.#wrong("lost", `${scope} ${name}`, `${party} never heard of it again`, [operation]);
    }
    for (const { scope, topic, code } of this.#openReaders.values()) {
      if (code === "ok") continue;
      const what = code === undefined ? "never came to an end" : `was ended: ${code}`;
      this.#wrong("lost", `${scope} ${topic}`, `a reader ${what}`, []);
    }
    for (const [party, state] of this.#sessions) {
      if (state === "closed" || state === "told") continue;
      this.#wrong("session", party, `the session is ${state} at the end`, []);
    }
    this.#open = new Map();
    this.#openReaders = new Map();
    this.#sessions = new Map();
    this.#present = new Map();
    [this.#isComplete, this.#lastUs] = [false, 0];
  }

  result(): Histories {
    return {
      operations: this.#operations,
      fired: this.#fired,
      completions: this.#completions,
      readers: this.#readers,
      departures: this.#departures,
      violations: this.#violations,
    };
  }

  #end(line: Extract<HistoryLine, readonly ["end", ...unknown[]]>): void {
    const [, us, id, code, answer] = line;
    const operation = this.#open.get(id);
    if (operation === undefined) {
      this.#wrong("history", "", `an answer to ${id}, which nobody asked`, [line]);
      return;
    }
    if (operation.endUs !== undefined) {
      const { scope, name, party } = operation;
      const text = `${party} was answered twice`;
      this.#wrong("doubled", `${scope} ${name}`, text, [operation, line]);
      return;
    }
    haveHad(operation);
    operation.endUs = us;
    operation.endWallUs = us + this.#wallOffsetUs;
    operation.code = code;
    operation.answer = answer;
  }

  /** What it has not heard by then it never will, and nobody need tell it. */
  #kill(us: number): void {
    for (const { scope, party } of this.#present.values()) {
      this.#departures.push({ scope, party, us, isKilled: true });
    }
    for (const [id, operation] of this.#open) {
      if (operation.endUs === undefined) operation.code = deadCode;
      this.#open.delete(id);
    }
    this.#isComplete = true;
  }

  #session(party: string, state: string): void {
    this.#sessions.set(party, state);
    if (state === "open" || state === "closed") return;
    this.#sessions.set(party, "told");
    this.#wrong("session", party, `the session was lost: ${state}`, []);
  }

  #wrong(kind: Violation["kind"], where: string, text: string, evidence: readonly unknown[]): void {
    this.#violations.push(violation(kind, where, text, evidence));
  }
}

function askAgain(operation: Operation, us: number, isReached: boolean): void {
  operation.agains += 1;
  if (isReached) haveHad(operation);
  operation.requestUs = us;
}

/** A server may have had its latest request: when that began, and no later. */
function haveHad(operation: Operation): void {
  const { requestUs, hadUs } = operation;
  if (hadUs !== undefined && requestUs - hadUs > idKeptUs) operation.recountsUs.push(requestUs);
  operation.hadUs = requestUs;
}
