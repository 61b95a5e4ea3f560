// SPDX-License-Identifier: MIT
// Goal: what is told of a link is in the figures of its file.
import { expect, test } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { reportLink } from "../../../src/network/link-report.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import { shapeLink } from "../../../src/network/model.ts";

test("a share that two ends have between them is the one that was asked for", () => {
  const link = "between: [a, b], bandwidth: 1Mbps, delay: 4ms, loss: 1%, reorder: 3%";
  const text = `nodes: [a, b]\nlinks: { l: { ${link} } }\n`;
  const { experiment } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  const table = new LinkTable({ backend: "a test", bandwidthBpsMax: 1e9, inFlightBytesMax: 1e9 });
  expect(table.add((experiment?.links ?? []).map((link) => shapeLink(link)))).toEqual([]);
  const [way] = reportLink(table, "l", [])?.ways ?? [];
  expect(way).toMatchObject({ asked: { loss: 0.01, reorder: 0.03 }, now: { loss: 0.01 } });
});
