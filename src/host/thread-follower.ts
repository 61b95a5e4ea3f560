// SPDX-License-Identifier: MIT
// A follower of the log in a thread of its own (snapshot-thread.ts), for who keeps the log bounded.
import { Worker } from "node:worker_threads";
import { type Cancel, systemClock } from "./clock.ts";
import type { FollowerNews } from "./snapshot-follower.ts";
import type { Following } from "./snapshot-keeper.ts";
import type { SnapshotThreadData } from "./snapshot-thread.ts";

const program = import.meta.url.endsWith(".ts") ? "./snapshot-thread.ts" : "./snapshot-thread.js";

/**
 * For a thread to end that was told to: it may be at a snapshot, and each question to brokers that
 * do not answer takes seconds. One that is ended in the middle leaves what a crash would.
 */
const endMs = 10_000;

/** The process does not live on for it, but for its end once that was asked for. */
export function followInThread(
  data: SnapshotThreadData,
  onNews: (news: FollowerNews) => void,
): Following {
  const thread = new Worker(new URL(program, import.meta.url), { workerData: data, execArgv: [] });
  thread.unref();
  thread.on("message", onNews);
  thread.on("error", ({ message }) => onNews({ kind: "lost", message }));
  let cancel: Cancel = () => undefined;
  const ended = new Promise<void>((resolve) => {
    thread.on("exit", () => {
      cancel();
      resolve();
    });
  });
  const stop = (): void => {
    cancel();
    cancel = systemClock.after(endMs, () => void thread.terminate());
    thread.ref();
    thread.postMessage("stop");
  };
  return { stop, ended, check: (through) => thread.postMessage(through) };
}
