// SPDX-License-Identifier: MIT
// Arrivals that may be asked for again: by another connection, of another edge, at another server.
// Whoever does so gives each a key, and of all that are asked for with one key one counts. From
// version 9 of the log; before, each counted.
//
//   X1. Asked for again while it waits, it waits on for who asks now: it keeps its place, its
//       deadline and its error, and who asked before is told that it has moved.
//   X2. Asked for again when it has ended, it is told how, for `keyKeptUs` since somebody was. A
//       member of a roster that goes on is one that came by the edge that asks.
//   X3. A signal counts once (N1), also when who waits behind it was taken back: asked for again
//       within `keyKeptUs` it has its number, and waits.
//   X4. One that was taken back, or refused, has not been: asked for again it counts anew.
//   X5. What makes a quorum or a roster may have a key as well, from version 12 of the log: it has
//       ended when it is made, whatever becomes of the barrier, and until then, while controllers
//       below are told, whoever asks again is refused for now.
import { assert } from "../assert.ts";
import type { ConnectionId } from "../command.ts";
import type { EdgeState } from "../edge-table.ts";
import type { EdgeEffect } from "../effect.ts";
import { keyKeptUs, keyLengthMax } from "../limits.ts";
import { invalid, type Refusal } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { Turn } from "../turn.ts";
import { keysVersion, makesVersion } from "../version.ts";
import { type BarrierCommand, isMaking, type KeyedCommand, type RosterArrive } from "./commands.ts";
import type { Common } from "./common.ts";
import { type Holder, type KeyedArrival, type KeyedEnd, keepEnd } from "./keyed-table.ts";

interface KeyedParts {
  readonly common: Common;
  /** What the command does that nobody has asked for before. */
  readonly apply: (edge: EdgeState, command: BarrierCommand, turn: Turn) => void;
  /** What waits, or awaits its number, for one connection does so for another. */
  readonly move: (scope: Scope, barrier: string, from: Holder, to: Holder) => void;
  /** A member of the roster of that generation lives, at this edge. */
  readonly rejoin: (
    scope: Scope,
    edge: EdgeState,
    arrival: RosterArrive,
    generation: number,
  ) => void;
}

export class KeyedArrivals {
  readonly #parts: KeyedParts;
  /** Those that somebody is to be told of, by the life of the edge and the connection. */
  readonly #held = new Map<string, Map<ConnectionId, KeyedArrival>>();
  /** The one that is asked for now. */
  #asked: KeyedArrival | undefined;

  constructor(parts: KeyedParts) {
    this.#parts = parts;
  }

  /** Whether it has a key that counts. */
  takes(command: BarrierCommand): command is KeyedCommand {
    const version = this.#parts.common.version();
    if (version < keysVersion || keyOf(command) === undefined) return false;
    return version >= makesVersion || !isMaking(command);
  }

  apply(edge: EdgeState, command: KeyedCommand, turn: Turn): void {
    const { connection } = command;
    const scope = this.#parts.common.scopes.get(command.scope);
    scope?.keyed.forget(turn.nowUs);
    const known = scope?.keyed.get(keyOf(command));
    const refusal = known && this.#refusal(known, edge, command);
    if (refusal !== undefined) turn.tell(edge, { kind: "refused", connection, ...refusal });
    else if (scope === undefined || known === undefined) this.#begin(edge, command, turn);
    else this.#again({ scope, keyed: known, edge, command, turn });
  }

