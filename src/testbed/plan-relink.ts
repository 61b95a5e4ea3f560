// SPDX-License-Identifier: MIT
// Whether the links of a run that is under way can become those of another experiment, and what
// that takes: from both as read. What is refused is refused before anything is changed.
import { errorText } from "../core/text.ts";
import type { Experiment } from "../experiment/model.ts";
import { NetworkError } from "../network/link-backend.ts";
import { shapeLink } from "../network/model.ts";
import type { NodeBackend, Relinking } from "./nodes/index.ts";
import { planNetwork } from "./plan-network.ts";

/** @throws NetworkError with a sentence for the user */
export function planRelink(
  backend: Pick<NodeBackend, "relinkRefusal">,
  experiment: Experiment,
): Relinking {
  if (backend.relinkRefusal === undefined) {
    throw new NetworkError("links cannot be added or removed: nodes have no network of their own");
  }
  const network = networkOf(experiment);
  const relinking: Relinking = {
    ...{ network, links: experiment.links },
    shapes: new Map(experiment.links.map((link) => [link.name, shapeLink(link)])),
  };
  const why = backend.relinkRefusal(relinking);
  if (why !== undefined) throw new NetworkError(why);
  return relinking;
}

function networkOf(experiment: Experiment): Relinking["network"] {
  let planned: ReturnType<typeof planNetwork>;
  try {
    const shapeLinks = (): never => {
      throw new Error("the links of a run keep who shapes them");
    };
    planned = planNetwork({ experiment, wanted: "own", shapeLinks });
  } catch (error) {
    throw new NetworkError(errorText(error));
  }
  if (planned === undefined) throw new NetworkError("the network cannot be planned");
  return planned;
}
