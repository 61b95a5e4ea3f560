// SPDX-License-Identifier: MIT
// How late programs start that are planned for one instant: ours through agenda and bus on a node
// of a run, and plain spawn at that instant. Each prints the time of its first instruction.
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { AgendaAgent, TimedEvent } from "../../src/core/agenda/commands.ts";
import { systemClock } from "../../src/host/clock.ts";
import type { EventRun } from "./event-run.ts";
import { instantOf, readFirstInstruction } from "./first-instruction.ts";

/** Of the program on the nodes of the run. */
export const programName = "first-instruction";
/** From the plan to the instant. */
const aheadUs = 150_000;
/** Behind time 0, so that they are loaded a second before. */
const atUs = 1_200_000;

/** Microseconds after the instant, one for each program. */
export interface Starts {
  readonly letGoUs: readonly number[];
  readonly firstInstructionUs: readonly number[];
}

export async function plannedPrograms(run: EventRun, count: number): Promise<Starts> {
  const names = Array.from({ length: count }, (_none, index) => `p${index}`);
  const agents: AgendaAgent[] = names.map((name) => ({ name, type: "PROGRAM", node: "n0" }));
  const main: TimedEvent[] = names.map((object, id) => ({
    ...{ atUs, event: { id: id + 1, object, type: "PROGRAM", event: "RUN", args: "" } },
  }));
  const { zeroUs, fired } = await run.play({ agents, main });
  for (const { outcome } of fired) if (outcome !== "done") throw new Error(outcome);
  if (fired.length !== count) throw new Error(`${fired.length} of ${count} programs were let go`);
  const printed = names.map((name) => readFirstInstruction(join(run.logs, `${name}.out`)));
  return {
    letGoUs: fired.map(({ latenessUs }) => latenessUs),
    firstInstructionUs: printed.map((us) => us - zeroUs - atUs),
  };
}

/** The floor of planned programs: the same program, made when it is due. */
export async function plainSpawn(program: string, count: number): Promise<Starts> {
  const dueUs = systemClock.nowUs() + aheadUs;
  const word = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(word, 0, 0, (dueUs - systemClock.nowUs()) / 1_000);
  const letGoUs: number[] = [];
  const children = Array.from({ length: count }, () => {
    letGoUs.push(systemClock.nowUs() - dueUs);
    return spawn(program, [], { stdio: ["ignore", "pipe", "ignore"] });
  });
  const printed = await Promise.all(
    children.map(async (child) => {
      const chunks: Buffer[] = [];
      for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
      return instantOf(Buffer.concat(chunks));
    }),
  );
  return { letGoUs, firstInstructionUs: printed.map((us) => us - dueUs) };
}