  /** Whatever is told to an edge: what becomes of an arrival is kept with its key. */
  told(speaker: Life, effect: EdgeEffect, nowUs: number): void {
    if (this.#held.size === 0) return;
    const held = this.#held.get(lifeKey(speaker));
    if (held === undefined) return;
    if (effect.kind === "released") {
      const end = keepEnd(effect); // The same for all of a crowd.
      for (const connection of effect.connections) {
        const keyed = held.get(connection);
        if (keyed !== undefined) this.#end(keyed, end, nowUs);
      }
      return;
    }
    const keyed = "connection" in effect ? held.get(effect.connection) : undefined;
    if (keyed === undefined) return;
    if (effect.kind === "signalled") this.#signalled(keyed, effect, nowUs);
    else if (!this.#isAnswered(keyed, effect)) return;
    else if (effect.kind === "quorum-status") this.#end(keyed, keepEnd(effect), nowUs);
    else if (effect.kind === "acknowledged") this.#end(keyed, { kind: "acknowledged" }, nowUs);
    else if (effect.kind === "refused") this.#takenBack(keyed, nowUs);
  }

  /**
   * Whether it is its own answer, and not that to something else that its connection has asked.
   * Later it is refused only when its signal was lost on its way to the controller above.
   */
  #isAnswered(keyed: KeyedArrival, effect: EdgeEffect): boolean {
    if (keyed === this.#asked || isMaking(keyed)) return true;
    return effect.kind === "refused" && effect.code === "unavailable";
  }

  /** X4. Its connection has left. */
  left(edge: EdgeState, connection: ConnectionId, nowUs: number): void {
    const keyed = this.#held.get(lifeKey(edge))?.get(connection);
    if (keyed !== undefined) this.#leave(keyed, nowUs);
  }

  /** X4 for all that an edge held. */
  edgeEnded(edge: EdgeState, nowUs: number): void {
    const held = this.#held.get(lifeKey(edge))?.values() ?? [];
    for (const keyed of [...held]) this.#leave(keyed, nowUs);
  }

  scopeClosed(scope: Scope): void {
    for (const keyed of scope.keyed.all()) this.#letGo(keyed);
  }

  /** The scopes are those of a snapshot. */
  restored(scopes: Iterable<Scope>): void {
    this.#held.clear();
    for (const scope of scopes) {
      for (const keyed of scope.keyed.all()) {
        if (keyed.holder !== undefined) this.#hold(keyed, keyed.holder);
      }
    }
  }

  #refusal(
    known: KeyedArrival,
    edge: EdgeState,
    { kind, barrier, connection }: KeyedCommand,
  ): Refusal | undefined {
    if (known.kind !== kind || known.barrier !== barrier) {
      return invalid("the key is that of another arrival");
    }
    if (edge.waiters.has(connection)) return invalid("this connection waits already");
    if (this.#isUsed(edge, connection)) return invalid("this connection is in use");
    if (edge.creators.has(connection)) return invalid("this connection is a driver");
    if (isMaking(known) && known.end === undefined) {
      return { code: "unavailable", message: "not all controllers have it yet; ask again" };
    }
    if (!known.hasLeft || known.holder === undefined) return undefined;
    const message = "the signal that it gave before has no number yet; ask again";
    return { code: "unavailable", message };
  }

  /** Whether it waits for something with a key, or for the number of its signal. */
  #isUsed(edge: EdgeState, connection: ConnectionId): boolean {
    return this.#held.get(lifeKey(edge))?.has(connection) === true;
  }

  #begin(edge: EdgeState, command: KeyedCommand, turn: Turn): void {
    const { scope: name, barrier, kind, connection } = command;
    const key = keyOf(command);
    if (key.length === 0 || key.length > keyLengthMax) {
      const refusal = invalid(`a key has from 1 to ${keyLengthMax} characters`);
      turn.tell(edge, { kind: "refused", connection, ...refusal });
      return;
    }
    if (this.#isUsed(edge, connection)) {
      // It waits for something else with a key, and goes on with that.
      if (edge.waiters.has(connection)) this.#parts.apply(edge, command, turn);
      else
        turn.tell(edge, { kind: "refused", connection, ...invalid("this connection is in use") });
      return;
    }
    const keyed: KeyedArrival = {
      ...{ scope: name, barrier, kind, key, holder: undefined, hasLeft: false },
      ...{ value: undefined, end: undefined, untilUs: 0 },
    };
    // What it is told at once is heard.
    this.#hold(keyed, holderOf(edge, connection));
    this.#obey(keyed, edge, isMaking(command) ? plain(command) : command, turn);
    if (keyed.holder === undefined && keyed.end === undefined) return; // X4
    const scope = this.#parts.common.scopes.get(name);
    assert(scope !== undefined, "an arrival that was not refused has a scope");
    scope.keyed.add(keyed);
  }

