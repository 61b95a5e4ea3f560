// SPDX-License-Identifier: MIT
// Judges what those who look were told: at the end of a run the models read the log once more, and
// say what is open behind each entry that may have been the last when it was said.
//
//   K9. Who looks is told what is open behind one entry of the log: one that the server had read
//       when it was asked, or has read before the answer came, and none before what the session
//       that looks had heard (B10, P1).
import type { LogEntry } from "../../core/command.ts";
import type { BarrierDescription, BarrierPlace } from "../../core/description.ts";
import type { BarrierKind } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import { NaiveCounts } from "../naive-counts.ts";
import { NaiveQuorums } from "../naive-quorums.ts";
import { NaiveRosters } from "../naive-rosters.ts";
import { NaiveStates } from "../naive-states.ts";

/** What somebody wants to see of a scope. */
export type Looked =
  /** The first of that name, or the one of that kind. */
  | { readonly of: "one"; readonly name: string; readonly kind?: BarrierKind | undefined }
  /** Of all kinds. */
  | { readonly of: "name"; readonly name: string }
  | { readonly of: "page"; readonly max: number; readonly after?: BarrierPlace | undefined };

/** What it is shown. */
export interface Shown {
  readonly barriers: readonly BarrierDescription[];
  readonly next?: BarrierPlace | undefined;
}

export interface Look {
  readonly who: string;
  readonly scope: string;
  readonly looked: Looked;
  /** The entries behind which it may be so. */
  readonly from: number;
  readonly through: number;
  readonly shown: Shown;
}

const kinds: readonly BarrierKind[] = ["count", "state", "quorum", "roster"];

/** @returns what is wrong with each look that is */
export function judgeLooks(
  looks: readonly Look[],
  entries: readonly LogEntry[],
  limits: Limits,
): readonly string[] {
  const wrong: string[] = [];
  const models = [NaiveCounts, NaiveStates, NaiveQuorums, NaiveRosters].map(
    (Model) => new Model(limits),
  );
  const waiting = [...looks].sort((a, b) => b.from - a.from);
  let open: readonly Look[] = [];
  for (let sequence = 0; waiting.length + open.length > 0; sequence += 1) {
    const entry = entries[sequence - 1];
    if (entry !== undefined) for (const model of models) model.apply(entry);
    for (let next = waiting.at(-1); next !== undefined && next.from <= sequence; ) {
      open = [...open, next];
      waiting.pop();
      next = waiting.at(-1);
    }
    if (open.length === 0) continue;
    const byScope = new Map<string, readonly BarrierDescription[]>();
    open = open.filter((look) => {
      const { scope, looked, shown, through, who } = look;
      const all = byScope.get(scope) ?? models.flatMap((model) => describe(model, scope, limits));
      byScope.set(scope, all);
      const right = rowsOf(showOf(all, looked));
      const said = rowsOf(shown);
      const isRight = said.join("\n") === right.join("\n");
      if (!isRight && sequence >= through) {
        const where = `${who} looks at ${scope} ${JSON.stringify(looked)}, entries ${look.from}`;
        const others = (rows: readonly string[], of: readonly string[]): string =>
          rows.filter((row) => !of.includes(row)).join("; ");
        const what = `shown [${others(said, right)}], should be [${others(right, said)}]`;
        wrong.push(`${where} to ${through}: ${what}`);
      }
      return !isRight && sequence < through;
    });
  }
  return wrong;
}

/** Not more of those who wait than a server shows. */
function describe(
  model: { readonly describe: (scope: string) => readonly BarrierDescription[] },
  scope: string,
  { namesInReportMax: max }: Limits,
): readonly BarrierDescription[] {
  return model.describe(scope).map((one) => ({ ...one, waiting: one.waiting.slice(0, max) }));
}

function showOf(all: readonly BarrierDescription[], looked: Looked): Shown {
  if (looked.of === "page") return pageOf(all, looked);
  const named = all.filter(({ name }) => name === looked.name);
  const byKind = [...named].sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind));
  if (looked.of === "name") return { barriers: byKind };
  const { kind: wanted } = looked;
  return { barriers: byKind.filter(({ kind }) => kind === (wanted ?? kind)).slice(0, 1) };
}

/** P1. */
function pageOf(
  all: readonly BarrierDescription[],
  { max, after }: Extract<Looked, { of: "page" }>,
): Shown {
  const keyOf = ({ name, kind }: BarrierPlace): string => `${name} ${kind}`;
  const rest = [...all]
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .filter((one) => after === undefined || keyOf(one) > keyOf(after));
  const barriers = rest.slice(0, max);
  const last = barriers.at(-1);
  if (last === undefined || rest.length <= max) return { barriers };
  return { barriers, next: { name: last.name, kind: last.kind } };
}

/** A text for each barrier, the same for what is the same, in whatever order its fields are. */
function rowsOf({ barriers, next }: Shown): readonly string[] {
  return [...barriers, { next }].map((row) =>
    JSON.stringify(row, (_, value: unknown) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
    }),
  );
}
