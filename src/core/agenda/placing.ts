// SPDX-License-Identifier: MIT
// Where an item goes: into the queue, at the instant at which something is to be done about it, or
// to a barrier it waits for. Owns that choice and how a barrier that ends makes it again.
import type { BarrierCondition, TimedEvent } from "./commands.ts";
import type { AgendaPort, AgendaState } from "./state.ts";
import type { Item } from "./types.ts";

/** Queues a new item, or lets it wait for its barrier if that has not ended since `sinceUs`. */
export function place(
  state: AgendaState,
  port: AgendaPort,
  item: Item,
  { on, atUs }: Pick<TimedEvent, "on" | "atUs">,
  sinceUs: number,
): void {
  if (on !== undefined) {
    const endedUs = state.outcomes.get(conditionKey(on));
    if (endedUs === undefined || endedUs < sinceUs) {
      // Its offset, until the barrier says from where.
      item.dueUs = atUs;
      state.waitFor(item, on);
      return;
    }
    item.dueUs = endedUs + atUs;
  }
  enqueueDue(state, port, item);
}

/** Puts an item into the queue at the instant at which something is to be done about it. */
export function enqueueDue(state: AgendaState, port: AgendaPort, item: Item): void {
  const type = typeOf(state, item);
  // What the agenda performs itself is done when due; what others perform is sent out before.
  const isOwn = type === "SEQUENCE" || type === "TIMELINE";
  state.enqueue(item, isOwn ? item.dueUs : item.dueUs - port.limits.dispatchAheadUs);
}

/** The type of the object as it is known here; the plan's word counts for what is not. */
export function typeOf(state: AgendaState, { event }: Pick<Item, "event">): string {
  const target = state.objects.resolve(event.object);
  return "type" in target ? target.type : event.type;
}

/** A barrier has ended: what waits for that gets its instant, in the order of waiting. */
export function barrierEnded(state: AgendaState, port: AgendaPort, on: BarrierCondition): void {
  const nowUs = state.eventUs(port.nowUs);
  remember(state, port, conditionKey(on), nowUs);
  for (const id of [...(state.waiting.get(on.barrier) ?? [])]) {
    const item = state.items.get(id);
    if (item?.on?.outcome !== on.outcome) continue;
    state.stopWaiting(item);
    item.dueUs += nowUs;
    state.idleSaid = false;
    enqueueDue(state, port, item);
    instantKnown(state, item);
  }
}

/** Bounded as the record of barriers is; what ended longest ago is dropped first. */
function remember(state: AgendaState, port: AgendaPort, key: string, nowUs: number): void {
  state.outcomes.delete(key);
  const oldest = state.outcomes.keys().next().value;
  const isFull = state.outcomes.size >= port.limits.closedBarriersPerScopeMax;
  if (oldest !== undefined && isFull) state.outcomes.delete(oldest);
  state.outcomes.set(key, nowUs);
}

/** An item of a timeline is due at another time: one that is later than all takes the end along. */
export function instantMoved(state: AgendaState, item: Item): void {
  const run = state.timelineRun(item.run);
  if (run === undefined || item.dueUs <= run.lastUs) return;
  run.lastUs = item.dueUs;
  if (run.endOrder === 0) return;
  state.queue.remove(run.endOrder);
  state.enqueueEnd(run, run.lastUs);
}

/** An item of a timeline no longer waits: the timeline's end may be known now. */
export function instantKnown(state: AgendaState, item: Item): void {
  const run = state.timelineRun(item.run);
  if (run === undefined) return;
  run.unknown -= 1;
  if (item.state === "queued" && item.dueUs > run.lastUs) run.lastUs = item.dueUs;
  if (run.unknown === 0) state.enqueueEnd(run, run.lastUs);
}

/** One string for a way in which a barrier ends. */
function conditionKey({ barrier, outcome }: BarrierCondition): string {
  return `${outcome} ${barrier}`;
}
