// SPDX-License-Identifier: MIT
// Goal: what is written in one turn of the event loop leaves with one write, in order, and what
// comes later with the next. Method: a stream that counts, and a turn that ends when we say so.
import { Writable } from "node:stream";
import { expect, it } from "vitest";
import { gatherWrites } from "../../../src/host/gather-writes.ts";

it("writes once a turn, all of it, and again in the next turn", () => {
  const written: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      written.push(chunk);
      done();
    },
    writev: (chunks, done) => {
      written.push(chunks.map(({ chunk }) => String(chunk)).join());
      done();
    },
  });
  let ends: (() => void)[] = [];
  const gather = gatherWrites(stream, { endOfTurn: (callback) => ends.push(callback) });
  const say = (text: string): void => {
    gather();
    stream.write(text);
  };
  const endTurn = (): void => {
    const all = ends;
    ends = [];
    for (const end of all) end();
  };
  for (const text of ["a", "b", "c"]) say(text);
  expect([written, ends.length]).toEqual([[], 1]);
  endTurn();
  say("d");
  say("e");
  expect(written).toEqual(["a,b,c"]);
  endTurn();
  expect(written).toEqual(["a,b,c", "d,e"]);
});
