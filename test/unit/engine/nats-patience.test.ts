// SPDX-License-Identifier: MIT
// Goal: servers that start together open the streams of one log, also those that another has just
// made and nobody leads yet; a cluster that stays without a leader is said in a stated time.
// Method: virtual time for what is asked again and for how long; three real nats-servers for
// streams that are made by three at once.
import { JetStreamApiError, type StreamInfo } from "@nats-io/jetstream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LogError } from "../../../src/engine/log.ts";
import { logOf } from "../../../src/engine/nats-care.ts";
import { askManager, explainStart } from "../../../src/engine/nats-connection.ts";
import { natsConnectMs, natsOpenMs, natsOpenPauseMs } from "../../../src/engine/nats-limits.ts";
import { NatsLog } from "../../../src/engine/nats-log.ts";
import { askUntilLed, askUntilPlaced, checkMade } from "../../../src/engine/nats-patience.ts";
import { NatsPayloads } from "../../../src/engine/nats-payloads.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import { openNatsSnapshots } from "../../../src/engine/nats-snapshots.ts";
import { openNatsStream } from "../../../src/engine/nats-stream.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const apiError = (code: number, err_code: number, description: string): JetStreamApiError =>
  new JetStreamApiError({ code, err_code, description });

describe("askUntilLed()", () => {
  it.each([
    new Error("timeout"),
    new Error("no responders: '$JS.API.STREAM.INFO.muster'"),
    new Error("jetstream is not enabled"),
    apiError(503, 10_008, "JetStream system temporarily unavailable"),
    apiError(400, 10_005, "no suitable peers for placement, peer offline"),
    new LogError("nobody leads it", {
      definite: true,
      cause: new Error("no responders: 'muster'"),
    }),
  ])("asks again behind '$message', for natsOpenMs and no longer", async (error) => {
    const clock = new VirtualClock();
    let isLed = false;
    const ask = (): Promise<string> => (isLed ? Promise.resolve("led") : Promise.reject(error));
    const outcomes: unknown[] = [];
    const note = (outcome: unknown): void => void outcomes.push(outcome);
    void askUntilLed(clock, ask).then(note, note);
    await clock.pass((natsOpenMs - natsOpenPauseMs) * 1000);
    expect(outcomes).toEqual([]);
    await clock.pass(natsOpenPauseMs * 1000);
    expect(outcomes).toEqual([error]);

    void askUntilLed(clock, ask).then(note, note);
    await clock.pass((natsOpenMs - natsOpenPauseMs) * 1000);
    isLed = true;
    await clock.pass(natsOpenPauseMs * 1000);
    expect(outcomes).toEqual([error, "led"]);
  });

  it("asks again for a stream that was made and is not known yet", async () => {
    const clock = new VirtualClock();
    const seen = [undefined, { cluster: { leader: "n1" } } as StreamInfo];
    const asked = askUntilLed(clock, async () => checkMade(seen.shift()));
    await clock.pass(natsOpenPauseMs * 1000);
    expect(await asked).toMatchObject({ cluster: { leader: "n1" } });
  });

  it("asks again for copies that have no place, and not for what may have been made", async () => {
    const clock = new VirtualClock();
    const lacking = apiError(400, 10_005, "no suitable peers for placement, peer offline");
    const unsure = new Error("timeout");
    const failures = [lacking, lacking, unsure];
    const asked = askUntilPlaced(clock, async () => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    });
    const outcome = asked.catch((error: unknown) => error);
    await clock.pass(2 * natsOpenPauseMs * 1000);
    expect([await outcome, failures]).toEqual([unsure, []]);
  });

  it("does not ask again what is refused", async () => {
    const refused = apiError(500, 10_047, "insufficient storage resources available");
    await expect(askUntilLed(new VirtualClock(), () => Promise.reject(refused))).rejects.toBe(
      refused,
    );
  });
});

describe("a broker of a cluster without a leader", () => {
  const unled = apiError(503, 10_008, "JetStream system temporarily unavailable");

  it("is asked again with pauses, for natsOpenMs and no longer", async () => {
    let asked = 0;
    let passedMs = 0;
    const pause = async (ms: number): Promise<void> => {
      passedMs += ms;
    };
    const ask = async (): Promise<string> => {
      asked += 1;
      if (passedMs < isLedMs) throw unled;
      return "led";
    };
    let isLedMs = natsOpenMs / 2;
    expect(await askManager(ask, pause)).toBe("led");
    [asked, passedMs, isLedMs] = [0, 0, Number.POSITIVE_INFINITY];
    await expect(askManager(ask, pause)).rejects.toBe(unled);
    expect(asked).toBe(natsOpenMs / natsOpenPauseMs);
  });

  it("is asked again without one when it has not answered, which took its time", async () => {
    let asked = 0;
    const ask = async (): Promise<void> => {
      asked += 1;
      throw new Error("timeout");
    };
    const pause = (): never => expect.fail("paused");
    await expect(askManager(ask, pause)).rejects.toThrow("timeout");
    expect(asked).toBe(natsOpenMs / natsConnectMs);
  });

  it("is not said to be away, and what to start is", () => {
    const { message, isAway } = explainStart(parseNatsPlace("nats://b1:4222,b2:4222/x"), unled);
    expect(message).toBe(
      "nobody leads JetStream at b1:4222, b2:4222 (JetStream system temporarily unavailable); " +
        "start the missing ones: a cluster needs more than half of its servers",
    );
    expect(isAway).toBe(true);
  });
});

describe("streams of a log on one broker", () => {
  it("are opened when NATS finds their subjects taken by themselves, made at that moment", async () => {
    const broker = await NatsServer.start();
    const place = parseNatsPlace(`nats://${broker.address}/moment`);
    const log = await NatsLog.open({ place, clock: systemClock });
    const { streams } = log.link.manager;
    let asked = 0;
    const info: typeof streams.info = async (name) => {
      asked += 1;
      if (asked > 1) return streams.info(name);
      throw Object.assign(new Error(), { name: "StreamNotFoundError" });
    };
    const add = async (): Promise<never> => {
      throw apiError(400, 10_065, "subjects overlap with an existing stream");
    };
    const manager = { streams: { info, add } } as unknown as typeof log.link.manager;
    const wish = { ...logOf(place), clock: systemClock };
    const opened = await openNatsStream({ ...log.link, manager }, place, wish);
    expect(opened.config.name).toBe("moment");
    await log.close();
    await broker.dispose();
  });
});

describe("streams of a log on three brokers", () => {
  let brokers: readonly NatsServer[] = [];
  beforeAll(async () => {
    brokers = await NatsServer.startThree();
  }, 60_000);
  afterAll(async () => {
    for (const broker of brokers) await broker.dispose();
  });

  it("are opened and answer when three servers make them at once", async () => {
    const addresses = brokers.map(({ address }) => address).join(",");
    const place = parseNatsPlace(`nats://${addresses}/together?replicas=3`);
    const clock = systemClock;
    const openAll = async (): Promise<readonly [number, number, number]> => {
      // First, as by a server: beside others that are there it is not begun.
      const log = await NatsLog.open({ place, clock });
      const [snapshots, payloads] = await Promise.all([
        openNatsSnapshots(place, clock),
        NatsPayloads.open(place, { clock }),
      ]);
      const listed = await snapshots.list();
      const head = await log.fence();
      for (const one of [snapshots, log, payloads]) await one.close();
      return [listed.length, Math.min(head, 1), payloads.lastId];
    };
    expect(await Promise.all([openAll(), openAll(), openAll()])).toEqual([
      [0, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ]);
  }, 60_000);
});
