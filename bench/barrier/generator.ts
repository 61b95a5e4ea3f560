// SPDX-License-Identifier: MIT
// Many participants over few connections, by the client library, in a process of its own.
import { connect, type Session } from "../../src/client/index.ts";
import { serve } from "../syncd/rpc.ts";

const sessions: Session[] = [];
let url = "";
let round = 0;

function waitAll(name: string, parties: number): Promise<unknown> {
  const waits: Promise<unknown>[] = [];
  const share = parties / sessions.length;
  for (const session of sessions) {
    const barrier = session.countBarrier(name);
    for (let at = 0; at < share; at += 1) waits.push(barrier.wait());
  }
  return Promise.all(waits);
}

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
    await waitAll(name, parties);
    return Number(process.hrtime.bigint() - begun) / 1_000;
  },
  /** So many come and stay; resolves when the server has counted all of them. */
  async arrive(parties) {
    waitAll("stay", parties).catch(() => undefined);
    const arrived = async (): Promise<number> =>
      (await sessions[0]?.countBarrier("stay").describe())?.arrived ?? 0;
    while ((await arrived()) < parties) await new Promise((resolve) => setTimeout(resolve, 5));
  },
});
