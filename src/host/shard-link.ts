// SPDX-License-Identifier: MIT
// The link of an edge whose scopes are in several logs: it lives in each of them, and what it says
// goes to the one that has its scope.
//
//   W1. Of one scope, commands and effects keep their order; between logs there is none.
//   W2. The edge has one life: when it ends in one of the logs it is ended in all, and the edge is
//       told once.
//   W3. That a log is away is told with the scopes that are in it: those of the others go on.
import type { Command, ConnectionId } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { ConnectEdge, CoreLink, EdgeHandler } from "./core-link.ts";

/** Said in more than one log under one number, so that its end goes to all. */
const several = -1;
/** Waits whose place is known; of others the end goes to all logs. */
const placesMax = 65_536;

export interface ShardLinkOptions {
  readonly edge: string;
  readonly handler: EdgeHandler;
  /** By shard. */
  readonly connects: readonly ConnectEdge[];
  readonly shardOf: (scope: string) => number;
}

export class ShardLink implements CoreLink {
  readonly #handler: EdgeHandler;
  readonly #shardOf: (scope: string) => number;
  readonly #links: readonly CoreLink[];
  /** Where who waits waits: `leave` names no scope. Saves work only; it may know too little. */
  readonly #places = new Map<ConnectionId, number>();
  /** It was told to close, or has ended. */
  #isOver = false;
  #hasEnded = false;

  constructor({ edge, handler, connects, shardOf }: ShardLinkOptions) {
    this.#handler = handler;
    this.#shardOf = shardOf;
    this.#links = connects.map((connect, shard) => connect(edge, this.#handlerOf(shard)));
  }

  submit(command: Command): boolean {
    if (this.#isOver) return false;
    if ("scope" in command) {
      const shard = this.#shardOf(command.scope);
      if (this.#links[shard]?.submit(command) !== true) return false;
      if (isWait(command)) this.#note(command.connection, shard);
      return true;
    }
    if (command.kind === "leave") return this.#leave(command);
    // What is left is about the edge itself.
    return this.#submitToAll(command);
  }

  describe(...asked: Parameters<CoreLink["describe"]>): ReturnType<CoreLink["describe"]> {
    return this.#linkOf(asked[0]).describe(...asked);
  }

  listEvents(scope: string, after: number): ReturnType<CoreLink["listEvents"]> {
    return this.#linkOf(scope).listEvents(scope, after);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#links.map((link) => link.close()));
  }

  #linkOf(scope: string): CoreLink {
    return this.#links[this.#shardOf(scope)] as CoreLink;
  }

  #note(connection: ConnectionId, shard: number): void {
    const known = this.#places.get(connection);
    this.#places.set(connection, known === undefined || known === shard ? shard : several);
    if (this.#places.size <= placesMax) return;
    for (const [oldest] of this.#places) {
      this.#places.delete(oldest);
      return;
    }
  }

  /** One whose place is not known may be anywhere; a core that does not know it passes over it. */
  #leave(command: Command & { readonly connection: ConnectionId }): boolean {
    const place = this.#places.get(command.connection) ?? several;
    const isTaken =
      place === several ? this.#submitToAll(command) : this.#links[place]?.submit(command) === true;
    if (isTaken) this.#places.delete(command.connection);
    return isTaken;
  }

  /** Said again where one of them had no room: the others have had it twice, which is the same. */
  #submitToAll(command: Command): boolean {
    return this.#links.map((link) => link.submit(command)).every((isTaken) => isTaken);
  }

  #handlerOf(shard: number): EdgeHandler {
    const isHere = (scope: string): boolean => this.#shardOf(scope) === shard;
    return {
      onEffects: (effects) => {
        // Of a life that is over by the word of another log.
        if (this.#hasEnded) return;
        for (const effect of effects) this.#answered(effect);
        this.#handler.onEffects(effects);
      },
      onRoom: () => this.#handler.onRoom?.(),
      // W3, and nothing of a life that is over.
      onLogAway: (isAway) => {
        if (!this.#hasEnded) this.#handler.onLogAway?.(isAway, isHere);
      },
      onClosed: (reason, isMomentary) => this.#onClosed(shard, reason, isMomentary),
    };
  }

  #answered(effect: EdgeEffect): void {
    if (effect.kind === "released") {
      for (const connection of effect.connections) this.#places.delete(connection);
    } else if (effect.kind === "acknowledged" || effect.kind === "refused") {
      this.#places.delete(effect.connection);
    }
  }

  /** W2. */
  #onClosed(shard: number, reason: string, isMomentary = false): void {
    if (this.#hasEnded) return;
    const wasOver = this.#isOver;
    [this.#isOver, this.#hasEnded] = [true, true];
    this.#links.forEach((link, index) => {
      if (index !== shard) void link.close();
    });
    if (!wasOver) this.#handler.onClosed?.(reason, isMomentary);
  }
}

type Wait = Command & { readonly connection: ConnectionId };

function isWait(command: Command): command is Wait {
  if (command.kind === "publish") return command.arrival !== undefined;
  return "who" in command && command.kind !== "state-signal";
}
