// SPDX-License-Identifier: MIT
// What snapshots do for a log in a file: how long a start takes and how much is on the disk after
// so many entries, with them and without. Each entry makes a barrier, meets at it and is told so.
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command, Entry } from "../../src/core/command.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { openLocalLog, openSnapshots } from "../../src/engine/open-log.ts";
import { defaultSnapshotLimits } from "../../src/engine/snapshot-limits.ts";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import type { SnapshotSource } from "../../src/host/host-options.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { SnapshotKeeper } from "../../src/host/snapshot-keeper.ts";
import { loadNewest } from "../../src/host/snapshot-text.ts";
import { followInThread } from "../../src/host/thread-follower.ts";

export interface StartRow {
  readonly entries: number;
  readonly withSnapshots: boolean;
  readonly startMs: number;
  readonly megabytes: number;
}

const limits = resolveLimits();

/** Entries of one transaction, as under load. */
const appendedTogether = 200;

/** Of a session that makes and meets at a barrier with each. */
function entryOf(number: number): Entry {
  const place = { scope: "s", barrier: `b${number % 1_000}`, who: { address: "a" }, error: 0 };
  const first: readonly Command[] = number === 1 ? [{ kind: "attach" }] : [];
  const [connection, sequence] = [2 * number, number];
  const commands: readonly Command[] = [
    ...first,
    { kind: "count-wait", ...place, connection },
    { kind: "count-init", ...place, connection: connection + 1, count: 1, waits: false },
    { kind: "seen", edge: "session", incarnation: 7, sequence },
  ];
  return { format: 1, batches: [{ edge: "session", incarnation: 7, number, commands }] };
}

async function openHost(name: string, withSnapshots: boolean) {
  const log = await openLocalLog(name, systemClock, { mayBeRead: true });
  const snapshots: SnapshotSource = {
    async load(into) {
      const store = await openSnapshots(name, { clock: systemClock }, () => undefined);
      await loadNewest(store, into, () => undefined).finally(() => store.close());
    },
  };
  const parts = { log, clock: systemClock, limits, logger: silentLogger };
  const host = new Host({ ...parts, ...(withSnapshots ? { snapshots } : {}) });
  const begunUs = systemClock.nowUs();
  await host.start();
  return { log, host, startMs: (systemClock.nowUs() - begunUs) / 1_000 };
}

export async function measureStart(entries: number, withSnapshots: boolean): Promise<StartRow> {
  const folder = mkdtempSync(join(tmpdir(), "muster-bench-start-"));
  const name = `sqlite:${join(folder, "log")}`;
  const { log, host } = await openHost(name, withSnapshots);
  const data = { log: name, natsCreds: undefined, limits, bounds: defaultSnapshotLimits };
  let snapshotAt = withSnapshots ? 0 : entries;
  const noteSnapshot = (line: string): void => {
    snapshotAt = Number(/^snapshot at entry (\d+)/.exec(line)?.[1] ?? snapshotAt);
  };
  const keeper = withSnapshots
    ? new SnapshotKeeper({
        ...{ host, log, logger: { log: (_, line) => noteSnapshot(line) } },
        follow: (onNews) => followInThread(data, onNews),
      })
    : undefined;
  for (let entry = 1; entry <= entries; entry += appendedTogether) {
    const numbers = Array.from({ length: appendedTogether }, (_, index) => entry + index);
    await Promise.all(numbers.map((number) => log.append(entryOf(number))));
    // Load that the follower keeps up with, as its like is at a server that is not flooded.
    while (entry - snapshotAt > 2 * defaultSnapshotLimits.snapshotEntriesMax) {
      await sleep(systemClock, 10);
    }
  }
  await host.catchUp();
  await keeper?.close();
  host.abandon();
  await log.close();
  const files = readdirSync(folder).map((file) => statSync(join(folder, file)).size);
  const again = await openHost(name, withSnapshots);
  again.host.abandon();
  await again.log.close();
  rmSync(folder, { recursive: true, force: true });
  const megabytes = files.reduce((sum, size) => sum + size, 0) / 1e6;
  return { entries, withSnapshots, startMs: again.startMs, megabytes };
}
