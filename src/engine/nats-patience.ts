// SPDX-License-Identifier: MIT
// Asking a cluster again that cannot answer yet. A stream that another server has just made is
// there before its brokers have a leader: until then nobody answers for it. Brokers that are
// started together refuse to place copies until enough of them are up. Decides which errors mean
// that, and for how long it is asked again.
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { errorText } from "../core/text.ts";
import { type LogClock, LogError } from "./log.ts";
import { natsOpenMs, natsOpenPauseMs } from "./nats-limits.ts";

/** JetStream is temporarily unavailable: its brokers have no leader. */
const unavailableCode = 10_008;

class NoLeader extends Error {}

/** Brokers say what a stream is also before one of them leads it. @throws what is asked again */
export function checkLed(info: StreamInfo): StreamInfo {
  if (info.cluster !== undefined && !info.cluster.leader) throw new NoLeader("no leader yet");
  return info;
}

/**
 * Of a stream that somebody has just made: who is asked may not know of it yet.
 * @throws what is asked again
 */
export function checkMade(info: StreamInfo | undefined): StreamInfo {
  if (info === undefined) throw new NoLeader("made, and not known everywhere yet");
  return checkLed(info);
}

/** Whether copies have no place because a broker of the cluster is not there, and may come. */
export function lacksBroker(error: unknown): boolean {
  return error instanceof JetStreamApiError && /peer offline/i.test(error.message);
}

/** What to do when it is not there after all that waiting. */
export const startMissing = "start the missing servers, or say fewer replicas";

/** Whether it may answer a little later: nobody has answered, nobody leads, or brokers lack. */
export function mayAnswerLater(error: unknown): boolean {
  if (lacksBroker(error)) return true;
  if (error instanceof JetStreamApiError) return error.code === unavailableCode;
  if (error instanceof NoLeader) return true;
  if (error instanceof LogError && error.cause !== undefined) return mayAnswerLater(error.cause);
  return /timeout|no responders|jetstream is not enabled|503/i.test(errorText(error));
}

/** Asks until there is an answer, for `natsOpenMs`; then it fails with the last error. */
export function askUntilLed<T>(clock: LogClock, ask: () => Promise<T>): Promise<T> {
  return askAgain(clock, ask, mayAnswerLater);
}

/** The same, and only while a broker lacks: what is not answered may have been done. */
export function askUntilPlaced<T>(clock: LogClock, ask: () => Promise<T>): Promise<T> {
  return askAgain(clock, ask, lacksBroker);
}

async function askAgain<T>(
  clock: LogClock,
  ask: () => Promise<T>,
  mayAsk: (error: unknown) => boolean,
): Promise<T> {
  const giveUpUs = clock.nowUs() + natsOpenMs * 1000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!mayAsk(error) || clock.nowUs() >= giveUpUs) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.after(natsOpenPauseMs, resolve);
    });
  }
}
