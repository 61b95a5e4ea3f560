// SPDX-License-Identifier: MIT
// Runs a linktest of an experiment over its bus: START, what it reports meanwhile, KILL when it is
// to end before, COMPLETE. [LINKTEST 7, 9] Whoever probes is elsewhere.
//
//   L1. It listens before it sends START. The old one began to afterwards, and could miss the end.
//   L2. Whoever gives up, by a signal or for the time, has sent KILL, and waits for the end for as
//       long as `killMs`; a second wish to give up does not shorten that.
//   L3. A bus that is away for `lostMs` is lost: the experiment is down, and its probes with it.
import { BusError, type PlacedNotification } from "../wire/event/bus.ts";
import { attributeNames, getText, type Notification } from "../wire/event/notification.ts";
import type { ConnectedBus } from "./event-connection.ts";
import type { EventCredentials } from "./event-credentials.ts";
import { type SendOutcome, sendEvent } from "./event-request.ts";
import type { EventTime } from "./event-time.ts";
import type { ClientRuntime } from "./runtime.ts";

/** The object that every experiment has. */
export const linktestObject = "linktest";
/** Why another one is refused meanwhile. */
export const linktestRunning = "a linktest is running";
/** Muster's own attribute of a REPORT: verdicts, a JSON array. */
export const verdictsAttribute = "MUSTER_VERDICTS";
/** For the end of a linktest that was told to end: its probes are gone within a second. */
const killMs = 10_000;
/** Twice as long as a connection is looked for again at most. */
const lostMs = 10_000;
const lookMs = 500;

export interface LinktestRequest {
  readonly bus: ConnectedBus;
  readonly credentials: EventCredentials;
  readonly runtime: ClientRuntime;
  /** Address of this host. */
  readonly sender: string;
  /** `pid/eid` */
  readonly experiment: string;
  /** Of START: `STARTAT=1 STOPAT=4 `. [LINKTEST 3.4] */
  readonly args: string;
  readonly now: () => EventTime;
  /** Milliseconds until it is killed; none: however long it takes. */
  readonly timeoutMs?: number;
  readonly interrupt?: AbortSignal;
  /** @param verdicts as they were sent, authentic */
  readonly onReport: (text: string, verdicts: readonly unknown[]) => void;
  readonly onAccepted?: () => void;
  /** No scheduler listens; the answer is waited for up to `withinMs`. */
  readonly onAway?: (withinMs: number) => void;
}

/** How it ended; `why` says who wanted that. */
export interface LinktestEnding {
  readonly outcome: SendOutcome;
  readonly why: "over" | "killed" | "timeout" | "interrupt";
}

/** Never rejects for what the bus does. */
export async function requestLinktest(options: LinktestRequest): Promise<LinktestEnding> {
  const { runtime, timeoutMs, interrupt } = options;
  let why: LinktestEnding["why"] = "over";
  const giveUp = new AbortController();
  const end = (reason: LinktestEnding["why"]): void => {
    if (why === "over") why = reason;
    giveUp.abort();
  };
  const onInterrupt = (): void => end("interrupt");
  interrupt?.addEventListener("abort", onInterrupt);
  if (interrupt?.aborted === true) onInterrupt();
  const cancel =
    timeoutMs === undefined ? () => undefined : runtime.after(timeoutMs, () => end("timeout"));
  const onKilled = (): void => {
    if (why === "over") why = "killed";
  };
  try {
    const heard = await listen(options, onKilled);
    try {
      const outcome = await startAndWait(options, giveUp.signal);
      return { outcome, why };
    } finally {
      heard.close();
    }
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    return { outcome: { kind: "failed", code: error.code, message: error.message }, why };
  } finally {
    cancel();
    interrupt?.removeEventListener("abort", onInterrupt);
  }
}

