// SPDX-License-Identifier: MIT
// Goal: requests for one instant of the wall's clock are for one instant of the scheduler's,
// whatever the two clocks show when each is read (W1, [EMULAB-EVENTS 9 fault 9]). Method: two
// clocks by hand, of which the wall's shows milliseconds.
import { expect, it } from "vitest";
import { readRequest } from "../../../src/events/read-request.ts";
import { WallInstants, wallStepUs } from "../../../src/events/wall-instants.ts";
import { createNotification, toScheduleRequest } from "../../../src/wire/event/notification.ts";

const zeroMs = 1_700_000_000_000;

/** The clocks so many microseconds after the start, the wall's set by `setUs`. */
function scene() {
  const now = { us: 0, setUs: 0, pauseUs: 0 };
  const instants = new WallInstants({
    nowUs: () => 5_000_000 + now.us,
    wallMs: () => {
      const ms = zeroMs + Math.floor((now.us + now.setUs) / 1_000);
      now.us += now.pauseUs;
      return ms;
    },
  });
  return { now, instants };
}

it("W1: an instant stays where it is while the wall's clock shows parts of milliseconds", () => {
  const { now, instants } = scene();
  const address = { expt: "p/e", objname: "a", eventtype: "RUN", scheduler: 1 } as const;
  const plain = createNotification(address, { sender: "127.0.0.1", layout: "2011", extra: [] });
  const at = { seconds: zeroMs / 1_000 + 2, microseconds: 0 };
  const notification = toScheduleRequest(plain, at);
  const stamps = [0, 400, 999, 1_001, 250_700].map((us) => {
    now.us = us;
    now.setUs = us % 7 === 0 ? 500 : 0;
    const stampUs = 5_000_000 + us;
    const read = readRequest(notification, { stampUs, wallUs: instants.wallOf(stampUs) });
    if (read.kind !== "request" || read.request.at.kind !== "in") throw new Error(read.kind);
    expect(read.request.at.us).toBe(2_000_000 - us);
    return read.request.at.stampUs;
  });
  expect(stamps).toEqual(stamps.map(() => 7_000_000));
});

it("W1: a wall's clock that is set is believed", () => {
  const { now, instants } = scene();
  expect(instants.wallOf(5_000_000)).toBe(zeroMs * 1_000);
  now.setUs = wallStepUs - 1_000;
  expect(instants.wallOf(5_000_000)).toBe(zeroMs * 1_000);
  now.setUs = 3_600_000_000;
  expect(instants.wallOf(5_000_000)).toBe(zeroMs * 1_000 + 3_600_000_000);
});

it("W1: a pause of the process between the two clocks moves no instant", () => {
  const { now, instants } = scene();
  expect(instants.wallOf(5_000_000)).toBe(zeroMs * 1_000);
  now.pauseUs = wallStepUs + 2_000;
  now.setUs = -wallStepUs - 2_000;
  expect(instants.wallOf(5_000_000)).toBe(zeroMs * 1_000);
});
