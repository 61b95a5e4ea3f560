// SPDX-License-Identifier: MIT
// Goal: the display says what matters, stays within the screen, and leaves the terminal as it was.
// Method: whole transcripts against expected text; a small terminal that understands what is
// written.
import { spawn } from "node:child_process";
import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { formatLine } from "../../../src/cli/output.ts";
import {
  createProgress,
  createProgressState,
  liveLinesMax,
  observe,
  type Progress,
  renderLive,
  type SignalSource,
} from "../../../src/cli/progress.ts";
import type { Experiment } from "../../../src/experiment/model.ts";
import { toldOneByOneMax } from "../../../src/testbed/record/event-text.ts";
import type { RunEvent, RunEventBody } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "./fake-clock.ts";
import { goodStory, largeRun, makeExperiment, planned, Story } from "./synthetic-run.ts";

class FakeSignals extends EventEmitter implements SignalSource {
  readonly pid = 42;
  readonly killed: string[] = [];
  kill(pid: number, signal: NodeJS.Signals): void {
    this.killed.push(`${pid} ${signal}`);
  }
}

/** Understands the few sequences the display uses; long lines wrap as on a real terminal. */
class Screen {
  readonly chunks: string[] = [];
  readonly lines: string[] = [""];
  row = 0;
  isCursorHidden = false;
  columns = 100;

  write(text: string): boolean {
    this.chunks.push(text);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with one
    for (const part of text.match(/\u{1b}\[\??\d*[a-zA-Z]|[\r\n]|[^\u{1b}\r\n]+/gu) ?? []) {
      this.#take(part);
    }
    return true;
  }

  #take(part: string): void {
    if (part === "\n") {
      this.row += 1;
      this.lines[this.row] ??= "";
    } else if (part === "\u{1b}[?25l") this.isCursorHidden = true;
    else if (part === "\u{1b}[?25h") this.isCursorHidden = false;
    else if (part.endsWith("A") && part.startsWith("\u{1b}")) this.row -= Number(part.slice(2, -1));
    else if (part === "\u{1b}[J") {
      this.lines.length = this.row;
      this.lines.push("");
    } else if (part !== "\r" && !part.startsWith("\u{1b}")) {
      this.lines[this.row] = part;
      for (let left = part.length - this.columns; left > 0; left -= this.columns) {
        this.row += 1;
        this.lines[this.row] = "(wrapped)";
      }
    }
  }

  get text(): string[] {
    return this.lines.slice(0, -1);
  }
}

function display(
  isTty: boolean,
  part: { experiment?: Experiment; rows?: number; colour?: boolean } = {},
) {
  const screen = new Screen();
  const clock = new FakeClock();
  const signals = new FakeSignals();
  const progress = createProgress({
    stream: screen,
    isTty,
    columns: () => screen.columns,
    rows: () => part.rows ?? 30,
    colour: part.colour ?? false,
    clock,
    experiment: part.experiment ?? makeExperiment(),
    signals,
  });
  const play = (events: readonly RunEvent[]): void => {
    for (const event of events) {
      clock.advanceTo(1_000_000 + event.atUs);
      progress.watch(event);
    }
  };
  return { screen, clock, signals, progress, play };
}

