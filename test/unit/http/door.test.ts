// SPDX-License-Identifier: MIT
// Goal: the door lets in whom it should, for what it should, and no more bytes than it should.
// Method: real connections on loopback, requests by Node's own client and raw bytes, WebSockets
// spoken to by hand.
import { afterEach, describe, expect, it } from "vitest";
import { linkFormat, sessionProtocol } from "../../../src/wire/link/frames.ts";
import { HttpBench } from "./http-bench.ts";

let bench: HttpBench | undefined;
afterEach(async () => {
  await bench?.close();
  bench = undefined;
});

const hello = { kind: "hello", format: linkFormat, edge: "s1", incarnation: 7 };
const greeting = { ...hello, acknowledged: 0, seen: 0 };

describe("the door", () => {
  it("answers at /healthz without a token, also when it asks for one", async () => {
    bench = await HttpBench.startClosed();
    const answer = await fetch(`${bench.url}/healthz`);
    expect([answer.status, await answer.text()]).toEqual([200, "ok\n"]);
  });

  it("says what is not there, and what else is", async () => {
    bench = await HttpBench.start();
    const answer = await fetch(`${bench.url}/nothing`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "not-found", definite: true });
    const wrong = await fetch(`${bench.url}/healthz`, { method: "POST" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET"]);
  });
});

describe("/v1/session", () => {
  it("is a link of an edge: an init and a wait cross, and what is seen is not told again", async () => {
    bench = await HttpBench.startClosed();
    const token = bench.token("driver");
    const raw = bench.socket("/v1/session", [sessionProtocol, `muster.token.${token}`]);
    await raw.opened();
    expect(raw.socket.protocol).toBe(sessionProtocol);
    raw.say(greeting);
    expect(await raw.hear("welcome")).toContain('"role":"driver"');
    const place = { scope: "s", barrier: "b", who: { address: "x", name: "p" }, error: 0 };
    const init = { kind: "count-init", ...place, connection: 1, count: 1, waits: false };
    const wait = { kind: "count-wait", ...place, connection: 2 };
    raw.say({ kind: "batch", number: 1, commands: [{ kind: "attach" }, init, wait] });
    expect(await raw.hear("released")).toContain('"outcome":"crossed"');
    raw.socket.close();
    await raw.closed;
  });

  it("turns away who shows no token, with a code that a page can see", async () => {
    bench = await HttpBench.startClosed();
    const raw = bench.socket("/v1/session", [sessionProtocol, "muster.token.mst_x_y"]);
    const { code, reason } = await raw.closed;
    expect([code, reason]).toEqual([4401, expect.stringContaining("not known")]);
  });
});
