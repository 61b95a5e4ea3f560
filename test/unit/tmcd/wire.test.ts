// SPDX-License-Identifier: MIT
// Goal: the configuration codec reads and writes what the specification says, however it is cut.
// Method: vector tables in both directions, every split, garbage, one past each limit. fast-check
// prints its seed and path when it fails; give them to `fc.assert` to repeat.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as wire from "../../../src/wire/tmcd/index.ts";
import { readVectors } from "../wire/vectors.ts";

describe("parseRequest() and formatRequest()", () => {
  test.each(readVectors("tmcd", "requests.md"))("%s: both directions", (...row) => {
    const [, ours, json, command, argsJson, optionsJson] = row;
    const text = JSON.parse(json!) as string;
    const options = JSON.parse(optionsJson!) as wire.RequestOptions;
    const parsed = wire.parseRequest(text);
    if (parsed.kind === "refused") throw new Error(parsed.message);
    const { kind: _, command: found, args, ...given } = parsed;
    expect(found.name).toBe(command);
    expect(args).toBe(JSON.parse(argsJson!));
    expect(given).toEqual(options);
    if (ours !== "yes") return;
    const isData = found.body === "rest";
    const words = isData ? [] : args.split(" ").filter((word) => word !== "");
    const data = isData ? { data: args } : {};
    expect(wire.formatRequest({ ...options, words: [found.name, ...words], ...data })).toBe(text);
  });

  test.each(readVectors("tmcd", "refused.md"))("%s: refused", (_what, json, code) => {
    expect(wire.parseRequest(JSON.parse(json!) as string)).toMatchObject({ kind: "refused", code });
  });

  test("no text makes the parser throw, and no refusal shows a key", () => {
    const words = fc.constantFrom(
      "PRIVKEY=",
      "VNODEID=",
      "VERSION=",
      "status",
      " ",
      "\n",
      "IDKEY=",
    );
    const text = fc.array(fc.oneof(words, fc.string({ maxLength: 40 }))).map((all) => all.join(""));
    fc.assert(fc.property(text, (one) => wire.parseRequest(one).kind !== undefined));
    const key = "00112233445566778899x";
    expect(JSON.stringify(wire.parseRequest(`PRIVKEY=${key} status`))).not.toContain(key);
    expect(JSON.stringify(wire.parseRequest(`PRIVKEY${key} status`))).not.toContain(key);
  });

  test("requests round-trip", () => {
    const letters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const id = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 30 });
    const key = fc.string({
      unit: fc.constantFrom(..."0123456789abcdef"),
      minLength: 16,
      maxLength: 128,
    });
    const command = fc.constantFrom(...wire.tmcdCommands.map(({ name }) => name));
    fc.assert(
      fc.property(fc.nat(), id, key, command, (version, vnodeId, privateKey, name) => {
        const text = wire.formatRequest({ version, vnodeId, privateKey, words: [name] });
        expect(wire.parseRequest(text)).toMatchObject({
          ...{ kind: "request", version, vnodeId, privateKey, args: "" },
          command: { name },
        });
      }),
    );
  });
});

describe("tmcdCommands", () => {
  test("there are 78, and none hides a longer one behind it", () => {
    expect(wire.tmcdCommands).toHaveLength(78);
    for (const { name } of wire.tmcdCommands) expect(wire.findCommand(name)?.name).toBe(name);
  });
});

describe("splitRequests()", () => {
  const texts = [
    "VERSION=34 portregister emulab_syncd 16534 ",
    "status\nnodeid\n\n  creator\n",
    "VERSION=34 bootlog line1\nline2\nstatus\n",
    "status\nVERSION=34 bootlog a\nnodeid\n",
    "VERSION=34\nstatus\n",
  ];
  test.each(texts)("%j: the same requests however it is cut", (text) => {
    const whole = wire.splitRequests(text, true).requests;
    for (let first = 0; first <= text.length; first += 1) {
      for (let second = first; second <= text.length; second += 1) {
        const found: string[] = [];
        let rest = "";
        for (const chunk of [text.slice(0, first), text.slice(first, second)]) {
          const split = wire.splitRequests(rest + chunk, false);
          found.push(...split.requests);
          rest = split.rest;
        }
        found.push(...wire.splitRequests(rest + text.slice(second), true).requests);
        expect(found).toEqual(whole);
      }
    }
  });

  test("free text takes everything, other commands a line", () => {
    expect(wire.splitRequests(texts[2]!, true).requests).toEqual([texts[2]]);
    expect(wire.splitRequests(texts[1]!, false).requests).toEqual(["status", "nodeid", "creator"]);
    expect(wire.splitRequests("status", false)).toEqual({ requests: [], rest: "status" });
  });
});

