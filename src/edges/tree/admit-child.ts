// SPDX-License-Identifier: MIT
// Whom a controller lets in from below: whoever has its key may join under any name that is free.
// A child that is a group of servers comes by one edge after the other, `child/NAME/NUMBER`, and
// the core decides whose the link is (M6 of core/barriers/tree.ts).
import type { AdmittedEdge } from "../../host/link-listener.ts";
import { edgeOfChild } from "./carrier.ts";

const prefix = edgeOfChild("");

/**
 * @param name of this controller
 * @param secret that those below must have
 */
export function admitChild(
  name: string,
  secret: string,
): (edge: string) => AdmittedEdge | undefined {
  return (edge) => {
    if (!edge.startsWith(prefix)) return undefined;
    const [, child = ""] = /^(.+?)(?:\/\d+)?$/.exec(edge.slice(prefix.length)) ?? [];
    if (child === "") return undefined;
    // The newer one would throw out the older, which comes back and throws out the newer.
    const whenTaken = `another controller has joined ${name} as ${child}; give each a name of its own with --name`;
    return { edge, secret, rights: { kind: "child", name: child }, whenTaken };
  };
}
