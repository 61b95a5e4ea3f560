// SPDX-License-Identifier: MIT
// The edge that carries one link between two controllers, at one of its ends: what the core says to
// the other side goes out as frames, what the other side says comes in as commands. Knows nothing
// of what carries the frames; that may lose all that is on its way, as long as it then says so by
// `connected`, and must keep the order of what it does not lose.
import type { Command, TreeCommand } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { ConnectEdge, CoreLink } from "../host/core-link.ts";

type Message = Extract<TreeCommand, { kind: "tree-message" }>["message"];

/** What one end says to the other; plain data. */
export type TreeFrame =
  | { readonly kind: "hello"; readonly life: number; readonly received: number }
  | { readonly kind: "message"; readonly number: number; readonly message: Message }
  | { readonly kind: "received"; readonly number: number };

export interface TreeEdgeOptions {
  readonly connect: ConnectEdge;
  readonly scope: string;
  /** What this controller is called. */
  readonly name: string;
  /** The other one. */
  readonly peer: string;
  /** What the other one is to this one. */
  readonly side: "parent" | "child";
  /** A number that was not used before. */
  readonly life: number;
  readonly send: (frame: TreeFrame) => void;
  /** The core does not carry on with this link. */
  readonly onLeft?: (reason: string) => void;
}

export class TreeEdge {
  readonly #options: TreeEdgeOptions;
  readonly #link: CoreLink;
  /** Commands that the mailbox had no room for. */
  readonly #waiting: Command[] = [];

  constructor(options: TreeEdgeOptions) {
    this.#options = options;
    this.#link = options.connect(`tree/${options.peer}`, {
      onEffects: (effects) => {
        for (const effect of effects) this.#onEffect(effect);
      },
      onRoom: () => this.#flush(),
      onClosed: (reason) => options.onLeft?.(reason),
    });
  }

  /** There is a way to the other side, for the first time or anew. */
  connected(): void {
    const { scope, name, peer, side, life } = this.#options;
    this.#submit({ kind: "tree-join", scope, name, peer, side, life });
  }

  receive(frame: TreeFrame): void {
    const { scope, peer: from } = this.#options;
    switch (frame.kind) {
      case "hello": {
        const { life, received } = frame;
        this.#submit({ kind: "tree-meet", scope, from, life, received });
        return;
      }
      case "message":
        this.#submit({ ...frame, kind: "tree-message", scope, from });
        return;
      case "received":
        this.#submit({ kind: "tree-acknowledge", scope, from, number: frame.number });
        return;
    }
  }

  /** The edge ends; barriers that go over the link fail. */
  close(): Promise<void> {
    return this.#link.close();
  }

  #onEffect(effect: EdgeEffect): void {
    const { send, onLeft } = this.#options;
    if (effect.kind === "tree-joined") {
      send({ kind: "hello", life: effect.life, received: effect.received });
    } else if (effect.kind === "tree-message") {
      send({ kind: "message", number: effect.number, message: effect.message });
    } else if (effect.kind === "tree-received") send({ kind: "received", number: effect.number });
    else if (effect.kind === "tree-left") onLeft?.(effect.reason);
  }

  #submit(command: Command): void {
    this.#waiting.push(command);
    this.#flush();
  }

  #flush(): void {
    for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
      if (!this.#link.submit(next)) return;
      this.#waiting.shift();
    }
  }
}

/** One controller of this process. */
export interface Controller {
  readonly name: string;
  readonly connect: ConnectEdge;
}

/** Joins two controllers of one process in a scope. @returns what ends the link. */
export function joinInProcess(
  scope: string,
  parent: Controller,
  child: Controller,
  newLife: () => number,
): () => Promise<void> {
  const end = (own: Controller, other: Controller, side: "parent" | "child"): TreeEdge =>
    new TreeEdge({
      ...{ connect: own.connect, scope, name: own.name, peer: other.name, side, life: newLife() },
      send: (frame) => (side === "child" ? below : above).receive(frame),
    });
  const above = end(parent, child, "child");
  const below = end(child, parent, "parent");
  above.connected();
  below.connected();
  return async () => {
    await Promise.all([above.close(), below.close()]);
  };
}