  #again(again: Again): void {
    if (again.keyed.end !== undefined) this.#tellEnd(again);
    else if (again.keyed.holder !== undefined) this.#move(again);
    else this.#goOn(again);
  }

  /** X2. */
  #tellEnd({ scope, keyed, edge, command, turn }: Again): void {
    const { end } = keyed;
    const { connection } = command;
    this.#tellValue(keyed, edge, connection, turn);
    if (end?.kind === "acknowledged" || end?.kind === "quorum-status")
      turn.tell(edge, { ...end, connection });
    else if (end?.kind === "released") {
      turn.tell(edge, { ...end, connections: [connection] });
      if (command.kind === "roster-arrive")
        this.#parts.rejoin(scope, edge, command, end.generation);
    }
    scope.keyed.keep(keyed, turn.nowUs + keyKeptUs);
  }

  /** X1. */
  #move({ scope, keyed, edge, command: { connection }, turn }: Again): void {
    const from = keyed.holder;
    assert(from !== undefined, "it is held");
    scope.keyed.touch(keyed);
    this.#letGo(keyed);
    const to = holderOf(edge, connection);
    this.#parts.move(scope, keyed.barrier, from, to);
    turn.tell(
      { name: from.edge, incarnation: from.incarnation },
      { kind: "moved", connection: from.connection },
    );
    this.#tellValue(keyed, edge, connection, turn);
    this.#hold(keyed, to);
  }

  /** X3. Its signal has counted, and who waits behind it comes again. */
  #goOn({ scope, keyed, edge, command, turn }: Again): void {
    assert(
      command.kind === "state-signal-and-wait",
      "of others that were taken back nothing stays",
    );
    const { key: _, ...wait } = command;
    scope.keyed.touch(keyed);
    keyed.hasLeft = false;
    this.#tellValue(keyed, edge, command.connection, turn);
    this.#hold(keyed, holderOf(edge, command.connection));
    this.#obey(keyed, edge, { ...wait, kind: "state-wait" }, turn);
  }

  #obey(keyed: KeyedArrival, edge: EdgeState, command: BarrierCommand, turn: Turn): void {
    this.#asked = keyed;
    this.#parts.apply(edge, command, turn);
    this.#asked = undefined;
  }

  #tellValue(
    { scope, barrier, value }: KeyedArrival,
    edge: EdgeState,
    connection: ConnectionId,
    turn: Turn,
  ): void {
    if (value === undefined) return;
    turn.tell(edge, { kind: "signalled", scope, barrier, connection, value });
  }

  #signalled(keyed: KeyedArrival, { value }: { readonly value: number }, nowUs: number): void {
    this.#tableOf(keyed)?.touch(keyed);
    keyed.value = value;
    if (keyed.kind === "state-signal") this.#end(keyed, { kind: "signalled" }, nowUs);
    else if (keyed.hasLeft) this.#keep(keyed, nowUs);
  }

  #end(keyed: KeyedArrival, end: KeyedEnd, nowUs: number): void {
    this.#tableOf(keyed)?.touch(keyed);
    keyed.end = end;
    this.#keep(keyed, nowUs);
  }

  #leave(keyed: KeyedArrival, nowUs: number): void {
    const signals = keyed.kind === "state-signal" || keyed.kind === "state-signal-and-wait";
    if (!signals || keyed.value !== undefined) {
      this.#takenBack(keyed, nowUs);
      return;
    }
    // Its signal is on its way to the controller above, which gives it its number.
    this.#tableOf(keyed)?.touch(keyed);
    keyed.hasLeft = keyed.kind === "state-signal-and-wait";
  }

  #takenBack(keyed: KeyedArrival, nowUs: number): void {
    if (keyed.value !== undefined) {
      this.#keep(keyed, nowUs); // X3
      return;
    }
    const table = this.#tableOf(keyed);
    table?.touch(keyed);
    this.#letGo(keyed);
    table?.drop(keyed);
  }

  /** Nobody waits for anything more; what is known of it is kept. */
  #keep(keyed: KeyedArrival, nowUs: number): void {
    const table = this.#tableOf(keyed);
    table?.touch(keyed);
    this.#letGo(keyed);
    if (table === undefined) keyed.untilUs = nowUs + keyKeptUs;
    else table.keep(keyed, nowUs + keyKeptUs);
  }

  /** Where it is; undefined as long as it is being begun. */
  #tableOf(keyed: KeyedArrival): Scope["keyed"] | undefined {
    const table = this.#parts.common.scopes.get(keyed.scope)?.keyed;
    return table?.get(keyed.key) === keyed ? table : undefined;
  }

  #hold(keyed: KeyedArrival, holder: Holder): void {
    keyed.holder = holder;
    const life = lifeKey({ name: holder.edge, incarnation: holder.incarnation });
    const held = this.#held.get(life) ?? new Map<ConnectionId, KeyedArrival>();
    this.#held.set(life, held.set(holder.connection, keyed));
  }

  #letGo(keyed: KeyedArrival): void {
    const { holder } = keyed;
    if (holder === undefined) return;
    const life = lifeKey({ name: holder.edge, incarnation: holder.incarnation });
    const held = this.#held.get(life);
    held?.delete(holder.connection);
    if (held?.size === 0) this.#held.delete(life);
    keyed.holder = undefined;
  }
}

/** What is asked for that is known already. */
interface Again {
  readonly scope: Scope;
  readonly keyed: KeyedArrival;
  readonly edge: EdgeState;
  readonly command: KeyedCommand;
  readonly turn: Turn;
}

/** An edge in one of its lives. */
interface Life {
  readonly name: string;
  readonly incarnation: number;
}

function keyOf(command: KeyedCommand): string;
function keyOf(command: BarrierCommand): string | undefined;
function keyOf(command: BarrierCommand): string | undefined {
  if ("once" in command) return command.once;
  return "key" in command ? command.key : undefined;
}

/** It is said to the root of a tree as well, which knows no keys of others. */
function plain(command: KeyedCommand): BarrierCommand {
  const { once: _, ...rest } = { once: undefined, ...command };
  return rest;
}

function lifeKey({ name, incarnation }: Life): string {
  return `${incarnation} ${name}`;
}

function holderOf({ name, incarnation }: EdgeState, connection: ConnectionId): Holder {
  return { edge: name, incarnation, connection };
}