describe("plain progress", () => {
  it("tells a good run in one line per fact", () => {
    const { screen, progress, play } = display(false);
    play(goodStory().events);
    progress.close();
    expect(screen.text).toEqual([
      "-0.050s   run demo/five: 2 nodes, 2 programs, 1 event, sync server on node0, seed 7",
      "-0.040s   node node0 up",
      "-0.030s   node node1 up",
      "+0.000s   program web on node0 started: ./web",
      "+0.000s   program load on node1 started: ./load",
      "+0.500s   barrier ready 1 of 2 waiting; missing: node1",
      "+1.000s   barrier ready 2 of 2 waiting",
      "+1.000s   barrier ready crossed by 2",
      "+2.000s   program web on node0 exited with 0",
      "+2.100s   program load on node1 exited with 0",
      "+2.101s   run ended by idle",
      "",
      "passed  demo/five in 2.100 s: 2 programs as expected, 1 barrier crossed, 1 event fired",
      "",
      "barrier  ready  crossed at +1.000s by 2",
      "",
      "results  out/  (report.html, result.json, record.ndjson)",
    ]);
    expect(screen.chunks.join("")).not.toContain("\u{1b}");
  });

  it("tells what happens before time 0 when it happens, and not again (P5)", () => {
    const { screen, clock, progress } = display(false);
    progress.begin();
    const held = setUp(progress, () => clock.endTurn());
    const told = [
      "before 0  run demo/five: 2 nodes, 0 programs, 0 events, sync server on node0, seed 7",
      "before 0  links are shaped by netem (the kernel has it)",
      "before 0  node node0 up",
      "before 0  linktest level 1 begins: at least 9 s",
      "before 0  linktest level 1: 0 ok, 0 bad, 0 untestable",
    ];
    expect(screen.text).toEqual(told);
    for (const event of held) progress.again(event);
    progress.watch({ type: "run-ended", atUs: 1_000, endedBy: "idle", error: null });
    progress.close();
    const after = screen.text.slice(told.length);
    expect(after.slice(0, 2)).toEqual(["+0.001s   run ended by idle", ""]);
    expect(after[2]).toMatch(/^passed {2}demo\/five/);
  });

  it("says of a state how many signals crossed it: whoever gives the last need not wait", () => {
    const { screen, progress, play } = display(false);
    const events = goodStory().events.map((event) =>
      event.type === "barrier-ended" ? { ...event, kind: "state" as const, expected: 3 } : event,
    );
    play(events);
    progress.close();
    expect(screen.text).toContain("+1.000s   barrier ready crossed by 3 signals; 2 waited");
    expect(screen.text).toContain("barrier  ready  crossed at +1.000s by 3 signals; 2 waited");
  });

  it("says once why a run has failed, in the summary", () => {
    const { screen, progress, play } = display(false);
    const why = "nobody can come any more to barrier 'b'";
    const [started] = goodStory().events;
    const error = { code: "BARRIER_STUCK", message: why };
    if (started === undefined) throw new Error("a story begins");
    play([started, { type: "run-ended", atUs: 1_000_000, endedBy: "failure", error }]);
    progress.close();
    expect(screen.text).toContain("+1.000s   run ended by failure");
    expect(screen.text.filter((line) => line.includes(why))).toEqual([why]);
  });

  it("tells what happened in one turn in the order in which it happened", () => {
    const { screen, clock, progress } = display(false);
    const story = new Story().program(1, 2_000, { name: "b" }).program(1, 1_000, { name: "a" });
    for (const event of story.events) progress.watch(event);
    expect(screen.text).toEqual([]);
    clock.endTurn();
    expect(screen.text).toHaveLength(2);
    expect(screen.text[0]).toContain("+0.001s");
    expect(screen.text[1]).toContain("+0.002s");
  });

  it("lists the files that are there, and advises no report that is not", () => {
    const { screen, progress, play } = display(false);
    play(new Story().program(1, 9, { exitCode: 1 }).end(10).events);
    progress.close(undefined, []);
    const text = screen.text.join("\n");
    expect(text).toContain("(none of them could be written)");
    expect(text).not.toContain("report.html");
  });

  it("keeps a line on a terminal at once, and leaves it to others elsewhere", () => {
    expect(display(false).progress.keep(["lost"])).toBe(false);
    const { screen, clock, progress } = display(true);
    expect(progress.keep(["lost"])).toBe(true);
    clock.advanceTo(200_000);
    expect(screen.text).toContain("lost");
  });

  it("counts a pause of the events as lateness no more than the result does", () => {
    const { screen, progress, play } = display(false);
    const late = new Story().start(["node0"], {}).fired(0, 8_400_000, { latenessUs: 1_000 });
    play(late.events);
    progress.close();
    expect(screen.text.join("\n")).toContain("event web START fired: done");
    const state = createProgressState({ events: [] });
    for (const event of late.events) observe(state, event);
    expect(state.eventsLate).toBe(0);
  });

  it("tells what went wrong, what to look at, and what to do next", () => {
    const { screen, progress, play } = display(false);
    screen.columns = 200;
    const story = new Story()
      .start(["node0", "node1"], { lost: ["No netem here."], out: "/tmp/r" })
      .fired(0, 400_000, { outcome: "failed: no such program" })
      .barrier(500_000, { error: 3, name: "go" })
      .at(600_000, {
        type: "barrier-slow",
        name: "ready",
        waitedUs: 10_000_000,
        arrived: ["node0"],
        missing: ["node1"],
      })
      .program(100, 700_000, {
        node: "node1",
        exitCode: 1,
        token: 12,
        stderrTail: "one\ntwo\nthree\nfour\nfive\nsix\nseven\n",
      })
      .barrier(800_000, {
        outcome: "timeout",
        expected: 2,
        missing: ["node1"],
        participants: [{ name: "x", node: "node0", arrivedUs: 9, releasedUs: 800_000 }],
      })
      .at(900_000, { type: "message", level: "error", node: "node1", text: "agent lost" })
      .end(1_000_000);
    play(story.events);
    progress.close();
    expect(screen.text).toEqual([
      "-0.050s   run demo/five: 2 nodes, 0 programs, 0 events, sync server on node0, seed 7",
      "-0.050s   not given: No netem here.",
      "+0.400s   event web START 400 ms late: failed: no such program",
      "+0.500s   barrier go crossed by 2, error 3",
      "+0.600s   barrier ready slow: 10.0 s since the first arrival; waiting: node0; " +
        "missing: node1",
      "+0.700s   program web on node1 failed: exited with 1, expected exit code 0",
      "+0.800s   barrier ready timed out: 1 of 2 arrived; missing: node1",
      "+0.900s   error (node1): agent lost",
      "+1.000s   run ended by idle",
      "",
      "failed  demo/five after 1.000 s: 0 of 1 program as expected, 1 of 2 barriers crossed, " +
        "1 event fired, 1 of them failed",
      "",
      "program web on node1 exited with 1, expected 0",
      "  | two",
      "  | three",
      "  | four",
      "  | five",
      "  | six",
      "  | seven",
      "  output: /tmp/r/nodes/node1/local/logs/web.err.12",
      "barrier ready timed out: 1 of 2 arrived (node0); missing: node1 " +
        "(its program web ended with 1 at +0.700s)",
      "",
      "barrier  go  crossed at +0.500s by 2, error 3 heard by node0, node1",
      "",
      "results  /tmp/r/  (report.html, result.json, record.ndjson)",
      "",
      "next     start with web on node1, which failed first, at +0.700s",
      "         see who waited for whom: open /tmp/r/report.html",
      "         run it again: muster run demo.ns --seed 7",
    ]);
  });

  it("tells large runs by tenths, failures always", () => {
    const { experiment, events } = largeRun({ nodes: 200, seed: 5, fails: true });
    const { screen, progress, play } = display(false, { experiment });
    play([...events].sort((a, b) => a.atUs - b.atUs));
    progress.close();
    const lines = screen.text;
    expect(lines.filter((line) => line.includes(" up"))).toHaveLength(10);
    expect(lines.filter((line) => /worker-node\d+ on node\d+ failed/.test(line))).toHaveLength(2);
    expect(lines.join("\n")).toContain("error 3 heard by all 200");
    expect(lines.length).toBeLessThan(70);
  });

  it("tells arrivals one by one up to the limit, by tenths above it", () => {
    const arrivalsTold = (count: number): number => {
      const { screen, clock, play } = display(false);
      const names = Array.from({ length: count }, (_, index) => `n${index}`);
      const story = new Story();
      for (let at = 1; at <= count; at += 1) story.arrivals(at, "b", names.slice(0, at), count);
      play(story.events);
      clock.endTurn();
      return screen.text.length;
    };
    expect(arrivalsTold(toldOneByOneMax)).toBe(toldOneByOneMax);
    expect(arrivalsTold(toldOneByOneMax + 1)).toBe(8);
    expect(arrivalsTold(1_000)).toBe(11);
  });

  it("prints the summary of the result it is given", () => {
    const { screen, progress, play } = display(false);
    play(goodStory().events);
    const other = largeRun({ nodes: 2, seed: 1, fails: false });
    const bystander = display(false, { experiment: other.experiment });
    bystander.progress.close();
    expect(bystander.screen.text[1]).toContain("failed  demo/n2");
    progress.close();
    progress.close();
    expect(screen.text.filter((line) => line.startsWith("passed"))).toHaveLength(1);
  });

  it("lets no name or output steer the terminal", () => {
    const { screen, progress, play } = display(false, { colour: true });
    const hostile = "\u{1b}]0;title\u{7}\u{1b}[2J\r\u{9b}2J\u{202e}";
    const story = new Story()
      .start(["node0"])
      .program(0, 9, { name: hostile, exitCode: 1, stderrTail: `${hostile}\n\u{1b}[31mred` })
      .end(10);
    play(story.events);
    progress.close();
    const text = screen.chunks.join("");
    // Our own colours aside, nothing but text and line ends.
    const plain = text.split("\u{1b}[").map((part) => part.replace(/^\d+m/, ""));
    for (const character of plain.join("")) {
      expect(character === "\n" || (character >= " " && !/[\p{Cc}\u{202e}]/u.test(character))).toBe(
        true,
      );
    }
    expect(text).toContain("?]0;title?");
  });
});

