// SPDX-License-Identifier: MIT
// What a command may do to the outside besides its work: write text. Tests pass their own.
import { exitCodes } from "./exit-codes.ts";

export interface CommandIo {
  stdout(text: string): void;
  stderr(text: string): void;
}

export const processIo: CommandIo = {
  stdout: (text) => {
    process.stdout.write(text);
  },
  stderr: (text) => {
    process.stderr.write(text);
  },
};

/**
 * Output that cannot be written (a full disk behind a redirection, a reader that left) ends nothing
 * that runs: it is told in one sentence, and the exit status says so if nothing worse does.
 */
export function guardOutput(): void {
  let isTold = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    process.exitCode ||= exitCodes.cannotWrite;
    if (isTold || error.code === "EPIPE") return;
    isTold = true;
    processIo.stderr(`muster: cannot write the output: ${error.message}\n`);
  };
  process.stdout.on("error", onError);
  process.stderr.on("error", () => undefined);
}

/** A failure that is the user's to mend; `main` prints it and exits with the status. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;
  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/**
 * With `--json` a failure is an object on standard output, too, beside the sentence on standard
 * error: who parses the output finds why there is nothing else.
 *
 * @throws CommandError as `work` does
 */
export async function withJsonFailure(
  { stdout }: CommandIo,
  json: boolean,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (json && error instanceof CommandError) {
      const { exitCode, message: text } = error;
      stdout(`${JSON.stringify({ outcome: "failed", text, exitCode }, null, 2)}\n`);
    }
    throw error;
  }
}
