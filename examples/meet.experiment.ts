// SPDX-License-Identifier: MIT
// meet.yaml as a program: a setup, three workers who meet, a measurement when they have. From
// outside this repository the import is `from "musterd/experiment"`.
import { defineExperiment, type Experiment } from "../src/experiment/typescript/define.ts";

export const experiment: Experiment = defineExperiment({
  name: "meet",
  syncServer: "server",
  nodes: { server: {}, worker: { repeat: 3 } },
  programs: {
    setup: { node: "server", command: "sleep 0.5; echo the setup is done" },
    work: {
      node: "worker",
      command: "echo here; emulab-sync -n ready && echo met; sleep 1",
      start: { after: "setup" },
    },
    measure: {
      node: "server",
      command: "echo measuring",
      start: { when: "barrier ready crossed", at: "500ms" },
    },
    report: {
      node: "server",
      command: "echo all is over",
      start: { after: ["work", "measure"] },
    },
  },
  barriers: { ready: { members: ["work"], deadline: "30s", onFailure: "stop" } },
});
