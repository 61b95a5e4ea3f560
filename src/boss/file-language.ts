// SPDX-License-Identifier: MIT
// Which language an experiment file is in, by its name. What is neither of these is NS.

/** YAML, or a program in TypeScript or JavaScript, whose text is the YAML that it makes. */
export function isYamlFile(file: string): boolean {
  return /\.ya?ml$/i.test(file) || isProgramFile(file);
}

/** A program that makes an experiment. */
export function isProgramFile(file: string): boolean {
  return /\.[cm]?[jt]s$/i.test(file);
}

/** What to add where a file is refused that its name makes NS; `""` where it looks like that. */
export function describeMisnamed(file: string, text: string): string {
  if (isYamlFile(file) || isProgramFile(file) || !yamlBeginning.test(text)) return "";
  return "; it looks like YAML, and by its name it was read as NS: call it .yaml";
}

/** A key of ours alone at the beginning of a line; NS files say `set`. */
const yamlBeginning = /^(?:nodes|links|programs|barriers|experiment|name):(?:\s|$)/m;
