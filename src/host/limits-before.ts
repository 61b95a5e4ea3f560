// SPDX-License-Identifier: MIT
// By which limits the beginning of a log is judged that older builds have written: of those the log
// says nothing, and each start of them judged by what it was told. The first entry that says which
// limits hold was written by a server that had judged by them. So they are looked up there, and the
// beginning is judged in the same way at every start, whatever that one is told.
import type { LogEntry } from "../core/command.ts";
import type { CoreLimits } from "../core/limits.ts";
import { Service } from "../core/service.ts";
import { toldLimitsVersion } from "../core/version.ts";
import type { Log, LogReader } from "../engine/log.ts";

/**
 * @param core where the reading of the log begins; nothing is done to it
 * @param head up to which entry to look
 * @param opened gets what reads meanwhile: stopped, nothing more comes of it
 * @returns undefined when the log does not say it
 */
export function limitsBefore(
  log: Pick<Log, "read">,
  core: Service,
  head: number,
  opened: (reader: LogReader) => void,
): Promise<Partial<CoreLimits> | undefined> {
  if (core.version >= toldLimitsVersion || head <= core.sequence) return Promise.resolve(undefined);
  const scout = Service.restore(core.toldLimits.current, core.snapshot());
  return new Promise((resolve) => {
    const deliver = (entries: readonly LogEntry[]): void => {
      const found = look(scout, entries, head);
      if (found === "nothing yet") return;
      reader.stop();
      resolve(found);
    };
    // Whoever reads the log for good meets the same, and says what it means.
    const reader = log.read(core.sequence + 1, deliver, () => resolve(undefined));
    opened(reader);
  });
}

function look(
  scout: Service,
  entries: readonly LogEntry[],
  head: number,
): Partial<CoreLimits> | undefined | "nothing yet" {
  for (const entry of entries) {
    try {
      scout.apply(entry);
    } catch {
      return undefined;
    }
    if (scout.toldLimits.isState) {
      const { rows } = scout.toldLimits;
      return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    }
    if (entry.sequence >= head) return undefined;
  }
  return "nothing yet";
}
