// SPDX-License-Identifier: MIT
// The codec of the Testground sync service against vectors that come from the specification, in
// both directions, and against itself for random requests.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeRequest,
  decodeResponse,
  depthMax,
  encodeMessage,
  encodeRequest,
  encodeResponse,
  isEventsTopic,
  type Operation,
  parseKey,
  parseRunEvent,
  quotePayload,
  type Request,
  type Response,
} from "../../../src/wire/testground/index.ts";
import { readVectors } from "./vectors.ts";

const quoted = /^"(?:[^"\\]|\\.)*"/;

/** The JSON strings and words at the beginning of a meaning, and what is behind them. */
function takeText(text: string): [value: string, rest: string] {
  const [found = ""] = quoted.exec(text) ?? [];
  return [JSON.parse(found) as string, text.slice(found.length).trim()];
}

function parseRequest(meaning: string): Request {
  const [id, rest] = takeText(meaning);
  const isCancel = rest.startsWith("cancel ");
  const words = isCancel ? rest.slice("cancel ".length) : rest;
  const [kind = ""] = words.split(" ");
  if (kind === "nothing") return { id, isCancel };
  const [name, more] = takeText(words.slice(kind.length + 1));
  return { id, isCancel, operation: operationOf(kind, name, more) };
}

function operationOf(kind: string, name: string, more: string): Operation {
  switch (kind) {
    case "publish":
      return { kind, topic: name, payload: more };
    case "subscribe":
      return { kind, topic: name };
    case "barrier":
      return { kind, state: name, target: Number(more) };
    case "signal":
      return { kind, state: name };
    default:
      throw new Error(`no operation: ${kind}`);
  }
}

function parseResponse(meaning: string): Response {
  const [id, rest] = takeText(meaning);
  const [kind = ""] = rest.split(" ");
  const more = rest.slice(kind.length + 1);
  switch (kind) {
    case "done":
      return { kind, id };
    case "failed":
      return { kind, id, error: takeText(more)[0] };
    case "message":
      return { kind, id, payload: more };
    case "published":
    case "signalled":
      return { kind, id, sequence: Number(more) };
    default:
      throw new Error(`no answer: ${kind}`);
  }
}

describe("requests", () => {
  it.each(readVectors("testground", "requests.md"))(
    "%s",
    (_what, clauses = "", meaning = "", message = "") => {
      const request = parseRequest(meaning);
      expect(decodeRequest(message)).toEqual({ kind: "request", request });
      if (clauses.includes("written")) expect(encodeRequest(request)).toBe(message);
    },
  );

  it.each(readVectors("testground", "refused.md"))("%s is refused", (_what, _clause, message) => {
    expect(decodeRequest(message ?? "")).toMatchObject({ kind: "refused" });
  });

  it("a request is taken as deep as the old server takes it, and no deeper", () => {
    const nested = (depth: number): string => {
      const payload = "[".repeat(depth) + "]".repeat(depth);
      return `{"id":"0","publish":{"topic":"t","payload":${payload}}}`;
    };
    expect(decodeRequest(nested(depthMax - 2))).toMatchObject({ kind: "request" });
    expect(decodeRequest(nested(depthMax - 1))).toMatchObject({ kind: "refused" });
    expect(decodeRequest("[".repeat(500_000))).toMatchObject({ kind: "refused" });
    // Brackets in a string are not deep.
    const flat = `{"id":${JSON.stringify('["'.repeat(20_000))}}`;
    expect(decodeRequest(flat)).toMatchObject({ kind: "request" });
  });

  it("decodeRequest() gives back what encodeRequest() was given, payloads as they were", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }));
    const operation: fc.Arbitrary<Operation> = fc.oneof(
      fc.record({ kind: fc.constant("publish" as const), topic: text, payload: fc.json() }),
      fc.record({ kind: fc.constant("subscribe" as const), topic: text }),
      fc.record({
        kind: fc.constant("barrier" as const),
        state: text,
        target: fc.maxSafeInteger(),
      }),
      fc.record({ kind: fc.constant("signal" as const), state: text }),
    );
    const request: fc.Arbitrary<Request> = fc.record(
      { id: text, isCancel: fc.boolean(), operation },
      { requiredKeys: ["id", "isCancel"] },
    );
    fc.assert(
      fc.property(request, (sent) => {
        expect(decodeRequest(encodeRequest(sent))).toEqual({ kind: "request", request: sent });
      }),
    );
  });

  it("decodeRequest() reads what libraries write as it reads the same with a blank behind it", () => {
    // The blank is no part of what is read by one look.
    const same = (text: string): void =>
      expect(decodeRequest(text)).toEqual(decodeRequest(`${text} `));
    const part = fc.oneof(
      fc.constantFrom('"id":"7"', '"is_cancel":false', '"signal_entry":{"state":"s"}', "{", "}"),
      fc.constantFrom('"barrier":{"state":"b","target":12}', '"barrier":{"state":"b"}', ",", ","),
      fc.constantFrom('"id":"a\\u0062"', '"id":"\u0001"', '"barrier":{"state":"","target":-1}'),
      fc.constantFrom('"barrier":{"state":"b","target":01}', '"barrier":{"target":1,"state":""}'),
      fc.string({ unit: "binary" }).map((id) => `"id":${JSON.stringify(id)}`),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        same(`{${parts.join(",")}}`);
        same(parts.join(""));
      }),
    );
    for (const target of [0, 1, 10 ** 15 - 1, 10 ** 15, 2 ** 53 - 1, 2 ** 53]) {
      same(`{"barrier":{"state":"a\u2028b","target":${target}},"id":"7"}`);
    }
  });

  it("decodeRequest() never throws, and cuts of a request are no requests", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        decodeRequest(text);
        decodeRequest(`{"id":"0",${text}}`);
      }),
    );
    const whole = '{"id":"0","publish":{"topic":"t","payload":{"a":[1,"\\u0041"]}}}';
    for (let length = 0; length < whole.length; length += 1) {
      expect(decodeRequest(whole.slice(0, length)).kind).toBe("refused");
    }
  });
});