/** Ends the linktest of an experiment, whoever has started it. @returns what became of the KILL */
export function killLinktest(
  options: Pick<
    LinktestRequest,
    "bus" | "credentials" | "runtime" | "sender" | "experiment" | "now" | "onAway"
  >,
): Promise<SendOutcome> {
  const { bus, credentials, runtime, sender, experiment, now, onAway } = options;
  const request = { experiment, objname: linktestObject, eventtype: "KILL", args: "", at: now() };
  return sendEvent({
    ...{ bus, credentials, runtime, sender, request, asks: true, waits: false },
    ...(onAway === undefined ? {} : { onAway }),
  });
}

/** L2. */
async function startAndWait(options: LinktestRequest, giveUp: AbortSignal): Promise<SendOutcome> {
  const { bus, credentials, runtime, sender, experiment, args, now } = options;
  const request = { experiment, objname: linktestObject, eventtype: "START", args, at: now() };
  const late = new AbortController();
  let cancel = (): void => undefined;
  let killing: Promise<unknown> = Promise.resolve();
  const kill = (): void => {
    killing = killLinktest(options);
    cancel = runtime.after(killMs, () => late.abort());
  };
  if (giveUp.aborted) return { kind: "cancelled" };
  giveUp.addEventListener("abort", kill);
  const stopWatching = watchConnection(options, () => late.abort());
  const { onAccepted, onAway } = options;
  const outcome = await sendEvent({
    ...{ bus, credentials, runtime, sender, request, asks: true, waits: true },
    interrupt: late.signal,
    ...(onAccepted === undefined ? {} : { onAccepted }),
    ...(onAway === undefined ? {} : { onAway }),
  });
  giveUp.removeEventListener("abort", kill);
  cancel();
  stopWatching();
  await killing;
  if (outcome.kind !== "cancelled" || bus.isConnected !== false) return outcome;
  const message = "the bus was lost; the experiment is down, or its machine";
  return { kind: "failed", code: "unavailable", message };
}

/** L3. @returns ends the watch */
function watchConnection(
  { bus, runtime }: Pick<LinktestRequest, "bus" | "runtime">,
  onLost: () => void,
): () => void {
  let sinceUs: number | undefined;
  let cancel = (): void => undefined;
  const look = (): void => {
    const nowUs = runtime.nowUs();
    sinceUs = bus.isConnected === false ? (sinceUs ?? nowUs) : undefined;
    if (sinceUs !== undefined && nowUs - sinceUs >= 1_000 * lostMs) onLost();
    else cancel = runtime.after(lookMs, look);
  };
  look();
  return () => cancel();
}

/** L1. @throws BusError */
async function listen(options: LinktestRequest, onKilled: () => void): Promise<{ close(): void }> {
  const { bus, experiment: expt, credentials } = options;
  const address = {
    expt,
    objname: linktestObject,
    eventtype: "REPORT,KILL",
    scheduler: 0,
  } as const;
  let isClosed = false;
  const take = (notification: Notification): void => {
    if (!credentials.verify(notification)) return;
    if (getText(notification, attributeNames.eventtype) === "KILL") onKilled();
    else options.onReport(...readReport(notification));
  };
  const onNotifications = (all: readonly PlacedNotification[]): void => {
    for (const { notification } of all) if (!isClosed) take(notification);
  };
  // What it is too slow for is lost: reports are no verdicts, and the end comes by another way.
  const subscribed = await bus.subscribe(
    { address, slow: "drop-oldest" },
    { onNotifications, onGap: () => undefined, onEnd: () => undefined },
  );
  return {
    close() {
      isClosed = true;
      subscribed.close();
    },
  };
}

function readReport(notification: Notification): [string, readonly unknown[]] {
  const text = getText(notification, attributeNames.args) ?? "";
  const verdicts = getText(notification, verdictsAttribute);
  if (verdicts === undefined) return [text, []];
  try {
    const read: unknown = JSON.parse(verdicts);
    return [text, Array.isArray(read) ? read : []];
  } catch {
    return [text, []];
  }
}
