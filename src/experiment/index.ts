// SPDX-License-Identifier: MIT
// Experiment files: text to model.

export {
  type Catalogue,
  defaultCatalogue,
  type NodeType,
  referenceCatalogue,
} from "./catalogue.ts";
export { withShells } from "./default-shell.ts";
export { formatDiagnostic } from "./diagnostics.ts";
export {
  describeCondition,
  describeDeclaredBarrier,
  describeExtras,
  describeFlow,
  describePaths,
  describeQueue,
  describeRoute,
  describeTrace,
  explain,
} from "./explain.ts";
export { type RouteAddresses, routeAddresses } from "./given-routes.ts";
export { drawDot } from "./graph/dot.ts";
export { drawSvg } from "./graph/svg.ts";
export { fileBytesMax } from "./limits.ts";
export type * from "./model.ts";
export type { Tables } from "./ns/tables.ts";
export { type ParseOptions, type ParseResult, parseNsFile } from "./parse.ts";
export { type NsText, printNs } from "./print-ns.ts";
export { type CatalogueResult, parseCatalogue } from "./read-catalogue.ts";
export { routerType } from "./router-type.ts";
export { closest } from "./suggest.ts";
export { type TableRows, tableRows } from "./table-rows.ts";
export { findCycles } from "./validate.ts";
export { checkShape } from "./yaml/check.ts";
export type { FieldType, RecordType, TextType } from "./yaml/fields.ts";
export { Findings } from "./yaml/findings.ts";
export { yamlDepthMax, yamlMarksMax, yamlNodesMax, yamlOpenMax } from "./yaml/limits.ts";
export { printYaml } from "./yaml/print.ts";
export { parseYamlExperiment, type YamlParseOptions } from "./yaml/read.ts";
export { defaultArgs } from "./yaml/read-programs.ts";
export { type SayablePart, sayableInYaml } from "./yaml/sayable.ts";
export { documentSchema, experimentSchema, type JsonSchema } from "./yaml/schema.ts";
export type { DocumentNode, ListNode, MapEntry, MapNode, ScalarNode } from "./yaml/tree.ts";
export { child, entryOf } from "./yaml/tree.ts";
