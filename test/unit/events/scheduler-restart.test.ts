// SPDX-License-Identifier: MIT
// Goal: a scheduler that is killed resumes from its log, wherever it was killed: no event is lost,
// none is performed twice, and whoever waits is told (D8, E3, A1). Method: one story is told once
// without a crash; then again for every append that it made, with a kill right before the entry is
// stored and right after, and must come to the same end.
import { describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import type { Log, LogReader } from "../../../src/engine/log.ts";
import { agendaOf, SchedulerWorld } from "./scheduler-world.ts";

/** A log that is told of each append, before and after. */
class WatchedLog implements Log {
  readonly durability = "watched";
  readonly #inner: Log;
  onAppend: (number: number, when: "before" | "after") => boolean = () => false;
  appends = 0;

  constructor(inner: Log) {
    this.#inner = inner;
  }

  async append(entry: Entry): Promise<number> {
    this.appends += 1;
    const number = this.appends;
    // Whoever is killed never hears of it.
    const never = new Promise<number>(() => undefined);
    if (this.onAppend(number, "before")) return never;
    const appended = this.#inner.append(entry);
    if (this.onAppend(number, "after")) return never;
    return appended;
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    return this.#inner.read(from, deliver);
  }

  head(): Promise<number> {
    return this.#inner.head();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

type Kill = { readonly append: number; readonly when: "before" | "after" };

interface Told {
  readonly performed: readonly string[];
  readonly completions: readonly string[];
  readonly appends: number;
}

const planned = (object: string, event: string, atUs: number) => ({
  atUs,
  event: { id: 1, object, type: "PROGRAM", event, args: "" },
});

/** What is planned and what is asked for: a sequence, a group, an object that is not there. */
async function tell(kill: Kill | undefined): Promise<Told> {
  const world = new SchedulerWorld();
  const log = new WatchedLog(world.log);
  await world.watch();
  const load = agendaOf(["a", "b", "c", "d"], {
    main: [planned("a", "STOP", 600_000), planned("a", "MODIFY", 1_400_000)],
    groups: [{ name: "g", members: ["c", "d"] }],
    sequences: [{ name: "s", steps: [planned("b", "RUN", 0), planned("b", "RUN", 0)] }],
  });
  let isKilled = false;
  log.onAppend = (append, when) => {
    if (kill?.append !== append || kill.when !== when) return false;
    isKilled = true;
    world.crashScheduler();
    return true;
  };
  await world.startAgent("n0", ["a", "b"]);
  await world.startAgent("n1", ["c", "d"]);
  const start = world.startScheduler(load, log);
  const goOn = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      await world.pass(10);
      if (!isKilled) continue;
      isKilled = false;
      await world.pass(300);
      await world.startScheduler(load, log);
    }
  };
  await Promise.race([start, world.pass(50)]);
  await goOn(200);
  await world.ask({ objname: "s", eventtype: "RUN", token: 101, question: "x" });
  await goOn(200);
  await world.ask({ objname: "g", eventtype: "RUN", token: 102 });
  await goOn(100);
  await world.ask({ objname: "nobody", eventtype: "RUN", token: 104 });
  await goOn(100);
  world.end("b", 0);
  await world.ask({ objname: "a", eventtype: "RUN", inMs: 1_500, token: 103 });
  await goOn(200);
  world.end("b", 2);
  world.end("c", 0);
  await goOn(1_500);
  world.end("d", 7);
  await goOn(700);
  world.end("a", 1);
  await goOn(2_000);
  return {
    performed: world.performed.map(({ objname, eventtype }) => `${objname} ${eventtype}`).sort(),
    completions: [...new Set(world.live("COMPLETE"))].sort(),
    appends: log.appends,
  };
}

describe("a scheduler that is killed", async () => {
  const whole = await tell(undefined);
  // Which number the core gives to which step depends on what came in between.
  const withoutNumbers = (texts: readonly string[]) =>
    texts.map((text) => text.replace(/CTOKEN=\d$/, "CTOKEN=n")).sort();

  it("does all of it when it is not", () => {
    expect(whole.performed).toEqual([
      ...["a MODIFY", "a RUN", "a STOP", "b RUN", "b RUN", "c RUN", "d RUN"],
    ]);
    expect(withoutNumbers(whole.completions)).toEqual([
      ...["a ERROR=1 CTOKEN=103", "b ERROR=0 CTOKEN=n", "b ERROR=2 CTOKEN=n"],
      ...["c ERROR=0 CTOKEN=102", "d ERROR=7 CTOKEN=102", "g ERROR=7 CTOKEN=102"],
      ...["nobody ERROR=-1 CTOKEN=104", "s ERROR=2 CTOKEN=101"],
    ]);
    expect(whole.appends).toBeGreaterThan(15);
  });

  const kills = Array.from({ length: whole.appends }, (_, index) => index + 1).flatMap((append) =>
    (["before", "after"] as const).map((when): Kill => ({ append, when })),
  );

  it.each(kills)("$when append $append is stored, comes to the same end", async (kill) => {
    const told = await tell(kill);
    expect(told.performed).toEqual(whole.performed);
    expect(withoutNumbers(told.completions)).toEqual(withoutNumbers(whole.completions));
  });
});
