// SPDX-License-Identifier: MIT
// What every log must do (engine/log.ts, L1-L4), as tests that take a factory. The runner's words
// come as arguments, so that this file depends on no runner.
import type { Entry, LogEntry } from "../../core/command.ts";
import type { Log } from "../../engine/log.ts";

export interface LogBench {
  readonly log: Log;
  /** Lets everything happen that is under way; for logs with a clock of their own. */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

export interface LogSuiteOptions {
  readonly create: () => Promise<LogBench>;
  /** Whether entries stay readable from 1 after everybody has had them. */
  readonly retains: boolean;
  /** Whether appends may be rejected while the log works. */
  readonly fails: boolean;
}

/** What the suite needs from the test runner. */
export interface Runner {
  it(title: string, run: () => Promise<void>): void;
  equal(actual: unknown, expected: unknown): void;
}

const tagOf = (number: number): Entry => ({
  format: 1,
  batches: [{ edge: "e", incarnation: 1, number, commands: [{ kind: "leave", connection: 7 }] }],
});
const tagsOf = (entries: readonly LogEntry[]): readonly (number | undefined)[] =>
  entries.map(({ entry }) => entry.batches[0]?.number);
const numbers = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Collects what a reader is given, and in how many calls. */
function collect(log: Log, from: number) {
  const entries: LogEntry[] = [];
  let calls = 0;
  const reader = log.read(from, (delivered) => {
    calls += 1;
    entries.push(...delivered);
  });
  return { entries, reader, calls: () => calls };
}

/** Declares the tests of one log. */
export function declareLogSuite(options: LogSuiteOptions, { it, equal }: Runner): void {
  const test = (title: string, run: (bench: LogBench) => Promise<void>): void => {
    it(title, async () => {
      const bench = await options.create();
      try {
        await run(bench);
      } finally {
        await bench.dispose();
      }
    });
  };

  /** Appends all at once; `undefined` for a rejection. */
  const appendAll = async (bench: LogBench, tags: readonly number[]) => {
    const appends = tags.map((tag) => bench.log.append(tagOf(tag)).catch(() => undefined));
    await bench.settle();
    return Promise.all(appends);
  };

  declareOrder(options, test, equal, appendAll);
  declareOutcomes(test, equal, appendAll);
  declareCallRules(options, test, equal, appendAll);
}

type Test = (title: string, run: (bench: LogBench) => Promise<void>) => void;
type Equal = Runner["equal"];
type AppendAll = (
  bench: LogBench,
  tags: readonly number[],
) => Promise<readonly (number | undefined)[]>;

/** L1. */
function declareOrder(
  options: LogSuiteOptions,
  test: Test,
  equal: Equal,
  appendAll: AppendAll,
): void {
  test("L1 read() delivers every entry once, in order, without gaps", async (bench) => {
    const seen = collect(bench.log, 1);
    const sequences = await appendAll(bench, numbers(1, 50));
    await bench.settle();
    const got = seen.entries.map(({ sequence }) => sequence);
    equal(got, numbers(1, got.length));
    const stored = sequences.filter((sequence) => sequence !== undefined);
    equal(
      stored.every((sequence) => got.includes(sequence)),
      true,
    );
    if (!options.fails) equal(got.length, 50);
    equal(await bench.log.head(), got.length);
  });

  test("L1 read() gives several readers the same, each at its own pace", async (bench) => {
    const first = collect(bench.log, 1);
    await appendAll(bench, numbers(1, 5));
    await bench.settle();
    const second = collect(bench.log, (await bench.log.head()) + 1);
    const before = first.entries.length;
    await appendAll(bench, numbers(6, 20));
    await bench.settle();
    equal(second.entries, first.entries.slice(before));
  });

  if (options.retains) {
    test("L1 read() starts anywhere in what is stored, and goes on with what comes", async (bench) => {
      await appendAll(bench, numbers(1, 30));
      await bench.settle();
      const all = collect(bench.log, 1);
      await bench.settle();
      for (const from of [2, 17, all.entries.length]) {
        const seen = collect(bench.log, from);
        await bench.settle();
        equal(seen.entries, all.entries.slice(from - 1));
        seen.reader.stop();
      }
    });
  }
}

/** L2-L4, and the stamps. */
function declareOutcomes(test: Test, equal: Equal, appendAll: AppendAll): void {
  test("L2 append() resolves to the sequence at which the entry is delivered", async (bench) => {
    const seen = collect(bench.log, 1);
    const tags = numbers(1, 20);
    const sequences = await appendAll(bench, tags);
    await bench.settle();
    for (const [index, sequence] of sequences.entries()) {
      if (sequence === undefined) continue;
      equal(seen.entries[sequence - 1]?.entry, tagOf(tags[index] as number));
    }
  });

  test("L3 append() keeps the order of the calls, whatever the order of completion", async (bench) => {
    const seen = collect(bench.log, 1);
    await appendAll(bench, numbers(1, 100));
    await bench.settle();
    const tags = tagsOf(seen.entries).map(Number);
    equal(
      tags,
      [...tags].sort((a, b) => a - b),
    );
  });

  test("L4 append() that is repeated after a rejection ends with the entry stored", async (bench) => {
    const seen = collect(bench.log, 1);
    for (const tag of numbers(1, 10)) {
      for (let done = false; !done; ) {
        const append = bench.log.append(tagOf(tag)).then(
          () => true,
          () => false,
        );
        await bench.settle();
        done = await append;
      }
    }
    await bench.settle();
    equal([...new Set(tagsOf(seen.entries))], numbers(1, 10));
  });

  test("stamps never run backwards while one clock is used", async (bench) => {
    const seen = collect(bench.log, 1);
    for (const tag of numbers(1, 10)) await appendAll(bench, [tag]);
    await bench.settle();
    const stamps = seen.entries.map(({ stampUs }) => stampUs);
    equal(
      stamps,
      [...stamps].sort((a, b) => a - b),
    );
    equal(stamps.every(Number.isSafeInteger), true);
  });
}

/** When things are called, and what is left after the end. */
function declareCallRules(
  { retains }: LogSuiteOptions,
  test: Test,
  equal: Equal,
  appendAll: AppendAll,
): void {
  test("read() and append() never deliver from inside the call", async (bench) => {
    const seen = collect(bench.log, 1);
    equal(seen.calls(), 0);
    const append = bench.log.append(tagOf(1)).catch(() => undefined);
    equal(seen.calls(), 0);
    await bench.settle();
    await append;
  });

  test("a reader may append, and stop itself, from inside its delivery", async (bench) => {
    const seen: number[] = [];
    const reader = bench.log.read(1, (entries) => {
      seen.push(...entries.map(({ sequence }) => sequence));
      if (seen.length >= 2) reader.stop();
      else bench.log.append(tagOf(2)).catch(() => undefined);
    });
    for (const tag of numbers(1, 8)) await appendAll(bench, [tag]);
    await bench.settle();
    const after = seen.length;
    await appendAll(bench, numbers(9, 20));
    await bench.settle();
    equal(seen.length, after);
  });

  test("stop() means that nothing is delivered afterwards", async (bench) => {
    const seen = collect(bench.log, 1);
    const append = bench.log.append(tagOf(1)).catch(() => undefined);
    seen.reader.stop();
    seen.reader.stop();
    await bench.settle();
    await append;
    equal(seen.calls(), 0);
  });

  test("close() refuses further appends definitely and stops readers", async (bench) => {
    const seen = collect(bench.log, 1);
    await appendAll(bench, numbers(1, 3));
    await bench.settle();
    const before = seen.entries.length;
    await bench.log.close();
    await bench.log.close();
    const late = bench.log.append(tagOf(4)).then(
      () => undefined,
      (error: unknown) => error,
    );
    await bench.settle();
    const error = await late;
    equal(error instanceof Error && error.name, "LogError");
    equal((error as { definite?: boolean }).definite, true);
    equal(seen.entries.length, before);
  });

  test("an entry is stored as it was when it was appended", async (bench) => {
    if (!retains) return;
    const entry = { format: 1, batches: [...tagOf(1).batches] } as const;
    const append = bench.log.append(JSON.parse(JSON.stringify(entry))).catch(() => undefined);
    await bench.settle();
    await append;
    const seen = collect(bench.log, 1);
    await bench.settle();
    for (const stored of seen.entries) equal(stored.entry, entry);
  });
}
