// SPDX-License-Identifier: MIT
// One of those who go together, in a process of its own. Instants are of the clock that all
// processes of a machine share.
import { connect, type Session } from "../../src/client/index.ts";
import { serve } from "../syncd/rpc.ts";

const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n);
let session: Session | undefined;

async function meet(round: number, together: boolean): Promise<number> {
  await session?.stateBarrier(`${together}-${round}`).signalAndWait(5, { together });
  return nowUs();
}

serve({
  async port(port) {
    session = await connect(`http://127.0.0.1:${port}`);
  },
  together: (round) => meet(round, true),
  news: (round) => meet(round, false),
  /** The best there is: told the instant on the shared clock, there is nothing to be measured. */
  async at(us) {
    await new Promise((resolve) => setTimeout(resolve, (us - nowUs()) / 1_000 - 2));
    while (nowUs() < us);
    return nowUs();
  },
});
