// SPDX-License-Identifier: MIT
// The program tevc: hands an event to the scheduler of an experiment. [EMULAB-EVENTS 3] What it
// does is in run-tevc.ts; here is the world it does it in.
import { eventHash } from "../../host/event-hash.ts";
import { oldEventWorld, senderAddress } from "../event-bus.ts";
import { localCalendar } from "../local-calendar.ts";
import { performExit } from "./exit.ts";
import { runTevc } from "./run-tevc.ts";

const exit = await runTevc(process.argv.slice(2), {
  ...oldEventWorld,
  environment: process.env,
  isRoot: process.getuid?.() === 0,
  hash: eventHash,
  calendar: localCalendar,
  sender: senderAddress(process.env),
  stderr: (text) => {
    process.stderr.write(text);
  },
});
performExit(exit);
