// SPDX-License-Identifier: MIT
// What a command line that goes no further prints, and with which status it ends.

export interface Exit {
  readonly kind: "exit";
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Prints and ends the process. Writes to pipes and files are synchronous on Linux. */
export function performExit({ code, stdout, stderr }: Exit): never {
  if (stdout !== undefined) process.stdout.write(stdout);
  if (stderr !== undefined) process.stderr.write(stderr);
  process.exit(code);
}

/** `--help` among the options, whatever else is wrong with them. */
export function helpFor(args: readonly string[], usage: string): Exit | undefined {
  const end = args.indexOf("--");
  const options = end < 0 ? args : args.slice(0, end);
  return options.includes("--help") ? { kind: "exit", code: 0, stdout: usage } : undefined;
}
