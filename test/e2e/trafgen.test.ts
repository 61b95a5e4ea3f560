// SPDX-License-Identifier: MIT
// Goal: trafgen as a command at both ends of a flow, with the words of the old one. Method: an
// event server, a scheduler, two trafgen and tevc, each a process of its own but the first; what
// arrives is counted by the sink, and for one test by a socket that is not ours to move.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { experiment, Scheduled } from "./events-support/scheduled.ts";
import { type Command, run, start, until } from "./support/command.ts";

let scheduled: Scheduled;

beforeEach(async () => {
  scheduled = await Scheduled.open(
    `set ns [new Simulator]
source tb_compat.tcl
set a [$ns node]
set b [$ns node]
set link [$ns duplex-link $a $b 10Mb 0ms DropTail]
set udp0 [new Agent/UDP]
$ns attach-agent $a $udp0
set cbr0 [new Application/Traffic/CBR]
$cbr0 attach-agent $udp0
set null0 [new Agent/Null]
$ns attach-agent $b $null0
$ns connect $udp0 $null0
$ns at 100000 "$cbr0 start"
$ns run
`,
    ["a", "b"],
  );
  await scheduled.watchAgents();
});
afterEach(() => scheduled.close());

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function options(port: number, ...more: readonly string[]): readonly string[] {
  const flow = ["-N", "cbr0", "-S", "127.0.0.1.0", "-T", `127.0.0.1.${port}`];
  return [...scheduled.where, "-E", experiment, "-k", scheduled.keyFile, ...flow, ...more];
}

async function startEnd(port: number, ...more: readonly string[]): Promise<Command> {
  const end = start("trafgen", options(port, ...more));
  await end.prints(/(?:sending to|receiving at) 127\.0\.0\.1 port \d+ over/);
  return end;
}

async function stop(end: Command): Promise<RegExpExecArray> {
  end.child.kill("SIGTERM");
  const { code, stderr } = await end.ended;
  expect(code).toBe(0);
  const counted = /(?:sent|received) (\d+) packets, (\d+) bytes/.exec(stderr);
  if (counted === null) throw new Error(`nothing was counted:\n${stderr}`);
  return counted;
}

describe.each(["udp", "tcp"])("a flow over %s", (protocol) => {
  test("is set up when time starts, sent from START to STOP, and counted at both ends", async () => {
    const port = await freePort();
    const sink = await startEnd(port, "-P", protocol, "-R", "sink");
    const source = await startEnd(port, "-P", protocol, "-R", "source");
    await scheduled.served("cbr0");
    await scheduled.tevcWait("now", "__ns_sequence", "start");
    await sink.prints(/TIME START: done/);
    await source.prints(/TIME START(?:, again)?: done/);
    const begun = await scheduled.tevcWait("now", "cbr0", "start", "PACKETSIZE=500", "RATE=2000");
    expect(begun).toMatchObject({ code: 0 });
    // Changes what is sent, and not whether.
    const changed = await scheduled.tevcWait("now", "cbr0", "modify", "INTERVAL=0.001");
    expect(changed).toMatchObject({ code: 0 });
    await scheduled.tevcWait("+0.3", "cbr0", "stop");
    expect((await scheduled.tevc("now", "cbr0", "modify", "RATE=none")).code).toBe(0);
    await source.prints(/MODIFY RATE=none: failed: RATE must be/);
    const [, sentPackets, sentBytes] = await stop(source);
    // At the rate it began with it would be one.
    expect(Number(sentPackets)).toBeGreaterThan(10);
    expect(Number(sentBytes)).toBe(Number(sentPackets) * 500);
    const received = await stop(sink);
    // It may be ended before it has taken all that waits for it.
    expect(Number(received[2])).toBeGreaterThan(0);
    expect(Number(received[2])).toBeLessThanOrEqual(Number(sentBytes));
    if (protocol === "udp") expect(Number(received[2])).toBe(Number(received[1]) * 500);
  });

  test("is set up by START when time never started, and anew by RESET", async () => {
    const port = await freePort();
    const sink = await startEnd(port, "-P", protocol, "-R", "server");
    const source = await startEnd(port, "-P", protocol);
    await scheduled.served("cbr0");
    // Over TCP the source may be quicker than the sink, and is refused then.
    const obeys = async (event: string): Promise<void> => {
      for (let tries = 1; ; tries += 1) {
        await scheduled.tevcWait("now", "cbr0", event);
        const told = (): string[] => [...source.stderr.matchAll(/^trafgen: (.*)/gm)].map(String);
        const own = () => told().filter((line) => line.includes(`${event.toUpperCase()}: `));
        await until(`${event} is told`, () => own().length === tries);
        if (own().at(-1)?.includes(": done")) return;
      }
    };
    await obeys("start");
    await obeys("stop");
    await obeys("reset");
    await scheduled.tevcWait("now", "cbr0", "start");
    await until("it sends again", () => /START: done[\s\S]*START: done/.test(source.stderr));
    const [, sentPackets] = await stop(source);
    // Counted from the last set-up on.
    expect(Number(sentPackets)).toBeGreaterThan(0);
    await stop(sink);
  });
});

test("what is sent has the size that was asked for, also to a stranger", async () => {
  const stranger = createSocket("udp4");
  const sizes: number[] = [];
  stranger.on("message", ({ length }) => sizes.push(length));
  await new Promise<void>((resolve) => stranger.bind(0, "127.0.0.1", resolve));
  const source = await startEnd(stranger.address().port);
  await scheduled.served("cbr0");
  await scheduled.tevcWait("now", "cbr0", "start", "INTERVAL=0.01");
  await until("packets of the default size arrive", () => sizes.at(-1) === 1_024);
  await scheduled.tevcWait("now", "cbr0", "modify", "PACKETSIZE=77");
  await until("packets of the new size arrive", () => sizes.at(-1) === 77);
  await stop(source);
  stranger.close();
});

test("a source that has gone is told to who sends for it", async () => {
  const source = await startEnd(await freePort());
  await scheduled.served("cbr0");
  await endIdle(source);
  expect(await scheduled.tevcWait("now", "cbr0", "start")).toMatchObject({ code: 255 });
});

/** Nothing was set up, nothing is counted. */
async function endIdle(end: Command): Promise<void> {
  end.child.kill("SIGTERM");
  expect((await end.ended).code).toBe(0);
}

test("a wrong command line ends with 1 and says why", async () => {
  const { code, stderr } = await run("trafgen", options(0));
  expect([code, stderr]).toEqual([1, expect.stringContaining("bad -T")]);
});
