// SPDX-License-Identifier: MIT
// The thread of thread-fire-clock.ts: sleeps to the next instant, performs what is due, reports. It
// never returns to an event loop before it is told to stop.
import { spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { systemClock } from "../../../host/clock.ts";
import { DueList } from "./due-list.ts";
import { performAction } from "./fire-clock.ts";
import {
  type ArmRequest,
  armedWord,
  type FiredReport,
  type FiringRequest,
  type FiringThreadData,
  firedWord,
  signalAt,
  wakeAt,
  wakeWord,
} from "./firing-messages.ts";

/** Reports go out together when so many have been fired. */
const reportsMax = 64;
/**
 * So long a report waits that nobody acts on at once: what is due at one instant in several
 * processes is fired by all of them before any of them begins to report.
 */
const reportDelayUs = 2_000;
/** While something else is due so soon, such a report waits for that one, up to the second. */
const reportTogetherUs = { next: 10_000, max: 20_000 };

/**
 * Of this thread alone: it sleeps nearly always, and when it wakes nothing should be in its way.
 * Niceness counts among the processes of one session only where the kernel groups by session, so
 * that real-time priority is asked for, too. A user without the right has what everybody has.
 */
function raisePriority(): void {
  try {
    setPriority(0, constants.priority.PRIORITY_HIGHEST);
    const task = readlinkSync("/proc/thread-self").split("/").at(-1) ?? "";
    spawnSync("chrt", ["--rr", "--pid", "10", task], { stdio: "ignore", timeout: 2_000 });
  } catch {
    // As before.
  }
}

function runThread({ signal, port, zeroUs }: FiringThreadData): void {
  const due = new DueList<ArmRequest>();
  const reports = new Reports(port);
  for (;;) {
    // Read before the requests: one that comes afterwards makes the wait return at once.
    const heard = Atomics.load(signal, signalAt);
    for (;;) {
      const received = receiveMessageOnPort(port) as { message: FiringRequest } | undefined;
      if (received === undefined) break;
      if (received.message.kind === "stop") {
        port.close();
        return;
      }
      due.add(received.message.dueUs, received.message);
    }
    fireDue(due, reports);
    const dueUs = due.firstUs ?? Infinity;
    reports.sendDue(systemClock.nowUs(), dueUs);
    const nextUs = Math.min(dueUs, reports.sayUs(dueUs));
    // Told before the wait: who asks for something later sees that it need not be woken for it.
    Atomics.store(signal, wakeAt, wakeWord(nextUs, zeroUs));
    const waitMs = (nextUs - systemClock.nowUs()) / 1_000;
    if (waitMs > 0) Atomics.wait(signal, signalAt, heard, waitMs);
  }
}

/** What was fired and is not told yet. */
class Reports {
  readonly #port: MessagePort;
  #reports: FiredReport[] = [];
  #byUs = Infinity;
  #latestUs = Infinity;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  get areFull(): boolean {
    return this.#reports.length >= reportsMax;
  }

  /** @param isWaitedFor somebody has still to act on it */
  add(report: FiredReport, isWaitedFor: boolean): void {
    this.#reports.push(report);
    const { firedUs } = report;
    this.#byUs = Math.min(this.#byUs, firedUs + (isWaitedFor ? 0 : reportDelayUs));
    this.#latestUs = Math.min(this.#latestUs, firedUs + (isWaitedFor ? 0 : reportTogetherUs.max));
  }

  /** When they are told, if what is due next is due then. */
  sayUs(nextDueUs: number): number {
    return nextDueUs < this.#byUs + reportTogetherUs.next ? this.#latestUs : this.#byUs;
  }

  sendDue(nowUs: number, nextDueUs: number): void {
    if (nowUs < this.sayUs(nextDueUs) && !this.areFull) return;
    this.#port.postMessage(this.#reports);
    this.#reports = [];
    this.#byUs = Infinity;
    this.#latestUs = Infinity;
  }
}

/** Reporting takes longer than firing: what is due together is fired first. */
function fireDue(due: DueList<ArmRequest>, reports: Reports): void {
  while (!reports.areFull) {
    const request = due.takeDue(systemClock.nowUs());
    if (request === undefined) return;
    const was = Atomics.compareExchange(request.word, 0, armedWord, firedWord);
    if (was !== armedWord) continue;
    const fired = performAction(request.action, systemClock.nowUs());
    reports.add({ id: request.id, ...fired }, request.action.kind === "tell");
  }
}

raisePriority();
runThread(workerData as FiringThreadData);
