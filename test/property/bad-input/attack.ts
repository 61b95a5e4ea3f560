// SPDX-License-Identifier: MIT
// Every kind of bad input against a door, each to its documented end; who is served beside it goes
// on. Throws with what did not hold.
import type { Random } from "../../../src/core/random.ts";
import { systemClock } from "../../../src/host/clock.ts";
import type { DoorUnderTest } from "./doors.ts";
import { Bytes, closeCodeIn } from "./wire.ts";

/** An end that takes longer than this is none, milliseconds. */
const endMsMax = 9_000;
/** Cuts of one conversation that are tried in a round, and truncations. */
const cutsMax = 30;
const noises = 12;
const mb64 = 64 * 1024 * 1024;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function attack(door: DoorUnderTest, random: Random): Promise<void> {
  await Promise.all(door.wrong.map((row) => spoil(door, row)));
  for (const at of cutsOf(door.talk, random)) await split(door, at);
  for (const at of cutsOf(door.talk, random)) await truncate(door, at);
  for (let count = 0; count < noises; count += 1) await shout(door, random, count % 2 === 0);
  await dribble(door);
  await flood(door);
  await ignoreAnswers(door);
  await beServed(door, "after all of it");
}

/** A conversation as it should be. */
export async function beServed(door: DoorUnderTest, when: string): Promise<void> {
  const client = new Bytes(door.dial());
  client.write(door.talk);
  await served(door, client, when);
}

async function served(door: DoorUnderTest, client: Bytes, when: string): Promise<void> {
  if (door.ends === true) client.stream.end();
  const isServed = await inTime(client.hears(door.served), door, when);
  expectThat(isServed, door, `${when}: it is not served, but told ${JSON.stringify(client.text)}`);
  await inTime(client.end(), door, `${when}: the end`);
}

async function spoil(door: DoorUnderTest, row: DoorUnderTest["wrong"][number]): Promise<void> {
  const [what, bytes, end] = row;
  const client = new Bytes(door.dial());
  client.write(bytes);
  await inTime(client.endsAfterClose(), door, what);
  const told = JSON.stringify(client.text.slice(0, 300));
  if (end === "nothing") expectThat(client.heard.length === 0, door, `${what}: told ${told}`);
  else if ("code" in end) {
    const code = closeCodeIn(client.heard);
    expectThat(code === end.code, door, `${what}: closed with ${code}, not ${end.code}; ${told}`);
  } else expectThat(client.text.includes(end.says), door, `${what}: told ${told}, not ${end.says}`);
}

/** Wherever the network cuts it, the answer is the same. */
async function split(door: DoorUnderTest, at: number): Promise<void> {
  const client = new Bytes(door.dial());
  client.write(door.talk.subarray(0, at));
  await turn();
  client.write(door.talk.subarray(at));
  await served(door, client, `cut at ${at}`);
}

async function truncate(door: DoorUnderTest, at: number): Promise<void> {
  const client = new Bytes(door.dial());
  client.write(door.talk.subarray(0, at));
  await inTime(client.end(), door, `ended at ${at} of ${door.talk.length}`);
}

/** Noise, with the beginning of a conversation before it or not. */
async function shout(door: DoorUnderTest, random: Random, isAlone: boolean): Promise<void> {
  const before = isAlone ? 0 : random.below(door.talk.length);
  const noise = Buffer.from(Array.from({ length: 200 }, () => random.below(256)));
  const client = new Bytes(door.dial());
  client.write(Buffer.concat([door.talk.subarray(0, before), noise]));
  await inTime(client.end(), door, `noise after ${before} bytes: ${noise.toString("hex")}`);
}

async function dribble(door: DoorUnderTest): Promise<void> {
  const client = new Bytes(door.dial());
  for (const byte of door.talk) {
    client.write(Buffer.from([byte]));
    await turn();
  }
  await served(door, client, "byte by byte");
}

/** 64 MB behind a good beginning; nothing says that they will be read. */
async function flood(door: DoorUnderTest): Promise<void> {
  const client = new Bytes(door.dial());
  client.write(door.talk);
  const chunk = Buffer.alloc(1024 * 1024, 0x78);
  for (let sent = 0; sent < mb64 && client.stream.writable; sent += chunk.length) {
    const isRoomy = client.stream.write(chunk);
    if (isRoomy) continue;
    const drained = new Promise<void>((resolve) => client.stream.once("drain", resolve));
    await inTime(
      Promise.race([drained, client.closed]),
      door,
      "64 MB are neither read nor refused",
    );
  }
  await inTime(client.end(), door, "the end of 64 MB");
}

/** Says much and reads nothing, then goes; others are served meanwhile. */
async function ignoreAnswers(door: DoorUnderTest): Promise<void> {
  const client = new Bytes(door.dial());
  client.stream.pause();
  client.write(door.talk);
  await turn();
  if (door.name !== "gnunet") await beServed(door, "beside one that reads nothing");
  client.stream.destroy();
  await client.closed;
}

function cutsOf(talk: Buffer, random: Random): readonly number[] {
  const all = Array.from({ length: talk.length - 1 }, (_, index) => index + 1);
  if (all.length <= cutsMax) return all;
  return Array.from({ length: cutsMax }, () => 1 + random.below(talk.length - 1));
}

function expectThat(holds: boolean, door: DoorUnderTest, what: string): void {
  if (!holds) throw new Error(`${door.name}: ${what}`);
}

async function inTime<T>(wanted: Promise<T>, door: DoorUnderTest, what: string): Promise<T> {
  let cancel = (): void => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.after(endMsMax, () => {
      reject(new Error(`${door.name}: ${what}: no end within ${endMsMax} ms`));
    });
  });
  try {
    return await Promise.race([wanted, late]);
  } finally {
    cancel();
  }
}
