// SPDX-License-Identifier: MIT
// The GNUnet doors as a decoder for the fuzzer: bytes of strangers, one character each, at either
// service, cut as the network may cut them.
import fc from "fast-check";
import { gnunetTime } from "../../../src/edges/gnunet-time.ts";
import {
  decodeMessage,
  encodeMessage,
  type GnunetMessage,
  MessageFramer,
} from "../../../src/wire/gnunet/index.ts";
import {
  cancel,
  createPeer,
  crossed,
  destroyPeer,
  failed,
  hello,
  init,
  playDoors,
  settle,
  wait,
} from "../../unit/gnunet/harness.ts";
import { damaged, mixed } from "./mutations.ts";

function expectThat(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const asText = (message: GnunetMessage): string =>
  Buffer.from(encodeMessage(message)).toString("latin1");

const sessions = [
  [wait()],
  [wait("b"), wait("c")],
  [hello, createPeer(1), createPeer(2), init(), crossed(), destroyPeer(1), cancel("x")],
  [hello, init("a"), init("b", 0), cancel("a"), failed("no"), hello],
].map((messages) => messages.map(asText).join(""));

const words = [
  ...[hello, wait(), init(), cancel(), crossed(), createPeer(3)].map(asText),
  "\0",
  "\0\u0003\u0001\u00e7",
  "\0\u0004\0\u0001",
  "\u00ff\u00ff\u0001\u00e4",
  "\0\u0004\u0001\u00e7",
  "\u0001\u00e6\0\u0002\0\u0001b\0",
];

/** Byte by byte through streams in memory: longer ones say nothing more, and take long. */
const textCharactersMax = 1_000;

/** @param found texts that once found a fault. */
export function gnunetTexts(found: readonly string[]): fc.Arbitrary<string> {
  return fc
    .oneof(mixed(words, ""), damaged([...sessions, ...found], words))
    .map((text) => text.slice(0, textCharactersMax));
}

/** Both services, in one piece and in pieces: the same is asked for, and nothing is left behind. */
export async function checkGnunet(text: string): Promise<void> {
  const bytes = Buffer.from(text, "latin1");
  for (const message of new MessageFramer().push(bytes).messages) {
    const decoded = decodeMessage(message);
    if (decoded.kind === "unknown" || decoded.kind === "refused") continue;
    const again = Buffer.from(encodeMessage(decoded));
    expectThat(again.equals(message), "a message is written with other bytes than it had");
  }
  for (const service of ["testbed", "testbed-barrier"] as const) {
    const asked = new Set<string>();
    for (const size of [bytes.length, 1, 7]) asked.add(await played(service, bytes, size));
    expectThat(asked.size === 1, "what is asked for depends on how the network cut the bytes");
  }
}

async function played(
  service: "testbed" | "testbed-barrier",
  bytes: Buffer,
  size: number,
): Promise<string> {
  const { doors, desk, dial, clock } = playDoors();
  const party = dial(service);
  for (let at = 0; at < bytes.length; at += Math.max(1, size)) {
    party.stream.write(bytes.subarray(at, at + Math.max(1, size)));
  }
  await settle();
  // Whoever is not waiting with whole messages is dismissed in time.
  for (let second = 0; second < 25; second += 1) {
    clock.advance(1_000);
    await settle();
  }
  const { messageMs, sweepMs } = gnunetTime;
  expectThat(25_000 > messageMs + 3 * sweepMs, "the test waits long enough");
  const asked = desk.asked.filter((line) => !/^(?:give up|abandon|peers 0)/.test(line)).join("\n");
  party.stream.destroy();
  await settle();
  expectThat(doors.connectionCount === 0, "something of the connection is left");
  expectThat(!doors.hasDriver, "the seat of the driver is still taken");
  const open = countOpen(desk.asked);
  expectThat(open === 0, "something that was asked for is not given up with its connection");
  return asked;
}

/** Waits and barriers that nobody took back, with their number once each. */
function countOpen(asked: readonly string[]): number {
  const open = new Set<string>();
  for (const line of asked) {
    const [word = "", first = "", second = ""] = line.split(" ");
    if (word === "wait" || word === "init") open.add(first);
    else open.delete(word === "give" ? second : first);
  }
  return open.size;
}
