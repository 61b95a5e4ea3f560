// SPDX-License-Identifier: MIT
// What one core says over a link, as the other is told it.
import type { TreeCommand } from "../../core/command.ts";
import type { EdgeEffect } from "../../core/effect.ts";

/**
 * @param from the controller whose core says it
 * @returns undefined for what is not for the other side
 */
export function commandOf(from: string, effect: EdgeEffect): TreeCommand | undefined {
  switch (effect.kind) {
    case "tree-joined": {
      const { scope, to: _, term: _joins, origin: _log, ...facts } = effect;
      return { ...facts, kind: "tree-meet", scope, from };
    }
    case "tree-message": {
      const { scope, number, message } = effect;
      return { kind: "tree-message", scope, from, number, message };
    }
    case "tree-received":
      return { kind: "tree-acknowledge", scope: effect.scope, from, number: effect.number };
    default:
      return undefined;
  }
}
