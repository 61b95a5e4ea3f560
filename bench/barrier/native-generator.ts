// SPDX-License-Identifier: MIT
// Parties that meet by the client library, a session each.
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
    while (sessions.length < count) {
      const some = Math.min(50, count - sessions.length);
      sessions.push(...(await Promise.all(Array.from({ length: some }, () => connect(url)))));
    }
    await Promise.all(sessions.splice(count).map((session) => session.close()));
  },
  async prepare() {
    round += 1;
    await sessions[0]?.countBarrier(`b${round}`).init(sessions.length);
  },
  /** @returns microseconds from the first arrival until the last party goes on. */
  async play() {
    const name = `b${round}`;
    const begun = process.hrtime.bigint();
    await Promise.all(sessions.map((session) => session.countBarrier(name).wait()));
    return Number(process.hrtime.bigint() - begun) / 1_000;
  },
});
