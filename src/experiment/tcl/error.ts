// SPDX-License-Identifier: MIT
// The two ways a script stops. TclError: the script is wrong here; `catch` sees it. TclLimitError:
// the file used up a bound of limits.ts; nothing inside the file can catch it.

/** What an error says besides its message. */
export interface TclErrorDetails {
  /** Word of the running command that is at fault, from 0. */
  readonly word?: number;
  /** Text inside that word to point at. */
  readonly within?: string;
  /** Source offset, when it is known better than by word. */
  readonly offset?: number;
  readonly hint?: string;
  /** Finds the hint when the error is reported: searching costs time that a caught error saves. */
  readonly suggest?: () => string | undefined;
  /** The cause was reported already: the error stops the command but is not reported again. */
  readonly silent?: boolean;
}

/** An error of the script, with a stable code of docs/reference/diagnostics.md. */
export class TclError extends Error {
  readonly code: string;
  readonly details: TclErrorDetails;
  /** Source offset of the word at fault; the evaluator fills it in at the innermost command. */
  offset: number;
  /** A better hint than the one of where it was raised, from a command around it. */
  advice: string | undefined = undefined;
  /** Source offsets of the calls that led here, innermost first. */
  readonly via: number[] = [];
  /** What `catch` and `error` carry in `errorInfo` is not kept: no stack texts in this language. */
  constructor(code: string, message: string, details: TclErrorDetails = {}) {
    super(message);
    this.code = code;
    this.details = details;
    this.offset = details.offset ?? -1;
  }
}

/** What to do about an error, when there is something to say. */
export function hintOf({ hint, suggest }: TclErrorDetails): string | undefined {
  return hint ?? suggest?.();
}

/** A bound was passed: the evaluation of the file ends here. */
export class TclLimitError extends TclError {}
