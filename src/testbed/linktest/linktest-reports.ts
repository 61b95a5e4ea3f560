// SPDX-License-Identifier: MIT
// What a linktest says over the bus while it goes on: REPORT events with text for people, which old
// listeners print, and with the verdicts of a stage for programs. [LINKTEST 7]
import { linktestObject, verdictsAttribute } from "../../client/linktest-request.ts";
import {
  describeSince,
  formatEdge,
  formatErrorRecord,
  formatVerdict,
  type Stage,
  type Verdict,
} from "../../linktest/index.ts";
import type { Announcement } from "../run-bus.ts";

/** Verdicts of one notification: some 400 bytes each, of 512 KB that it may have. */
const verdictsAtOnce = 200;

export class LinktestReports {
  readonly #announce: (what: Announcement) => void;
  readonly #reportOnly: boolean;

  /** @param reportOnly says the figures of all, and judges none */
  constructor(announce: (what: Announcement) => void, reportOnly: boolean) {
    this.#announce = announce;
    this.#reportOnly = reportOnly;
  }

  say(args: string, extra: Readonly<Record<string, string>> = {}): void {
    const address = { objname: linktestObject, objtype: "LINKTEST", eventtype: "REPORT" };
    this.#announce({ ...address, args, extra });
  }

  pass(stage: Stage, done: number, passes: number): void {
    if (done < passes) this.say(`${stage}: pass ${done + 1} of ${passes}`);
  }

  verdicts(stage: Stage, all: readonly Verdict[]): void {
    const count = (wanted: Verdict["verdict"]): number =>
      all.filter(({ verdict }) => verdict === wanted).length;
    const counts = `${count("ok")} ok, ${count("bad")} bad, ${count("untestable")} untestable`;
    this.say(this.#reportOnly ? `${stage}: ${all.length} measured` : `${stage}: ${counts}`);
    for (let at = 0; at < all.length; at += verdictsAtOnce) {
      const some = all.slice(at, at + verdictsAtOnce);
      const told = some.flatMap((one) => {
        if (this.#reportOnly) return [figures(one)];
        return one.verdict === "ok" ? [] : [describe(one)];
      });
      this.say(told.join("\n"), { [verdictsAttribute]: JSON.stringify(some) });
    }
  }
}

function describe(verdict: Verdict): string {
  if (verdict.verdict === "bad") return formatErrorRecord(verdict).trimEnd();
  return `untestable: ${formatVerdict(verdict)}`;
}

function figures({ stage, edge, expected, measured, samples }: Verdict): string {
  const found = measured === null ? "nothing" : Number(measured.toPrecision(4));
  const wanted = Number(expected.toPrecision(4));
  const since = "since" in edge && edge.since !== undefined ? `; ${describeSince(edge.since)}` : "";
  const figures = `wanted ${wanted}, measured ${found}, of ${samples} packets`;
  return `${stage}: ${formatEdge(edge)}: ${figures}${since}`;
}