describe("replies", () => {
  const functions = wire as unknown as Record<string, (...args: readonly unknown[]) => string>;
  test.each(readVectors("tmcd", "replies.md"))("%s", (_what, name, args, reply) => {
    const values = (JSON.parse(args!) as readonly unknown[]).map((one) => one ?? undefined);
    expect(functions[name!]!(...values)).toBe(JSON.parse(reply!));
  });

  test("what clients read out of them", () => {
    expect(wire.parseStatus("ALLOCATED=P/E NICKNAME=n\n")).toEqual({
      ...{ kind: "allocated", pid: "P", eid: "E", nickname: "n" },
    });
    expect(wire.parseStatus("FREE\n")).toEqual({ kind: "free" });
    expect(wire.parseStatus("")).toBeUndefined();
    expect(wire.parseSyncServer(wire.formatSyncServer("a.b.c", false))).toEqual({
      ...{ server: "a.b.c", isServer: false },
    });
    expect(wire.parsePort("PORT=16534 NODEID=pc1.x\n")).toEqual({ port: 16534, nodeName: "pc1.x" });
    expect(wire.parsePort(" PORT=16534 NODEID=pc1.x")).toBeUndefined();
    expect(wire.parseEventKey("EVENTKEY KEY='ab'\n")).toBe("ab");
    expect(wire.parseKeyHash("KEYHASH HASH='ab'\n")).toBe("ab");
    expect(wire.parseCreator("CREATOR=a\n")).toBeUndefined();
    expect(wire.parseCreator("CREATOR=a SWAPPER=b\n")).toEqual({ creator: "a", swapper: "b" });
    expect(wire.parseRedirect("REDIRECT=h:v-1\n")).toEqual({ host: "h", vnodeId: "v-1" });
    const hosts =
      "NAME=a-l IP=10.1.1.2 ALIASES='a-0 a'\njunk\nNAME=b-l IP=10.1.1.3 ALIASES='b-0  '\n";
    expect(wire.parseHosts(hosts)).toEqual([
      { name: "a-l", address: "10.1.1.2", aliases: ["a-0", "a"] },
      { name: "b-l", address: "10.1.1.3", aliases: ["b-0"] },
    ]);
  });

  test("a full configuration comes apart as it was put together", () => {
    const parts = new Map([
      ["nodeid", "n\n"],
      ["manifest", ""],
      ["userenv", "A=***\n*** x\n"],
    ]);
    const text = [...parts].map(([name, reply]) => wire.formatPart(name, reply)).join("");
    expect(wire.parseFullConfig(text)).toEqual(parts);
  });
});

describe("arguments", () => {
  test("a service has 1 to 127 characters, a port 16 bits", () => {
    const long = "a".repeat(127);
    expect(wire.parsePortArguments(long)).toEqual({ kind: "look-up", service: long });
    expect(wire.parsePortArguments(`${long}a`)).toBeUndefined();
    expect(wire.parsePortArguments("s 65535\n")).toMatchObject({ kind: "register", port: 65535 });
    expect(wire.parsePortArguments("s 0")).toMatchObject({ kind: "register", port: 0 });
    for (const bad of ["", "s 65536", "s -1", "s 1x", "s 1 2", "a'b", "a;b 5", "-a"]) {
      expect(wire.parsePortArguments(bad)).toBeUndefined();
    }
  });

  test("a state has 1 to 63 characters, a start status is a decimal", () => {
    expect(wire.parseState("ISUP ")).toBe("ISUP");
    expect(wire.parseState("a".repeat(63))).toBe("a".repeat(63));
    for (const bad of ["", "a".repeat(64), "A/B"]) expect(wire.parseState(bad)).toBeUndefined();
    expect(wire.parseStartStatus("666\n")).toBe(666);
    expect(wire.parseStartStatus("x")).toBeUndefined();
  });
});
