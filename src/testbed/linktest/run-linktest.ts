// SPDX-License-Identifier: MIT
// Plays a plan: pass after pass, a probe at each end of each pair, which meet at a barrier of the
// experiment before the first packet, so that no pass begins before the one before it has ended
// everywhere. Collects verdicts; where probes run is the host's affair.
//
//   R1. Whatever happens, no probe outlives the pass it was started for.
//   R2. A probe that cannot run makes its directions `untestable`, and stops nobody else. Which
//       they are is said: nobody is to take them for what a busy machine has spoilt.
//   R3. What the judge doubts (V4) is probed once more, in every stage. The second verdict is the
//       one; what else was judged is not judged again.
//   R4. A link that is changed while it is tested is not bad by what was asked of it before.
import type { Clock } from "../../host/clock.ts";
import {
  isDoubted,
  judgeLatency,
  judgeLoss,
  judgeRate,
  judgeRoute,
  type LatencyPlan,
  type LinktestLimits,
  type LinktestMap,
  type LinktestPlan,
  type Pair,
  type PassOf,
  type Route,
  type Stage,
  schedulePasses,
  untestable,
  type Verdict,
} from "../../linktest/index.ts";
import type { ShaperHealth } from "../../network/link-report.ts";
import {
  type EndSteps,
  latencySteps,
  lossSample,
  lossSteps,
  rateSample,
  rateSteps,
  routePair,
  routeSteps,
  type StepEnds,
} from "./pass-orders.ts";
import { probeBarrier } from "./probe-barrier.ts";
import type { ProbeAnswer, ProbeOrder } from "./probe-order.ts";

export interface RunningProbe {
  /** The answer, or why there is none. Never rejects. */
  readonly answer: Promise<ProbeAnswer | string>;
  /** Ends it at once. */
  end(): void;
}

export interface ProbeHost {
  /** The sync server that probes meet at, as a node calls it. */
  meetingOf(node: string): { readonly address: string; readonly port: number };
  /** Starts a probe on a node. @returns why it could not */
  start(node: string, order: ProbeOrder): Promise<RunningProbe | string>;
  /** Address of a node on a link; for a link that it is not on, any other of its links. */
  addressOf(node: string, link: string): string | undefined;
}

export interface LinktestRun {
  readonly map: LinktestMap;
  readonly plan: LinktestPlan;
  readonly limits: LinktestLimits;
  readonly host: ProbeHost;
  readonly clock: Clock;
  /** Names barriers and packets of this test, 0 to 65,535. */
  readonly session: number;
  readonly interrupt?: AbortSignal;
  /** Packets that the machine has lost on links so far. Rejects where that cannot be known. */
  readonly lostByMachine?: () => Promise<number>;
  /** How late who shapes was so far; as it is when `lostByMachine` has resolved. */
  readonly shaperHealth?: () => Pick<ShaperHealth, "late" | "lagMaxUs"> | undefined;
  /** Whether something else has been asked of a link since, or of any; left out: never. */
  readonly isChanged?: (link?: string) => boolean;
  /** Told when a stage begins and after each pass. */
  readonly onProgress?: (stage: Stage, done: number, passes: number) => void;
  /** Told what a stage has come to. */
  readonly onVerdicts?: (stage: Stage, verdicts: readonly Verdict[]) => void;
}

export interface LinktestOutcome {
  readonly verdicts: readonly Verdict[];
  /** Those of them whose probes did not run (R2). */
  readonly notProbed: readonly Verdict[];
  readonly isCancelled: boolean;
}

/** Port of probes, on addresses of links. [LINKTEST 6.4] */
export const probePort = 10_001;
/** For all probes of a pass to have started: eight at once take 25 s in an emulated machine. */
const meetMs = 60_000;
/** After its last step a probe has this long to end. */
const endMs = 15_000;

interface PairSteps {
  readonly pair: Pair;
  readonly steps: EndSteps;
  /** What is judged of it. */
  readonly edges: readonly Verdict["edge"][];
}

