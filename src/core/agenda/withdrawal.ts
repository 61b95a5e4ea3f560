// SPDX-License-Identifier: MIT
// Taking events back: what has not been sent out is taken at once, what is out is asked for. The
// performer's answer decides, because only it knows whether the event has fired (D8).
//
//   W1. Whoever asks is answered `cancelled` or `edited` only when the event had not fired, and
//       `already-fired` only when it had.
import type { AgendaEvent } from "./commands.ts";
import type { Answer } from "./effects.ts";
import { enqueueDue, instantKnown, instantMoved } from "./placing.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import type { Asker, Item, Sender, Withdrawal } from "./types.ts";

export interface Wish {
  readonly purpose: "cancel" | "hold";
  /** Why it is cancelled, for people. */
  readonly why: string;
  /** What an edit changes it to. */
  readonly dueUs?: number;
  readonly event?: AgendaEvent;
  readonly asker?: Asker;
}

/** Does to the item what is wished, now or when its performer has given it back. */
export function withdraw(state: AgendaState, port: AgendaPort, item: Item, wish: Wish): void {
  switch (item.state) {
    case "waiting":
    case "queued":
      takeBack(state, port, item, makeWithdrawal(item, wish));
      return;
    case "armed":
      item.state = "revoking";
      item.revoke = makeWithdrawal(item, wish);
      if (state.performer !== undefined) {
        const { scope } = state;
        port.tell(state.performer, { kind: "revoke", scope, token: item.token });
      }
      return;
    case "revoking":
      join(state, port, item, wish);
      return;
    case "fired":
    case "running":
      if (wish.asker) tellSender(state, port, wish.asker.sender, { kind: "already-fired" });
      return;
  }
}

/** W1. The performer has answered, or has shown by what it says that the event fired. */
export function revoked(state: AgendaState, port: AgendaPort, item: Item, fired: boolean): void {
  const { revoke } = item;
  if (item.state !== "revoking" || revoke === null) return;
  item.revoke = null;
  if (fired) {
    // `agenda-fired` tells when; it may be on its way.
    item.state = "armed";
    for (const { sender } of revoke.askers) {
      tellSender(state, port, sender, { kind: "already-fired" });
    }
    return;
  }
  state.takeToken(item);
  if (item.deadlineTimer !== 0) port.clearTimer(item.deadlineTimer);
  item.deadlineTimer = 0;
  item.missing = null;
  takeBack(state, port, item, revoke);
}

/** Nobody will ever know: the performer keeps silent, or is gone. */
export function revokeLost(state: AgendaState, port: AgendaPort, item: Item, why: string): void {
  const answer = { kind: "refused", code: "unavailable", message: why } as const;
  for (const { sender } of item.revoke?.askers ?? []) tellSender(state, port, sender, answer);
  item.revoke = null;
}

export function tellSender(
  { scope }: AgendaState,
  port: AgendaPort,
  { edge, request }: Sender,
  answer: Answer,
): void {
  port.tell(edge, { kind: "agenda-answer", scope, request, answer });
}

function makeWithdrawal(item: Item, wish: Wish): Withdrawal {
  const { purpose, why, dueUs = item.dueUs, event = item.event, asker } = wish;
  return { purpose, why, dueUs, event, askers: asker === undefined ? [] : [asker] };
}

/** A second wish while the first is being asked for: a cancel outlives everything. */
function join(state: AgendaState, port: AgendaPort, item: Item, wish: Wish): void {
  const { revoke } = item;
  if (revoke === null) return;
  if (revoke.purpose === "cancel" && wish.purpose === "hold") {
    const message = "the event is being cancelled; ask for a new one instead";
    const answer = { kind: "refused", code: "invalid", message } as const;
    if (wish.asker) tellSender(state, port, wish.asker.sender, answer);
    return;
  }
  revoke.purpose = wish.purpose;
  revoke.why = wish.why;
  revoke.dueUs = wish.dueUs ?? revoke.dueUs;
  revoke.event = wish.event ?? revoke.event;
  if (wish.asker) revoke.askers.push(wish.asker);
}

/** The item is here and has not fired. */
function takeBack(state: AgendaState, port: AgendaPort, item: Item, wish: Withdrawal): void {
  for (const { sender, answer } of wish.askers) tellSender(state, port, sender, { kind: answer });
  if (wish.purpose === "cancel") {
    state.cancel(item.id, wish.why);
    return;
  }
  item.event = wish.event;
  if (item.state === "waiting" && item.dueUs === wish.dueUs) return;
  const wasWaiting = item.state === "waiting";
  state.stopWaiting(item);
  state.unqueue(item);
  if (item.dueUs !== wish.dueUs) {
    // Another instant: behind those who were there before.
    state.lastOrder += 1;
    item.order = state.lastOrder;
    item.dueUs = wish.dueUs;
  }
  enqueueDue(state, port, item);
  if (wasWaiting) instantKnown(state, item);
  else instantMoved(state, item);
}
