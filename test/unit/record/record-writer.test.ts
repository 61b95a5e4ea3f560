// SPDX-License-Identifier: MIT
// Goal: the record holds what happened, and a disk that fails never stops a run. Method: sinks that
// fail or stall in place of the file, and real files where the point is the file.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import { outputError } from "../../../src/testbed/record/output-error.ts";
import { formatRecordLine, parseRecord } from "../../../src/testbed/record/record-format.ts";
import {
  createRecordWriter,
  type RecordSink,
  recordBacklogCharactersMax,
} from "../../../src/testbed/record/record-writer.ts";
import { createResultBuilder } from "../../../src/testbed/record/result.ts";
import { writeRunFiles, writeWhole } from "../../../src/testbed/record/run-files.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "./fake-clock.ts";
import { goodStory, largeRun, makeExperiment, Story } from "./synthetic-run.ts";

const directory = mkdtempSync(join(tmpdir(), "muster-record-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const logEvent: RunEvent = {
  type: "log",
  atUs: 120,
  entry: {
    sequence: 4,
    stampUs: 99,
    entry: {
      format: 1,
      batches: [
        {
          edge: "node0/syncd",
          incarnation: 1,
          number: 2,
          commands: [{ kind: "leave", connection: 3 }],
        },
      ],
    },
  },
};

/** A disk that fails from a certain write on, and then cannot even close the file. */
class TestSink implements RecordSink {
  text = "";
  writes = 0;
  isClosed = false;
  readonly #failAt: number;
  readonly #error: Error;
  constructor(failAt: number = Number.POSITIVE_INFINITY, code = "ENOSPC") {
    this.#failAt = failAt;
    this.#error = Object.assign(new Error(code), { code });
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.writes += 1;
    if (this.writes >= this.#failAt) throw this.#error;
    this.text += Buffer.from(bytes).toString();
  }
  async close(): Promise<void> {
    this.isClosed = true;
    if (this.writes >= this.#failAt) throw new Error("close failed as well");
  }
}

function writerTo(sink: RecordSink, clock = new FakeClock()) {
  const errors: string[] = [];
  const writer = createRecordWriter({
    out: "/out",
    clock,
    onError: (message) => errors.push(message),
    openSink: async () => sink,
  });
  return { writer, errors, clock };
}

describe("the format of record.ndjson", () => {
  it("marks entries of the log with their position and everything else as observed", () => {
    expect(JSON.parse(formatRecordLine(logEvent))).toEqual({
      atUs: 120,
      source: "log",
      position: 4,
      stampUs: 99,
      format: 1,
      batches: [
        {
          edge: "node0/syncd",
          incarnation: 1,
          number: 2,
          commands: [{ kind: "leave", connection: 3 }],
        },
      ],
    });
    expect(formatRecordLine({ type: "node-up", node: "node0", atUs: -5 })).toBe(
      '{"atUs":-5,"source":"observed","type":"node-up","node":"node0"}\n',
    );
  });

  it("reads back to the events of the run, so that the result can be made again (F1)", async () => {
    const { experiment, events } = largeRun({ nodes: 7, seed: 2, fails: true });
    const all = [...events.slice(0, 3), logEvent, ...events.slice(3)];
    const sink = new TestSink();
    const { writer } = writerTo(sink);
    for (const event of all) writer.watch(event);
    expect(await writer.close()).toBeNull();
    const record = parseRecord(sink.text);
    expect(record.damage).toBeNull();
    expect(record.events).toEqual(all);
    expect(record.header).toMatchObject({ schema: 1, runId: "r-1", seed: 7 });
    const live = createResultBuilder({ experiment });
    const replayed = createResultBuilder({ experiment });
    for (const event of all) live.add(event);
    for (const event of record.events) replayed.add(event);
    expect(replayed.build()).toEqual(live.build());
  });

  it("reads what is whole of a record cut off anywhere (F2)", async () => {
    const sink = new TestSink();
    const { writer } = writerTo(sink);
    const { events } = goodStory();
    for (const event of events) writer.watch(event);
    await writer.close();
    fc.assert(
      fc.property(fc.integer({ min: 0, max: sink.text.length }), (length) => {
        const read = parseRecord(sink.text.slice(0, length));
        expect(events.slice(0, read.events.length)).toEqual(read.events);
      }),
    );
  });

  it("never throws on foreign text, and refuses another schema", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseRecord(text)));
    fc.assert(fc.property(fc.json(), (text) => void parseRecord(text)));
    expect(parseRecord('{"schema":2,"type":"header"}\n').damage).toContain("schema 2");
    expect(parseRecord("").damage).toContain("no header");
  });
});

