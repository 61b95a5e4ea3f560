// SPDX-License-Identifier: MIT
// Goal: what a YAML file says of a link is what its directions are shaped by, and what it says of
// one end goes to that end.
// Method: files read as text and put together as a run does; no network.
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { type Experiment, formatDiagnostic, printYaml } from "../../../src/experiment/index.ts";
import { findLinkObject, readLinkEvent } from "../../../src/network/link-args.ts";
import { shapeLink, unshaped, usualQueue } from "../../../src/network/model.ts";

function read(link: string, event = ""): ReturnType<typeof readYamlExperiment> {
  const events = event === "" ? "" : `events:\n  - { at: 1s, ${event} }\n`;
  const text = `nodes: [a, b, c]\nlinks:\n  l: ${link}\n${events}`;
  return readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
}

function shapesOf(link: string) {
  const { experiment, diagnostics } = read(link);
  expect(diagnostics).toEqual([]);
  const [first] = experiment?.links ?? [];
  if (first === undefined) throw new Error("no link");
  return shapeLink(first).members;
}

const red = { ...usualQueue, kind: "red", limit: 40, meanPacketBytes: 500 };

describe("a link of a YAML file", () => {
  it("has each way all that is said of the whole, and the queue of the node that sends", () => {
    const [forward, backward] = shapesOf(
      "{ between: [a, b], bandwidth: 1Mbps, delay: 5ms, jitter: 3ms, duplicate: 1%, reorder: 5%, " +
        "queue: { kind: red, limit: 40packets }, backward: { jitter: 1ms, queue: 9000bytes } }",
    );
    const whole = { ...unshaped, bandwidthBps: 1_000_000, delayUs: 5_000 };
    expect(forward?.up).toMatchObject({ ...whole, ...shares, jitterUs: 3_000, queue: red });
    const bytes = { limit: 9_000, limitUnit: "bytes", kind: "drop-tail" };
    expect(backward?.up).toMatchObject({ ...whole, ...shares, jitterUs: 1_000, queue: bytes });
  });

  const shares = { duplicate: expect.closeTo(0.01, 12), reorder: expect.closeTo(0.05, 12) };

  it("shares them between the two ways of a LAN, of which an end may have its own", () => {
    const [a, b] = shapesOf(
      "{ lan: [a, { node: b, to: { jitter: 0us }, queue: 20packets }], delay: 5ms, jitter: 3001us }",
    );
    expect([a?.up.jitterUs, a?.down?.jitterUs]).toEqual([1_501, 1_500]);
    expect([b?.up.jitterUs, b?.down?.jitterUs]).toEqual([0, 1_500]);
    expect([a?.up.queue.limit, b?.up.queue.limit]).toEqual([50, 20]);
  });

  it("takes the preset queue for one that says nothing else", () => {
    const { experiment } = read(
      "{ between: [a, b], queue: { kind: drop-tail, limit: 50packets } }",
    );
    expect(experiment?.links[0]?.members.map(({ queue }) => queue)).toEqual([undefined, undefined]);
  });

  it.each([
    ["queue: 50", "queue is a length such as 50packets or 9000bytes"],
    ["queue: { kind: fifo }", "kind cannot be"],
    ["queue: { limit: 0packets }", "limit is a length such as 50packets or 9000bytes"],
    ["queue: { minThreshold: 900bytes }", "minThreshold is a length such as 5packets"],
    ["jitter: 3", 'jitter: the time "3" has no unit'],
    ["reorder: 1", 'reorder: "1" has no unit, and could be all or 1%'],
    ["reorder: 5", 'reorder: "5" has no unit'],
  ])("refuses %s", (words, message) => {
    const { experiment, diagnostics } = read(`{ between: [a, b], delay: 5ms, ${words} }`);
    expect(experiment).toBeUndefined();
    expect(diagnostics.map((one) => formatDiagnostic(one, "")).join("\n")).toContain(message);
  });
});

