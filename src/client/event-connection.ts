// SPDX-License-Identifier: MIT
// Finds the bus: tries again while it is not there, for as long as the caller wants.
import { type Bus, BusError } from "../wire/event/bus.ts";
import { eventClientTime } from "./event-limits.ts";
import type { ClientRuntime } from "./runtime.ts";

/** A bus somewhere else. */
export interface ConnectedBus extends Bus {
  /** False while the connection is lost and made anew; absent where it cannot be. */
  readonly isConnected?: boolean;
  close(): void;
}

/** @throws BusError (`unavailable`) while it is not there, another code when it refuses. */
export type ConnectBus = () => Promise<ConnectedBus>;

export interface FindOptions {
  readonly connect: ConnectBus;
  readonly runtime: ClientRuntime;
  /** 0: one try. Absent: for ever, at the pace of the old library. */
  readonly lookForMs?: number;
  /** It was not there, for the first time, and another try follows. */
  readonly onRetry?: (reason: string) => void;
}

/** @throws BusError when it does not come, or refuses. */
export async function findBus(options: FindOptions): Promise<ConnectedBus> {
  const { connect, runtime, lookForMs, onRetry } = options;
  const startedUs = runtime.nowUs();
  for (let tries = 0; ; tries += 1) {
    try {
      return await connect();
    } catch (error) {
      if (!(error instanceof BusError) || error.code !== "unavailable") throw error;
      const leftMs = (lookForMs ?? 0) - (runtime.nowUs() - startedUs) / 1000;
      if (lookForMs !== undefined && leftMs <= 0) throw error;
      if (tries === 0) onRetry?.(error.message);
      const { retryMs, impatientRetryMs } = eventClientTime;
      const pauseMs = lookForMs === undefined ? retryMs : Math.min(impatientRetryMs, leftMs);
      await new Promise<void>((resolve) => {
        runtime.after(pauseMs, resolve);
      });
    }
  }
}
