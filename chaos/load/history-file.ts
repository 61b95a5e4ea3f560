// SPDX-License-Identifier: MIT
// Writes the history of one process. What was asked is on its way to the file before the request
// leaves; a process that is killed loses at most what was not written yet, and its history then has
// no last line.
import { closeSync, openSync, writeSync } from "node:fs";
import { type Answer, type Asked, formatLine, type HistoryLine } from "../history.ts";
import { nowUs } from "../wait.ts";

const flushTextMin = 64 * 1024;
const flushMs = 500;

export class HistoryFile {
  readonly #file: number;
  readonly #isMortal: boolean;
  #text = "";
  #lastId = 0;
  readonly #timer: NodeJS.Timeout;
  /** Operations that have ended. */
  ended = 0;

  /** @param isMortal its process is killed: what it asks is in the file before it asks it */
  constructor(path: string, isMortal = false) {
    this.#file = openSync(path, "a");
    this.#isMortal = isMortal;
    this.#clock();
    this.#timer = setInterval(() => {
      this.#clock();
      this.#flush();
    }, flushMs);
  }

  /** @returns the id of the operation. */
  ask(party: string, scope: string, name: string, asked: Asked): number {
    this.#lastId += 1;
    this.#write(["ask", nowUs(), this.#lastId, party, scope, name, asked]);
    if (this.#isMortal) this.#flush();
    return this.#lastId;
  }

  end(id: number, code: string, answer: Answer = {}): void {
    this.ended += 1;
    this.#write(["end", nowUs(), id, code, answer]);
  }

  away(id: number): void {
    this.#write(["away", nowUs(), id]);
  }

  /** @param isReached whether a server may have had the request before this one */
  again(id: number, isReached: boolean): void {
    this.#write(["again", nowUs(), id, isReached]);
  }

  session(party: string, state: string): void {
    this.#write(["session", nowUs(), party, state]);
  }

  /** Before the session is closed, or when it was heard that it is over. */
  left(party: string, scope: string, why: "leaves" | "ended"): void {
    this.#write(["left", nowUs(), party, scope, why]);
    if (this.#isMortal) this.#flush();
  }

  /** @returns the id of the reader. */
  read(scope: string, topic: string, after: number): number {
    this.#lastId += 1;
    this.#write(["read", nowUs(), this.#lastId, scope, topic, after]);
    return this.#lastId;
  }

  message(reader: number, number: number, text: string): void {
    this.#write(["message", nowUs(), reader, number, text]);
  }

  stopped(reader: number, code: string): void {
    this.#write(["stopped", nowUs(), reader, code]);
  }

  fired(object: string, text: string, dueUs: number): void {
    this.#write(["fired", nowUs(), object, text, dueUs]);
  }

  completed(token: number, error: number): void {
    this.#write(["completed", nowUs(), token, error]);
  }

  complete(): void {
    this.#clock();
    this.#write(["complete", nowUs()]);
    clearInterval(this.#timer);
    this.#flush();
    closeSync(this.#file);
  }

  #clock(): void {
    this.#write(["clock", nowUs(), Date.now() * 1000]);
  }

  #write(line: HistoryLine): void {
    this.#text += formatLine(line);
    if (this.#text.length >= flushTextMin) this.#flush();
  }

  #flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "") writeSync(this.#file, text);
  }
}
