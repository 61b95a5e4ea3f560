// SPDX-License-Identifier: MIT
// Goal: the checker of `npm run chaos` finds each kind of broken promise, and nothing in a history
// that keeps them. Method: a small history in which all is well, and copies of it with one thing
// changed each, as a fault of Muster, of a broker or of the load itself would change it.
import { describe, expect, it } from "vitest";
import { check } from "../../../chaos/checker/check.ts";
import { HistoryReader } from "../../../chaos/checker/operations.ts";
import { Record, type RecordLine } from "../../../chaos/checker/record.ts";
import type { ViolationKind } from "../../../chaos/checker/violation.ts";
import { type Asked, formatLine, type HistoryLine, parseLine } from "../../../chaos/history.ts";

const scope = "chaos/lane-0";
/** The wall's clock is so far ahead. */
const wallUs = 1_000_000_000;

/** The lines of one party, in order; times are microseconds. */
type Lines = readonly HistoryLine[];

let lastId = 0;
function op(
  party: string,
  name: string,
  asked: Asked,
  [askUs, endUs]: readonly [number, number],
  answer: object = {},
): Lines {
  lastId += 1;
  return [
    ["ask", askUs, lastId, party, scope, name, asked],
    ["end", endUs, lastId, "ok", answer],
  ];
}

function reader(after: number, texts: readonly string[], us: number): Lines {
  lastId += 1;
  const id = lastId;
  return [
    ["read", us, id, scope, "news", after],
    ...texts.map((text, index): HistoryLine => ["message", us + 1, id, after + index + 1, text]),
    ["stopped", us + 2, id, "ok"],
  ];
}

/** All that parties do in a run where nothing goes wrong, by the operation that is changed. */
function well(): Map<string, HistoryLine[]> {
  const crossed = { generation: 1, error: 3 };
  const target = 2;
  const publish = (text: string): Asked => ({ kind: "publish-wait", topic: "news", text, target });
  const lines: [string, Lines][] = [
    ["init", op("p0", "count-1", { kind: "count-init", count: 2, error: 0 }, [100, 120])],
    ["wait-a", op("p0", "count-1", { kind: "count-wait", error: 0 }, [130, 300], crossed)],
    ["wait-b", op("p1", "count-1", { kind: "count-wait", error: 3 }, [200, 310], crossed)],
    ["signal-a", op("p0", "s", { kind: "signal-wait", target }, [400, 500], { value: 1 })],
    ["signal-b", op("p1", "s", { kind: "signal-wait", target }, [450, 510], { value: 2 })],
    ["ticket-a", op("p0", "tickets", { kind: "signal" }, [600, 610], { value: 1 })],
    ["ticket-b", op("p1", "tickets", { kind: "signal" }, [620, 630], { value: 2 })],
    ["quorum", op("p0", "q", { kind: "quorum-init", needed: 1 }, [700, 710], { generation: 1 })],
    ["quorum-a", op("p0", "q", { kind: "quorum-wait" }, [720, 730], { generation: 1 })],
    ["roster", op("p0", "r", { kind: "roster-open", members: 2 }, [800, 810])],
    ["phase-a", op("p0", "r", { kind: "roster-arrive", phase: 1 }, [820, 850], { phase: 1 })],
    ["phase-b", op("p1", "r", { kind: "roster-arrive", phase: 1 }, [830, 860], { phase: 1 })],
    ["news-a", op("p0", "pub", publish("one"), [900, 950], { number: 1, value: 1 })],
    ["news-b", op("p1", "pub", publish("two"), [910, 960], { number: 2, value: 2 })],
    ["read-a", reader(0, ["one", "two"], 970)],
    ["read-b", reader(1, ["two"], 980)],
    ["lead-a", op("p0", "leader", { kind: "campaign" }, [1000, 1010], { term: 1 })],
    ["resign-a", op("p0", "leader", { kind: "resign" }, [1020, 1030])],
    ["lead-b", op("p1", "leader", { kind: "campaign" }, [1001, 1040], { term: 2 })],
    ["resign-b", op("p1", "leader", { kind: "resign" }, [1050, 1060])],
    [
      "session",
      [
        ["session", 90, "p0", "open"],
        ["session", 2000, "p0", "closed"],
      ],
    ],
  ];
  return new Map(lines.map(([name, some]) => [name, [...some]]));
}

type History = Map<string, HistoryLine[]>;

