// SPDX-License-Identifier: MIT
// Goal: whatever strangers send to the bus, to boss's XML-RPC, to a scheduler or to a generator of
// traffic, and whatever stands on the command lines of tevc and trafgen, is read or refused with a
// sentence, and what is read keeps the limits. Method: good texts, damaged; a failure prints its
// seed.
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseTevcArguments } from "../../src/cli/compat/tevc-arguments.ts";
import { parseTrafgenArguments } from "../../src/cli/compat/trafgen-arguments.ts";
import { readRequest } from "../../src/events/read-request.ts";
import { trafficLimits } from "../../src/testbed/agents/trafgen/traffic-limits.ts";
import { applyTrafficArgs } from "../../src/testbed/agents/trafgen/traffic-settings.ts";
import { parseClientFrame, parseServerFrame } from "../../src/wire/event/bus-frames.ts";
import { parseControl } from "../../src/wire/event/control.ts";
import {
  createNotification,
  findNotificationFault,
  int32Attribute,
  textAttribute,
} from "../../src/wire/event/notification.ts";
import { parseOrder, parseReport } from "../../src/wire/event/orders.ts";
import { parseProgramArgs } from "../../src/wire/event/program-args.ts";
import { decodeCall, decodeResponse } from "../../src/wire/xmlrpc/index.ts";
import { damaged, mixed } from "./fuzz/mutations.ts";

const numRuns = process.env["MUSTER_SLOW"] === undefined ? 1_000 : 50_000;
const numbers = ["-1", "0", "1e308", "1e-308", "NaN", "Infinity", "0x7f", "99999999999999999999"];

function onAll(texts: fc.Arbitrary<string>, check: (text: string) => void): void {
  fc.assert(fc.property(texts, check), { numRuns });
}

test("XML-RPC is decoded or malformed", () => {
  const call =
    "<?xml version='1.0'?><methodCall><methodName>experiment.swapexp</methodName><params><param>" +
    "<value><struct><member><name>proj</name><value><string>a&amp;b</string></value></member>" +
    "<member><name>n</name><value><array><data><value><int>3</int></value><value><base64>AQI=" +
    "</base64></value></data></array></value></member></struct></value></param></params>" +
    "</methodCall>";
  const response =
    "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>4</int>" +
    "</value></member><member><name>faultString</name><value>no</value></member></struct></value>" +
    "</fault></methodResponse>";
  const words = ["<value>", "</value>", "<array>", "<data>", "&#0;", "&amp;", "<![CDATA[", "<!--"];
  const more = ["<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;", "<int>", "<double>", ...numbers];
  // Long texts of it take long, and say nothing new.
  onAll(
    damaged([call, response], [...words, ...more]).map((text) => text.slice(0, 4_000)),
    (text) => {
      const bytes = new TextEncoder().encode(text);
      for (const read of [decodeCall(bytes), decodeResponse(bytes)]) {
        if (read.kind === "malformed") expect(read.message).not.toBe("");
      }
    },
  );
});

test("frames of the bus are read or are none, and a notification in one keeps the limits", () => {
  const address = '"address":{"expt":"p/e","exceptEventtypes":"COMPLETE","scheduler":0}';
  const notification =
    '{"attributes":[{"name":"A","type":"int64","value":"7"},{"name":"B","type":"opaque","value":"AQI="}]}';
  const frames = [
    `{"kind":"subscribe","id":1,${address},"after":{"epoch":"e","position":3},"slow":"end"}`,
    `{"kind":"publish","id":2,"notification":${notification}}`,
    `{"kind":"notifications","id":1,"notifications":[{"position":4,"notification":${notification}}]}`,
    '{"kind":"ended","id":1,"reason":"no","place":{"epoch":"e","position":3}}',
  ];
  const words = ['"__proto__":1,', '"name"', "null", "[]", "{}", ",", '"type":"real64"', '"-0"'];
  onAll(damaged(frames, [...words, ...numbers]), (text) => {
    const [asked, said] = [parseClientFrame(text), parseServerFrame(text)];
    const ofClient = asked?.kind === "publish" ? asked.notification : undefined;
    const all = said?.kind === "notifications" ? said.notifications : [];
    const read = ofClient?.kind === "notification" ? [ofClient.notification] : [];
    for (const one of [...read, ...all.map(({ notification: given }) => given)]) {
      expect(findNotificationFault(one)).toBeUndefined();
    }
  });
});

