// SPDX-License-Identifier: MIT
// Goal: a filter of a trace lets those packets pass that tcpdump would, for its whole language, and
// for packets of any content and length; a text that is no program is not run (F1, F2). Method:
// tcpdump compiles each expression, and says itself which packets of a file it takes; the packets
// are of all common kinds, cut off anywhere and spoiled at random, from a seed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { parseNsFile } from "../../src/experiment/index.ts";
import { systemClock } from "../../src/host/clock.ts";
import { PacketFilter, parseFilterProgram } from "../../src/network/packet-filter.ts";
import { PcapWriter, pcapFileHeader } from "../../src/network/pcap-writer.ts";
import { compileFilter } from "../../src/testbed/agents/compile-filter.ts";

const path = { env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` } };
const hasTcpdump = ((): boolean => {
  try {
    execFileSync("tcpdump", ["--version"], { ...path, stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const expressions = [
  ...["ip", "arp", "ip6", "icmp", "icmp6", "udp", "tcp", "not ip", "ip or arp", "vlan 7"],
  ...["host 10.1.1.2", "src host 10.1.1.2", "dst host 10.1.1.3 and udp", "net 10.1.0.0/16"],
  ...["port 53", "tcp port 80", "udp src port 53", "portrange 50-90", "tcp dst portrange 1-1023"],
  ...["ether host 02:4d:00:00:00:01", "ether broadcast", "ether multicast", "ip broadcast"],
  ...["icmp[icmptype] = icmp-echo", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "ip[8] < 5"],
  ...["tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420", "ip[2:2] - (ip[0] & 0xf) * 4 > 60"],
  ...["len > 100", "less 60", "greater 61", "ip proto 17", "ip6 proto 58", "ether proto 0x0806"],
  ...["(ip[6:2] & 0x1fff) = 0", "ip[9] * 3 = 51", "ip[9] / 2 = 8", "len % 7 = 3", "ip[1] ^ 3 = 3"],
  ...["ip[8] << 2 = 256", "udp[4:2] + 1 = 21", "ip host 10.1.1.2 and not (tcp or port 53)"],
];

const bytes = (text: string): number[] => [...Buffer.from(text.replaceAll(" ", ""), "hex")];
const macs = "024d00000001 024d00000002";
const toAll = "ffffffffffff 024d00000002";
const ipv4 = (protocol: string, rest: string, from = "0a010102", to = "0a010103"): string =>
  `${macs} 0800 4500 0040 0001 0000 40 ${protocol} 0000 ${from} ${to} ${rest}`;
const usual = [
  ipv4("01", "0800 0000 0001 0001 6162636465666768"),
  ipv4("01", "0000 0000 0001 0001 6162636465666768", "0a010103", "0a010102"),
  ipv4("11", "0035 1234 0014 0000 000102030405060708090a0b"),
  ipv4("11", "1234 0035 0014 0000 000102030405060708090a0b", "c0a80001"),
  ipv4("06", "1234 0050 00000001 00000000 5002 ffff 0000 0000"),
  ipv4("06", "0050 1234 00000001 00000000 5018 ffff 0000 0000 47455420 2f0d0a"),
  ipv4("06", "0050 1234 00000001 00000000 5011 ffff 0000 0000").replace("0000 40", "2001 03"),
  `${toAll} 0806 0001 0800 06 04 0001 024d00000002 0a010102 000000000000 0a010103`,
  `${macs} 86dd 6000 0000 0008 3a ff ${"fe80".padEnd(32, "0")} ${"ff02".padEnd(32, "0")} 8700 0000`,
  `${macs} 86dd 6000 0000 0014 11 40 ${"fd".padEnd(32, "1")} ${"fd".padEnd(32, "2")} 0035 0050 0008 0000`,
  `${macs} 8100 0007 0800 4500 0014 0001 0000 40 11 0000 0a010102 0a010103 0035 0035 0008 0000`,
  `3333 00000001 024d00000001 88cc 0207`,
].map(bytes);

function packetsOf(seed: number): readonly Uint8Array[] {
  const random = new Random(seed);
  const below = (limit: number): number => random.below(limit);
  return Array.from({ length: 3_000 }, () => {
    const packet = Uint8Array.from(usual[below(usual.length)] ?? []);
    for (let spoiled = below(4); spoiled > 0; spoiled -= 1) {
      packet[below(packet.length)] = below(4) === 0 ? below(256) : below(8);
    }
    const longer = new Uint8Array(packet.length + (below(3) === 0 ? below(120) : 0));
    longer.set(packet);
    return below(3) === 0 ? longer.subarray(0, 1 + below(longer.length)) : longer;
  });
}

describe.skipIf(!hasTcpdump)("a filter", () => {
  const directory = mkdtempSync(join(tmpdir(), "muster-test-filter-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it("takes what tcpdump takes, and nothing else", async () => {
    const seed = Number(process.env["MUSTER_TEST_SEED"] ?? 1);
    const packets = packetsOf(seed);
    const writer = new PcapWriter(65_536, 4 << 20);
    // The second of a packet is its number.
    for (const [at, packet] of packets.entries()) writer.put(at * 1_000_000, packet, 0);
    const file = join(directory, "packets.pcap");
    writeFileSync(file, Buffer.concat([pcapFileHeader(65_536), writer.take()]));
    let taken = 0;
    for (const expression of expressions) {
      const words = ["-r", file, "-w", "-", "--", expression];
      const kept = execFileSync("tcpdump", words, { ...path, stdio: ["ignore", "pipe", "ignore"] });
      const expected: number[] = [];
      for (let at = 24; at < kept.length; at += 16 + kept.readUInt32LE(at + 8)) {
        expected.push(kept.readUInt32LE(at));
      }
      const program = await compileFilter({ links: [], clock: systemClock }, "l0", expression);
      if (typeof program === "string") throw new Error(`${expression}: ${program}`);
      const filter = new PacketFilter(program);
      const own = [...packets.keys()].filter((at) => {
        const packet = packets[at] ?? new Uint8Array();
        // Where in its bytes it begins changes nothing.
        const shifted = Uint8Array.from([1, 2, 3, ...packet]);
        return filter.accepts(shifted, 3);
      });
      expect(own, `${expression}, seed ${seed}`).toEqual(expected);
      taken += own.length;
    }
    expect(taken).toBeGreaterThan(packets.length);
  });

  it("knows ends of links by the names that nodes give them", async () => {
    const { experiment } = parseNsFile(
      `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l0 [$ns duplex-link $a $b 10Mb 0ms DropTail]
set l1 [$ns duplex-link $a $b 10Mb 0ms DropTail]
$ns run`,
      { file: "a.ns", pid: "p", eid: "e" },
    );
    const links = experiment?.links ?? [];
    const compile = (expression: string) =>
      compileFilter({ links, clock: systemClock }, "l0", expression);
    expect(await compile("host a and dst b")).toEqual(
      await compile("host 10.1.1.2 and dst 10.1.1.3"),
    );
    expect(await compile("src a-l1")).toEqual(await compile("src 10.1.2.2"));
    expect(await compile("no such thing")).toMatch(/can't parse filter expression/);
  });
});

describe("a text that is no program", () => {
  it.each([
    ["", "a program of  instructions has 0 lines"],
    ["2\n6 0 0 0", "a program of 2 instructions has 1 lines"],
    ["1\n40 0 0 12", "instruction 1 (40 0 0 12) is none"],
    ["2\n21 1 0 5\n6 0 0 0", "instruction 1 (21 1 0 5) is none"],
    ["2\n5 0 0 1\n6 0 0 0", "instruction 1 (5 0 0 1) is none"],
    ["2\n96 0 0 16\n6 0 0 0", "instruction 1 (96 0 0 16) is none"],
    ["2\n2 0 0 16\n6 0 0 0", "instruction 1 (2 0 0 16) is none"],
    ["1\n6 0 0 4294967296", "instruction 1 (6 0 0 4294967296) is none"],
    ["1\n6 0 0 x", "instruction 1 (6 0 0 x) is none"],
    ["1\n6 0 0 -1", "instruction 1 (6 0 0 -1) is none"],
  ])("is refused: %j", (text, problem) => {
    expect(parseFilterProgram(text)).toEqual({ problem });
  });

  it("as any other text of numbers, ends whatever it is", () => {
    const random = new Random(7);
    const below = (limit: number): number => random.below(limit);
    let read = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const count = 1 + below(4);
      const lines = Array.from({ length: count }, (_none, at) =>
        at === count - 1
          ? `6 0 0 ${below(2)}`
          : `${below(256)} ${below(3)} ${below(3)} ${below(20)}`,
      );
      const program = parseFilterProgram([count, ...lines].join("\n"));
      if ("problem" in program) continue;
      read += 1;
      expect(new PacketFilter(program).accepts(Uint8Array.of(1, 2, 3, 4, 5), 1)).toBeTypeOf(
        "boolean",
      );
    }
    expect(read).toBeGreaterThan(1_000);
  });
});