describe("createRecordWriter()", () => {
  it("writes the header, then the lines of a turn at its end, once per turn", async () => {
    const sink = new TestSink();
    const { writer, clock } = writerTo(sink);
    const [first, second, third] = goodStory().events;
    if (!first || !second || !third) throw new Error("three events expected");
    writer.watch(first);
    writer.watch(second);
    await new Promise(setImmediate);
    expect(sink.writes).toBe(0);
    clock.endTurn();
    await new Promise(setImmediate);
    expect(sink.writes).toBe(1);
    expect(sink.text.split("\n")).toHaveLength(4);
    expect(JSON.parse(sink.text.split("\n")[0] ?? "")).toEqual({
      schema: 1,
      type: "header",
      runId: "r-1",
      experiment: "demo/five",
      seed: 7,
      file: "demo.ns",
      startedWallMs: 1_700_000_000_000,
      zeroMonotonicUs: 5_000_000,
    });
    writer.watch(third);
    await writer.close();
    expect(sink.writes).toBe(2);
    expect(sink.isClosed).toBe(true);
  });

  it("puts the header first although the log begins before the run says its start", async () => {
    const sink = new TestSink();
    const { writer, clock } = writerTo(sink);
    const { events } = goodStory();
    writer.watch(logEvent);
    clock.endTurn();
    await new Promise(setImmediate);
    expect(sink.writes).toBe(0);
    for (const event of events) writer.watch(event);
    await writer.close();
    const record = parseRecord(sink.text);
    expect(JSON.parse(sink.text.split("\n")[0] ?? "")).toMatchObject({ runId: "r-1" });
    expect(record.events).toEqual([logEvent, ...events]);
  });

  it("leaves a readable record of a run that never started", async () => {
    const sink = new TestSink();
    const { writer } = writerTo(sink);
    writer.watch(logEvent);
    await writer.close();
    expect(parseRecord(sink.text)).toMatchObject({ damage: null, events: [logEvent] });
  });

  it("keeps order and loses nothing when writes are slower than turns (W1)", async () => {
    const release: (() => void)[] = [];
    let text = "";
    let textAtClose = "";
    const { writer, clock } = writerTo({
      write: (bytes) =>
        new Promise((resolve) => {
          release.push(() => {
            text += Buffer.from(bytes).toString();
            resolve();
          });
        }),
      close: async () => {
        textAtClose = text;
      },
    });
    const { events } = goodStory();
    for (const event of events) {
      writer.watch(event);
      clock.endTurn();
      await new Promise(setImmediate);
    }
    expect(release).toHaveLength(1);
    const closed = writer.close();
    for (let turn = 0; turn < 5; turn += 1) {
      for (const go of release.splice(0)) go();
      await new Promise(setImmediate);
    }
    expect(await closed).toBeNull();
    expect(parseRecord(textAtClose).events).toEqual(events);
  });

  it.each([1, 2, 3])("tells a full disk at write %i once and goes on (W3)", async (failAt) => {
    const sink = new TestSink(failAt);
    const { writer, errors, clock } = writerTo(sink);
    for (const event of goodStory().events) {
      writer.watch(event);
      clock.endTurn();
      await new Promise(setImmediate);
    }
    const error = await writer.close();
    expect(errors).toEqual([
      "cannot write /out/record.ndjson: no space left on the device; free some or choose " +
        "another directory with --out; its record ends here, and the run will fail",
    ]);
    expect(error?.code).toBe("OUTPUT");
    expect(sink.writes).toBe(failAt);
    expect(sink.isClosed).toBe(true);
  });

  it("tells a file that cannot be opened, and an error of the last write", async () => {
    const errors: string[] = [];
    const writer = createRecordWriter({
      out: join(directory, "missing"),
      clock: systemClock,
      onError: (message) => errors.push(message),
    });
    for (const event of goodStory().events) writer.watch(event);
    expect(await writer.close()).toMatchObject({ code: "OUTPUT" });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain("does not exist");

    const late = writerTo({
      write: async () => undefined,
      close: () => Promise.reject(Object.assign(new Error("x"), { code: "EIO" })),
    });
    expect(await late.writer.close()).toMatchObject({ code: "OUTPUT" });
    expect(late.errors).toHaveLength(1);
  });

  it("gives up on a disk that does not keep up before memory runs out", async () => {
    const { writer, errors } = writerTo({
      write: () => new Promise(() => undefined),
      close: async () => undefined,
    });
    const text = "x".repeat(1024 * 1024);
    const lines = Math.ceil(recordBacklogCharactersMax / text.length) + 1;
    for (const event of new Story().start(["node0"]).events) writer.watch(event);
    for (let at = 0; at < lines; at += 1) {
      writer.watch({ type: "message", level: "info", node: null, text, atUs: at });
    }
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain("too slow");
  });

  it("writes a real file that is there before the run ends", async () => {
    const writer = createRecordWriter({
      out: directory,
      clock: systemClock,
      onError: (message) => expect.unreachable(message),
    });
    writer.watch(new Story().start(["node0"]).events[0] as RunEvent);
    const path = join(directory, "record.ndjson");
    await expect
      .poll(() => readFileSync(path, "utf8"))
      .toMatch(/^\{"schema":1,"type":"header".*\n\{.*"run-started".*\n$/);
    expect(await writer.close()).toBeNull();
    expect(await writer.close()).toBeNull();
  });
});

describe("a record that somebody else changes", () => {
  // Mutants: opening with "w" (a hole of NUL bytes where lines were), not looking at the size.
  it("is told as an error, and the lines that follow leave no hole", async () => {
    const out = mkdtempSync(join(directory, "changed-"));
    const errors: string[] = [];
    const onError = (message: string) => errors.push(message);
    const record = createRecordWriter({ out, clock: systemClock, onError });
    const [first, ...rest] = goodStory().events;
    if (first !== undefined) record.watch(first);
    const path = join(out, "record.ndjson");
    await expect
      .poll(() => readdirSync(out).length && readFileSync(path).length)
      .toBeGreaterThan(0);
    truncateSync(path, 0);
    for (const event of rest) record.watch(event);
    expect(await record.close()).toMatchObject({ code: "OUTPUT" });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain("somebody else changed it");
    expect(readFileSync(path, "utf8")).not.toContain("\0");
  });
});

describe("writeWhole()", () => {
  // Mutant: rename over whatever is there. `--junit /dev/null` as root would replace the device.
  it("writes into a pipe and leaves it a pipe; one that nobody reads is refused", async () => {
    const pipe = join(mkdtempSync(join(directory, "pipe-")), "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(await writeWhole(pipe, "x")).toMatchObject({ code: "OUTPUT" });
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
    expect(await writeWhole(pipe, "whole")).toBeNull();
    const buffer = Buffer.alloc(16);
    expect(buffer.toString("utf8", 0, readSync(reader, buffer))).toBe("whole");
    closeSync(reader);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });

  it("writes through a link and leaves it a link", async () => {
    const folder = mkdtempSync(join(directory, "link-"));
    const [file, link] = [join(folder, "file"), join(folder, "link")];
    writeFileSync(file, "old");
    symlinkSync(file, link);
    expect(await writeWhole(link, "new")).toBeNull();
    expect(readFileSync(file, "utf8")).toBe("new");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });
});

describe("writeRunFiles()", () => {
  const builder = createResultBuilder({ experiment: makeExperiment() });
  for (const event of goodStory().events) builder.add(event);
  const result = builder.build();

  it("leaves whole files and nothing else", async () => {
    const out = mkdtempSync(join(directory, "out-"));
    const junit = { path: join(out, "junit.xml"), xml: "<x/>" };
    expect(await writeRunFiles(out, { result, reportHtml: "<p>", junit })).toEqual([]);
    expect(readdirSync(out).sort()).toEqual(["junit.xml", "report.html", "result.json"]);
    expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8"))).toEqual(result);
  });

  it("reports a bad JUnit path and still writes the rest", async () => {
    const out = mkdtempSync(join(directory, "out-"));
    const junit = { path: join(out, "none", "junit.xml"), xml: "<x/>" };
    const errors = await writeRunFiles(out, { result, reportHtml: "<p>", junit });
    expect(errors).toMatchObject([{ code: "OUTPUT", message: expect.stringContaining("junit") }]);
    expect(readdirSync(out).sort()).toEqual(["report.html", "result.json"]);
  });

  it("names every file that is not there, not only the first", async () => {
    const out = mkdtempSync(join(directory, "out-"));
    for (const name of ["report.html", "result.json"])
      mkdirSync(join(out, name, "full"), { recursive: true });
    const errors = await writeRunFiles(out, { result, reportHtml: "<p>", junit: null });
    const missing = ["report.html", "result.json"].map((name) => ({
      message: expect.stringContaining(join(out, name)),
    }));
    expect(errors).toMatchObject(missing);
  });

  it("keeps the old file, and no scraps, when the new one cannot take its place", async () => {
    const out = mkdtempSync(join(directory, "out-"));
    mkdirSync(join(out, "result.json"));
    writeFileSync(join(out, "result.json", "x"), "");
    expect(await writeWhole(join(out, "result.json"), "text")).toMatchObject({ code: "OUTPUT" });
    expect(readdirSync(out)).toEqual(["result.json"]);
  });
});

describe("outputError()", () => {
  it("says what to do for errors it knows and passes on those it does not", () => {
    const known = Object.assign(new Error("raw"), { code: "EROFS" });
    expect(outputError("/x", known).message).toBe(
      "cannot write /x: the file system is read-only; choose another directory with --out",
    );
    expect(outputError("/x", new Error("odd")).message).toContain("odd; try another directory");
    expect(outputError("/x", "text").message).toContain("text;");
  });
});
