// SPDX-License-Identifier: MIT
// One driver and its crowd of waiters at the sockets `NAME.sock` and `NAME-b.sock` of a directory.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateSync } from "node:zlib";
import { Driver } from "../gnunet/crowd.ts";
import { serve } from "../syncd/rpc.ts";

const [folder = ".", name = "ours"] = process.argv.slice(2);
let driver: Driver | undefined;
let waiters = 0;

serve({
  async connect(count) {
    driver ??= await Driver.open(join(folder, `${name}.sock`));
    await driver.register(count, { data: deflateSync("[PATHS]\n"), bytes: 8 });
    waiters = count;
  },
  /** @returns microseconds from the first WAIT until the last waiter may go on. */
  async play() {
    // All are connected; the last of them may not have been taken up yet.
    const taken = (): Promise<void> => sleep(20 + waiters / 50);
    const times = await driver?.play(join(folder, `${name}-b.sock`), waiters, taken);
    return times === undefined ? 0 : times.reachUs + times.releaseUs;
  },
});