interface PairAnswers {
  readonly pair: Pair;
  /** In the time of the pass. */
  readonly lostByMachine: number;
  /** The latest packet of any link that was late in it; 0: none was. */
  readonly lateUs: number;
  readonly there: ProbeAnswer | string;
  readonly back: ProbeAnswer | string;
}

/** Plays the stages of the plan. Never rejects for what happens at nodes and links. */
export async function runLinktest(run: LinktestRun): Promise<LinktestOutcome> {
  const player = new Linktest(run);
  const verdicts = await player.play();
  const notProbed = verdicts.filter((one) => player.notProbed.has(one));
  return { verdicts, notProbed, isCancelled: run.interrupt?.aborted === true };
}

class Linktest {
  /** R2. Some may have been judged since (R3). */
  readonly notProbed = new Set<Verdict>();
  readonly #run: LinktestRun;
  #passes = 0;

  constructor(run: LinktestRun) {
    this.#run = run;
  }

  get #isCancelled(): boolean {
    return this.#run.interrupt?.aborted === true;
  }

  async play(): Promise<readonly Verdict[]> {
    const { latency, routes, loss, rate } = this.#run.plan;
    const verdicts: Verdict[] = [];
    const add = (stage: Stage, judged: readonly Verdict[]): void => {
      const more = judged.map((one) => this.#unlessChanged(one));
      verdicts.push(...more);
      if (!this.#isCancelled || more.length > 0) this.#run.onVerdicts?.(stage, more);
    };
    if (latency !== undefined) add("latency", await this.#latency(latency));
    if (routes !== undefined) add("routing", await this.#routing(routes));
    if (loss !== undefined) {
      const without = loss.untestable.map(({ edge, why }) => untestable("loss", edge, why));
      const judged = await this.#stage("loss", loss.passes, lossSteps, judgeLossOf);
      add("loss", [...without, ...judged]);
    }
    if (rate !== undefined) {
      const without = rate.untestable.map(({ edge, why }) => untestable("bandwidth", edge, why));
      const judged = await this.#stage("bandwidth", rate.passes, rateSteps, judgeRateOf);
      add("bandwidth", [...without, ...judged]);
    }
    return verdicts;
  }

  /** R4. */
  #unlessChanged(one: Verdict): Verdict {
    const { isChanged } = this.#run;
    const { stage, edge, verdict } = one;
    const which = stage === "routing" ? undefined : edge.link;
    if (verdict !== "bad" || isChanged?.(which) !== true) return one;
    const what = which === undefined ? "links were" : `${which} was`;
    return { ...one, verdict: "untestable", why: `${what} changed while it was tested` };
  }

  async #latency(plan: LatencyPlan): Promise<readonly Verdict[]> {
    const passes = plan.passes.map((pass) =>
      pass.map((pair) => {
        return { pair, steps: latencySteps(pair, plan), edges: [pair.there, pair.back] };
      }),
    );
    return await this.#judge("latency", passes, ({ pair, there }) => {
      if (typeof there === "string") return [];
      const { sent = 0, thereUs = [], backUs = [] } = there.steps[0]?.ping ?? {};
      const judge = (edge: Pair["there"], us: readonly number[]): Verdict =>
        judgeLatency(
          edge,
          { sent, delaysMs: us.map((one) => one / 1_000) },
          { alpha: plan.alpha, payloadBytes: pingPayloadBytes },
        );
      return [judge(pair.there, thereUs), judge(pair.back, backUs)];
    });
  }

  async #routing(routes: readonly Route[]): Promise<readonly Verdict[]> {
    const { limits } = this.#run;
    const ofPair = new Map<Pair, Route>(routes.map((route) => [routePair(route), route]));
    const routesOf = (pair: Pair): readonly Route[] => {
      const route = ofPair.get(pair);
      return route === undefined ? [] : [route];
    };
    const passes = schedulePasses([...ofPair.keys()], 2 * limits.pairsAtOnceMax).map((pass) =>
      pass.map((pair) => ({ pair, steps: routeSteps(), edges: routesOf(pair) })),
    );
    return await this.#judge("routing", passes, ({ pair, there }) => {
      if (typeof there === "string") return [];
      const { sent = 0, backUs = [] } = there.steps[0]?.ping ?? {};
      return routesOf(pair).map((route) => judgeRoute(route, sent, backUs.length));
    });
  }

  async #stage<Probe extends { readonly edge: Pair["there"] }>(
    stage: Stage,
    passes: readonly (readonly PassOf<Probe>[])[],
    stepsOf: (of: PassOf<Probe>) => EndSteps,
    judge: (probe: Probe, ends: StepEnds) => Verdict,
  ): Promise<readonly Verdict[]> {
    const probesOf = new Map(passes.flat().map(({ pair, probes }) => [pair, probes]));
    const planned = passes.map((pass) =>
      pass.map((of) => {
        return { pair: of.pair, steps: stepsOf(of), edges: of.probes.map(({ edge }) => edge) };
      }),
    );
    return await this.#judge(stage, planned, (answers) => {
      const { pair, there, back, lostByMachine, lateUs } = answers;
      if (typeof there === "string" || typeof back === "string") return [];
      return (probesOf.get(pair) ?? []).map((probe) => {
        const isThere = probe.edge === pair.there;
        const [sender, receiver] = isThere ? [there, back] : [back, there];
        return judge(probe, {
          sender: sender.steps.find(({ sent }) => sent !== undefined),
          receiver: receiver.steps.find(({ received }) => received !== undefined),
          ...{ lostByMachine, lateUs },
        });
      });
    });
  }

  /** R3. */
  async #judge(
    stage: Stage,
    passes: readonly (readonly PairSteps[])[],
    judge: (answers: PairAnswers) => readonly Verdict[],
  ): Promise<readonly Verdict[]> {
    const verdicts = await this.#play(stage, passes, judge);
    const doubted = new Set(verdicts.filter(isDoubted).map(({ edge }) => edge));
    const again = passes.map((pass) =>
      pass.filter(({ edges }) => edges.some((edge) => doubted.has(edge))),
    );
    const repeated = await this.#play(
      stage,
      again.filter((pass) => pass.length > 0),
      judge,
    );
    return verdicts.map((first) => {
      const second = repeated.find(({ edge }) => edge === first.edge);
      return isDoubted(first) && second !== undefined ? second : first;
    });
  }

  /** R2. */
  async #play(
    stage: Stage,
    passes: readonly (readonly PairSteps[])[],
    judge: (answers: PairAnswers) => readonly Verdict[],
  ): Promise<readonly Verdict[]> {
    const { onProgress } = this.#run;
    const verdicts: Verdict[] = [];
    for (const [index, pass] of passes.entries()) {
      if (this.#isCancelled) break;
      onProgress?.(stage, index, passes.length);
      const edgesOf = new Map(pass.map(({ pair, edges }) => [pair, edges]));
      for (const answers of await this.#pass(stage, pass)) {
        const { pair, there, back } = answers;
        const failed = [there, back].find((one) => typeof one === "string");
        if (this.#isCancelled) continue;
        if (failed === undefined) verdicts.push(...judge(answers));
        else {
          const why = String(failed);
          for (const edge of edgesOf.get(pair) ?? []) {
            const verdict = untestable(stage, edge, why);
            this.notProbed.add(verdict);
            verdicts.push(verdict);
          }
        }
      }
    }
    if (passes.length > 0) onProgress?.(stage, passes.length, passes.length);
    return verdicts;
  }

  /** R1. Each pair has a barrier of its own, so that one that fails keeps nobody else waiting. */
  async #pass(stage: Stage, pass: readonly PairSteps[]): Promise<readonly PairAnswers[]> {
    this.#passes += 1;
    const before = await this.#machine(stage);
    const answers = await Promise.all(pass.map((one, index) => this.#pair(one, index)));
    const after = await this.#machine(stage);
    const isKnown = Number.isFinite(before.lost) && Number.isFinite(after.lost);
    const lostByMachine = isKnown ? after.lost - before.lost : Infinity;
    // When the latest one of all was, is not said: it may have been in this pass.
    const lateUs = after.late > before.late ? after.lagMaxUs : 0;
    return answers.map((one) => ({ ...one, lostByMachine, lateUs }));
  }

  /** What is not the links' so far. @returns Infinity of losses that are not known */
  async #machine(
    stage: Stage,
  ): Promise<{ readonly lost: number; readonly late: number; readonly lagMaxUs: number }> {
    const none = { lost: 0, late: 0, lagMaxUs: 0 };
    // Others are not judged by it.
    if (stage !== "loss" && stage !== "bandwidth") return none;
    const { lostByMachine, shaperHealth } = this.#run;
    const lost = await (lostByMachine?.() ?? Promise.resolve(0)).catch(() => Infinity);
    return { ...none, lost, ...shaperHealth?.() };
  }

  async #pair(
    { pair, steps }: PairSteps,
    index: number,
  ): Promise<Omit<PairAnswers, "lostByMachine" | "lateUs">> {
    const timeoutMs = stepsMs(steps) + meetMs + endMs;
    const { from, to } = pair.there;
    const end = { pair, index, failed: new AbortController() };
    const both = [
      this.#start({ ...end, node: from, peer: to, others: 1 }, steps.there),
      this.#start({ ...end, node: to, peer: from, others: undefined }, steps.back),
    ].map(async (starting) => {
      const answer = await this.#answer(starting, { timeoutMs, failed: end.failed.signal });
      // The other end would wait for this one.
      if (typeof answer === "string") end.failed.abort(answer);
      return answer;
    });
    const [there = "", back = ""] = await Promise.all(both);
    const why: unknown = end.failed.signal.reason;
    return typeof why === "string" ? { pair, there: why, back: why } : { pair, there, back };
  }

  async #answer(
    starting: Promise<RunningProbe | string>,
    { timeoutMs, failed }: { readonly timeoutMs: number; readonly failed: AbortSignal },
  ): Promise<ProbeAnswer | string> {
    const probe = await starting;
    if (typeof probe === "string") return probe;
    const { clock, interrupt } = this.#run;
    const end = (): void => probe.end();
    const cancel = clock.after(timeoutMs, end);
    const endings = [failed, ...(interrupt === undefined ? [] : [interrupt])];
    for (const ending of endings) ending.addEventListener("abort", end);
    if (endings.some(({ aborted }) => aborted)) end();
    const answer = await probe.answer;
    cancel();
    for (const ending of endings) ending.removeEventListener("abort", end);
    return answer;
  }

  async #start(
    end: {
      readonly node: string;
      readonly peer: string;
      readonly pair: Pair;
      /** Of the pair in its pass. */
      readonly index: number;
      readonly others: 1 | undefined;
    },
    steps: ProbeOrder["steps"],
  ): Promise<RunningProbe | string> {
    const { host, session } = this.#run;
    const { node, peer, pair, others, index } = end;
    const { link } = pair.there;
    const [own, other] = [host.addressOf(node, link), host.addressOf(peer, link)];
    if (own === undefined) return `${node} has no address on ${link}`;
    if (other === undefined) return `${peer} has no address on ${link}`;
    if (this.#isCancelled) return "cancelled";
    return await host.start(node, {
      session: session * 65_536 + this.#passes,
      own: { address: own, port: probePort },
      peer: { address: other, port: probePort },
      meeting: {
        ...host.meetingOf(node),
        ...(others === undefined ? {} : { others }),
        ...{ barrier: probeBarrier(session, this.#passes, index), timeoutMs: meetMs },
      },
      steps,
    });
  }
}

/** Of a ping: nothing but the packet's head. */
const pingPayloadBytes = 20;

const judgeLossOf = (probe: Parameters<typeof judgeLoss>[0], ends: StepEnds): Verdict =>
  judgeLoss(probe, lossSample(ends, probe.edge));

const judgeRateOf = (probe: Parameters<typeof judgeRate>[0], ends: StepEnds): Verdict =>
  judgeRate(probe, rateSample(ends, probe.edge));

function stepsMs({ there, back }: EndSteps): number {
  const sum = (steps: ProbeOrder["steps"]): number =>
    steps.reduce((ms, { timeoutMs }) => ms + timeoutMs, 0);
  return Math.max(sum(there), sum(back));
}