/** What is said before time 0, each with its turn. @returns the same with its times */
function setUp(progress: Progress, onSaid: (at: number) => void): readonly RunEvent[] {
  const info = (text: string) => ({ type: "message", level: "info", node: null, text }) as const;
  const { events } = new Story()
    .start(["node0", "node1"])
    .at(-40, info("links are shaped by netem (the kernel has it)"))
    .at(-30, { type: "node-up", node: "node0" })
    .at(-20, info("linktest level 1 begins: at least 9 s"))
    .at(-10, { type: "links-tested", level: 1, verdicts: [], isCancelled: false });
  events.forEach(({ atUs: _, ...body }, at) => {
    progress.early(body as RunEventBody);
    onSaid(at);
  });
  return events;
}

describe("renderLive()", () => {
  it("shows a run in a few lines, with who is missing where", () => {
    const experiment = makeExperiment({
      events: [planned(0, 9_000_000, "web"), planned(1, 5_000_000, "web"), planned(2, 1, "web")],
    });
    const state = createProgressState(experiment);
    const programs = ["a", "b", "c"].map((name) => ({ name, node: "node0" }));
    const story = new Story()
      .start(["node0", "node1"], { programs, eventsPlanned: 3 })
      .at(-10, { type: "node-up", node: "node0" })
      .at(1, { type: "program-started", name: "a", node: "node0", command: "a" })
      .at(1, { type: "program-started", name: "b", node: "node0", command: "b" })
      .program(1, 2, { name: "a", exitCode: 1 })
      .fired(1, 300_000)
      .barrier(400_000)
      .arrivals(500_000, "measure", ["node0"], 3, ["node1", "anonymous, from node2"])
      .arrivals(600_000, "x", ["node1"], 0);
    for (const event of story.events) observe(state, event);
    const show = (us: number, columns: number): string[] =>
      renderLive(state, us, 20).map((line) => formatLine(line, { columns, colour: false }));
    expect(show(1_203_000, 100)).toEqual([
      "demo/five  running  +1.2s",
      "nodes     1 of 2 up",
      "programs  1 running, 1 ended, 1 failed, 1 not started",
      "events    1 of 3 fired, 1 late, next web START in 3.8 s",
      "barriers  1 crossed, 2 open",
      "  measure 1/3 waiting; missing: node1, node2",
      "  x       1/? waiting",
    ]);
    expect(show(5_000_000, 30)).toEqual([
      "demo/five  running  +5.0s",
      "nodes     1 of 2 up",
      "programs  1 running, 1 ended,…",
      "events    1 of 3 fired, 1 lat…",
      "barriers  1 crossed, 2 open",
      "  measure 1/3 waiting; missin…",
      "  x       1/? waiting",
    ]);
  });

  it("stays within its lines for 200 nodes and barriers, and within a small window (P1)", () => {
    const state = createProgressState(makeExperiment());
    const names = Array.from({ length: 200 }, (_, index) => `node${index}`);
    const story = new Story().start(names, { eventsPlanned: 9 });
    for (const name of names) story.arrivals(5, name, ["node0"], 200, names);
    for (const event of story.events) observe(state, event);
    const shown = (rows: number) =>
      renderLive(state, 9, rows).map((line) => formatLine(line, { columns: 300, colour: false }));
    expect(shown(50)).toHaveLength(liveLinesMax);
    expect(shown(50).at(-1)).toBe("  and 188 more");
    expect(shown(50)[6]).toBe(
      "  node1  1/200 waiting; missing: node0, node1, node2, node3, node4 and 195 more",
    );
    for (let rows = 1; rows < 25; rows += 1) {
      expect(shown(rows)).toHaveLength(Math.min(rows, liveLinesMax));
    }
  });
});