describe("answers", () => {
  it.each(readVectors("testground", "responses.md"))("%s", (_what, _clause, meaning, message) => {
    const response = parseResponse(meaning ?? "");
    expect(encodeResponse(response)).toBe(`${message}\n`);
    expect(decodeResponse(`${message}\n`)).toEqual(response);
  });

  it("encodeMessage() writes for many what encodeResponse() writes for one", () => {
    const payload = '{"a":"\\n"}';
    const one = encodeResponse({ kind: "message", id: "7", payload });
    expect(encodeMessage("7", quotePayload(payload))).toBe(one);
  });
});

describe("keys and events", () => {
  it.each([
    ["run:r:plan:p:case:c:states:s", { run: "r", name: "plan:p:case:c:states:s" }],
    ["run:a:b:plan:p:case:c:topics:t", { run: "a:b", name: "plan:p:case:c:topics:t" }],
    ["run::plan:p", { name: "run::plan:p" }],
    ["run:r", { name: "run:r" }],
    ["barrier", { name: "barrier" }],
    ["x:run:r:plan:p", { name: "x:run:r:plan:p" }],
    ["", { name: "" }],
  ])("parseKey(%j)", (key, expected) => {
    expect(parseKey(key)).toEqual(expected);
  });

  it("isEventsTopic() knows the topic of the instances, by key and by name", () => {
    expect(isEventsTopic("run:r:plan:p:case:c:run_events")).toBe(true);
    expect(isEventsTopic("plan:p:case:c:run_events")).toBe(true);
    expect(isEventsTopic("plan:p:case:c:topics:run_events")).toBe(false);
    expect(isEventsTopic("run_events")).toBe(false);
    expect(isEventsTopic("plan:p:case:c:run_events2")).toBe(false);
  });

  it.each([
    ['{"success_event":{"group":"g"}}', { outcome: "success", group: "g", error: "" }],
    [
      '{"failure_event":{"group":"g","error":"no"}}',
      { outcome: "failure", group: "g", error: "no" },
    ],
    [
      '{"crash_event":{"group":"g","error":"e","stacktrace":"s"}}',
      { outcome: "crash", group: "g", error: "e" },
    ],
    ['{"message_event":{"message":"x"}}', undefined],
    ['{"success_event":null}', undefined],
    ["null", undefined],
    ["7", undefined],
  ])("parseRunEvent(%s)", (payload, expected) => {
    expect(parseRunEvent(payload)).toEqual(expected);
  });
});
