// SPDX-License-Identifier: MIT
// The link of an edge that joins anew when its life has ended without its asking: a server that was
// away for longer than its lease has lost its edges, and goes on serving. What the edge was told to
// end, it has ended by then; connections of its next life are new ones to the core.
import type { ConnectEdge, CoreLink } from "../host/core-link.ts";

/** @param connect makes a life of an edge each time it is called */
export function rejoining(connect: ConnectEdge): ConnectEdge {
  return (edge, handler) => {
    const open = (): CoreLink => {
      const life: CoreLink = connect(edge, {
        ...handler,
        onClosed(reason, isMomentary) {
          if (link === life) link = undefined;
          handler.onClosed?.(reason, isMomentary);
        },
      });
      return life;
    };
    // When it is needed, and not at once: a host that has stopped takes nobody.
    const current = (): CoreLink => {
      link ??= open();
      return link;
    };
    let link: CoreLink | undefined = open();
    return {
      submit: (command) => current().submit(command),
      describe: (scope, barrier, page) => current().describe(scope, barrier, page),
      listEvents: (scope, after) => current().listEvents(scope, after),
      close: async () => link?.close(),
    };
  };
}
