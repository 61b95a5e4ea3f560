// SPDX-License-Identifier: MIT
// Many participants over few connections, as many in each scope: one of each log. Its arguments are
// the scopes.
import { connect, type Session } from "../../src/client/index.ts";
import { serve } from "../syncd/rpc.ts";

const scopes = process.argv.slice(2);
/** By scope. */
const sessions: Session[][] = scopes.map(() => []);
let url = "";
let round = 0;

serve({
  port(port) {
    url = `http://127.0.0.1:${port}`;
  },
  /** So many in all. */
  async connect(count) {
    for (const [at, scope] of scopes.entries()) {
      const opened = sessions[at] ?? [];
      while (opened.length < count / scopes.length) opened.push(await connect(url, { scope }));
    }
  },
  /** @returns microseconds from the first arrival until the last participant goes on. */
  async meet(parties) {
    round += 1;
    const barriers = sessions.map((opened) => opened.map((one) => one.countBarrier(`b${round}`)));
    const shares = barriers.map((opened) => Math.ceil(parties / scopes.length / opened.length));
    await Promise.all(
      barriers.map((opened, at) => opened[0]?.init(opened.length * (shares[at] ?? 0))),
    );
    const begun = process.hrtime.bigint();
    const waits = barriers.flatMap((opened, at) =>
      opened.flatMap((barrier) => Array.from({ length: shares[at] ?? 0 }, () => barrier.wait())),
    );
    await Promise.all(waits);
    return Number(process.hrtime.bigint() - begun) / 1_000;
  },
});
