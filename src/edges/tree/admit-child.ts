// SPDX-License-Identifier: MIT
// Whom a controller lets in from below: whoever has its key may join under any name that is free.
// A child that is a group of servers comes by one edge after the other, `child/NAME/NUMBER`, and
// the core decides whose the link is (M6 of core/barriers/tree.ts).
import type { AdmittedEdge, LinkWitness } from "../../host/link-listener.ts";
import type { Logger } from "../../host/logger.ts";
import { edgeOfChild } from "./carrier.ts";

const prefix = edgeOfChild("");

/** @returns the name of the controller */
function splitEdge(edge: string): string | undefined {
  if (!edge.startsWith(prefix)) return undefined;
  return /^(.+?)(?:\/\d+)?$/.exec(edge.slice(prefix.length))?.[1];
}

/**
 * @param name of this controller
 * @param secret that those below must have
 */
export function admitChild(
  name: string,
  secret: string,
): (edge: string) => AdmittedEdge | undefined {
  return (edge) => {
    const child = splitEdge(edge);
    if (child === undefined) return undefined;
    // The newer one would throw out the older, which comes back and throws out the newer.
    const whenTaken = `another controller has joined ${name} as ${child}; give each a name of its own with --name`;
    return { edge, secret, rights: { kind: "child", name: child, parent: name }, whenTaken };
  };
}

/** What those are told who have not proved the key: not who is here. */
export const whenStrange =
  "its key is another one (give a copy of its controllers.key with --parent-key), or its version";

/** Says who comes from below and goes, and who is not let in. */
export function sayChildren(say: (line: string) => void, logger: Logger): LinkWitness {
  const nameOf = (edge: string): string => splitEdge(edge) ?? JSON.stringify(edge);
  return {
    came: (edge) => say(`controller ${nameOf(edge)} has called from below`),
    went: (edge) => say(`controller ${nameOf(edge)}, from below, has hung up`),
    refused: (edge, why) => {
      const what = why === whenStrange ? "its key is another one, or its version" : why;
      logger.log("warn", `controller ${nameOf(edge)} was not let in from below: ${what}`);
    },
  };
}
