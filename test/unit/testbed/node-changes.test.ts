// SPDX-License-Identifier: MIT
// Goal: restarts go on beside each other and never beside a modification. Method: changes that end
// when the test says so.
import { expect, it } from "vitest";
import { NodeChanges } from "../../../src/testbed/node-changes.ts";
import { settle } from "./fake-backend.ts";

function setUp() {
  const changes = new NodeChanges();
  const under = new Map<string, () => void>();
  const change = (name: string) => () =>
    new Promise<string>((resolve) => {
      under.set(name, () => {
        under.delete(name);
        resolve(name);
      });
    });
  const end = async (name: string): Promise<void> => {
    under.get(name)?.();
    await settle();
  };
  return { changes, change, end, names: () => [...under.keys()] };
}

it("C1 lets restarts go on together, and a modification wait for all of them", async () => {
  const { changes, change, end, names } = setUp();
  void changes.single(change("a"));
  void changes.single(change("b"));
  void changes.whole(change("M"));
  await settle();
  expect(names()).toEqual(["a", "b"]);
  await end("a");
  expect(names()).toEqual(["b"]);
  await end("b");
  expect(names()).toEqual(["M"]);
});

it("C1 lets restarts wait that come during a modification, and another modification too", async () => {
  const { changes, change, end, names } = setUp();
  void changes.whole(change("M"));
  void changes.single(change("a"));
  void changes.whole(change("N"));
  await settle();
  expect(names()).toEqual(["M"]);
  await end("M");
  expect(names()).toEqual(["a"]);
  await end("a");
  expect(names()).toEqual(["N"]);
});

it("goes on after a change that failed, and tells who made it", async () => {
  const { changes, change, end } = setUp();
  const fail = () => Promise.reject(new Error("no"));
  await expect(changes.single(fail)).rejects.toThrow("no");
  await expect(changes.whole(fail)).rejects.toThrow("no");
  const last = changes.whole(change("M"));
  await settle();
  await end("M");
  expect(await last).toBe("M");
});
