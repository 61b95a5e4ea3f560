// SPDX-License-Identifier: MIT
// Two sites and a slow line, in TypeScript: a misspelled name is underlined in the editor. From
// outside this repository the import is `from "musterd/experiment"`.
import { defineExperiment, type Experiment } from "../src/experiment/typescript/define.ts";

export const experiment: Experiment = defineExperiment({
  name: "two-sites-ts",
  nodes: {
    gateway: {},
    east: { repeat: 4 },
    west: { repeat: 4 },
  },
  links: {
    "east-lan": { lan: ["gateway", "east"], bandwidth: "100Mbps" },
    "west-lan": { lan: ["gateway", "west"], bandwidth: "20Mbps", delay: "40ms", loss: "0.5%" },
  },
  programs: {
    measure: { node: ["east", "west"], command: "echo from $NODE", start: "2s" },
    report: { node: "gateway", command: "echo done", start: { after: "measure" } },
  },
  events: [
    { at: "10s", target: "west-lan", do: "down" },
    { at: "20s", target: "west-lan", do: "up" },
  ],
  syncServer: "gateway",
});