test("requests, orders and reports with any ARGS are read or refused with a sentence", () => {
  const seeds = ["COMMAND={echo 'a b'} DIR=/tmp TAG=x TIMEOUT=5", "ID=3 AT=+5 ARGS={A=1}"];
  const words = ["{", "}", "'", '"', "\\", "=", " ", "CTOKEN=", "ERROR=", "SIGNAL=", ...numbers];
  const types = ["START", "EDIT", "CANCEL", "LIST", "COMPLETE", "FIRED", "CLOCK", "ALIVE", "TIME"];
  onAll(damaged(seeds, words), (args) => {
    for (const eventtype of types) {
      const address = { expt: "p/e", objname: "a", eventtype, scheduler: 1 } as const;
      const extra = [textAttribute("ARGS", args), int32Attribute("TOKEN", -1)];
      const when = [int32Attribute("time_sec", -1), int32Attribute("time_usec", 2_000_000_000)];
      const options = { sender: "", layout: "2011", extra: [...extra, ...when] } as const;
      const notification = createNotification(address, options);
      const request = readRequest(notification, { stampUs: 1, wallUs: 1 });
      if (request.kind === "refused") expect(request.message).not.toBe("");
      parseReport(notification);
      parseOrder(notification);
      const control = parseControl(eventtype, args);
      if (control.kind === "refused") expect(control.message).not.toBe("");
    }
    parseProgramArgs(args);
  });
});

test("a generator of traffic takes what it can send, or says why not", () => {
  const before = { packetBytes: 1_000, intervalUs: 1_000, rateKbps: undefined, tos: undefined };
  const words = ["PACKETSIZE=", "RATE=", "INTERVAL=", "IPTOS=", " ", "\t", ...numbers];
  const texts = fc.oneof(
    damaged(["RATE=100 PACKETSIZE=64", "interval=.5"], words),
    mixed(words, ""),
  );
  onAll(texts, (args) => {
    const after = applyTrafficArgs(before, args);
    if (typeof after === "string") {
      expect(after).not.toBe("");
      return;
    }
    expect(Number.isInteger(after.packetBytes)).toBe(true);
    expect(after.packetBytes).toBeGreaterThan(0);
    expect(after.packetBytes).toBeLessThanOrEqual(trafficLimits.packetBytesMax);
    const { intervalUsMin, intervalSecondsMax } = trafficLimits;
    expect(after.intervalUs).toBeGreaterThanOrEqual(intervalUsMin);
    expect(after.intervalUs).toBeLessThanOrEqual(intervalSecondsMax * 1e6);
  });
});

test("command lines of tevc and trafgen are read, or end with a status and a line", () => {
  const words = ["-w", "-t", "-e", "p/e", "-s", "-p", "-k", "-d", "-c", "-wt", "--", "-", "now"];
  const more = ["+5", "-N", "-T", "-S", "-E", "-P", "udp", "1.2.3.4.5", "a", "start", "A=1", ""];
  const word = fc.oneof(
    fc.constantFrom(...words, ...more, ...numbers),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), (argv) => {
      for (const read of [parseTevcArguments(argv), parseTrafgenArguments(argv)]) {
        if (read.kind !== "exit" || read.code === 0) continue;
        expect(`${read.stdout ?? ""}${read.stderr ?? ""}`).not.toBe("");
      }
    }),
    { numRuns },
  );
});
