// SPDX-License-Identifier: MIT
// Goal: where the bus is follows from option, environment and custom, in this order. Method: a
// table.
import { expect, test } from "vitest";
import { hostOf, resolveEventAddress } from "../../../src/client/event-address.ts";

const nothing = { server: undefined, port: undefined };

test.each([
  [nothing, undefined, "ws://event-server:2917/v1/bus"],
  [nothing, "", "ws://event-server:2917/v1/bus"],
  [{ server: "ops", port: undefined }, "boss:5", "ws://ops:2917/v1/bus"],
  [{ server: "ops", port: 99 }, "boss:5", "ws://ops:99/v1/bus"],
  [nothing, "boss:5", "ws://boss:5/v1/bus"],
  [{ server: undefined, port: 6 }, "boss:5", "ws://boss:6/v1/bus"],
  [nothing, "boss", "ws://boss:2917/v1/bus"],
  [nothing, "https://boss.example.org:8470/", "wss://boss.example.org:8470/v1/bus"],
  [nothing, "http://boss", "ws://boss:2917/v1/bus"],
  [nothing, "wss://[::1]:7", "wss://[::1]:7/v1/bus"],
  [{ server: "::1", port: undefined }, undefined, "ws://[::1]:2917/v1/bus"],
  [{ server: "fe80::1", port: 8 }, undefined, "ws://[fe80::1]:8/v1/bus"],
  [nothing, "a,b:5", "ws://a:2917/v1/bus,ws://b:5/v1/bus"],
  [{ server: "a,", port: undefined }, undefined, undefined],
  [{ server: "a b", port: undefined }, undefined, undefined],
  [{ server: "", port: undefined }, undefined, undefined],
  [nothing, "ftp://boss", undefined],
  [nothing, "boss:0", undefined],
  [nothing, "boss:65536", undefined],
  [nothing, "user@boss", undefined],
  [nothing, "http://boss/other", undefined],
])("resolveEventAddress(%j) with %j is %s", (given, environment, url) => {
  const defaults = { environment, server: "event-server", port: 2917 };
  expect(resolveEventAddress(given, defaults)).toBe(url);
});

test("hostOf() is what people call it", () => {
  expect(hostOf("wss://ops:2917/v1/bus")).toBe("ops:2917");
  expect(hostOf("wss://a:1/v1/bus,ws://b:2/v1/bus")).toBe("a:1 or b:2");
});
