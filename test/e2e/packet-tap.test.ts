// SPDX-License-Identifier: MIT
// Goal: what takes packets for traces where the kernel shapes hands on each packet once, whole or
// cut, of the way it is for, as the filter says; a mark comes behind what was there before it (P1);
// when it can take nothing it says why. Method: the shipped program in namespaces of our own, whose
// link nobody shapes; ping is the sender, tcpdump compiles the filter. Needs root.
import { type ChildProcess, execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LinkEnd, NamespaceCommands } from "../../src/network/link-backend.ts";
import { PacketTap, type PacketTapOptions } from "../../src/network/netem/packet-tap.ts";
import type { TapFrame } from "../../src/network/netem/tap-frames.ts";
import { parseFilterProgram } from "../../src/network/packet-filter.ts";
import { createUnshapedLinks } from "../../src/network/unshaped-links.ts";
import { makeNamespaces, type TestNamespaces } from "./network-support/namespaces.ts";

type Packet = Extract<TapFrame, { kind: "packet" }>;

describe.skipIf(process.getuid?.() !== 0)("a tap of packets", () => {
  let world: TestNamespaces;
  let end: LinkEnd;
  let taken: Packet[];
  const taps: PacketTap[] = [];

  beforeEach(async () => {
    taken = [];
    world = await makeNamespaces(["a", "b"]);
    const link = world.link("l0", "link", ["a", "b"]);
    await createUnshapedLinks(world.commands).attach([link], new Map());
    await world.configure(link, 1);
    const [, b] = link.ends;
    if (b === undefined) throw new Error("no end");
    end = b;
  });

  afterEach(async () => {
    for (const tap of taps.splice(0)) tap.end();
    await world.stop();
  });

  async function open(more: Partial<PacketTapOptions> = {}): Promise<PacketTap> {
    const { commands } = world;
    const tap = await PacketTap.open({
      ...{ commands, namespace: end.namespace, snapBytes: 262_144, filter: [] },
      sources: [
        { way: "sent", device: end.interfaceName, side: "leaving" },
        { way: "received", device: end.interfaceName, side: "coming" },
      ],
      onPacket: (packet) => taken.push({ ...packet, packet: packet.packet.slice() }),
      ...more,
    });
    taps.push(tap);
    return tap;
  }

  const ping = (...words: readonly string[]): Promise<string> =>
    world.run("a", ["ping", "-q", "-i", "0.002", ...words, "10.1.0.2"]);

  test("has all packets of both ways in their order, and answers a mark behind them", async () => {
    const tap = await open();
    const fromUs = Date.now() * 1_000;
    await ping("-c", "200", "-s", "1000");
    expect(await tap.mark()).toBe(0);
    const toUs = Date.now() * 1_000;
    const seen = taken.filter(isIcmp);
    expect(seen.map(({ way }) => way)).toEqual(
      Array.from({ length: 400 }, (_, at) => (at % 2 === 0 ? "received" : "sent")),
    );
    expect(seen.map(sequenceOf)).toEqual(Array.from({ length: 400 }, (_, at) => (at >> 1) + 1));
    expect(new Set(seen.map(({ bytes, packet }) => `${bytes} ${packet.length}`))).toEqual(
      new Set(["1042 1042"]),
    );
    const stamps = seen.map(({ wallUs }) => wallUs);
    expect(stamps).toEqual([...stamps].sort((one, other) => one - other));
    expect(stamps[0]).toBeGreaterThanOrEqual(fromUs);
    expect(stamps.at(-1)).toBeLessThanOrEqual(toUs);
  });

  test("keeps the beginning of a packet, and says how long it was", async () => {
    const tap = await open({ snapBytes: 50 });
    await ping("-c", "1", "-s", "500");
    await tap.mark();
    expect(taken.filter(isIcmp).map(({ bytes, packet }) => [bytes, packet.length])).toEqual([
      [542, 50],
      [542, 50],
    ]);
  });

  test("has the kernel let pass what a filter does", async () => {
    const words = ["-ddd", "-y", "EN10MB", "icmp and greater 300"];
    const filter = parseFilterProgram(execFileSync("tcpdump", words, { encoding: "utf8" }));
    if ("problem" in filter) throw new Error(filter.problem);
    const tap = await open({ filter });
    await ping("-c", "3", "-s", "100");
    await ping("-c", "2", "-s", "300");
    await tap.mark();
    expect(taken.map(({ bytes }) => bytes)).toEqual([342, 342, 342, 342]);
  });

  test("counts what the kernel had no room for", async () => {
    const children: ChildProcess[] = [];
    const spawn: NamespaceCommands["spawn"] = (...how) => {
      const child = world.commands.spawn(...how);
      children.push(child);
      return child;
    };
    const tap = await open({ commands: { ...world.commands, spawn } });
    children[0]?.kill("SIGSTOP");
    await world.run("a", ["ping", "-q", "-f", "-c", "8000", "-s", "1400", "10.1.0.2"]);
    children[0]?.kill("SIGCONT");
    const drops = (await tap.mark()) ?? -1;
    expect(drops).toBeGreaterThan(0);
    expect(taken.filter(isIcmp).length + drops).toBeGreaterThanOrEqual(16_000);
    expect(await tap.mark()).toBe(0);
  });

  test("says why it takes nothing: no such device, one that goes", async () => {
    const nowhere = [{ way: "sent", device: "eth9", side: "leaving" }] as const;
    await expect(open({ sources: nowhere })).rejects.toThrow(/^eth9: No such device/);
    const tap = await open();
    await world.commands.ip(end.namespace, [`link del dev ${end.interfaceName}`]);
    expect(await tap.failed).toMatch(/^eth1: Network is down/);
    expect(await tap.mark()).toBeUndefined();
  });
});

const isIcmp = ({ packet }: Packet): boolean => packet[12] === 8 && packet[23] === 1;
const sequenceOf = ({ packet }: Packet): number => ((packet[40] ?? 0) << 8) | (packet[41] ?? 0);
