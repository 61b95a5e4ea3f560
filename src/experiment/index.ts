// SPDX-License-Identifier: MIT
// Experiment files: text to model.

export { type Catalogue, defaultCatalogue, type NodeType } from "./catalogue.ts";
export { formatDiagnostic } from "./diagnostics.ts";
export { fileBytesMax } from "./limits.ts";
export type * from "./model.ts";
export type { Tables } from "./ns/rows.ts";
export { type ParseOptions, type ParseResult, parseNsFile } from "./parse.ts";