function judge(history: History, record?: readonly RecordLine[]): readonly ViolationKind[] {
  const lines = [...history.values()].flat().toSorted((a, b) => a[1] - b[1]);
  const all: HistoryLine[] = [["clock", 0, wallUs], ...lines];
  if (!history.has("broken off")) all.push(["complete", Math.max(3000, lines.at(-1)?.[1] ?? 0)]);
  const histories = new HistoryReader();
  for (const line of all) histories.take(parseLine(formatLine(line)));
  histories.endFile("p.history");
  const read = new Record();
  for (const line of record ?? []) read.take(line);
  const { violations } = check(histories.result(), record === undefined ? undefined : read);
  return violations.map(({ kind }) => kind);
}

const ended = (line: HistoryLine | undefined, changes: object): HistoryLine => {
  if (line?.[0] !== "end") throw new Error("no answer");
  const [word, us, id, code, answer] = line;
  return [word, us, id, code, { ...answer, ...changes }];
};

/** Changes the answer of an operation. */
const answer = (name: string, changes: object) => (history: History) => {
  const lines = history.get(name) ?? [];
  lines[1] = ended(lines[1], changes);
};

/** Moves the answer of an operation to another time. */
const at = (name: string, us: number) => (history: History) => {
  const lines = history.get(name) ?? [];
  const line = lines[1];
  if (line?.[0] === "end") lines[1] = ["end", us, line[2], line[3], line[4]];
};

const code = (name: string, word: string) => (history: History) => {
  const lines = history.get(name) ?? [];
  const line = lines[1];
  if (line?.[0] === "end") lines[1] = ["end", line[1], line[2], word, {}];
};

const without = (name: string) => (history: History) => void history.get(name)?.splice(1, 1);
const never = (name: string) => (history: History) => void history.delete(name);

const planted: readonly (readonly [string, ViolationKind, (history: History) => void])[] = [
  ["an arrival that is never answered", "lost", without("quorum-a")],
  ["a count that does not cross although all have come", "not-counted", without("wait-a")],
  ["a reader that never ends", "lost", (h) => void h.get("read-a")?.pop()],
  [
    "an acknowledged message that no reader has",
    "lost",
    (h) => {
      h.delete("read-b");
      h.get("read-a")?.splice(2, 1);
    },
  ],
  [
    "a second answer",
    "doubled",
    (h) => void h.get("wait-b")?.push(ended(h.get("wait-b")?.[1], {})),
  ],
  ["a second crossing", "doubled", answer("wait-b", { generation: 2 })],
  ["a number that two have", "doubled", answer("ticket-b", { value: 1 })],
  ["a number that is too large", "doubled", answer("ticket-b", { value: 3 })],
  ["a number left out", "gap", answer("signal-a", { value: 0 })],
  [
    "numbers against the order of time",
    "order",
    (h) => {
      answer("ticket-a", { value: 2 })(h);
      answer("ticket-b", { value: 1 })(h);
    },
  ],
  [
    "a message twice in a topic",
    "doubled",
    (h) => {
      h.set("read-a", [...reader(0, ["one", "two", "one"], 970)]);
    },
  ],
  [
    "a reader that hears one again",
    "doubled",
    (h) => {
      const lines = h.get("read-a") ?? [];
      lines.splice(3, 0, lines[1] as HistoryLine);
    },
  ],
  ["a reader that misses one", "gap", (h) => void h.get("read-a")?.splice(1, 1)],
  ["two orders of one topic", "order", (h) => void h.set("read-b", [...reader(1, ["one"], 980)])],
  [
    "a message elsewhere than its publisher was told",
    "order",
    (h) => {
      answer("news-a", { number: 2 })(h);
      answer("news-b", { number: 1 })(h);
    },
  ],
  ["a message that nobody published", "doubled", never("news-b")],
  [
    "a message read before it was published",
    "early",
    (h) => {
      h.set("read-b", [...reader(1, ["two"], 905)]);
    },
  ],
  ["a count let go before the last has asked", "early", at("wait-a", 199)],
  ["a state let go before the last has asked", "early", at("signal-a", 449)],
  ["a phase let go before the last has asked", "early", at("phase-a", 829)],
  ["a quorum that nobody opened", "early", never("quorum")],
  ["a wait for one who never came", "early", never("wait-b")],
  ["an error number that nobody brought", "disagreement", answer("wait-a", { error: 5 })],
  ["another phase", "disagreement", answer("phase-a", { phase: 2 })],
  ["two leaders", "two-leaders", at("lead-b", 1015)],
  ["a term that does not grow", "two-leaders", answer("lead-b", { term: 1 })],
  [
    "a session that was lost",
    "session",
    (h) => {
      h.set("session", [
        ["session", 90, "p0", "open"],
        ["session", 2000, "p0", "ended"],
      ]);
    },
  ],
  ["a session that never ended", "session", (h) => void h.get("session")?.pop()],
  ["an answer after minutes to who waits for nobody", "late", at("quorum", 121_000_000)],
  ["an answer that is an error", "refused", code("wait-a", "cancelled")],
  ["an election that is refused", "refused", code("lead-b", "limit")],
  ["an opening that is refused", "refused", code("roster", "invalid")],
  ["a history that breaks off", "history", (h) => void h.set("broken off", [])],
];

