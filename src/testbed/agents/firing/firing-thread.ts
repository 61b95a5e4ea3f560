// SPDX-License-Identifier: MIT
// The thread of thread-fire-clock.ts: sleeps to the next instant, performs what is due, reports. It
// never returns to an event loop before it is told to stop.
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

/** Reports go out together when so many have been fired at one instant. */
const reportsMax = 64;

function runThread({ signal, port, zeroUs }: FiringThreadData): void {
  const due = new DueList<ArmRequest>();
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
    fireDue(due, port);
    const nextUs = due.firstUs ?? Infinity;
    // Told before the wait: who asks for something later sees that it need not be woken for it.
    Atomics.store(signal, wakeAt, wakeWord(nextUs, zeroUs));
    const waitMs = (nextUs - systemClock.nowUs()) / 1_000;
    if (waitMs > 0) Atomics.wait(signal, signalAt, heard, waitMs);
  }
}

function fireDue(due: DueList<ArmRequest>, port: MessagePort): void {
  const reports: FiredReport[] = [];
  while (reports.length < reportsMax) {
    const request = due.takeDue(systemClock.nowUs());
    if (request === undefined) break;
    const was = Atomics.compareExchange(request.word, 0, armedWord, firedWord);
    if (was !== armedWord) continue;
    const fired = performAction(request.action, systemClock.nowUs());
    reports.push({ id: request.id, ...fired });
  }
  // Reporting takes longer than firing: what is due together is fired first.
  if (reports.length > 0) port.postMessage(reports);
}

runThread(workerData as FiringThreadData);
