// SPDX-License-Identifier: MIT
// Goal: a request ends by its own answer and its own completion, and by nothing else (E1-E3); what
// the old tevc left in silence has a name. Method: a memory bus, a scheduler that says what a test
// wants, virtual time.
import { describe, expect, test } from "vitest";
import {
  type EventRequest,
  type SendOptions,
  type SendOutcome,
  sendEvent,
} from "../../../src/client/event-request.ts";
import type { MemoryBus } from "../../../src/engine/memory-bus.ts";
import { newNonce } from "../../../src/host/ids.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { addressOf, firingTimeOf, getText } from "../../../src/wire/event/notification.ts";
import {
  credentialsWith,
  experiment,
  FakeScheduler,
  idOf,
  key,
  newBus,
  tokenOf,
} from "./fake-scheduler.ts";

const request: EventRequest = {
  ...{ experiment, objname: "prog0", eventtype: "START", args: "TIMEOUT=5 " },
  at: { seconds: 1_087_824_350, microseconds: 250_000 },
};

interface Bench {
  readonly bus: MemoryBus;
  readonly clock: VirtualClock;
  readonly scheduler: FakeScheduler;
  send(options?: Partial<SendOptions>): Promise<SendOutcome>;
}

function bench(): Bench {
  const bus = newBus();
  const clock = new VirtualClock();
  const { nowUs, after } = { nowUs: () => clock.nowUs(), after: clock.after.bind(clock) };
  const runtime = { nowUs, after, randomBytes: newNonce };
  const credentials = credentialsWith(key);
  const send: Bench["send"] = (options = {}) => {
    const base = { bus, request, credentials, runtime, sender: "192.0.2.7" };
    return sendEvent({ ...base, asks: false, waits: false, ...options });
  };
  return { bus, clock, scheduler: new FakeScheduler(bus), send };
}

describe("sendEvent() as the old tevc did", () => {
  test("is done when the bus has the request, also when nobody listens", async () => {
    const { send, scheduler, clock } = bench();
    expect(await send()).toEqual({ kind: "published" });
    await scheduler.listen();
    expect(await send({ request: { ...request, timeline: "tl" } })).toEqual({ kind: "published" });
    await clock.settle();
    expect(scheduler.requests).toHaveLength(1);
    const [sent] = scheduler.requests as [(typeof scheduler.requests)[0]];
    expect(addressOf(sent)).toEqual({
      ...{ expt: experiment, objname: "prog0", eventtype: "START", timeline: "tl", scheduler: 1 },
    });
    expect(firingTimeOf(sent)).toEqual(request.at);
    expect(getText(sent, "ARGS")).toBe("TIMEOUT=5 ");
    expect(getText(sent, "OBJTYPE")).toBe("*");
    expect(getText(sent, "HOST")).toBe("*");
    expect([tokenOf(sent), idOf(sent)]).toEqual([-1, undefined]);
    expect(credentialsWith(key).verify(sent)).toBe(true);
  });

  test.each([0, 3, -1])("with waits ends by the completion with error %i", async (error) => {
    const { send, scheduler } = bench();
    await scheduler.listen((sent) => scheduler.complete(sent, error));
    expect(await send({ waits: true })).toEqual({ kind: "completed", error });
    expect(idOf(scheduler.requests[0]!)).toBeUndefined();
  });

  test("with waits ends after the time it was given", async () => {
    const { send, clock, scheduler } = bench();
    await scheduler.listen();
    const outcome = send({ waits: true, timeoutMs: 2_000 });
    await clock.settle();
    expect(scheduler.requests).toHaveLength(1);
    await clock.pass(2_001_000);
    expect(await outcome).toEqual({ kind: "timeout" });
  });
});