describe("the checker of a run under faults", () => {
  it("finds nothing where all is well", () => {
    expect(judge(well())).toEqual([]);
  });

  for (const [title, kind, plant] of planted) {
    it(`finds ${title}: ${kind}`, () => {
      const history = well();
      plant(history);
      expect(judge(history)).toContain(kind);
    });
  }

  it("does not hold against old doors what their protocols allow", () => {
    const history = well();
    code("wait-a", "closed")(history);
    code("wait-b", "gave-up")(history);
    code("ticket-a", "closed")(history);
    expect(judge(history)).toEqual([]);
  });

  it("does not count a publication whose message could not be stored", () => {
    const history = well();
    const asked: Asked = { kind: "publish-wait", topic: "news", text: "three", target: 2 };
    const [ask, end] = op("p0", "pub", asked, [905, 908]) as [HistoryLine, HistoryLine];
    history.set("refused", [ask, ["end", 908, end[2] as number, "unavailable", {}]]);
    expect(judge(history)).toEqual([]);
    history.set("read-a", [...reader(0, ["one", "two", "three"], 970)]);
    expect(judge(history)).toContain("doubled");
  });
});

describe("what is asked again with an id", () => {
  const second = 1_000_000;
  /** Its answer comes at the end; before it, it is asked again at these instants. */
  function asked(
    party: string,
    crossing: number,
    [askUs, endUs]: readonly [number, number],
    agains: readonly (readonly [number, boolean])[] = [],
    generation = crossing,
  ): Lines {
    const wait: Asked = { kind: "count-wait", error: 0, crossing };
    const [ask, end] = op(party, "c", wait, [askUs, endUs], { generation, error: 0 });
    const id = lastId;
    const again = agains.map(([us, had]): HistoryLine => ["again", us, id, had]);
    return [ask, ...again, end].filter((line) => line !== undefined);
  }
  const init = (crossing: number, us: number): Lines =>
    op("h0", "c", { kind: "count-init", count: 2, error: 0, crossing }, [us, us + 1]);
  /** Two crossings of one name, of which the first has one who asks again. */
  const crossings = (): [string, HistoryLine[]][] => [
    ["init 1", [...init(1, 100)]],
    ["a 1", [...asked("h0", 1, [110, 300], [[150, true]])]],
    ["b 1", [...asked("h1", 1, [200, 310])]],
    ["init 2", [...init(2, 400)]],
    ["a 2", [...asked("h0", 2, [410, 600])]],
    ["b 2", [...asked("h1", 2, [500, 610])]],
  ];
  const changed = (name: string, ...lines: readonly Lines[]) =>
    judge(new Map([...crossings(), [name, lines.flat()]]));

  it("counts once at each crossing of a name", () => {
    expect(judge(new Map(crossings()))).toEqual([]);
    expect(changed("a 1", asked("h0", 1, [110, 199], [[150, true]]))).toEqual(["early"]);
    expect(changed("a 2", asked("h0", 2, [410, 499]))).toEqual(["early"]);
  });

  it("crosses with one generation, larger than the one before", () => {
    const a = (generation: number) => asked("h0", 2, [410, 600], [], generation);
    const b = (generation: number) => asked("h1", 2, [500, 610], [], generation);
    expect(changed("a 2", a(3))).toEqual(["doubled"]);
    // It may be another barrier for who asked again.
    expect(judge(new Map([...crossings(), ["a 2", [...a(3)]], ["b 2", [...b(3)]]]))).toEqual([]);
    expect(judge(new Map([...crossings(), ["a 2", [...a(1)]], ["b 2", [...b(1)]]]))).toEqual([
      "doubled",
    ]);
    // Not when nobody did.
    const never = crossings().map(([name, lines]): [string, HistoryLine[]] => [
      name,
      lines.filter(([word]) => word !== "again"),
    ]);
    const other = new Map([...never, ["a 2", [...a(3)]], ["b 2", [...b(3)]]]);
    expect(judge(other)).toEqual(["doubled", "doubled"]);
  });

  it("holds for 30 s since a server may have heard of it, and not beyond", () => {
    // Let go before the other has asked. The request of 2 s may have been had, the next was not.
    const early = (us: number, isHad: boolean): readonly ViolationKind[] => {
      const lines = new Map(crossings().slice(0, 1));
      const end = 100 * second;
      lines.set("a", [
        ...asked(
          "h0",
          1,
          [second, end],
          [
            [2 * second, true],
            [3 * second, isHad],
            [us, false],
          ],
        ),
      ]);
      lines.set("b", [...asked("h1", 1, [end + 1, end + 2])]);
      return judge(lines);
    };
    expect(early(31 * second, false)).toEqual(["early"]);
    expect(early(31 * second + 1, false)).toEqual([]);
    expect(early(32 * second, true)).toEqual(["early"]);
    expect(early(32 * second + 1, true)).toEqual([]);
  });

  /** A counter with one who asked from 1 s to 41 s, and may have counted twice. */
  function tickets(numbers: readonly [number, number, number, number]): readonly ViolationKind[] {
    const signal = (party: string, [from, to]: readonly [number, number], value: number): Lines =>
      op(party, "tickets", { kind: "signal" }, [from * second, to * second], { value });
    const [ask, end] = signal("h0", [1, 41], numbers[2]);
    const id = lastId;
    if (ask === undefined || end === undefined) throw new Error("no answer");
    const agains = [2, 40].map((at): HistoryLine => ["again", at * second, id, true]);
    return judge(
      new Map([
        ["a", [...signal("h1", [0.2, 0.3], numbers[0])]],
        ["b", [...signal("h2", [10, 11], numbers[1])]],
        ["again", [ask, ...agains, end]],
        ["c", [...signal("h1", [50, 51], numbers[3])]],
      ]),
    );
  }

  it("leaves out one number for who may have counted twice, before its own, and no other", () => {
    expect(tickets([1, 2, 3, 4])).toEqual([]);
    expect(tickets([1, 3, 4, 5])).toEqual([]);
    expect(tickets([1, 2, 4, 5])).toEqual([]);
    // Behind its own, before it asked, and more than one.
    expect(tickets([1, 2, 3, 5])).toEqual(["gap"]);
    expect(tickets([2, 3, 4, 5])).toEqual(["gap"]);
    expect(tickets([1, 3, 5, 6])).toContain("gap");
  });

  it("finds in its counter what is doubled, too large or against time all the same", () => {
    expect(tickets([1, 2, 2, 3])).toEqual(["doubled"]);
    expect(tickets([1, 2, 3, 3])).toEqual(["doubled"]);
    expect(tickets([1, 2, 3, 6])).toContain("doubled");
    expect(tickets([1, 4, 3, 2])).toContain("order");
  });

  it("lets who may have counted twice stand for one other, from then on", () => {
    const agains = [
      [2 * second, true],
      [40 * second, true],
    ] as const;
    const wait = (party: string, crossing: number, [from, to]: readonly [number, number]): Lines =>
      asked(party, crossing, [from * second, to * second]);
    const found = (
      changes: readonly [string, Lines][] = [],
      record?: readonly RecordLine[],
    ): readonly ViolationKind[] =>
      judge(
        new Map([
          ["init 1", [...init(1, 100)]],
          ["a 1", [...asked("h0", 1, [second, 41 * second], agains)]],
          ["b 1", [...wait("h1", 1, [0.5, 41])]],
          ["init 2", [...init(2, 42 * second)]],
          ["a 2", [...wait("h0", 2, [43, 62])]],
          ["b 2", [...wait("h1", 2, [60, 61])]],
          ...changes.map(([name, lines]): [string, HistoryLine[]] => [name, [...lines]]),
        ]),
        record,
      );
    expect(found()).toEqual([]);
    expect(found([["a 2", wait("h0", 2, [43, 44])]])).toEqual([]);
    // The log knows it by its key, as one.
    const log = ["b1", "a1", "a1", "a2", "b2"].map((key, index): RecordLine => {
      const stampUs = wallUs + ([0.5, 1, 40, 43, 60][index] ?? 0) * second;
      return [index + 1, stampUs, [["m.1", index, "count-wait", scope, "c", key]]];
    });
    expect(found([["a 2", wait("h0", 2, [43, 44])]], log)).toEqual([]);
    expect(found([["a 2", wait("h0", 2, [43, 44])]], log.slice(0, 4))).toEqual(["before-log"]);
    // Not before it may have counted again, for no two, and not at the crossing before.
    expect(found([["b 1", wait("h1", 1, [0.5, 0.6])]])).toEqual(["early"]);
    const three = op("h0", "c", { kind: "count-init", count: 1, error: 0, crossing: 2 }, [
      ...([42.1 * second, 42.2 * second] as const),
    ]);
    expect(found([["more 2", three]])).toEqual([]);
    expect(found([["more 2", [...three, ...init(2, 42.5 * second)]]])).toContain("early");
    const late = asked(
      "h0",
      2,
      [43 * second, 99 * second],
      [
        ...([
          [44 * second, true],
          [98 * second, true],
        ] as const),
      ],
    );
    const before = asked("h0", 1, [second, 41 * second]);
    const behind: [string, Lines][] = [
      ["a 1", before],
      ["a 2", late],
    ];
    expect(found(behind)).toEqual([]);
    expect(found([...behind, ["b 1", wait("h1", 1, [0.5, 0.6])]])).toEqual(["early"]);
    const alone: [string, Lines][] = [
      ["a 1", []],
      ["a 2", late],
    ];
    expect(found([...alone, ["b 1", wait("h1", 1, [0.5, 99.5])]])).toContain("early");
  });

  it("does not excuse who was never answered, or was refused", () => {
    const a = crossings()[4]?.[1] ?? [];
    expect(changed("a 2", a.slice(0, 1))).toContain("not-counted");
    const [ask, end] = a;
    if (ask === undefined || end?.[0] !== "end") throw new Error("no answer");
    expect(changed("a 2", [ask, ["end", 600, end[2], "invalid", {}]])).toContain("refused");
  });

  it("leaves open whether a publication was made that has no id, but not twice", () => {
    const publication = (word: string): HistoryLine[] => {
      const [ask, end] = op("h0", "news", { kind: "publish", text: "three" }, [905, 965]);
      if (ask === undefined || end?.[0] !== "end") throw new Error("no answer");
      return [ask, ["end", 965, end[2], word, {}]];
    };
    const read = (texts: readonly string[], word = "unanswered") => {
      const history = well();
      history.set("three", publication(word));
      history.set("read-a", [...reader(0, texts, 970)]);
      return judge(history);
    };
    expect(read(["one", "two"])).toEqual([]);
    expect(read(["one", "two", "three"])).toEqual([]);
    expect(read(["one", "two", "three", "three"])).toContain("doubled");
    expect(read(["one", "two"], "invalid")).toEqual(["refused"]);
  });
});

