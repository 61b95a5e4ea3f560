// SPDX-License-Identifier: MIT
// Goal: a link with RED or gentle RED is as fast as it is asked for to a linktest, and never too
// slow for what a busy machine does to the sender: RED keeps few packets in its queue, so that it
// runs empty much sooner than the limit says, and drops most of a burst behind that. A link that
// really is too slow is found all the same, and one that nobody shapes is never called right by a
// sender that stood still. Method: the shipped queue, schedule and judge, from the
// text of a file on; a sender that stands still as its seed says, and no clock.
import { describe, expect, it } from "vitest";
import { Random } from "../../../src/core/random.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import {
  judgeRate,
  linktestLimits,
  type PassOf,
  planLinktest,
  type RateProbe,
  type Verdict,
} from "../../../src/linktest/index.ts";
import { frameBytes, ratePayloadBytes } from "../../../src/linktest/linktest-limits.ts";
import { type ShapedLink, shapeLink } from "../../../src/network/model.ts";
import { Pipe } from "../../../src/network/shaper/pipe.ts";
import { CbrSchedule } from "../../../src/testbed/agents/trafgen/cbr-schedule.ts";
import { FullLink, leastOffered, steadyEnds } from "../../../src/testbed/linktest/full-link.ts";
import { rateSample, rateSteps } from "../../../src/testbed/linktest/pass-orders.ts";
import { NodeNetwork } from "../../../src/testbed/node-network.ts";

const bytes = ratePayloadBytes + frameBytes;

interface Planned {
  readonly link: ShapedLink;
  readonly pass: PassOf<RateProbe>;
}

function plan(bandwidth: string, queue: string): Planned {
  const source = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b ${bandwidth} 0ms ${queue}]
$ns run
`;
  const { experiment } = parseNsFile(source, { file: "x", pid: "p", eid: "e" });
  const [link] = experiment?.links ?? [];
  if (experiment === undefined || link === undefined) throw new Error("the file has no link");
  const network = new NodeNetwork({ experiment, tables: {}, standIn: (one) => one });
  const { rate } = planLinktest(network.linktest(), { first: 4, last: 4 }, linktestLimits);
  const pass = rate?.passes[0]?.[0];
  if (pass === undefined) throw new Error("no rate is planned");
  return { link: shapeLink(link), pass };
}

/** Now and then, for so long: a share of its turns, and milliseconds from and to. */
type Stalls = readonly [share: number, fromMs: number, toMs: number];

/** @param slowness of the link, beside what is asked for */
function judge({ link, pass }: Planned, stalls: Stalls, seed: number, slowness = 1): Verdict {
  const [probe] = pass.probes;
  const { send } = rateSteps(pass).there.find((step) => step.send !== undefined) ?? {};
  const shape = link.members[0]?.up;
  if (probe === undefined || send?.fills === undefined || shape === undefined) {
    throw new Error("nothing is sent");
  }
  const { packets, intervalUs, burstPacketsMax, giveUpMs, fills } = send;
  const bandwidthBps = shape.bandwidthBps * slowness;
  const pipe = new Pipe<number>({ shape: { ...shape, bandwidthBps }, isUp: true }, seed);
  const schedule = new CbrSchedule(0, intervalUs, {
    ...{ lateUsMax: (burstPacketsMax - 1) * intervalUs, batchPacketsMax: burstPacketsMax },
  });
  const full = new FullLink(fills);
  const random = new Random(seed);
  const chance = (): number => random.next() / 2 ** 32;
  const [arrivals, departures]: [number[], number[]] = [[], []];
  const takeOut = (untilUs: number): void => {
    for (let out = pipe.take(untilUs); out !== undefined; out = pipe.take(untilUs)) {
      arrivals.push(out.outUs);
    }
  };
  let [nowUs, sent, lastUs] = [0, 0, 0];
  while (sent < packets && nowUs < giveUpMs * 1_000) {
    const { due } = schedule.take(nowUs);
    for (let at = 0; at < due && sent < packets; at += 1) {
      takeOut(nowUs);
      pipe.arrive(nowUs, bytes, sent);
      full.sent(nowUs);
      departures.push(nowUs);
      sent += 1;
    }
    lastUs = nowUs;
    const [share, fromMs, toMs] = stalls;
    nowUs += chance() < share ? 1_000 * (fromMs + chance() * (toMs - fromMs)) : 1_100;
  }
  takeOut(1e12);
  const spacingUs = (8_000_000 * bytes) / probe.edge.bandwidthBps;
  const received = { packets: arrivals.length, ...steadyEnds(arrivals, spacingUs) };
  const offered = { idleUs: full.idleUs, leastOffered: leastOffered(departures) };
  const answer = { packets: sent, tookUs: lastUs, lastUs, ...offered };
  const sample = rateSample(
    {
      sender: { sent: answer },
      receiver: { received: { ...received, overflowed: 0, endedUs: 1e12 } },
      ...{ lostByMachine: 0, lateUs: 0 },
    },
    probe.edge,
  );
  return judgeRate(probe, sample);
}

const idle: Stalls = [0, 0, 0];
const busy: readonly Stalls[] = [
  [0.01, 5, 25],
  [0.02, 10, 70],
  [0.03, 20, 170],
];
const seeds = [1, 2, 3, 4, 5];
const kinds = ["RED", "GRED"].flatMap((queue) =>
  ["1Mb", "5Mb", "10Mb", "50Mb"].map((bandwidth) => [queue, bandwidth] as const),
);

describe("the rate of a link with", () => {
  it.each(kinds)("%s of %s/s is as asked for", (queue, bandwidth) => {
    const planned = plan(bandwidth, queue);
    for (const seed of seeds) {
      const { verdict, measured, expected, why } = judge(planned, idle, seed);
      expect(verdict, why).toBe("ok");
      expect((measured ?? 0) / expected).toBeGreaterThan(0.985);
    }
  });

  it.each(kinds)("%s of %s/s is not bad by a sender that stands still", (queue, bandwidth) => {
    const planned = plan(bandwidth, queue);
    const verdicts = busy.flatMap((stalls) => seeds.map((seed) => judge(planned, stalls, seed)));
    expect(verdicts.filter(({ verdict }) => verdict === "bad")).toEqual([]);
  });

  it.each(kinds)("%s of %s/s is bad where it is a tenth too slow", (queue, bandwidth) => {
    const planned = plan(bandwidth, queue);
    for (const seed of seeds) {
      expect(judge(planned, idle, seed, 0.9)).toMatchObject({ verdict: "bad" });
    }
  });
});

describe("a link that nobody shapes", () => {
  const rates = ["1Mb", "2Mb", "10Mb"];
  /** One stop or two in all: enough to make the rate what was asked for, and not to be noticed. */
  const rare: readonly Stalls[] = [
    [0.001, 50, 300],
    [0.0007, 100, 300],
  ];

  it.each(rates)("is bad where %s/s is asked for", (bandwidth) => {
    expect(judge(plan(bandwidth, "DropTail"), idle, 1, 50)).toMatchObject({ verdict: "bad" });
  });

  it.each(rates)("is not ok where %s/s is asked for, whenever its sender stands still", (rate) => {
    const planned = plan(rate, "DropTail");
    const all = [...busy, ...rare].flatMap((stalls) =>
      Array.from({ length: 100 }, (_, seed) => judge(planned, stalls, seed, 50)),
    );
    expect(all.filter(({ verdict }) => verdict === "ok")).toEqual([]);
    // A busy machine is not all that there is to say of it.
    expect(all.filter(({ verdict }) => verdict === "bad").length).toBeGreaterThan(100);
  });
});