describe("E3: fault 4", () => {
  test("a token is 31 bits, never one that a scheduler counts, and another each time", async () => {
    const { send, scheduler } = bench();
    await scheduler.listen((sent) => scheduler.complete(sent, 0));
    for (let count = 0; count < 200; count += 1) await send({ waits: true });
    const tokens = scheduler.requests.map(tokenOf);
    expect(Math.min(...tokens)).toBeGreaterThanOrEqual(2 ** 30);
    expect(Math.max(...tokens)).toBeLessThan(2 ** 31);
    expect(new Set(tokens).size).toBe(200);
  });

  test("of two waits for one object within one second each ends by its own completion", async () => {
    const { send, scheduler, clock } = bench();
    await scheduler.listen();
    const both = [send({ waits: true }), send({ waits: true })];
    await clock.settle();
    expect(scheduler.requests).toHaveLength(2);
    const [first, second] = scheduler.requests as [never, never];
    scheduler.complete(second, 2);
    scheduler.complete(first, 1);
    const errors = await Promise.all(both);
    expect(errors).toEqual([
      { kind: "completed", error: 1 },
      { kind: "completed", error: 2 },
    ]);
  });

  test("ignores other tokens, other keys, replays, and completions that say nothing", async () => {
    const { send, scheduler } = bench();
    const stranger = credentialsWith(new TextEncoder().encode("another key"));
    await scheduler.listen((sent) => {
      const token = tokenOf(sent);
      scheduler.complete(sent, 7, token - 1);
      scheduler.say(sent, { eventtype: "COMPLETE", args: "" });
      scheduler.say(sent, { eventtype: "COMPLETE", args: `ERROR=7 CTOKEN=x${token}` });
      const forged = { eventtype: "COMPLETE", args: `ERROR=7 CTOKEN=${token}` };
      scheduler.say(sent, { ...forged, credentials: stranger });
      scheduler.say(sent, { ...forged, credentials: { sign: (one) => one, verify: () => true } });
      scheduler.complete(sent, 5);
    });
    expect(await send({ waits: true })).toEqual({ kind: "completed", error: 5 });
  });
});

describe("sendEvent() that asks", () => {
  test("ends by the scheduler's word: accepted, with the token it has given", async () => {
    const { send, scheduler } = bench();
    await scheduler.listen((sent) => scheduler.accept(sent, 17));
    expect(await send({ asks: true })).toEqual({ kind: "accepted", token: 17, id: undefined });
  });

  test("ends by the scheduler's word: refused, also when it waits for a completion", async () => {
    const { send, scheduler } = bench();
    await scheduler.listen((sent) =>
      scheduler.refuse(sent, "NO_SUCH_OBJECT", "no object prog0; there are link0, prog1"),
    );
    const refused = {
      ...{ kind: "refused", code: "NO_SUCH_OBJECT" },
      message: "no object prog0; there are link0, prog1",
    };
    expect(await send({ asks: true })).toEqual(refused);
    expect(await send({ asks: true, waits: true })).toEqual(refused);
  });

  test("takes no answer to another request, and none without the key", async () => {
    const { send, scheduler, clock } = bench();
    const stranger = credentialsWith(new TextEncoder().encode("another key"));
    await scheduler.listen((sent) => {
      scheduler.say(sent, { eventtype: "REFUSED", request: "another" });
      scheduler.say(sent, { eventtype: "REFUSED" });
      const request = idOf(sent);
      scheduler.say(sent, { eventtype: "REFUSED", request, credentials: stranger });
    });
    const outcome = send({ asks: true });
    await clock.settle();
    expect(scheduler.requests).toHaveLength(1);
    await clock.pass(9_999_000);
    await clock.pass(2_000);
    expect(await outcome).toEqual({ kind: "no-answer" });
  });

  test("E4: says at once that nobody listens, and that none has come only when none has", async () => {
    const { send, clock } = bench();
    const away: number[] = [];
    const onAway = (withinMs: number): void => void away.push(withinMs);
    const sent = [
      send({ asks: true, onAway }),
      send({ asks: true, waits: true, onAway }),
      send({ asks: true, waits: true, timeoutMs: 20_000, onAway }),
    ];
    const outcomes: SendOutcome[] = [];
    for (const one of sent) void one.then((outcome) => outcomes.push(outcome));
    await clock.settle();
    expect(away).toEqual([10_000, 10_000, 20_000]);
    await clock.pass(9_999_000);
    expect(outcomes).toEqual([]);
    await clock.pass(2_000);
    const ofTen = { kind: "no-scheduler", withinMs: 10_000 };
    expect(outcomes).toEqual([ofTen, ofTen]);
    await clock.pass(10_000_000);
    expect(outcomes[2]).toEqual({ kind: "no-scheduler", withinMs: 20_000 });
  });

  test("E4: a scheduler that is back takes what was sent meanwhile, and its word counts", async () => {
    const { send, clock, scheduler, bus } = bench();
    const { place } = bus;
    const outcome = send({ asks: true, waits: true });
    await clock.pass(3_000_000);
    const answer = (sent: Parameters<FakeScheduler["accept"]>[0]): void => {
      scheduler.accept(sent, tokenOf(sent));
      scheduler.complete(sent, 0);
    };
    await scheduler.listen(answer, place);
    expect(await outcome).toEqual({ kind: "completed", error: 0 });
  });

  test("accepted, waits on for the completion", async () => {
    const { send, scheduler, clock } = bench();
    const tokens: (number | undefined)[] = [];
    await scheduler.listen((sent) => scheduler.accept(sent, tokenOf(sent)));
    const onAccepted = (token: number | undefined): void => void tokens.push(token);
    const outcome = send({ asks: true, waits: true, onAccepted });
    await clock.settle();
    expect(tokens).toHaveLength(1);
    await clock.pass(60_000_000);
    const [sent] = scheduler.requests as [never];
    expect(tokens).toEqual([tokenOf(sent)]);
    scheduler.complete(sent, 0);
    expect(await outcome).toEqual({ kind: "completed", error: 0 });
  });
});

