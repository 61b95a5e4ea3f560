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