describe("a publication that waits and was not answered", () => {
  const asked = (text: string): Asked => ({ kind: "publish-wait", topic: "news", text, target: 2 });
  /** h0 was not answered, and came again with a signal; h1 was. */
  function judged(options: {
    readonly texts?: readonly string[];
    readonly number?: number;
    readonly values?: readonly [number, number];
    readonly ends?: readonly [number, number];
    readonly changes?: (history: History) => void;
  }): readonly ViolationKind[] {
    const { texts = ["a", "b"], values: [own, other] = [3, 2], ends = [300, 310] } = options;
    const number = options.number ?? texts.indexOf("b") + 1;
    const [ask, end] = op("h0", "pub", asked("a"), [100, 150]);
    if (ask === undefined || end?.[0] !== "end") throw new Error("no answer");
    const again: Asked = { kind: "signal-wait", target: 2 };
    const told = { value: other, number };
    const history: History = new Map([
      ["a", [ask, ["end", 150, end[2], "unanswered", {}]]],
      ["again", [...op("h0", "pub", again, [160, ends[0]], { value: own })]],
      ["b", [...op("h1", "pub", asked("b"), [200, ends[1]], told)]],
      ["read", [...reader(0, texts, 400)]],
    ]);
    options.changes?.(history);
    return judge(history);
  }

  it("may be in the topic or not, once", () => {
    expect(judged({})).toEqual([]);
    expect(judged({ texts: ["b"] })).toEqual([]);
    expect(judged({ texts: ["b", "a"] })).toEqual([]);
    expect(judged({ texts: ["a", "b", "a"] })).toContain("doubled");
    expect(judged({ number: 3 })).toContain("gap");
  });

  it("may have signalled or not, once", () => {
    expect(judged({ values: [1, 2] })).toEqual([]);
    expect(judged({ values: [2, 1] })).toEqual([]);
    expect(judged({ values: [3, 1] })).toEqual([]);
    expect(judged({ values: [4, 1] })).toContain("gap");
    expect(judged({ values: [2, 2] })).toContain("doubled");
  });

  it("lets nobody go before as many have asked, and need not do for another", () => {
    // Its own signal twice is enough.
    expect(judged({ values: [2, 3], ends: [190, 310] })).toEqual([]);
    const isAlone = (history: History): void => {
      history.delete("again");
      history.delete("a");
    };
    expect(judged({ texts: ["b"], values: [2, 1], changes: isAlone })).toEqual(["early"]);
    const hangs = (history: History): void => {
      history.delete("again");
      history.get("b")?.splice(1, 1);
    };
    // Nobody has come for sure who is missing.
    expect(judged({ changes: hangs })).toEqual(["lost"]);
    const comes = (history: History): void => void history.get("b")?.splice(1, 1);
    expect(judged({ changes: comes })).toEqual(["lost", "not-counted"]);
  });

  it("is no excuse for who was refused", () => {
    expect(judged({ changes: code("b", "invalid") })).toContain("refused");
  });
});

