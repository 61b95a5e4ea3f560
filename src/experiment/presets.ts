// SPDX-License-Identifier: MIT
// Global variables that files read without setting them. [EMULAB-NS 2]

import type { Interpreter } from "./tcl/interpreter.ts";
import { Frame } from "./tcl/variables.ts";

const presets: readonly (readonly [namespace: string, values: Readonly<Record<string, string>>])[] =
  [
    ["GLOBALS", { security_level: "0", elabinelab_singlenet: "0", passmode: "1" }],
    [
      "TBCOMPAT",
      { elabinelab_maxpcs: "0", elabinelab_source_tarfile: "", elabinelab_topology: "" },
    ],
  ];

/** Makes the namespaces and variables that a file may read. */
export function presetGlobals(
  interp: Interpreter,
  names: {
    readonly pid: string;
    readonly eid: string;
    readonly catalogue: { readonly siteVariables: ReadonlyMap<string, string> };
  },
): void {
  for (const [namespace, values] of presets) {
    interp.namespaces.set(namespace, new Frame("namespace", namespace, []));
    for (const [name, value] of Object.entries(values))
      interp.set(`::${namespace}::${name}`, value);
  }
  for (const [name, value] of names.catalogue.siteVariables) {
    interp.set(`::TBCOMPAT::sitevariables(${name})`, value);
  }
  interp.set("::GLOBALS::pid", names.pid);
  interp.set("::GLOBALS::gid", names.pid);
  interp.set("::GLOBALS::eid", names.eid);
  interp.set("::DATASTORE", "");
}
