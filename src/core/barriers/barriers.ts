// SPDX-License-Identifier: MIT
// The barriers of all kinds, as the service sees them: finds the scope and the kind that a command,
// a leave or a timer is about. What a kind does with it is in its own file.
import type { EdgeState } from "../edge-table.ts";
import type { Refusal } from "../refusal.ts";
import type { Scope } from "../scope.ts";
import type { ScopeTable } from "../scope-table.ts";
import type { Turn } from "../turn.ts";
import type { BarrierCommand, CancelAll, CancelBarrier } from "./commands.ts";
import type { Common } from "./common.ts";
import { CountKind } from "./count.ts";
import type { Place } from "./place.ts";

export class Barriers {
  readonly #common: Common;
  readonly #scopes: ScopeTable;
  readonly #count: CountKind;

  constructor(common: Common) {
    this.#common = common;
    this.#scopes = common.scopes;
    this.#count = new CountKind(common);
  }

  apply(edge: EdgeState, command: BarrierCommand, turn: Turn): void {
    switch (command.kind) {
      case "count-init":
      case "count-wait": {
        const refusal = this.#refusal(command, (scope) =>
          this.#count.refusal(scope, edge, command),
        );
        if (refusal === undefined) {
          this.#count.arrive(this.#scopes.obtain(command.scope), edge, command, turn);
        } else {
          turn.tell(edge, { kind: "refused", connection: command.connection, ...refusal });
        }
        return;
      }
      case "cancel":
        this.#cancel(command, turn);
        return;
      case "cancel-all": {
        const scope = this.#scopes.get(command.scope);
        if (scope !== undefined) this.cancelAll(scope, command, turn);
        return;
      }
    }
  }

  /** B4. A connection that waits nowhere is ignored: it was released before it left. */
  leave(edge: EdgeState, connection: number, turn: Turn): void {
    const waiter = edge.waiters.get(connection);
    if (waiter !== undefined) this.#count.leave(waiter, turn);
  }

  /** B4 for all parties of an edge that ended, at one instant. */
  leaveTogether(edge: EdgeState, turn: Turn): void {
    this.#count.leaveTogether([...edge.waiters.values()], turn);
  }

  /** B9. */
  timeOut(edge: EdgeState, connection: number, turn: Turn): void {
    const waiter = edge.waiters.get(connection);
    if (waiter !== undefined) this.#count.timeOut(waiter, turn);
  }

  /** B10. */
  warn(where: Pick<Place, "scope" | "name" | "kind" | "part">, turn: Turn): void {
    const place = this.#scopes.get(where.scope)?.place(where);
    if (place !== undefined) this.#common.warn(place, turn);
  }

  /** Ends every barrier of the scope for everybody. */
  cancelAll(scope: Scope, { error }: Pick<CancelAll, "error">, turn: Turn): void {
    for (const barrier of [...scope.counts.values()]) {
      this.#count.cancel(barrier, error, turn);
    }
  }

  /** Ends one barrier for everybody; one that is not open stays as it is. */
  #cancel(command: CancelBarrier, turn: Turn): void {
    const barrier = this.#scopes.get(command.scope)?.counts.get(command.barrier);
    if (barrier !== undefined) this.#count.cancel(barrier, command.error, turn);
  }

  /** Refused before the scope is made: a refusal has no effect, and leaves no scope behind. */
  #refusal(
    command: { readonly scope: string },
    ofKind: (scope: Scope | undefined) => Refusal | undefined,
  ): Refusal | undefined {
    return this.#scopes.refusal(command.scope) ?? ofKind(this.#scopes.get(command.scope));
  }
}
