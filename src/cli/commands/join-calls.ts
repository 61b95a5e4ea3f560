// SPDX-License-Identifier: MIT
// The calls of a machine to the server that it joins: which ends of them are final, and what is
// said of the others.
import type { Clock } from "../../host/clock.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";

/** Close codes by which a door says no, and that of a name that is taken, among others. */
const [refusedMin, invalid] = [4_000, 4_400];
/**
 * For a server to notice that a connection is gone which was cut at this end only. Until then it
 * takes the name for taken, and it is this machine that has it.
 */
const noticeUs = 60_000_000;

/** How a call ended. */
export interface CallEnd {
  readonly why: string;
  /** Of the WebSocket. */
  readonly code: number;
}

/** Calls so far: whether there is another one, and what is to be said of it. */
export class JoinCalls {
  readonly #clock: Pick<Clock, "nowUs">;
  #isJoined = false;
  /** When the last connection was lost on which it had joined. */
  #lostUs: number | undefined;
  /** Each reason is said once until it has joined again. */
  #said = new Set<string>();

  constructor(clock: Pick<Clock, "nowUs">) {
    this.#clock = clock;
  }

  joined(): void {
    this.#isJoined = true;
    this.#said = new Set();
  }

  /** @returns what is to be said before it calls again. @throws CommandError when it does not */
  ended({ why, code }: CallEnd): string | undefined {
    const nowUs = this.#clock.nowUs();
    if (this.#isJoined && code < refusedMin) this.#lostUs = nowUs;
    const wasJoined = this.#lostUs !== undefined;
    this.#isJoined = false;
    const isOwnName = code === invalid && nowUs - (this.#lostUs ?? -noticeUs) < noticeUs;
    if (code >= refusedMin && !isOwnName) throw new CommandError(exitCodes.failed, why);
    if (!wasJoined) throw new CommandError(exitCodes.unavailable, why);
    const said = isOwnName ? "the server has not noticed yet that the last call was cut" : why;
    if (this.#said.has(said)) return undefined;
    this.#said.add(said);
    return said;
  }
}
