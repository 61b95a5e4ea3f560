// SPDX-License-Identifier: MIT
// Goal: a change of a link that is asked for while another waits for its instant does not come
// before it: the other says all of a direction, as it was planned, and would undo it (K5).
// Method: both back ends with a delay node and a kernel that only write down what they are told.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { createInterface } from "node:readline";
import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { DelayNodeBackend } from "../../../src/network/delay-node/delay-node-backend.ts";
import type { ShaperRequest } from "../../../src/network/delay-node/shaper-messages.ts";
import type { LinkEnds, NamespaceCommands } from "../../../src/network/link-backend.ts";
import { type LinkChange, type ShapedLink, unshaped } from "../../../src/network/model.ts";
import { NetemBackend } from "../../../src/network/netem/netem-backend.ts";
import type { ShapedLinks } from "../../../src/network/shaped-links.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { settle } from "../testbed/fake-backend.ts";

const ends = ["a", "b"].map((node, slot) => ({
  ...{ link: "l", node, port: 0, namespace: { pid: slot + 2 }, interfaceName: "eth1" },
  ...{ mac: `02:4d:00:00:00:0${slot}`, mtu: 1_500, slot },
}));
const links: readonly LinkEnds[] = [{ name: "l", kind: "link", ends }];
const shape: ShapedLink = {
  ...{ name: "l", kind: "link" },
  members: ["a", "b"].map((node) => ({ node, up: unshaped })),
};
const modify = (shape: object): readonly LinkChange[] => [
  { link: "l", node: "a", what: { kind: "modify", shape } },
];

/** A process that is ready, and ends with its input, which it gives to `hear`. */
function process(hear: (line: string, say: (text: string) => void) => void): ChildProcess {
  const pipes = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const child = Object.assign(new EventEmitter(), { ...pipes, pid: 1, kill: () => true });
  pipes.stdout.write('{"kind":"ready"}\n');
  const lines = createInterface({ input: pipes.stdin });
  lines.on("line", (line) => hear(line, (text) => void pipes.stdout.write(text)));
  lines.on("close", () => ["exit", "close"].map((name) => child.emit(name, 0, null)));
  return child as unknown as ChildProcess;
}

function commandsOf(spawn: () => ChildProcess): NamespaceCommands {
  const nothing = () => Promise.resolve();
  const run = () => Promise.resolve("");
  return { hub: { pid: 1 }, enter: (_of, argv) => argv, ip: nothing, run, spawn };
}

/** One is planned 5 ms ahead, another comes 2 ms later. @returns when they were in force */
async function changeTwice(shaped: ShapedLinks, clock: FakeClock): Promise<readonly number[]> {
  await shaped.attach(links, new Map([["l", shape]]));
  clock.advanceTo(1_000_000);
  const first = shaped.setAt(modify({ delayUs: 50_000 }), 1_005_000);
  clock.advanceTo(1_002_000);
  const second = shaped.setAt(modify({ loss: 0.5 }), 0);
  await settle();
  clock.advanceTo(1_005_000);
  const atUs = await Promise.all([first, second]);
  await shaped.stop();
  return atUs;
}

it("is told to a delay node behind what is to be before it", async () => {
  const clock = new FakeClock();
  const told: (readonly [number, number, number])[] = [];
  const commands = commandsOf(() =>
    process((line, say) => {
      const { id, order } = JSON.parse(line) as ShaperRequest;
      if (order.kind === "change") {
        const { delayUs = 0, loss = 0 } = order.updates[0]?.state.shape ?? {};
        told.push([order.atUs, delayUs, loss]);
      }
      const atUs = order.kind === "change" ? order.atUs : undefined;
      say(`${JSON.stringify({ kind: "answer", id, atUs })}\n`);
    }),
  );
  const shaped = new DelayNodeBackend({ commands, clock, seed: 1, threads: 1 });
  expect(await changeTwice(shaped, clock)).toEqual([1_005_000, 1_005_000]);
  expect(told).toEqual([
    [1_005_000, 50_000, 0],
    [1_005_000, 50_000, 0.5],
  ]);
});

it("is told to the kernel behind what is to be before it", async () => {
  const clock = new FakeClock();
  const told: string[] = [];
  const commands = commandsOf(() =>
    process((line) => {
      const said = /delay (\w+) loss random (\S+)/.exec(line);
      if (said !== null) told.push(`${clock.nowUs()}: ${said[1]} ${said[2]}`);
    }),
  );
  await changeTwice(new NetemBackend({ commands, clock }), clock);
  expect(told).toEqual(["1005000: 50000us 0%", "1005000: 50000us 50%"]);
});