describe("live progress", () => {
  it("shows the set-up from its begin, and keeps what was said before time 0 (P5)", () => {
    const kind = { osName: "", hardwareType: "pc", failureAction: "fatal" } as const;
    const nodes = ["node0", "node1"].map((name) => ({
      name,
      ...kind,
      at: { file: "x.ns", line: 1, column: 1 },
    }));
    const { screen, clock, progress } = display(true, { experiment: makeExperiment({ nodes }) });
    progress.begin();
    clock.advanceTo(200_000);
    expect(screen.text).toEqual([
      "demo/five  before time 0  0.0 s",
      "nodes     setting up 2 nodes",
    ]);
    const held = setUp(progress, (at) => clock.advanceTo((at + 1) * 1_000_000));
    clock.advanceTo(12_000_000);
    const kept = [
      "before 0  links are shaped by netem (the kernel has it)",
      "before 0  linktest level 1 begins: at least 9 s",
      "before 0  linktest level 1: 0 ok, 0 bad, 0 untestable",
    ];
    expect(screen.text.slice(0, 3)).toEqual(kept);
    expect(screen.text[3]).toMatch(/^demo\/five {2}before time 0 {2}1[12]\.\d s$/);
    expect(screen.text.slice(4)).toEqual(["nodes     1 of 2 up"]);
    for (const event of held) progress.again(event);
    clock.advanceTo(12_500_000);
    expect(screen.text.slice(0, 3)).toEqual(kept);
    expect(screen.text[3]).toMatch(/^demo\/five {2}running {2}\+0\.\ds$/);
    expect(screen.text[4]).toBe("nodes     1 of 2 up");
    progress.close();
    expect(screen.text.slice(0, 3)).toEqual(kept);
    expect(screen.isCursorHidden).toBe(false);
    expect(clock.armed).toBe(0);
  });

  it("keeps the verdict of a linktest while the run goes", () => {
    const { screen, progress, play } = display(true);
    const tested = { type: "links-tested", level: 2, verdicts: [], isCancelled: true } as const;
    play(new Story().start(["node0"]).at(1_000, tested).events);
    progress.close();
    expect(screen.text[0]).toBe("+0.001s   linktest level 2: cancelled");
  });

  it("redraws in place, keeps failures above, and ends with the summary alone", () => {
    const { screen, clock, progress, play } = display(true);
    const story = new Story()
      .start(["node0", "node1"])
      .at(-10_000, { type: "node-up", node: "node0" })
      .program(0, 200_000, { exitCode: 1 })
      .arrivals(300_000, "ready", ["node0"], 2, ["node1"])
      .barrier(900_000)
      .end(1_000_000);
    play(story.events.slice(0, 4));
    clock.advanceTo(1_600_000);
    expect(screen.isCursorHidden).toBe(true);
    expect(screen.text).toEqual([
      "+0.200s   program web on node0 failed: exited with 1, expected exit code 0",
      "demo/five  running  +0.5s",
      "nodes     1 of 2 up",
      "programs  0 running, 1 ended, 1 failed",
      "barriers  0 crossed, 1 open",
      "  ready 1/2 waiting; missing: node1",
    ]);
    play(story.events.slice(4));
    progress.close();
    expect(screen.isCursorHidden).toBe(false);
    expect(screen.text[0]).toContain("program web on node0 failed");
    expect(screen.text[1]).toBe("");
    expect(screen.text[2]).toContain("failed  demo/five after 1.000 s");
    expect(screen.text.at(-1)).toBe("         run it again: muster run demo.ns --seed 7");
    expect(clock.armed).toBe(0);
  });

  it("finds its place again after the window got narrower", () => {
    const { screen, clock, play } = display(true);
    play(goodStory().events.slice(0, 7));
    clock.advanceTo(1_900_000);
    const before = screen.text;
    expect(before.at(-1)).toBe("  ready 1/2 waiting; missing: node1");
    // What was on the screen wraps at the new width, which moves everything below it.
    const rewrapped = new Screen();
    rewrapped.columns = 20;
    for (const line of before) rewrapped.write(`${line}\n`);
    screen.lines.splice(0, screen.lines.length, ...rewrapped.lines);
    screen.row = rewrapped.row;
    screen.columns = 20;
    clock.advanceTo(2_500_000);
    expect(screen.text[0]).toBe("demo/five  running…");
    expect(screen.text).toHaveLength(before.length);
  });

  it("draws at most ten times a second while events come, four when none do (P2)", () => {
    const { screen, clock, progress, play } = display(true);
    play(new Story().start(["node0"], {}, 0).events);
    const story = new Story();
    for (let us = 0; us < 1_000_000; us += 1_000) {
      story.at(us, { type: "node-up", node: "node0" });
    }
    play(story.events);
    expect(screen.chunks.length).toBeGreaterThan(8);
    expect(screen.chunks.length).toBeLessThanOrEqual(13);
    clock.advanceTo(2_200_000);
    const busy = screen.chunks.length;
    clock.advanceTo(3_200_000);
    expect(screen.chunks.length - busy).toBe(4);
    progress.close();
  });

  it("gives the cursor back on a signal nobody else handles (P3)", () => {
    const alone = display(true);
    alone.play(goodStory().events.slice(0, 3));
    alone.clock.advanceTo(2_000_000);
    expect(alone.screen.isCursorHidden).toBe(true);
    alone.signals.emit("SIGTERM");
    expect(alone.screen.isCursorHidden).toBe(false);
    expect(alone.signals.killed).toEqual(["42 SIGTERM"]);

    const shared = display(true);
    shared.signals.on("SIGINT", () => undefined);
    shared.play(goodStory().events.slice(0, 3));
    shared.clock.advanceTo(2_000_000);
    shared.signals.emit("SIGINT");
    expect(shared.screen.isCursorHidden).toBe(true);
    expect(shared.signals.killed).toEqual([]);
    shared.signals.emit("exit");
    expect(shared.screen.isCursorHidden).toBe(false);
    expect(shared.signals.listenerCount("SIGTERM")).toBe(0);
  });

  it("gives the cursor back in a real process that is killed", async () => {
    const script = `
      import { createProgress } from "./src/cli/progress.ts";
      import { systemClock } from "./src/host/clock.ts";
      import { goodStory, makeExperiment } from "./test/unit/record/synthetic-run.ts";
      const progress = createProgress({ stream: process.stdout, isTty: true, columns: () => 80,
        rows: () => 24, colour: false, clock: systemClock, experiment: makeExperiment() });
      for (const event of goodStory().events.slice(0, 3)) progress.watch(event);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("running")) child.kill("SIGTERM");
    });
    const signal = await new Promise((resolve) =>
      child.on("close", (_code, name) => resolve(name)),
    );
    expect(signal).toBe("SIGTERM");
    expect(text).toContain("\u{1b}[?25l");
    expect(text.endsWith("\u{1b}[?25h")).toBe(true);
  });

  it("writes nothing more once nobody reads, and never throws (P4)", () => {
    for (const isTty of [true, false]) {
      const clock = new FakeClock();
      const stream = Object.assign(new EventEmitter(), {
        writes: 0,
        write() {
          this.writes += 1;
        },
      });
      const progress = createProgress({
        stream,
        isTty,
        columns: () => 80,
        rows: () => 24,
        colour: false,
        clock,
        experiment: makeExperiment(),
        signals: new FakeSignals(),
      });
      const { events } = goodStory();
      for (const event of events.slice(0, 3)) progress.watch(event);
      clock.advanceTo(500_000);
      stream.emit("error", new Error("EPIPE"));
      const { writes } = stream;
      for (const event of events.slice(3)) progress.watch(event);
      clock.advanceTo(9_000_000);
      progress.close();
      expect(stream.writes).toBe(writes);
      expect(clock.armed).toBe(0);
    }
  });
});