describe("sendEvent() and a bus that goes", () => {
  test("says what the bus refuses, and what may have been sent", async () => {
    const { send, bus } = bench();
    const args = "x".repeat(600 * 1024);
    expect(await send({ request: { ...request, args } })).toMatchObject({
      ...{ kind: "failed", code: "too-large" },
    });
    bus.close();
    expect(await send()).toMatchObject({ kind: "failed", code: "unavailable" });
    expect(await send({ waits: true })).toMatchObject({ kind: "failed", code: "unavailable" });
  });

  test("fails when the bus goes while it waits", async () => {
    const { send, bus, scheduler } = bench();
    await scheduler.listen(() => bus.close());
    expect(await send({ waits: true })).toMatchObject({ kind: "failed", code: "unavailable" });
  });

  test("E1: leaves no timer and no subscription behind, however it ends", async () => {
    const { send, bus, clock, scheduler } = bench();
    await scheduler.listen((sent) => scheduler.accept(sent, 1));
    const abort = new AbortController();
    const cancelled = send({ waits: true, asks: true, timeoutMs: 1_000, interrupt: abort.signal });
    await clock.settle();
    expect(scheduler.requests).toHaveLength(1);
    abort.abort();
    expect(await cancelled).toEqual({ kind: "cancelled" });
    await send({ asks: true });
    expect(await send({ interrupt: abort.signal })).toEqual({ kind: "cancelled" });
    expect(await clock.advance(1_000_000_000)).toBe(false);
    const probe = await bus.publish(
      credentialsWith(key).sign({
        attributes: [
          { name: "EXPT", value: { kind: "string", value: experiment } },
          { name: "OBJNAME", value: { kind: "string", value: "prog0" } },
          { name: "EVENTTYPE", value: { kind: "string", value: "COMPLETE" } },
          { name: "SCHEDULER", value: { kind: "int32", value: 0 } },
        ],
      }),
    );
    expect(probe.matched).toBe(0);
  });
});
