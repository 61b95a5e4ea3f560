// SPDX-License-Identifier: MIT
// Many participants over few connections, by the client library, in a process of its own.
import { connect, type Session } from "../../src/client/index.ts";
import { serve } from "../syncd/rpc.ts";

const sessions: Session[] = [];
let url = "";
let round = 0;

serve({
  port(port) {
    url = `http://127.0.0.1:${port}`;
  },
  async connect(count) {
    while (sessions.length < count) sessions.push(await connect(url));
  },
  /** @returns microseconds from the first arrival until the last participant goes on. */
  async meet(parties) {
    round += 1;
    const name = `b${round}`;
    await sessions[0]?.countBarrier(name).init(parties);
    const begun = process.hrtime.bigint();
    const waits: Promise<unknown>[] = [];
    const share = parties / sessions.length;
    for (const session of sessions) {
      const barrier = session.countBarrier(name);
      for (let at = 0; at < share; at += 1) waits.push(barrier.wait());
    }
    await Promise.all(waits);
    return Number(process.hrtime.bigint() - begun) / 1_000;
  },
});
