// SPDX-License-Identifier: MIT
// `musterd/experiment`: experiments written in TypeScript, by the same rules as YAML files. The
// types catch a misspelled name in the editor; everything else is found when the file is run.

import type { Diagnostic, Experiment, Routing } from "../model.ts";
import { parseYamlExperiment } from "../yaml/read.ts";
import { documentOf } from "./from-value.ts";
import type {
  BarrierSpec,
  EventSpec,
  LinkSpec,
  NodeNames,
  NodeSpec,
  ProgramNames,
  ProgramSpec,
  ScalarValue,
  StepSpec,
  TestgroundSpec,
} from "./types.ts";

export type { Experiment } from "../model.ts";
export { printYaml } from "../yaml/print.ts";
export type * from "./types.ts";

/** An experiment that is not one; `diagnostics` has everything that is wrong with it. */
export class ExperimentError extends Error {
  override readonly name = "ExperimentError";
  /** Places are paths into the value: `at.file` is `programs.probe.node`. */
  readonly diagnostics: readonly Diagnostic[];
  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(describe).join("\n"));
    this.diagnostics = diagnostics;
  }
}

function describe({ at, code, message, hint }: Diagnostic): string {
  return `${at.file}: error[${code}]: ${message}${hint === undefined ? "" : ` (${hint})`}`;
}

/** Everything an experiment may say; docs/reference/experiment-yaml.md explains the fields. */
export interface ExperimentSpec<
  Nodes extends Readonly<Record<string, NodeSpec>>,
  Links extends string,
  Programs extends string,
  Barriers extends string,
  Sequences extends string,
  Timelines extends string,
  Groups extends string,
> {
  readonly project?: string;
  readonly name: string;
  readonly options?: Readonly<Record<string, ScalarValue>>;
  readonly nodes: Nodes;
  readonly links?: Readonly<Record<Links, LinkSpec<NodeNames<Nodes>>>>;
  readonly programs?: Readonly<
    Record<
      Programs,
      ProgramSpec<
        NodeNames<Nodes>,
        ProgramNames<Record<NoInfer<Programs>, unknown>, NodeNames<Nodes>>,
        NoInfer<Barriers>
      >
    >
  >;
  readonly testground?: TestgroundSpec<NodeNames<Nodes>>;
  readonly groups?: Readonly<
    Record<Groups, readonly Member<Nodes, NoInfer<Programs>, NoInfer<Links>>[]>
  >;
  readonly barriers?: Readonly<
    Record<Barriers, BarrierSpec<Member<Nodes, NoInfer<Programs>, NoInfer<Groups>>>>
  >;
  readonly events?: readonly EventSpec<
    Target<Nodes, NoInfer<Links | Programs | Sequences | Timelines | Groups>, NoInfer<Programs>>,
    NoInfer<Barriers>
  >[];
  readonly sequences?: Readonly<
    Record<
      Sequences,
      readonly StepSpec<
        Target<Nodes, NoInfer<Links | Programs | Sequences | Timelines | Groups>, NoInfer<Programs>>
      >[]
    >
  >;
  readonly timelines?: Readonly<
    Record<
      Timelines,
      readonly EventSpec<
        Target<
          Nodes,
          NoInfer<Links | Programs | Sequences | Timelines | Groups>,
          NoInfer<Programs>
        >,
        NoInfer<Barriers>
      >[]
    >
  >;
  /** How nodes reach those that are not beside them; `none` when left out: not at all. */
  readonly routing?: "none" | Routing;
  readonly syncServer?: NodeNames<Nodes>;
  /** Test of the links at swap-in, up to 1 latency, 2 routing, 3 loss, 4 bandwidth. */
  readonly linktest?: 0 | 1 | 2 | 3 | 4;
  readonly simulator?: string;
}

type Member<Nodes, Programs extends string, Others extends string> =
  | NodeNames<Nodes>
  | ProgramNames<Record<Programs, unknown>, NodeNames<Nodes>>
  | Others;

type Target<Nodes, Objects extends string, Programs extends string> =
  | Member<Nodes, Programs, Objects>
  | "experiment";

/**
 * Makes an experiment.
 * @param spec what a YAML file would say
 * @returns the experiment, as every command takes it
 * @throws ExperimentError with everything that is wrong
 * @example
 * export const experiment = defineExperiment({
 *   name: "hello",
 *   nodes: { server: {}, client: { repeat: 3 } },
 *   programs: { greet: { node: "client", command: "echo hello" } },
 * });
 */
export function defineExperiment<
  const Nodes extends Readonly<Record<string, NodeSpec>>,
  Links extends string = never,
  Programs extends string = never,
  Barriers extends string = never,
  Sequences extends string = never,
  Timelines extends string = never,
  Groups extends string = never,
>(
  spec: ExperimentSpec<Nodes, Links, Programs, Barriers, Sequences, Timelines, Groups>,
): Experiment {
  const document = documentOf(spec);
  const { experiment, diagnostics } = parseYamlExperiment(document, { pid: "muster", eid: "exp" });
  if (experiment !== undefined) return experiment;
  throw new ExperimentError(diagnostics.filter(({ severity }) => severity === "error"));
}
