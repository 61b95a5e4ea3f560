// SPDX-License-Identifier: MIT
// Which barrier of a name `muster barrier wait` waits at: names belong to kinds, and who waits need
// not know which kind somebody else has made.
import { type Crossing, MusterError, type Session, type WaitOptions } from "../../client/index.ts";

type Arrive = () => Promise<Crossing>;

/**
 * At the one that is open; else, in a run, at one of its file that may be over and answers at once;
 * else at a count, which anybody may open later. @throws MusterError
 */
export async function arriveAtAny(
  session: Session,
  name: string,
  options: WaitOptions,
): Promise<Crossing> {
  const arrivals = await arrivalsAt(session, name, options);
  for (const [index, arrive] of arrivals.entries()) {
    try {
      return await arrive();
    } catch (error) {
      if (!isUnknown(error) || index === arrivals.length - 1) throw error;
    }
  }
  throw new Error("unreachable: the last arrival has answered");
}

async function arrivalsAt(
  session: Session,
  name: string,
  options: WaitOptions,
): Promise<readonly Arrive[]> {
  const roster: Arrive = () => session.rosterBarrier(name).arrive(options);
  const quorum: Arrive = () => session.quorumBarrier(name).wait(options);
  const count: Arrive = () => session.countBarrier(name).wait(options);
  const { barriers } = await session.describe(name);
  const kinds = new Set(barriers.map(({ kind }) => kind));
  if (kinds.has("count")) return [count];
  if (kinds.has("roster")) return [roster];
  if (kinds.has("quorum")) return [quorum];
  const isInRun = process.env["MUSTER_PARTICIPANT"] !== undefined;
  return isInRun ? [roster, quorum, count] : [count];
}

/** Whether there is no barrier of this kind, and never was. */
function isUnknown(error: unknown): boolean {
  return error instanceof MusterError && error.code === "unknown";
}