describe("an event of a link of a YAML file", () => {
  it("changes all that can be set, and keeps the rest", () => {
    const set =
      "{ jitter: 1ms, duplicate: 2%, reorder: 3%, queue: { limit: 9000bytes, dropOneIn: 5 } }";
    const { experiment } = read("{ between: [a, b] }", `target: l, do: modify, set: ${set}`);
    const [link] = experiment?.links ?? [];
    const object = findLinkObject(link === undefined ? [] : [shapeLink(link)], "l");
    const [event] = experiment?.events ?? [];
    if (object === undefined || event === undefined) throw new Error("no event of l");
    expect(readLinkEvent(object, event.event, event.args)).toEqual([
      {
        link: "l",
        what: {
          kind: "modify",
          shape: {
            jitterUs: 1_000,
            duplicate: 0.02,
            reorder: 0.03,
            queue: { limit: 9_000, limitUnit: "bytes", dropOneIn: 5 },
          },
        },
      },
    ]);
  });

  it("is meant from node to node, of a LAN as of a link, as what the file asks is", () => {
    const sets = "delay: 20ms, loss: 19%, bandwidth: 1Mbps";
    const asked = shapesOf(`{ lan: [a, b, c], ${sets} }`);
    const { experiment } = read("{ lan: [a, b, c] }", `target: l, do: modify, set: { ${sets} }`);
    const [link] = experiment?.links ?? [];
    const [event] = experiment?.events ?? [];
    if (link === undefined || event === undefined) throw new Error("no event of l");
    expect(event.args).toMatch(/^BANDWIDTH=1000 DELAY=10ms PLR=0\.09999/);
    const changes = readLinkEvent({ link: shapeLink(link) }, event.event, event.args);
    const [up] = asked.map((member) => member.up);
    const { bandwidthBps, delayUs, loss } = up ?? unshaped;
    expect([delayUs, loss]).toEqual([10_000, expect.closeTo(0.1, 12)]);
    const shape = { bandwidthBps, delayUs, loss };
    expect(changes).toEqual([{ link: "l", what: { kind: "modify", shape } }]);
  });

  it("is as it stands for one member of a LAN", () => {
    const set = "target: l-b, do: modify, set: { delay: 20ms }";
    const { experiment } = read("{ lan: [a, b] }", set);
    expect(experiment?.events).toMatchObject([{ object: "l-b", args: "DELAY=20ms" }]);
  });

  it("says of a group with links and LANs that it is from node to node", () => {
    const file = (members: string, set: string) =>
      readYamlExperiment(
        `nodes: [a, b, c]\nlinks:\n  one: { lan: [a, b] }\n  two: { lan: [b, c] }\n` +
          `  l: { between: [a, c] }\ngroups: { g: [${members}] }\n` +
          `events:\n  - { at: 1s, target: g, do: modify, set: { ${set} } }\n`,
        { file: "a.yaml", defaultEid: "e" },
      ).experiment as Experiment;
    for (const [members, set, args] of [
      ["one, l", "delay: 20ms", "PIPE=path DELAY=20ms"],
      ["one, l", "bandwidth: 1Mbps", "BANDWIDTH=1000"],
      ["one, two", "delay: 5us", "DELAY=0.0025ms"],
      ["l", "delay: 20ms", "DELAY=20ms"],
    ] as const) {
      const experiment = file(members, set);
      expect(experiment.events[0]?.args).toBe(args);
      expect(printYaml(experiment)).toContain(`set: { ${set} }`);
    }
  });

  it("is for one end by LINK-NODE, if the link has it", () => {
    const { experiment } = read("{ lan: [a, b] }", "target: l-b, do: down");
    expect(experiment?.events).toMatchObject([{ object: "l-b", type: "LINK", event: "DOWN" }]);
    const { diagnostics } = read("{ lan: [a, b] }", "target: l-c, do: down");
    expect(diagnostics.map(({ code }) => code)).toEqual(["YAML_UNKNOWN_NAME"]);
  });

  it("does not change the kind of a queue", () => {
    const { diagnostics } = read(
      "{ between: [a, b] }",
      "target: l, do: modify, set: { queue: { kind: red } }",
    );
    expect(diagnostics.map(({ message }) => message).join()).toContain('no field "kind"');
  });
});