describe("the record of the log", () => {
  const command = (edge: string, connection: number, kind: string, name: string) =>
    [edge, connection, kind, scope, name] as const;
  const arrivals = [
    command("a.1", 1, "count-wait", "count-1"),
    command("b.1", 1, "count-wait", "count-1"),
    command("a.1", 2, "state-signal-and-wait", "s"),
    command("b.1", 2, "state-signal-and-wait", "s"),
    command("a.1", 3, "state-signal", "tickets"),
    command("b.1", 3, "state-signal", "tickets"),
    command("a.1", 4, "quorum-wait", "q"),
  ];
  const record = (): RecordLine[] =>
    arrivals.map((one, index) => [index + 1, wallUs + 100 + index, [one]]);

  it("agrees with what clients saw, also where something stands twice", () => {
    const twice: RecordLine = [8, wallUs + 900, [arrivals[0] ?? command("", 0, "", "")]];
    expect(judge(well(), [...record(), twice])).toEqual([]);
  });

  it("shows who was let go before the log had the last arrival", () => {
    const lines = record();
    lines[1] = [2, wallUs + 1_000_000, [command("b.1", 1, "count-wait", "count-1")]];
    expect(judge(well(), lines)).toEqual(["before-log", "before-log"]);
  });

  it("shows who was answered and is not in the log", () => {
    const lines = record();
    lines[5] = [6, wallUs + 105, []];
    expect(judge(well(), lines)).toEqual(["before-log"]);
  });

  it("shows who came once and is in the log as two", () => {
    const again: RecordLine = [8, wallUs + 900, [command("b.1", 9, "state-signal", "tickets")]];
    expect(judge(well(), [...record(), again])).toEqual(["doubled"]);
  });

  it("counts once what is asked for again with its key, at whichever server", () => {
    const lines = record();
    lines[5] = [6, wallUs + 105, [["b.1", 3, "state-signal", scope, "tickets", "k"]]];
    const again = (key: string): RecordLine => [
      ...([8, wallUs + 900] as const),
      [["c.1", 1, "state-signal", scope, "tickets", key]],
    ];
    expect(judge(well(), [...lines, again("k")])).toEqual([]);
    expect(judge(well(), [...lines, again("other")])).toEqual(["doubled"]);
  });

  it("shows that something of it is missing", () => {
    const lines = record();
    lines[6] = [9, wallUs + 106, lines[6]?.[2] ?? []];
    expect(judge(well(), lines)).toEqual(["history"]);
  });
});
