// SPDX-License-Identifier: MIT
// The topology in the language of Graphviz.

import type { Experiment } from "../model.ts";
import { topologyOf } from "./topology.ts";

/** A graph for `dot -Tsvg`; names are quoted, whatever they are. */
export function drawDot(experiment: Experiment): string {
  const { title, points, lines } = topologyOf(experiment);
  const out = [
    `graph ${quoted(title)} {`,
    "  layout=neato; overlap=false; splines=true;",
    '  node [shape=box, style="rounded,filled", fillcolor="#eef2f7", fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];',
  ];
  points.forEach(({ name, kind, label, isSyncServer }, index) => {
    const shape = kind === "lan" ? ', shape=underline, style="", fillcolor=none' : "";
    const server = isSyncServer ? ', penwidth=2, xlabel="sync server"' : "";
    const text = label === "" ? name : `${name}\n${label}`;
    out.push(`  p${index} [label=${quoted(text)}${shape}${server}];`);
  });
  for (const { from, to, name, label } of lines) {
    const text = label === "" ? "" : ` [label=${quoted(`${name}\n${label}`)}]`;
    out.push(`  p${from} -- p${to}${text};`);
  }
  out.push("}");
  return `${out.join("\n")}\n`;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
